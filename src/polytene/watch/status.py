"""What a run directory says about its run: alive or dead, from any machine, without a server."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
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
from polytene.watch.rates import counted


@dataclass
class Status:
    """How far a run is.

    ``state`` is ``planned``, ``running``, ``finished``, ``stopped`` (by itself or because it was
    asked to) or ``died`` (its driver vanished); the last two go on with the same command.
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
    plan = load(root, Unit)
    receipts, events, damaged = _index(root, plan)
    failures = [f for r in receipts for f in r["failures"]]
    rejected = [f for r in receipts for f in r["rejected"]]
    reasons = Counter([f[4] for f in failures] + [f[3] for f in rejected])
    return Status(
        directory=str(root),
        kind=plan.head["kind"],
        noun=plan.head["noun"],
        state=state_of(root, events),
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


def state_of(root: Path, events: list[Record]) -> str:
    """Return the state of a run, from its lock and the events of its ledger."""
    if is_held(root):
        return "running"
    if not events:
        return "planned"
    if events[-1]["event"] != "end":
        return "died"
    return "finished" if events[-1]["status"] == "finished" else "stopped"


def _index(root: Path, plan: SavedPlan[Any]) -> tuple[list[Record], list[Record], int]:
    """Return the latest receipts of the last leg, in plan order; the events; damaged lines.

    A block that was lost with its worker has no receipt; its failures stand in for one.
    """
    last = plan.head.get("legs", [])[-1:]
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
        elif record["leg"] in last:
            known[record["tag"]] = record
    tags = (f"{int(t):016x}" for t in plan.index["tag"])
    return [known[t] for t in tags if t in known], events, damaged


def quarantine(folder: str | Path) -> list[Failure]:
    """Return the units that failed and the items that were rejected, in plan order."""
    root = Path(folder)
    plan = load(root, Unit)
    receipts = {r["tag"]: r for r in _index(root, plan)[0]}
    out: list[Failure] = []
    for block, tag in enumerate(plan.index["tag"]):
        receipt = receipts.get(f"{int(tag):016x}")
        if receipt and (receipt["failures"] or receipt["rejected"]):
            out += _failures(receipt, plan.keys(block))
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
    try:
        plan = load(root, Unit)
    except DamagedRun as error:
        return 0, [str(error)]
    receipts = list(_receipts(root, plan))
    damaged = sum(record is None for record in read(root))
    problems = [f"ledger: {damaged_lines(damaged)}"] if damaged else []
    for receipt in receipts:
        if not parts.is_there(root, receipt):
            problems.append(f"{receipt['part']}: missing, or not of its size")
        elif deep and (wrong := parts.damage(root, receipt)):
            problems.append(wrong)
    nodes = list(_nodes(root)) if deep else []
    problems += [wrong for _, wrong in nodes if wrong]
    return len(receipts) + len(nodes), problems + _plan_problems(plan)


def damaged_lines(n: int) -> str:
    """Return what damaged lines of a ledger mean."""
    return f"{counted(n, 'damaged line')}; what they said is found again in the parts"


def _receipts(root: Path, plan: SavedPlan[Any]) -> Iterator[Record]:
    """Yield the latest receipt of each leg and block of the plan."""
    known: dict[tuple[str, str], Record] = {}
    for record in read(root):
        if record is not None and "part" in record:
            known[record["leg"], record["tag"]] = record
    for leg in plan.head.get("legs", []):
        for tag in plan.index["tag"]:
            if receipt := known.get((leg, f"{int(tag):016x}")):
                yield receipt


def _nodes(root: Path) -> Iterator[tuple[str, str | None]]:
    """Yield each fold and what is wrong with it."""
    for path in sorted((root / "nodes").glob("*/*/*.json")):
        name = str(path.relative_to(root).with_suffix(""))
        try:
            receipt, _ = parts.read_receipt(root, name)
        except DamagedRun as error:
            yield name, str(error)
        else:
            yield name, parts.damage(root, receipt)


def _plan_problems(plan: SavedPlan[Any]) -> list[str]:
    try:
        plan.check_lines()
    except DamagedRun as error:
        return [str(error)]
    return []
