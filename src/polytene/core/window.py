"""Which blocks fly: late legs first, the longest first, in tasks of a sensible size."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable
from itertools import islice
from typing import NamedTuple

TASK_SECONDS = 10.0


class Task(NamedTuple):
    """Blocks that one task runs through one leg."""

    leg: int
    blocks: tuple[int, ...]


class Window:
    """Blocks that wait and tasks that fly.

    Parameters
    ----------
    legs
        How many legs a block passes.
    fresh
        Blocks that start with the first leg, the longest first.
    in_flight
        Most tasks at the scheduler at once.
    threads
        Threads of the cluster: before a block's time is known, two blocks a thread are tried.
    task_seconds
        What a task should take; blocks are gathered up to it.
    """

    def __init__(
        self,
        legs: int,
        fresh: Iterable[int],
        count: int,
        in_flight: int,
        threads: int,
        task_seconds: float = TASK_SECONDS,
    ) -> None:
        self._fresh = iter(fresh)
        self._left = count
        self._late: list[deque[int]] = [deque() for _ in range(legs)]
        self._alone: deque[Task] = deque()
        self._seconds: list[float | None] = [None] * legs
        self._most, self._threads, self._target = in_flight, max(1, threads), task_seconds
        self.flying = 0
        self._alone_flies = False

    @property
    def waiting(self) -> bool:
        """Whether anything waits to be admitted."""
        return bool(self._left or self._alone or any(self._late))

    @property
    def low(self) -> int:
        """Tasks in flight below which the window is filled again."""
        probing = self._target > 0 and self._seconds[0] is None
        return (2 * self._threads if probing else max(2, self._most)) // 2

    def arrive(self, leg: int, block: int) -> None:
        """Let a block wait for a leg after the first."""
        self._late[leg].append(block)

    def again(self, task: Task) -> None:
        """Let the blocks of a lost task wait, each alone, one task at a time."""
        self._alone.extend(Task(task.leg, (b,)) for b in task.blocks)

    def measured(self, leg: int, seconds: float) -> None:
        """Learn what a block takes, as a moving average."""
        old = self._seconds[leg]
        self._seconds[leg] = seconds if old is None else 0.8 * old + 0.2 * seconds

    def landed(self, task: Task, alone: bool) -> None:
        """Take note that a task has ended."""
        self.flying -= 1
        if alone:
            self._alone_flies = False

    def admit(self) -> list[tuple[Task, bool]]:
        """Return the tasks to submit now, and whether each is a lost block on its own."""
        out: list[tuple[Task, bool]] = []
        if self._alone and not self._alone_flies:
            out.append((self._alone.popleft(), True))
            self._alone_flies = True
        if self.flying <= self.low:
            room = 2 * self.low - self.flying
            for leg in reversed(range(len(self._late))):
                while len(out) < room and (blocks := self._take(leg)):
                    out.append((Task(leg, blocks), False))
        self.flying += len(out)
        return out

    def _take(self, leg: int) -> tuple[int, ...]:
        if leg == 0:
            blocks = tuple(islice(self._fresh, self._size(leg, self._left)))
            self._left = self._left - len(blocks) if blocks else 0
            return blocks
        queue = self._late[leg]
        size = self._size(leg, len(queue))
        return tuple(queue.popleft() for _ in range(min(size, len(queue))))

    def _size(self, leg: int, left: int) -> int:
        seconds = self._seconds[leg]
        if not self._target or not seconds or not left:
            return 1
        fair = math.ceil(left / (3 * self._threads))
        return max(1, min(int(self._target / seconds), fair))
