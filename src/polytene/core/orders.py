"""What a worker is told to do: its blocks, what is there of them, and which try this is."""

from __future__ import annotations

import pickle
from collections import Counter
from typing import Any

from polytene.core.blocks import Item
from polytene.core.resume import Standing
from polytene.core.saved import SavedPlan
from polytene.core.window import Task

USUAL = Item(0, 0, 0)


class Orders:
    """Makes orders out of tasks, and counts how often each was given.

    Parameters
    ----------
    plan
        The plan as it lies on disk.
    standing
        What is there of it already.
    """

    def __init__(self, plan: SavedPlan[Any], standing: Standing) -> None:
        self._plan, self._standing = plan, standing
        self.attempts: Counter[tuple[int, int]] = Counter()
        self._journeys: Counter[int] = Counter()

    def pack(self, task: Task) -> bytes:
        """Return what a task has to do, packed; what is as usual is left out."""
        return pickle.dumps([_short(self._item(task, block)) for block in task.blocks])

    def _item(self, task: Task, block: int) -> Item:
        leg, where, standing = task.leg, self._plan.index[block], self._standing
        kept, again = standing.kept.get((leg, block), (None, ()))
        return Item(
            block,
            int(where["offset"]),
            int(where["tag"]),
            standing.source.get(block),
            kept,
            again,
            self.attempts[leg, block],
            task.isolated,
            task.roomy,
            self.folder(block) if task.host else None,
        )

    def folder(self, block: int) -> str:
        """Return the name of a block's folder on its host; another one for each new beginning."""
        return f"{int(self._plan.index[block]['tag']):016x}.{self._journeys[block]:02d}"

    def restart(self, block: int, legs: int) -> None:
        """Begin a block anew: nothing of what it was told before counts any more."""
        self._journeys[block] += 1
        self.attempts.update((leg, block) for leg in range(legs))


def _short(item: Item) -> tuple[Any, ...]:
    """Return an item without the fields at its end that are as usual."""
    size = len(item)
    while size > 3 and item[size - 1] == USUAL[size - 1]:
        size -= 1
    return tuple(item[:size])
