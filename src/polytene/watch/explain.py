"""What became of one unit: its fields, its block, and each leg it went through."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

from polytene.core import parts
from polytene.core.canonical import Json, canonical, digest
from polytene.core.failure import RETRIED, Failure
from polytene.core.ledger import Record, attempt, read
from polytene.core.plan import Unit
from polytene.core.recorded import recorded, reproduce_line
from polytene.core.saved import SavedPlan, load
from polytene.exceptions import DamagedRun, UsageError

COMPARED = 50_000
AGAIN = {
    True: "the same command tries it again",
    False: "only with --retry-quarantined: the same data and code fail alike",
}


@dataclass
class LegState:
    """What one leg (stages that run as one task) made of a unit.

    ``state`` is ``done``, ``failed``, ``waiting``, ``not reached`` (an earlier leg failed) or
    ``damaged`` (its part is not what was committed; the same command computes it again).
    """

    name: str
    state: str
    part: str = ""
    nbytes: int = 0
    digest: str = ""
    epoch: int = 0
    attempts: int = 0
    units: int = 0
    items: int = 0
    read: int = 0
    failure: Failure | None = None
    again: str = ""


@dataclass
class Explanation:
    """What became of one unit.

    ``state`` is ``done``, ``quarantined`` or ``waiting``.
    """

    directory: str
    kind: str
    noun: str
    key: str
    state: str
    fields: dict[str, Json]
    block: int
    place: int
    legs: list[LegState] = field(default_factory=list)
    rejected: list[Failure] = field(default_factory=list)
    reproduce: str = ""


def explain(folder: str | Path, key: str) -> Explanation:
    """Return what became of a unit of a run directory.

    Raises
    ------
    UsageError
        If the folder is not a run directory, or its plan holds no such unit; the message names
        those with similar keys.
    """
    root = Path(folder)
    plan = load(root, Unit)
    block, place, fields = _find(plan, key)
    tag = f"{int(plan.index[block]['tag']):016x}"
    receipts, lost = _records(root, tag)
    states: list[LegState] = []
    rejected: list[Failure] = []
    for name, mark in legs_of(plan.head):
        state = _leg(root, name, receipts.get(mark), place)
        if state.state == "waiting" and any(s.failure for s in states):
            state.state = "not reached"
        elif state.failure and any(s.failure for s in states):
            state = LegState(name, "not reached")
        states.append(state)
        if state.state == "done":
            rejected = _rejected(receipts[mark], place, key)
    _add_lost(states, lost, place)
    head = plan.head
    about = (str(root), head["kind"], head["noun"], key, _verdict(states), fields, block, place)
    return Explanation(*about, states, rejected, reproduce_line(recorded(root), key))


def _find(plan: SavedPlan[Any], key: str) -> tuple[int, int, dict[str, Json]]:
    """Return block, place in it, and fields of a unit; only its own line is parsed."""
    needle = json.dumps(key).encode()
    for block in _blocks_with(plan, needle):
        for place, fields in enumerate(plan.fields(block)):
            if fields["key"] == key:
                return block, place, fields
    raise no_such_unit(plan.head["noun"], key, _keys(plan))


def _blocks_with(plan: SavedPlan[Any], needle: bytes) -> Iterator[int]:
    try:
        with open(plan.path, "rb") as lines:
            yield from (block for block, line in enumerate(lines) if needle in line)
    except OSError as error:
        raise DamagedRun(f"{plan.path}: {error.strerror}; give the same command again") from None


def _keys(plan: SavedPlan[Any]) -> Iterator[str]:
    for block in range(len(plan.index)):
        yield from plan.keys(block)


def no_such_unit(noun: str, key: str, keys: Iterable[str]) -> UsageError:
    """Return an error that names the units whose keys are like the one that is not there."""
    near = closest(key, keys)
    like = f"; similar: {', '.join(map(repr, near))}" if near else ""
    return UsageError(f"the plan holds no {noun} {key!r}{like}")


def closest(key: str, keys: Iterable[str]) -> list[str]:
    """Return at most three keys that contain ``key`` or look like it.

    Examples
    --------
    >>> closest("chr1", ["chr10", "chrX", "mt"])
    ['chr10', 'chrX']
    """
    known = list(islice(keys, COMPARED))
    holding = [k for k in known if key and key in k]
    return list(dict.fromkeys([*holding[:3], *difflib.get_close_matches(key, known)]))[:3]


def _records(root: Path, tag: str) -> tuple[dict[str, Record], Record | None]:
    """Return the latest receipt of a block per leg, and the note that it was lost after them."""
    receipts: dict[str, Record] = {}
    lost: Record | None = None
    for record in read(root):
        if record is None or record.get("tag") != tag:
            continue
        if record.get("event") == "lost":
            lost = record
        elif "part" in record:
            receipts[record["leg"]], lost = record, None
    return receipts, lost


def legs_of(head: dict[str, Json]) -> list[tuple[str, str]]:
    """Return name and fingerprint of each leg of a saved plan, from its stages."""
    found, names = [], []
    mark = digest(canonical([head["kind"], head["params"]]), 6)
    for stage in head.get("stages", []):
        mark = digest(canonical([mark, stage]), 6)
        names.append(stage[0])
        if mark in head["legs"]:
            found.append(("+".join(names), mark))
            names = []
    return found


def _leg(root: Path, name: str, receipt: Record | None, place: int) -> LegState:
    if receipt is None:
        return LegState(name, "waiting")
    epoch, _, attempts = attempt(receipt["part"]).partition(".")
    state = LegState(name, "done", receipt["part"], digest=receipt["digest"])
    state.epoch, state.attempts = int(epoch), int(attempts) + 1
    state.units, state.nbytes = receipt["units"], size_of(receipt)
    try:
        if not parts.is_there(root, receipt):
            raise DamagedRun("missing, or not of its size")
        _, each = parts.read_receipt(root, receipt["part"])
    except DamagedRun:
        state.state, state.again = "damaged", "the same command computes it again"
        return state
    state.items, state.read = each["items"][place], each["nbytes"][place]
    for i, *failure in receipt["failures"]:
        if i == place:
            state.state, state.failure = "failed", Failure(*failure)
            state.again = AGAIN[state.failure.category in RETRIED]
    return state


def size_of(receipt: Record) -> int:
    """Return the bytes of a part on disk, receipt included."""
    files = receipt.get("data", [])
    if receipt["kind"] != "folder":
        files = [["", *files]] if files else []
    total: int = receipt["size"] + sum(size for _, size, _ in files)
    return total


def _rejected(receipt: Record, place: int, key: str) -> list[Failure]:
    return [
        Failure(key, stage, "input", reason, detail, item)
        for i, stage, item, reason, detail in receipt["rejected"]
        if i == place
    ]


def _add_lost(states: list[LegState], lost: Record | None, place: int) -> None:
    """Say of the first leg that waits that its workers died."""
    waiting = next((s for s in states if s.state == "waiting"), None)
    if lost is None or waiting is None:
        return
    for i, *failure in lost["failures"]:
        if i == place:
            waiting.state, waiting.failure = "failed", Failure(*failure)
            waiting.again = AGAIN[True]


def _verdict(states: list[LegState]) -> str:
    if any(s.failure for s in states):
        return "quarantined"
    return "done" if states and all(s.state == "done" for s in states) else "waiting"
