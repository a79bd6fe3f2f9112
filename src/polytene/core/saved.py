"""A plan on disk: one line per block, read by workers; the driver holds 28 bytes per block."""

from __future__ import annotations

import hashlib
import importlib
import json
import os
from array import array
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO, Generic

import numpy as np

from polytene.core.canonical import Json, canonical, digest, plain
from polytene.core.chaos import point
from polytene.core.files import full_disk_named, sync_folder, write_bytes
from polytene.core.keys import check_key, key_hash, repeated
from polytene.core.plan import Plan, U, Unit
from polytene.core.versions import versions
from polytene.exceptions import DamagedRun, UsageError

FORMAT = 1
NAMES = ("kind", "noun", "params", "final", "block", "units", "fingerprint", "index", "unit_type")
PAGE = 4096
INDEX = np.dtype([("offset", "<u8"), ("tag", "<u8"), ("cost", "<f8"), ("units", "<u4")])


@dataclass(frozen=True)
class SavedPlan(Generic[U]):
    """A plan in a run directory, with the place of each block."""

    folder: Path
    head: dict[str, Json]
    index: np.ndarray[Any, np.dtype[np.void]]
    unit_type: type[U]

    @property
    def fingerprint(self) -> str:
        """The fingerprint of the plan that was saved."""
        return str(self.head["fingerprint"])

    @property
    def path(self) -> Path:
        """The file with one line per block."""
        return units_file(self.folder, self.fingerprint)

    def __len__(self) -> int:
        return int(self.head["units"])

    def __iter__(self) -> Iterator[U]:
        for block in range(len(self.index)):
            yield from self.block(block)

    def block(self, block: int) -> list[U]:
        """Return the units of one block."""
        where = self.index[block]
        return read_block(self.path, int(where["offset"]), int(where["tag"]), self.unit_type)

    def fields(self, block: int) -> list[dict[str, Json]]:
        """Return the fields of one block's units, whatever their class is."""
        where = self.index[block]
        return read_fields(self.path, int(where["offset"]), int(where["tag"]))

    def keys(self, block: int) -> list[str]:
        """Return the keys of one block's units."""
        return [unit["key"] for unit in self.fields(block)]

    def check_lines(self) -> None:
        """Read the file of units once and compare each line with its tag.

        Raises
        ------
        DamagedRun
            If a block is not the one that was planned.
        """
        try:
            with open(self.path, "rb") as lines:
                for block, (line, tag) in enumerate(zip(lines, self.index["tag"], strict=True)):
                    if tag_of(line) != int(tag):
                        raise DamagedRun(f"{self.path}: block {block} is not as it was planned")
        except OSError as error:
            raise DamagedRun(f"{self.path}: {error.strerror}") from None
        except ValueError:
            raise DamagedRun(f"{self.path}: it holds other blocks than were planned") from None

    def holds(self, block: int) -> dict[str, float]:
        """Return what the units of one block hold from admission to settling."""
        return footprint_of(self.block(block))

    def plan(self) -> Plan[U]:
        """Return the plan itself; its units are read as they are wanted."""
        head = self.head
        about = {name: head[name] for name in ("final", "block", "noun")}
        plan = Plan(head["kind"], self, head["params"], **about)
        plan._fingerprint = self.fingerprint
        return plan


def blocks(plan: Plan[U]) -> Iterator[list[U]]:
    """Cut a plan into blocks whose ends depend on the keys near them alone."""
    if plan.block == 1:
        for unit in plan:
            yield [unit]
        return
    least, most = max(1, plan.block // 4), plan.block * 4
    odds = plan.block - least + 1
    chunk: list[U] = []
    for unit in plan:
        chunk.append(unit)
        full = len(chunk) >= least and key_hash(unit.key) % odds == 0
        if full or len(chunk) == most:
            yield chunk
            chunk = []
    if chunk:
        yield chunk


def line_of(units: list[Any]) -> bytes:
    """Return the line that stands for a block."""
    return canonical([fields_of(u) for u in units]) + b"\n"


def fields_of(unit: Unit) -> dict[str, Json]:
    """Return the fields of a unit as JSON."""
    return {f.name: plain(getattr(unit, f.name), f"unit {f.name}") for f in fields(unit)}


def footprint_of(
    units: Sequence[Any], shrunk: Sequence[Mapping[str, float]] = ()
) -> dict[str, float]:
    """Return what the units of a block hold together; some of them less than their footprint."""
    total: dict[str, float] = {}
    for unit, less in zip(units, shrunk or [{}] * len(units), strict=True):
        for name, amount in {**unit.footprint, **less}.items():
            total[name] = total.get(name, 0.0) + amount
    return total


def tag_of(line: bytes) -> int:
    """Return 64 bits that name the content of a block."""
    return int.from_bytes(hashlib.blake2b(line, digest_size=8).digest(), "little")


class _Listing:
    """One pass over the units: checks keys, cuts blocks, gathers the index and the digest."""

    def __init__(self, plan: Plan[Any]) -> None:
        self.plan = plan
        self.units = 0
        self.footprint: dict[str, float] = {}
        self.hashes = array("Q")
        self._columns: dict[str, array[Any]] = {
            "offset": array("Q"),
            "tag": array("Q"),
            "cost": array("d"),
            "units": array("L"),
        }
        self._hash = hashlib.blake2b(digest_size=16)

    def write(self, out: BinaryIO | None) -> None:
        """List all units, writing their lines to ``out`` if there is one."""
        offset = 0
        for chunk in blocks(self.plan):
            for unit in chunk:
                check_key(unit.key)
                self.hashes.append(key_hash(unit.key))
            for name, amount in footprint_of(chunk).items():
                self.footprint[name] = max(self.footprint.get(name, 0.0), amount)
            line = line_of(chunk)
            row = (offset, tag_of(line), sum(u.cost for u in chunk), len(chunk))
            for column, value in zip(self._columns.values(), row, strict=True):
                column.append(value)
            self._hash.update(line)
            offset += len(line)
            self.units += len(chunk)
            if out is not None:
                out.write(line)
        self._check_unique()

    def _check_unique(self) -> None:
        seen = np.sort(np.frombuffer(self.hashes, np.uint64)) if self.hashes else np.empty(0)
        if not (seen[1:] == seen[:-1]).any():
            return
        if twice := repeated(u.key for u in self.plan):
            names = ", ".join(map(repr, twice[:3])) + (" ..." if len(twice) > 3 else "")
            raise UsageError(f"{len(twice)} keys of plan {self.plan.kind!r} repeat: {names}")

    @property
    def index(self) -> np.ndarray[Any, np.dtype[np.void]]:
        """Where each block stands, what it holds and what it costs."""
        out = np.zeros(len(self._columns["tag"]), INDEX)
        for name, column in self._columns.items():
            out[name] = column
        return out

    @property
    def head(self) -> dict[str, Json]:
        """What the fingerprint covers."""
        plan = self.plan
        what = {"kind": plan.kind, "params": plan.params, "block": plan.block, "noun": plan.noun}
        mark = hashlib.blake2b(canonical(what) + self._hash.digest(), digest_size=16)
        return {**what, "units": self.units, "fingerprint": mark.hexdigest()}


def fingerprint(plan: Plan[Any]) -> str:
    """Return the fingerprint of a plan without writing it."""
    listing = _Listing(plan)
    listing.write(None)
    return str(listing.head["fingerprint"])


def units_file(folder: Path, mark: str) -> Path:
    """Return where the blocks of a plan stand."""
    return folder / f"plan-{mark[:12]}.jsonl"


def index_file(folder: Path, mark: str) -> Path:
    """Return where the places of the blocks stand."""
    return folder / f"plan-{mark[:12]}.npy"


def save(plan: Plan[U], folder: Path, extra: dict[str, Json] | None = None) -> SavedPlan[U]:
    """Write a plan to ``folder``; the rename of ``plan.json``, last, is the commit."""
    folder.mkdir(parents=True, exist_ok=True)
    listing = _Listing(plan)
    draft = folder / f"plan.{os.getpid()}.tmp"
    try:
        with full_disk_named(folder), open(draft, "wb") as out:
            listing.write(out)
            out.flush()
            os.fsync(out.fileno())
        head = listing.head
        os.replace(draft, units_file(folder, head["fingerprint"]))
        point("plan.units")
    finally:
        draft.unlink(missing_ok=True)
    index = listing.index
    write_bytes(index_file(folder, head["fingerprint"]), index.tobytes())
    point("plan.index")
    head["index"] = digest(index.tobytes())
    kind = _unit_type(plan)
    head |= {
        "final": plan.final,
        "format": FORMAT,
        "unit_type": f"{kind.__module__}:{kind.__qualname__}",
    }
    head |= {"footprint": listing.footprint, "versions": versions(), **(extra or {})}
    write_bytes(folder / "plan.json", json.dumps(head, indent=1, sort_keys=True).encode() + b"\n")
    sync_folder(folder)
    point("plan.head")
    _remove_old(folder, head["fingerprint"])
    return SavedPlan(folder, head, index, kind)


def _unit_type(plan: Plan[U]) -> type[U]:
    kinds = {type(u) for u in islice(plan, 1)}
    return kinds.pop() if kinds else Unit  # type: ignore[return-value]


def _remove_old(folder: Path, mark: str) -> None:
    for path in folder.glob("plan-*"):
        if path not in (units_file(folder, mark), index_file(folder, mark)):
            path.unlink()


def read_head(folder: Path) -> dict[str, Json]:
    """Return ``plan.json`` of a run directory.

    Raises
    ------
    UsageError
        If the folder is not a run directory, or one of another format.
    """
    path = folder / "plan.json"
    try:
        head: dict[str, Json] = json.loads(path.read_bytes())
    except (FileNotFoundError, NotADirectoryError):
        raise UsageError(f"{folder} is not a run directory: it has no plan.json") from None
    except ValueError as error:
        raise DamagedRun(f"{path} is not JSON ({error}); start again with --fresh") from None
    if not isinstance(head, dict):
        raise DamagedRun(f"{path} holds no plan; start again with --fresh")
    if head.get("format") != FORMAT:
        raise UsageError(
            f"{path} has format {head.get('format')}, this polytene reads {FORMAT}: "
            "finish the run with the version that began it, or start again with --fresh"
        )
    if missing := [name for name in NAMES if name not in head]:
        raise DamagedRun(f"{path} lacks {missing[0]!r}; start again with --fresh")
    return head


def load(folder: Path, unit_type: type[U] | None = None) -> SavedPlan[U]:
    """Return the plan that a run directory holds."""
    head = read_head(folder)
    path = index_file(folder, head["fingerprint"])
    try:
        data = path.read_bytes()
        index = np.frombuffer(data, INDEX)
    except (OSError, ValueError) as error:
        raise DamagedRun(f"{path}: {error}; give the same command again") from None
    if digest(data) != head["index"]:
        raise DamagedRun(f"{path}: its checksum does not fit; give the same command again")
    if int(index["units"].sum()) != head["units"]:
        raise DamagedRun(f"{folder}/plan.json: it counts {head['units']} units, its index others")
    return SavedPlan(folder, head, index, unit_type or _imported(head["unit_type"]))


def _imported(name: str) -> Any:
    module, _, path = name.partition(":")
    if module == "__main__":
        raise UsageError(f"the units are of class {path} of a script: give unit_type={path}")
    found: Any = importlib.import_module(module)
    for part in path.split("."):
        found = getattr(found, part)
    return found


def read_block(path: Path, offset: int, tag: int, unit_type: type[U]) -> list[U]:
    """Return the units of one block, checked against the tag that was planned."""
    return [
        unit_type(**{k: _frozen(v) for k, v in unit.items()})
        for unit in read_fields(path, offset, tag)
    ]


def read_fields(path: Path, offset: int, tag: int) -> list[dict[str, Json]]:
    """Return the fields of the units of one block, checked against the tag that was planned."""
    try:
        line = _line_at(path, offset)
    except OSError as error:
        raise DamagedRun(f"{path}: {error.strerror}") from None
    if tag_of(line) != tag:
        raise DamagedRun(f"{path}: the block at byte {offset} is not the one that was planned")
    found: list[dict[str, Json]] = json.loads(line)
    return found


def _line_at(path: Path, offset: int) -> bytes:
    handle = os.open(path, os.O_RDONLY)
    try:
        line, size = b"", PAGE
        while more := os.pread(handle, size, offset + len(line)):
            line += more
            size = 2 * len(line)
            if (end := line.find(b"\n") + 1) > 0:
                return line[:end]
        return line
    finally:
        os.close(handle)


def _frozen(value: Json) -> Json:
    """Lists come back as tuples, which frozen units can hold and hash."""
    if isinstance(value, dict):
        return {k: _frozen(v) for k, v in value.items()}
    return tuple(map(_frozen, value)) if isinstance(value, list) else value
