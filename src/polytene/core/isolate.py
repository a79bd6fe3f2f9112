"""Units in the sandboxes of a worker, capped by what the worker may use."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from polytene.core.sandbox import pool
from polytene.core.scratch import scratch_at, scratch_home

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
    args = (scratch_home(), func, leg, unit, before, form)
    try:
        entry: Entry = box.call(_inside, *args, timeout=leg.timeout)
        return entry
    finally:
        pool.give(box)


def _inside(home: Path | None, func: Callable[..., Entry], *args: Any) -> Entry:
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
    if not limit:
        return None
    share = limit if roomy else limit / worker.state.nthreads
    return max(LEAST, int(share * SHARE))
