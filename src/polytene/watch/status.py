"""What a run directory says about its run: alive or dead, from any machine, without a server."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from polytene.core import parts
from polytene.core.failure import Failure
from polytene.core.ledger import Record, read
from polytene.core.lock import holder, is_held
from polytene.core.plan import Unit
from polytene.core.saved import SavedPlan, load
from polytene.exceptions import DamagedRun


@dataclass
class Status:
    """How far a run is.

    ``state`` is ``running``, ``finished``, ``stopped`` (it ended by itself or was asked to) or
    ``died`` (its driver vanished); the last two go on with the same command.
    """

    directory: str
    kind: str
    noun: str
    state: str
    units: int
    done: int
    quarantined: int
    rejected: int
    items: int
    nbytes: int
    reasons: dict[str, int] = field(default_factory=dict)
    damaged_lines: int = 0
    driver: dict[str, Any] = field(default_factory=dict)
    last: dict[str, Any] = field(default_factory=dict)

    @property
    def left(self) -> int:
        """Units that are neither done nor quarantined."""
        return self.units - self.done - self.quarantined


def status(folder: str | Path) -> Status:
    """Return how far the run in a directory is.

    Raises
    ------
    UsageError
        If the folder is not a run directory.
    """
    root = Path(folder)
    plan = load(root, unit_type=_AnyUnit)
    receipts, events, damaged = _index(root, plan)
    failures = [f for r in receipts for f in r["failures"]]
    rejected = [f for r in receipts for f in r["rejected"]]
    reasons = Counter([f[4] for f in failures] + [f[3] for f in rejected])
    return Status(
        directory=str(root),
        kind=plan.head["kind"],
        noun=plan.head["noun"],
        state=_state(root, events),
        units=len(plan),
        done=sum(r["units"] for r in receipts) - len(failures),
        quarantined=len(failures),
        rejected=len(rejected),
        items=sum(r["items"] for r in receipts),
        nbytes=sum(r["nbytes"] for r in receipts),
        reasons=dict(reasons.most_common()),
        damaged_lines=damaged,
        driver=holder(root),
        last=events[-1] if events else {},
    )


class _AnyUnit(Unit):
    """Takes any unit's fields; enough to list keys without importing a script's classes."""

    def __init__(self, key: str, **fields: Any) -> None:
        super().__init__(key)


def _state(root: Path, events: list[Record]) -> str:
    if is_held(root):
        return "running"
    if not events or events[-1]["event"] != "end":
        return "died"
    return "finished" if events[-1]["status"] == "finished" else "stopped"


def _index(root: Path, plan: SavedPlan[Any]) -> tuple[list[Record], list[Record], int]:
    """Return the latest receipts of the last leg, in plan order; the events; damaged lines.

    A block that was lost with its worker has no receipt; its failures stand in for one.
    """
    none = {"units": 0, "items": 0, "nbytes": 0, "rejected": []}
    known: dict[str, Record] = {}
    events: list[Record] = []
    damaged = 0
    for record in read(root):
        if record is None:
            damaged += 1
        elif record.get("event") == "lost":
            known[record["tag"]] = {**none, **record, "units": len(record["failures"])}
        elif "event" in record:
            events.append(record)
        elif record["leg"] == plan.head["leg"]:
            known[record["tag"]] = record
    tags = (f"{int(t):016x}" for t in plan.index["tag"])
    return [known[t] for t in tags if t in known], events, damaged


def quarantine(folder: str | Path) -> list[Failure]:
    """Return the units that failed and the items that were rejected, in plan order."""
    root = Path(folder)
    plan = load(root, unit_type=_AnyUnit)
    receipts = {r["tag"]: r for r in _index(root, plan)[0]}
    out: list[Failure] = []
    for block, tag in enumerate(plan.index["tag"]):
        receipt = receipts.get(f"{int(tag):016x}")
        if receipt and (receipt["failures"] or receipt["rejected"]):
            out += _failures(receipt, [u.key for u in plan.block(block)])
    return out


def _failures(receipt: Record, keys: list[str]) -> Iterable[Failure]:
    yield from (Failure(*f) for _, *f in receipt["failures"])
    for i, stage, item, reason, detail in receipt["rejected"]:
        yield Failure(keys[i], stage, "input", reason, detail, item)


def verify(folder: str | Path, *, deep: bool = False) -> tuple[int, list[str]]:
    """Check that the files of a run are those that were committed.

    Parameters
    ----------
    folder
        The run directory.
    deep
        Read every byte again; otherwise existence and size are checked.

    Returns
    -------
    checked, problems
        How many parts were looked at, and a sentence for each that is not as committed.
    """
    root = Path(folder)
    plan = load(root, unit_type=_AnyUnit)
    receipts, _, damaged = _index(root, plan)
    problems = [f"ledger: {damaged} damaged lines, their parts are found again"] if damaged else []
    for receipt in (r for r in receipts if "part" in r):
        if not parts.is_there(root, receipt):
            problems.append(f"{receipt['part']}: missing, or not of its size")
        elif deep and (wrong := parts.damage(root, receipt)):
            problems.append(wrong)
    try:
        for _ in plan:
            pass
    except DamagedRun as error:
        problems.append(str(error))
    return len(receipts), problems
