"""What an earlier run left: which blocks are done, half done, or to be done."""

from __future__ import annotations

from array import array
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from polytene.core.books import Books
from polytene.core.failure import RETRIED
from polytene.core.ledger import Ledger, Record
from polytene.core.parts import Ref
from polytene.core.saved import SavedPlan
from polytene.core.stage import Leg


@dataclass
class Standing:
    """Where each block stands before the work begins."""

    fresh: array[int] = field(default_factory=lambda: array("Q"))
    """Blocks that start with the first leg."""
    half: list[tuple[int, int]] = field(default_factory=list)
    """``(leg, block)`` of blocks that wait for a later leg."""
    source: dict[int, Ref] = field(default_factory=dict)
    """Per block, what the leg before left."""
    kept: dict[tuple[int, int], Ref] = field(default_factory=dict)
    """Per leg and block, a part of which some units are tried again."""
    retry_all: bool = False
    cost_left: float = 0.0

    @property
    def work(self) -> int:
        """Blocks that are not done."""
        return len(self.fresh) + len(self.half)


def look(
    plan: SavedPlan[Any], chain: list[Leg], ledger: Ledger, books: Books, retry_all: bool
) -> Standing:
    """Book what is done, and return what is not."""
    standing = Standing(retry_all=retry_all)
    for block, tag in enumerate(plan.index["tag"]):
        _place(standing, chain, ledger, books, block, int(tag))
    costs = plan.index["cost"]
    todo = [*standing.fresh, *(b for _, b in standing.half)]
    standing.cost_left = float(costs[todo].sum()) if todo else 0.0
    fresh = np.array(standing.fresh, dtype=np.int64)
    longest_first = fresh[np.argsort(-costs[fresh], kind="stable")]
    standing.fresh = array("Q", longest_first.tolist())
    return standing


def _place(
    standing: Standing, chain: list[Leg], ledger: Ledger, books: Books, block: int, tag: int
) -> None:
    for n in reversed(range(len(chain))):
        receipt = ledger.receipt(chain[n].fingerprint, tag)
        if receipt is None:
            continue
        ref = Ref(receipt["part"], receipt["digest"])
        if _to_do(receipt, standing.retry_all):
            standing.kept[n, block] = ref
        elif n + 1 == len(chain):
            books.take(block, receipt, resumed=True)
            return
        else:
            standing.source[block] = ref
            standing.half.append((n + 1, block))
            return
    standing.fresh.append(block)


def _to_do(receipt: Record, retry_all: bool) -> bool:
    return any(retry_all or f[3] in RETRIED for f in receipt["failures"])
