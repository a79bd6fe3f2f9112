"""Units in the sandboxes of a worker, capped by what the worker may use."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from polytene.core.sandbox import pool
from polytene.core.scratch import Home, scratch_at, scratch_home

if TYPE_CHECKING:
    from polytene.core.blocks import Entry
    from polytene.core.stage import Leg
    from polytene.core.values import Form

LEAST = 384 << 20
SHARE = 0.9


def in_sandbox(
    func: Callable[..., Entry],
    leg: Leg,
    unit: Any,
    before: Entry,
    form: Form | None,
    *,
    roomy: bool,
) -> Entry:
    """Return ``func(leg, unit, before, form)``, computed in a child process.

    Parameters
    ----------
    roomy
        Allow it the memory of the whole worker instead of one thread's share.

    Raises
    ------
    Died, TimedOut
        See :mod:`polytene.core.sandbox`.
    """
    box = pool.take(memory_cap(roomy))
    home = scratch_home()
    if home is not None:
        home.used = True
    args = (home, func, leg, unit, before, form)
    try:
        entry: Entry = box.call(_inside, *args, timeout=leg.timeout)
        return entry
    finally:
        if roomy:
            box.close()
        pool.give(box)


def _inside(home: Home | None, func: Callable[..., Entry], *args: Any) -> Entry:
    with scratch_at(home):
        return func(*args)


def memory_cap(roomy: bool) -> int | None:
    """Return the bytes that a child may allocate: its thread's share of the worker's limit."""
    from distributed import get_worker

    try:
        worker = get_worker()
    except ValueError:
        return None
    limit = worker.memory_manager.memory_limit
    return cap_of(limit, 1 if roomy else worker.state.nthreads) if limit else None


def cap_of(limit: float, threads: int = 1) -> int:
    """Return the bytes that one of ``threads`` of a worker with a memory limit may allocate."""
    return max(LEAST, int(limit / threads * SHARE))


class Gate:
    """Lets the blocks of a worker run side by side, or one of them alone."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._inside = 0
        self._closed = False

    @contextmanager
    def entered(self, *, alone: bool) -> Iterator[None]:
        """Wait until nobody is alone inside; to be ``alone``, also until nobody else is inside."""
        with self._changed:
            self._changed.wait_for(lambda: not self._closed)
            self._closed = alone
            self._inside += 1
            if alone:
                self._changed.wait_for(lambda: self._inside == 1)
        try:
            yield
        finally:
            with self._changed:
                self._closed = self._closed and not alone
                self._inside -= 1
                self._changed.notify_all()


gate = Gate()
