"""What an earlier run left: which blocks are done, half done, or to be done."""

from __future__ import annotations

from array import array
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from polytene.core.books import Books
from polytene.core.failure import CATEGORIES, RETRIED
from polytene.core.ledger import Ledger
from polytene.core.parts import Ref
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
    cost_left: float = 0.0

    @property
    def work(self) -> int:
        """Blocks that are not done."""
        return len(self.fresh) + len(self.half)


def look(
    plan: SavedPlan[Any], chain: list[Leg], ledger: Ledger, books: Books, retry_all: bool
) -> Standing:
    """Book what is done, and return what is not."""
    standing = Standing()
    again = CATEGORIES if retry_all else tuple(sorted(RETRIED))
    for block, tag in enumerate(plan.index["tag"]):
        _place(standing, chain, ledger, books, block, int(tag), again)
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
        if any(f[3] in again for f in receipt["failures"]):
            standing.kept[n, block] = ref, again
        elif n + 1 == len(chain):
            books.take(block, receipt, resumed=True)
            return
        else:
            standing.source[block] = ref
            standing.half.append((n + 1, block))
            return
    standing.fresh.append(block)
