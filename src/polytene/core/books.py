"""The accounts of a run: receipts in; counts, failures and tree leaves out."""

from __future__ import annotations

from typing import Any

from polytene.core.canonical import Json
from polytene.core.events import Ended, OnEvent, Settled
from polytene.core.failure import Failure
from polytene.core.ledger import Record
from polytene.core.parts import Ref
from polytene.core.reduce import Tree
from polytene.core.retry import SHARE, Breaker
from polytene.core.saved import SavedPlan
from polytene.exceptions import BrokenPromise, TooManyFailures


class Books:
    """What became of each unit and each item.

    Parameters
    ----------
    plan
        The saved plan.
    tree
        Where settled blocks go to be folded; None where they are not folded.
    on_event
        Hears of each block that settles.
    max_quarantined
        Share of the units that may fail.
    """

    def __init__(
        self,
        plan: SavedPlan[Any],
        tree: Tree | None,
        on_event: OnEvent,
        max_quarantined: float = 1.0,
    ) -> None:
        self.plan, self.tree, self.on_event = plan, tree, on_event
        self.max_quarantined = max_quarantined
        self.breaker = Breaker(max(SHARE, max_quarantined))
        self.computed = self.resumed = self.items = self.nbytes = self.settled = 0
        self.refs: list[Ref | None] = [None] * len(plan.index)
        self._failures: list[tuple[int, int, Failure]] = []

    def take(self, block: int, receipt: Record, *, resumed: bool) -> None:
        """Book the last receipt of a block."""
        failures, rejected = self._read(block, receipt)
        good = receipt["units"] - len(failures)
        kept = good if resumed else receipt["kept"]
        self.resumed += kept
        self.computed += good - kept
        self.items += receipt["items"]
        self.nbytes += receipt["nbytes"]
        self._failures += [*failures, *rejected]
        self._settle(block, Ref(receipt["part"], receipt["digest"]), good)
        if not resumed:
            self._tell(block, receipt, failures + rejected)

    def lose(self, block: int, stage: str, detail: str) -> list[Json]:
        """Book a block whose tasks died every time; the next run tries it again.

        Returns the failures of its units, as a receipt would hold them.
        """
        reason = "worker-lost"
        lost = [
            (block, i, Failure(key, stage, "infrastructure", reason, detail))
            for i, key in enumerate(self.plan.keys(block))
        ]
        self._failures += lost
        self._settle(block, None, 0)
        self._tell(block, {"units": len(lost), "items": 0, "nbytes": 0, "seconds": 0.0}, lost)
        return [[i, f.key, f.stage, f.category, f.reason, f.detail] for _, i, f in lost]

    def _read(self, block: int, receipt: Record) -> tuple[list[Any], list[Any]]:
        failures = [(block, i, Failure(*f)) for i, *f in receipt["failures"]]
        if not receipt["rejected"]:
            return failures, []
        keys = self.plan.keys(block)
        rejected = [
            (block, i, Failure(keys[i], stage, "input", reason, detail, item))
            for i, stage, item, reason, detail in receipt["rejected"]
        ]
        return failures, rejected

    def _settle(self, block: int, ref: Ref | None, good: int) -> None:
        self.settled += int(self.plan.index[block]["units"])
        self.refs[block] = ref if good else None
        if self.tree is not None:
            self.tree.settle(0, block, self.refs[block])

    def _tell(self, block: int, receipt: Record, failures: list[Any]) -> None:
        cost = float(self.plan.index[block]["cost"])
        said = tuple(f for _, _, f in failures)
        units, items, nbytes = receipt["units"], receipt["items"], receipt["nbytes"]
        self.on_event(Settled(units, cost, items, nbytes, said, receipt["seconds"]))
        self.breaker.settled(units, said)

    @property
    def n_failures(self) -> int:
        """How many units failed and items were rejected."""
        return len(self._failures)

    @property
    def quarantined(self) -> list[Failure]:
        """Units that failed, in plan order."""
        return [f for _, _, f in sorted(self._failures, key=_place) if f.item is None]

    @property
    def rejected(self) -> list[Failure]:
        """Items that were rejected inside units, in plan order."""
        return [f for _, _, f in sorted(self._failures, key=_place) if f.item is not None]

    def close(self) -> Ended:
        """Check that nothing was lost and that not too much failed.

        Raises
        ------
        BrokenPromise
            If planned != computed + resumed + quarantined.
        TooManyFailures
            If more than the allowed share of the units is quarantined.
        """
        bad = self.quarantined
        planned, done = len(self.plan), self.computed + self.resumed + len(bad)
        if planned != done or self.settled != planned:
            raise BrokenPromise(
                f"{planned} units planned, but {self.computed} computed + {self.resumed} resumed "
                f"+ {len(bad)} quarantined = {done}: please report this"
            )
        if len(bad) > self.max_quarantined * planned:
            raise TooManyFailures(_too_many(bad, planned, self.max_quarantined, self.plan))
        return Ended(self.computed, self.resumed, len(bad), len(self.rejected))


def _place(entry: tuple[int, int, Failure]) -> tuple[int, int, str]:
    return entry[0], entry[1], entry[2].item or ""


def _too_many(bad: list[Failure], planned: int, allowed: float, plan: SavedPlan[Any]) -> str:
    share = len(bad) / planned
    return (
        f"{len(bad)} of {planned} units are quarantined ({share:.0%}, allowed {allowed:.0%}), "
        f"so no result is written. The first: {bad[0]}\n"
        f"All of them: polytene quarantine {plan.folder}\n"
        f"To accept them: the same command with --max-quarantined {min(1.0, share + 0.005):.2f}"
    )
