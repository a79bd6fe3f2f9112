"""A run directory as it is read, and read on while it grows: what became of each block."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from polytene.core.failure import Failure
from polytene.core.ledger import Record, parse, segments
from polytene.core.parts import Ref
from polytene.core.plan import Unit
from polytene.core.saved import load
from polytene.watch.explain import legs_of

WAITING, DONE, PARTLY, FAILED = range(4)
CELL = np.dtype(
    [
        ("state", "u1"),
        ("units", "<u4"),
        ("failed", "<u4"),
        ("rejected", "<u4"),
        ("worker", "<i4"),
        ("items", "<i8"),
        ("nbytes", "<i8"),
        ("memory", "<i8"),
        ("seconds", "<f8"),
        ("cpu", "<f8"),
        ("at", "<f8"),
        ("gpu_memory", "<i8"),
        ("gpu_use", "<f8"),
    ]
)
Cells = np.ndarray[Any, np.dtype[np.void]]


@dataclass(frozen=True)
class Totals:
    """What all blocks came to so far."""

    units: int = 0
    done: int = 0
    quarantined: int = 0
    rejected: int = 0
    items: int = 0
    nbytes: int = 0

    @property
    def bad(self) -> dict[str, int]:
        """What went wrong, by the names of its figures."""
        return {"quarantined": self.quarantined, "items rejected": self.rejected}


@dataclass
class Driver:
    """One driver that worked on the run directory: when, and how it ended."""

    epoch: int
    begun: float
    ended: float | None = None
    status: str = ""
    detail: str = ""
    versions: dict[str, str] = field(default_factory=dict)


class Story:
    """What became of each block of a run directory, leg by leg.

    Parameters
    ----------
    folder
        A run directory, of a run that works or has ended in any way.

    Raises
    ------
    UsageError
        If it is not a run directory.
    """

    def __init__(self, folder: str | Path) -> None:
        self.root = Path(folder)
        self.plan = load(self.root, Unit)
        head = self.plan.head
        self.kind, self.noun = str(head["kind"]), str(head["noun"])
        found = legs_of(head)
        self.legs = [name for name, _ in found]
        self.cells: Cells = np.zeros((len(found), len(self.plan.index)), CELL)
        self.cells["worker"] = -1
        self.parts: dict[int, Ref] = {}
        self.workers: list[str] = []
        self.drivers: list[Driver] = []
        self.damaged = 0
        self._leg = {mark: n for n, (_, mark) in enumerate(found)}
        self._block = {f"{int(tag):016x}": b for b, tag in enumerate(self.plan.index["tag"])}
        self._worker: dict[str, int] = {}
        self._bad: dict[int, tuple[int, list[Any], list[Any]]] = {}
        self._read: dict[str, int] = {}

    @property
    def replaced(self) -> bool:
        """Whether the run directory holds another plan by now."""
        return load(self.root, Unit).fingerprint != self.plan.fingerprint

    def read_on(self) -> list[int]:
        """Read what the ledger says since the last time; return the blocks that came to an end."""
        ended: dict[int, None] = {}
        for segment in segments(self.root):
            for line in self._new_lines(segment):
                if line.strip():
                    self._take(parse(line), ended)
        return list(ended)

    def _new_lines(self, segment: Path) -> Iterator[bytes]:
        """Yield the lines of a file that were not read before; a last one that is torn waits."""
        at = self._read.get(segment.name, 0)
        with open(segment, "rb") as lines:
            lines.seek(at)
            for line in lines:
                if not line.endswith(b"\n"):
                    break
                at += len(line)
                yield line
        self._read[segment.name] = at

    def _take(self, record: Record | None, ended: dict[int, None]) -> None:
        if record is None:
            self.damaged += 1
        elif "part" in record:
            leg, block = self._leg.get(record["leg"]), self._block.get(record["tag"])
            if leg is not None and block is not None:
                self._book(leg, block, record, ended)
        elif record["event"] == "lost":
            block = self._block.get(record["tag"])
            if block is not None:
                self._lose(block, record["failures"], ended)
        elif record["event"] == "begin":
            about = record["epoch"], record["time"]
            self.drivers.append(Driver(*about, versions=record.get("versions", {})))
        elif self.drivers:
            last = self.drivers[-1]
            last.ended, last.status = record["time"], record["status"]
            last.detail = record.get("detail", "")

    def _book(self, leg: int, block: int, record: Record, ended: dict[int, None]) -> None:
        failures, rejected = record["failures"], record["rejected"]
        units, failed = record["units"], len(failures)
        state = FAILED if failed == units else PARTLY if failed else DONE
        gpu_memory, gpu_use = record.get("gpu", (None, None))
        self.cells[leg, block] = (
            state,
            units,
            failed,
            len(rejected),
            self._worker_of(record.get("worker")),
            record["items"],
            record["nbytes"],
            record.get("memory", 0),
            record.get("seconds", 0.0),
            record.get("cpu", 0.0),
            record.get("at", 0.0),
            gpu_memory or 0,
            math.nan if gpu_use is None else gpu_use,
        )
        if self._bad.get(block, (leg,))[0] <= leg:
            self._bad.pop(block, None)
            if failures or rejected:
                self._bad[block] = leg, failures, rejected
        if leg + 1 == len(self.legs):
            self.parts[block] = Ref(record["part"], record["digest"])
            ended[block] = None

    def _lose(self, block: int, failures: list[Any], ended: dict[int, None]) -> None:
        self.cells[-1, block] = 0
        self.cells[-1, block]["state"] = FAILED
        self.cells[-1, block]["units"] = self.cells[-1, block]["failed"] = len(failures)
        self.cells[-1, block]["worker"] = -1
        self._bad[block] = len(self.legs) - 1, failures, []
        self.parts.pop(block, None)
        ended[block] = None

    def _worker_of(self, name: str | None) -> int:
        if not name:
            return -1
        if name not in self._worker:
            self._worker[name] = len(self.workers)
            self.workers.append(name)
        return self._worker[name]

    @property
    def totals(self) -> Totals:
        """The accounts so far."""
        last = self.cells[-1]
        failed = int(last["failed"].sum())
        return Totals(
            len(self.plan),
            int(last["units"].sum()) - failed,
            failed,
            int(last["rejected"].sum()),
            int(last["items"].sum()),
            int(last["nbytes"].sum()),
        )

    @property
    def reasons(self) -> Counter[str]:
        """How often each reason came, the most frequent first."""
        found: Counter[str] = Counter()
        for _, failures, rejected in self._bad.values():
            found.update(str(f[4]) for f in failures)
            found.update(str(r[3]) for r in rejected)
        return Counter(dict(found.most_common()))

    def failures(self, most: int | None = None) -> list[Failure]:
        """Return the first failed units and rejected items, in plan order."""
        out: list[Failure] = []
        for block in sorted(self._bad):
            if most is not None and len(out) >= most:
                break
            _, failures, rejected = self._bad[block]
            out += [Failure(*f) for _, *f in failures]
            keys = self.plan.keys(block) if rejected else []
            out += [
                Failure(keys[i], s, "input", why, what, item) for i, s, item, why, what in rejected
            ]
        return out[:most]

    @property
    def begun(self) -> float:
        """When the last driver began; 0 if none did."""
        return self.drivers[-1].begun if self.drivers else 0.0

    def worked(self) -> tuple[int, float]:
        """Return how many units the last driver settled, and their share of the plan's cost."""
        last = self.cells[-1]
        mine = (last["state"] != WAITING) & (last["at"] >= self.begun - 1)
        cost = self.plan.index["cost"]
        return int(last["units"][mine].sum()), float(cost[mine].sum() / max(cost.sum(), 1e-300))

    @property
    def share(self) -> float:
        """How much of the plan's cost is settled, 0 to 1."""
        cost = self.plan.index["cost"]
        return float(cost[self.cells[-1]["state"] != WAITING].sum() / max(cost.sum(), 1e-300))
