"""What an earlier run left: which blocks are done, half done, or to be done."""

from __future__ import annotations

from array import array
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from polytene.core.books import Books
from polytene.core.failure import CATEGORIES, RETRIED
from polytene.core.leases import pins
from polytene.core.ledger import Ledger, Record
from polytene.core.parts import Ref
from polytene.core.retry import POLICIES
from polytene.core.saved import SavedPlan
from polytene.core.stage import Leg


@dataclass
class Standing:
    """Where each block stands before the work begins."""

    fresh: array[int] = field(default_factory=lambda: array("Q"))
    """Blocks that start with the first leg, the longest first."""
    half: list[tuple[int, int]] = field(default_factory=list)
    """``(leg, block)`` of blocks that wait for a later leg."""
    source: dict[int, Ref] = field(default_factory=dict)
    """Per block, what the leg before left."""
    kept: dict[tuple[int, int], tuple[Ref, tuple[str, ...]]] = field(default_factory=dict)
    """Per leg and block, a part of which units of some categories are tried again."""
    holds: dict[int, dict[str, float]] = field(default_factory=dict)
    """Per half-done block, what it holds where that is less than at its beginning."""
    stale: dict[tuple[int, int], str] = field(default_factory=dict)
    """Per leg and block, a part that goes once there is another: the block begins again."""
    cost_left: float = 0.0

    @property
    def work(self) -> int:
        """Blocks that are not done."""
        return len(self.fresh) + len(self.half)

    def restart(self, block: int, tag: int, chain: list[Leg], ledger: Ledger) -> None:
        """Let nothing that a block left be used again."""
        self.source.pop(block, None)
        self.holds.pop(block, None)
        for n, leg in enumerate(chain):
            self.kept.pop((n, block), None)
            if receipt := ledger.receipt(leg.fingerprint, tag):
                self.stale[n, block] = receipt["part"]


def look(
    plan: SavedPlan[Any], chain: list[Leg], ledger: Ledger, books: Books, retry_all: bool
) -> Standing:
    """Book what is done, and return what is not."""
    standing = Standing()
    again = CATEGORIES if retry_all else tuple(sorted(RETRIED))
    for block, tag in enumerate(plan.index["tag"]):
        _place(standing, chain, ledger, books, block, int(tag), again)
    if pins(plan.head["footprint"]):
        _restart_pinned(plan, chain, ledger, standing)
    costs = plan.index["cost"]
    todo = [*standing.fresh, *(b for _, b in standing.half)]
    standing.cost_left = float(costs[todo].sum()) if todo else 0.0
    fresh = np.array(standing.fresh, dtype=np.int64)
    longest_first = fresh[np.argsort(-costs[fresh], kind="stable")]
    standing.fresh = array("Q", longest_first.tolist())
    standing.half.sort(key=lambda place: (-place[0], -costs[place[1]], place[1]))
    return standing


def _place(
    standing: Standing,
    chain: list[Leg],
    ledger: Ledger,
    books: Books,
    block: int,
    tag: int,
    again: tuple[str, ...],
) -> None:
    for n in reversed(range(len(chain))):
        receipt = ledger.receipt(chain[n].fingerprint, tag)
        if receipt is None:
            continue
        ref = Ref(receipt["part"], receipt["digest"])
        if unspent := _to_try(receipt, chain[n], again):
            standing.kept[n, block] = ref, unspent
        elif n + 1 == len(chain):
            books.take(block, receipt, resumed=True)
            return
        else:
            standing.source[block] = ref
            standing.half.append((n + 1, block))
            if "holds" in receipt:
                standing.holds[block] = receipt["holds"]
            return
    standing.fresh.append(block)


def _restart_pinned(
    plan: SavedPlan[Any], chain: list[Leg], ledger: Ledger, standing: Standing
) -> None:
    """What lay on a host went with its driver: blocks that need it begin at their first leg."""
    half, standing.half = standing.half, []
    retried = {block for _, block in standing.kept}
    for leg, block in half:
        if not pins(plan.holds(block)):
            standing.half.append((leg, block))
        else:
            standing.fresh.append(block)
            retried.add(block)
    for block in retried:
        if pins(plan.holds(block)):
            standing.restart(block, int(plan.index[block]["tag"]), chain, ledger)


def _to_try(receipt: Record, leg: Leg, again: tuple[str, ...]) -> tuple[str, ...]:
    """Return the categories of a receipt's failures to try again.

    A driver that ended before it had tried a failure as often as it may has not judged it.
    """
    tried = int(receipt["part"].rpartition(".")[2])
    own = {stage.name for stage in leg.stages}
    asked = {
        category
        for _, _, stage, category, *_ in receipt["failures"]
        if category in again or (stage in own and tried < POLICIES[category].times)
    }
    return tuple(sorted(asked))
