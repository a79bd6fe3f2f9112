"""Which blocks fly: late legs first, the longest first, in tasks of a sensible size."""

from __future__ import annotations

import heapq
import math
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from typing import NamedTuple

from polytene.core.leases import Leases
from polytene.core.limits import Want
from polytene.core.stage import Leg

LOOK_AHEAD = 256
PATIENCE = 200


class Task(NamedTuple):
    """Blocks that one task runs through one leg.

    ``isolated``: in a sandbox; ``roomy``: alone on the worker with the most memory, and with all
    of it; ``host``: where its only block is pinned to.
    """

    leg: int
    blocks: tuple[int, ...]
    isolated: bool = False
    roomy: bool = False
    host: str | None = None


class Window:
    """Blocks that wait and tasks that fly.

    Where nothing is limited, the window is filled when it is half empty, with tasks of several
    blocks. Where there are limits, each block is a task of its own and is admitted at once when
    all that it wants is free: first what is nearest to its end, then the longest, and what is
    smaller may pass what has to wait, but not for ever.

    Parameters
    ----------
    legs
        The legs that a block passes.
    leases
        What may be used at once, and what each block holds from its admission until it is settled.
    fresh, count
        Blocks that start with the first leg, the longest first; and how many there are.
    in_flight
        Most tasks at the scheduler at once.
    threads
        Threads of the cluster: before a block's time is known, two blocks a thread are tried.
    task_seconds
        What a task should take; blocks are gathered up to it. 0: one block a task.
    clock
        Seconds that only go forward.
    """

    def __init__(
        self,
        legs: Sequence[Leg],
        leases: Leases,
        fresh: Iterable[int],
        count: int,
        *,
        in_flight: int = 1000,
        threads: int = 1,
        task_seconds: float = 10.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.legs, self.leases = legs, leases
        self.capped = bool(leases) or any(leg.uses for leg in legs)
        self._fresh, self._left = iter(fresh), count
        self._queues: list[deque[int]] = [deque() for _ in legs]
        self._again: deque[Task] = deque()
        self._alone: deque[Task] = deque()
        self._lonely: Task | None = None
        self._later: list[tuple[float, int, Task]] = []
        self._seconds: list[float | None] = [None] * len(legs)
        self._most, self._threads, self._target = in_flight, max(1, threads), task_seconds
        self._clock, self._passed = clock, [0] * len(legs)
        self._changed = True
        self.flying = 0

    def open(self, host: str) -> None:
        """Use a host from now on."""
        self.leases.hosts.open(host)
        self._changed = True

    def close(self, host: str) -> None:
        """Use a host no longer: it is lost."""
        self.leases.hosts.close(host)

    @property
    def waiting(self) -> bool:
        """Whether anything waits to be admitted, now or later."""
        later = self._again or self._later or self._alone
        return bool(self._left or later or any(self._queues))

    @property
    def low(self) -> int:
        """Tasks in flight below which the window is filled again."""
        probing = self._target > 0 and self._seconds[0] is None
        return self._room(probing) // 2

    def _room(self, probing: bool) -> int:
        return min(self._most, 2 * self._threads) if probing else self._most

    def grow(self, threads: int) -> None:
        """Take note that the cluster has other workers now."""
        self._threads = max(1, threads)
        self._changed = True

    def arrive(self, leg: int, block: int, holds: Want | None = None) -> None:
        """Let a block wait for its next leg; it may hold less from now on."""
        self._queues[leg].append(block)
        self._changed = True
        if holds:
            self.leases.shrink(block, holds)

    def restart(self, block: int) -> None:
        """Let a block whose host is lost wait for its first leg again; it holds nothing."""
        for queue in self._queues:
            if block in queue:
                queue.remove(block)
        self._again = deque(task for task in self._again if block not in task.blocks)
        self._alone = deque(task for task in self._alone if block not in task.blocks)
        self._later = [entry for entry in self._later if block not in entry[2].blocks]
        heapq.heapify(self._later)
        self.settled(block)
        self._queues[0].appendleft(block)

    def again(self, task: Task, delay: float = 0.0, *, alone: bool = False) -> None:
        """Let the blocks of a task wait to be tried again, each in a task of its own.

        Those that are to fly ``alone`` wait until nothing else does.
        """
        for block in task.blocks:
            one = task._replace(blocks=(block,))
            if alone:
                self._alone.append(one)
            elif delay > 0:
                heapq.heappush(self._later, (self._clock() + delay, block, one))
            else:
                self._again.append(one)

    def measured(self, leg: int, seconds: float) -> None:
        """Learn what a block takes, as a moving average."""
        old = self._seconds[leg]
        self._seconds[leg] = seconds if old is None else 0.8 * old + 0.2 * seconds

    def landed(self, task: Task) -> None:
        """Give back the slots of a task that has ended."""
        self.flying -= 1
        if task == self._lonely:
            self._lonely = None
        self.leases.limits.give(self.legs[task.leg].uses)
        self._changed = True

    def settled(self, block: int) -> None:
        """Give back the leases of a block that has come to its end."""
        if self.leases:
            self.leases.give(block)
            self._changed = True

    def admit(self) -> list[Task]:
        """Return the tasks to submit now; their slots and leases are taken."""
        if self._lonely is not None:
            return []
        while self._later and self._later[0][0] <= self._clock():
            self._again.append(heapq.heappop(self._later)[2])
        out = self._repeated()
        out += self._by_limits() if self.capped else self._by_half(len(out))
        if self._alone and not self.flying and not out and self._take_alone():
            out = [self._lonely] if self._lonely else []
        self.flying += len(out)
        return out

    def _take_alone(self) -> bool:
        task = self._alone.popleft()
        taken = self._take(task.leg, task.blocks[0])
        if taken:
            self._lonely = task._replace(host=self.leases.host(task.blocks[0]))
        else:
            self._alone.append(task)
        return taken

    def _repeated(self) -> list[Task]:
        out = []
        for _ in range(len(self._again)):
            task = self._again.popleft()
            if self._take(task.leg, task.blocks[0]):
                out.append(task._replace(host=self.leases.host(task.blocks[0])))
            else:
                self._again.append(task)
        return out

    def _take(self, leg: int, block: int) -> bool:
        """Take what a block wants for a leg, if all of it is free."""
        return self.leases.take(block, self.legs[leg].uses)

    def _by_half(self, taken: int) -> list[Task]:
        if self.flying > self.low:
            return []
        out: list[Task] = []
        probing = self._target > 0 and self._seconds[0] is None
        room = self._room(probing) - self.flying - taken
        for leg in reversed(range(len(self._queues))):
            while len(out) < room and (blocks := self._gather(leg)):
                out.append(Task(leg, blocks))
        return out

    def _gather(self, leg: int) -> tuple[int, ...]:
        if leg == 0 and not self._queues[0]:
            blocks = tuple(islice(self._fresh, self._size(leg, self._left)))
            self._left = self._left - len(blocks) if blocks else 0
            return blocks
        queue = self._queues[leg]
        size = self._size(leg, len(queue))
        return tuple(queue.popleft() for _ in range(min(size, len(queue))))

    def _size(self, leg: int, left: int) -> int:
        seconds = self._seconds[leg]
        if not self._target or not seconds or not left:
            return 1
        fair = math.ceil(left / (3 * self._threads))
        return max(1, min(int(self._target / seconds), fair))

    def _by_limits(self) -> list[Task]:
        out: list[Task] = []
        if not self._changed:
            return out
        self._changed = False
        self._look_ahead()
        for leg in reversed(range(len(self._queues))):
            queue, self._queues[leg] = self._queues[leg], deque()
            while queue:
                block = queue.popleft()
                if self.flying + len(out) >= self._most or not self._fits(leg):
                    self._queues[leg] += [block, *queue]
                    break
                if self._take(leg, block):
                    out.append(Task(leg, (block,), host=self.leases.host(block)))
                    self._passed[leg] = self._passed[leg] + 1 if self._queues[leg] else 0
                else:
                    self._queues[leg].append(block)
                if self._passed[leg] > PATIENCE and self._queues[leg]:
                    self._queues[leg] += queue  # the head has been passed often enough
                    break
        return out

    def _fits(self, leg: int) -> bool:
        return self.leases.limits.fits(self.legs[leg].uses)

    def _look_ahead(self) -> None:
        wanted = LOOK_AHEAD - len(self._queues[0])
        if wanted > 0 and self._left:
            more = list(islice(self._fresh, wanted))
            self._queues[0] += more
            self._left = self._left - len(more) if more else 0
