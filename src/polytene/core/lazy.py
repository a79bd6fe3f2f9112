"""Plans as plain Dask: values for notebooks and other schedulers, without a run directory."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from itertools import islice
from typing import TYPE_CHECKING, Any

from polytene.core.canonical import digest
from polytene.core.saved import line_of
from polytene.core.stage import Partial, Stage, as_stage, legs
from polytene.exceptions import UsageError

if TYPE_CHECKING:
    from dask.bag import Bag
    from dask.delayed import Delayed

    from polytene.core.plan import Plan


def value_of(returned: object) -> object:
    """Return what a stage computed, without its accounts."""
    return returned.value if isinstance(returned, Partial) else returned


def apply(func: Callable[..., Any], *args: object) -> object:
    """Call a stage as the engine does."""
    return value_of(func(*args))


def to_delayed(plan: Plan[Any], stages: Sequence[Stage | Callable[..., Any]]) -> list[Delayed]:
    """Return the value of each unit as a ``dask.delayed`` chain of the stages."""
    import dask

    chain = [as_stage(s) for s in stages]
    for stage in chain:
        if stage.uses:
            raise UsageError(
                f"stage {stage.name!r} uses {', '.join(stage.uses)}, which plain Dask does not "
                "limit: use polytene.run, or take `uses` away"
            )
    calls = [(dask.delayed(apply, pure=False), s) for s in chain]
    marks = [
        leg.fingerprint for stage in range(len(chain)) for leg in legs(chain[: stage + 1])[-1:]
    ]
    out = []
    for unit in plan:
        previous: tuple[Any, ...] = ()
        for (call, stage), mark in zip(calls, marks, strict=True):
            name = f"{stage.name}-{mark}-{digest(line_of([unit]), 8)}"
            with dask.annotate(resources=dict(stage.needs)) if stage.needs else nullcontext():
                previous = (call(stage.func, unit, *previous, dask_key_name=name),)
        out.append(previous[0])
    return out


def to_bag(plan: Plan[Any], partition_size: int) -> Bag:
    """Return the units as a bag with ``partition_size`` units a partition."""
    import dask
    from dask.bag import from_delayed

    if partition_size < 1:
        raise UsageError(f"partition_size is {partition_size}: give at least 1")
    units = iter(plan)
    parts = []
    while chunk := list(islice(units, partition_size)):
        parts.append(dask.delayed(chunk, traverse=False))
    return from_delayed(parts)
