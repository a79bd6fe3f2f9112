"""What a run directory holds that no result needs: found, and removed while nobody works there."""

from __future__ import annotations

import os
import re
import shutil
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from polytene.core import parts
from polytene.core.ledger import Record, attempt, read
from polytene.core.lock import Lock
from polytene.core.plan import Unit
from polytene.core.saved import SavedPlan, load
from polytene.exceptions import DamagedRun

DRAFT = re.compile(r"\.([0-9a-f]{12}(-\d+)?|[0-9a-f]{32}|\d+)\.tmp$")
PLACES = ("*", "*/.*", "parts/*/*/*", "nodes/*/*/*")
KINDS = ("scratch", "drafts", "parts", "removed runs")


@dataclass
class Cleaned:
    """What was removed, or would be.

    Parameters
    ----------
    found
        Per kind of thing, how many there are.
    nbytes
        Per kind, the bytes on disk that are free without them; a file that has another name
        elsewhere frees nothing.
    """

    found: Counter[str] = field(default_factory=Counter)
    nbytes: Counter[str] = field(default_factory=Counter)


def clean(root: Path, *, dry_run: bool = False) -> Cleaned:
    """Remove what no result of a run needs: scratch, drafts, and parts without current receipt.

    Parts are superseded by later attempts, or belong to parameters, stages or units that the
    saved plan no longer has. A run directory that ``--fresh`` was removing when it was ended is
    removed, too.

    Raises
    ------
    UsageError
        If the folder is not a run directory.
    RunLocked
        If a driver works there.
    DamagedRun
        If the plan cannot be read: then nobody knows what is needed.
    """
    plan = load(root, Unit)
    cleaned = Cleaned()
    with Lock(root):
        for kind, paths in _leftovers(root, plan):
            cleaned.found[kind] += 1
            cleaned.nbytes[kind] += _bytes_of(paths)
            if not dry_run:
                _remove(paths)
        if not dry_run:
            _remove_empty(root / "parts")
    return cleaned


def _leftovers(root: Path, plan: SavedPlan[Unit]) -> Iterator[tuple[str, list[Path]]]:
    """Yield each thing that is not needed: its kind, and its files or folders, receipt first."""
    for path in sorted((root / "scratch").glob("*")):
        yield "scratch", [path]
    for place in PLACES:
        for path in sorted(root.glob(f"{place}.tmp")):
            if DRAFT.search(path.name) and path.is_file():
                yield "drafts", [path]
    if "legs" in plan.head:
        needed = needed_parts(root, plan)
        for name, paths in _parts_on_disk(root):
            if name not in needed:
                yield "parts", paths
    for path in sorted(root.parent.glob(f".{root.name}.*.removed")):
        yield "removed runs", [path]


def needed_parts(root: Path, plan: SavedPlan[Unit]) -> set[str]:
    """Return the names of the parts that count: per leg and block, the one of the last attempt."""
    tags = {f"{int(tag):016x}" for tag in plan.index["tag"]}
    best: dict[tuple[str, str], str] = {}
    for receipt in _receipts(root):
        place = receipt["leg"], receipt["tag"]
        if place[0] not in plan.head["legs"] or place[1] not in tags:
            continue
        if place not in best or attempt(best[place]) <= attempt(receipt["part"]):
            best[place] = receipt["part"]
    return set(best.values())


def _receipts(root: Path) -> Iterator[Record]:
    """Yield the receipts that the ledger lists, then those that it lacks and a resume adopts."""
    listed = set()
    for record in read(root):
        if record is not None and "part" in record:
            listed.add(record["part"])
            if parts.is_there(root, record):
                yield record
    for path in (root / "parts").glob("*/*/*.json"):
        name = str(path.relative_to(root).with_suffix(""))
        if name not in listed:
            with suppress(DamagedRun):
                yield parts.read_receipt(root, name)[0]


def _parts_on_disk(root: Path) -> Iterator[tuple[str, list[Path]]]:
    """Yield each part's name and what lies under it, the receipt first."""
    for folder in sorted((root / "parts").glob("*/*")):
        groups: dict[str, list[Path]] = {}
        for path in sorted(folder.iterdir(), key=lambda p: (p.suffix != ".json", p.name)):
            if not DRAFT.search(path.name):
                groups.setdefault(path.stem, []).append(path)
        for stem, paths in groups.items():
            yield str((folder / stem).relative_to(root)), paths


def _bytes_of(paths: Iterable[Path]) -> int:
    """Return the bytes that are free once ``paths`` are gone."""
    return sum(stat.st_size for p in paths for stat in _stats(p) if stat.st_nlink == 1)


def _stats(path: Path) -> Iterator[os.stat_result]:
    files = [path] if not path.is_dir() or path.is_symlink() else path.rglob("*")
    for file in files:
        with suppress(OSError):
            if not file.is_dir() or file.is_symlink():
                yield file.lstat()


def _remove(paths: Iterable[Path]) -> None:
    for path in paths:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


def _remove_empty(folder: Path) -> None:
    for path in sorted(folder.glob("*/*"), reverse=True) + sorted(folder.glob("*")):
        with suppress(OSError):
            path.rmdir()
