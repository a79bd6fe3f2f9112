"""Fold parts on the workers, in plan order, in a tree whose shape depends on block index alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from polytene.core import parts
from polytene.core.blocks import entries
from polytene.core.canonical import canonical, digest
from polytene.core.files import sync_folder
from polytene.core.parts import Ref
from polytene.core.stage import parameters
from polytene.core.values import encode
from polytene.exceptions import DamagedRun, UsageError


def as_it_is(value: Any, plan: Any, failures: Any) -> Any:
    """Return the folded value itself."""
    return value


@dataclass(frozen=True)
class Reduction:
    """How the values of the units become one result.

    Parameters
    ----------
    combine
        ``combine(values) -> value``, associative over plan order; runs on the workers. None
        where the values are too large to fold: ``finalize`` then gets an iterator of
        ``(unit, value)`` in plan order, read one after the other.
    finalize
        ``finalize(value, plan, failures) -> result``; runs once, in the driver. ``value`` is
        None when no unit succeeded.
    split_every
        How many values one combination takes; part of the result where floats are summed.
    version
        Raise it by hand when the meaning of ``combine`` changes.
    """

    combine: Callable[[Sequence[Any]], Any] | None
    finalize: Callable[[Any, Any, Any], Any] = as_it_is
    split_every: int = 8
    version: int = 1

    def __post_init__(self) -> None:
        if self.split_every < 2:
            raise UsageError(f"split_every is {self.split_every}: a tree needs at least 2")

    @property
    def mark(self) -> list[Any]:
        """What the folded values depend on beside the parts."""
        what = parameters(self.combine, "combine", code=True) if self.combine else None
        return [what, self.version, self.split_every]


@dataclass(frozen=True)
class Node:
    """A fold to do: level 0 folds blocks, the others fold folds."""

    level: int
    index: int
    children: tuple[Ref, ...]
    name: str


Combine = Callable[[Sequence[Any]], Any]


def fold(root: Path, combine: Combine | None, sync: bool, node: Node) -> Ref:
    """Combine the children of a node into one part; return it."""
    assert combine is not None
    values = []
    for child in node.children:
        if node.level:
            values.append(parts.read(root, child)[2][0])
        elif good := [e.value for e in entries(root, child) if e.failure is None]:
            values.append(combine(good))
    value = values[0] if len(values) == 1 else combine(values)
    accounts = {"level": node.level, "index": node.index}
    receipt = parts.write(root, node.name, accounts, encode([value], [False]), sync=sync)
    if sync:
        sync_folder((root / node.name).parent)
    return Ref(node.name, receipt["digest"])


class Tree:
    """Which nodes can be folded now.

    A node is named by the digest of what it folds, so that a resumed run finds what was folded
    before it.
    """

    def __init__(self, root: Path, blocks: int, reduction: Reduction) -> None:
        self.root, self.every, self.mark = root, reduction.split_every, reduction.mark
        self.ready: list[Node] = []
        self.top: Ref | None = None
        self.done = False
        self.widths = [blocks]
        while len(self.widths) == 1 or self.widths[-1] > 1:
            self.widths.append(-(-self.widths[-1] // self.every))
        self._waiting: list[dict[int, dict[int, Ref | None]]] = [{} for _ in self.widths]

    def settle(self, level: int, index: int, child: Ref | None) -> None:
        """Give block or node ``index`` of ``level`` its part; None where nothing came of it."""
        if level + 1 == len(self.widths):
            self.top, self.done = child, True
            return
        parent = index // self.every
        slot = self._waiting[level].setdefault(parent, {})
        slot[index] = child
        if len(slot) < min(self.every, self.widths[level] - parent * self.every):
            return
        del self._waiting[level][parent]
        if children := tuple(c for _, c in sorted(slot.items()) if c is not None):
            self._open(level, parent, children)
        else:
            self.settle(level + 1, parent, None)

    def _open(self, level: int, index: int, children: tuple[Ref, ...]) -> None:
        mark = digest(canonical([self.mark, [c.digest for c in children]]), 10)
        name = f"nodes/{level}/{index // 1000:05d}/{index:08d}.{mark}"
        if (self.root / f"{name}.json").exists() and (found := _whole(self.root, name)):
            self.settle(level + 1, index, found)
        else:
            self.ready.append(Node(level, index, children, name))

    def value(self) -> Any:
        """Return the folded value; None when no unit succeeded."""
        return None if self.top is None else parts.read(self.root, self.top)[2][0]


def _whole(root: Path, name: str) -> Ref | None:
    """Return a part if each of its bytes is as committed."""
    try:
        receipt, _ = parts.read_receipt(root, name)
    except DamagedRun:
        return None
    return None if parts.damage(root, receipt) else Ref(name, receipt["digest"])


def values_in_order(root: Path, plan: Any, refs: Sequence[Ref | None]) -> Iterator[tuple[Any, Any]]:
    """Yield ``(unit, value)`` of each unit that succeeded, reading one block at a time."""
    for block, ref in enumerate(refs):
        if ref is None:
            continue
        for unit, entry in zip(plan.block(block), entries(root, ref), strict=True):
            if entry.failure is None:
                yield unit, entry.value
