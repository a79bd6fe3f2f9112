"""A function over the chunks of a plan: durably through :func:`polytene.run`, or as plain Dask."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from polytene.core.outcome import Outcome
from polytene.core.plan import Plan
from polytene.core.reduce import Reduction
from polytene.core.run import run
from polytene.core.stage import Stage, as_stage, parameters
from polytene.genome.chunks import ChunkPlan, GenomicChunk
from polytene.genome.units import ChunkUnit, chunk_of, unit_plan

if TYPE_CHECKING:
    from dask.bag import Bag
    from dask.delayed import Delayed


def map_plan(
    plan: ChunkPlan,
    func: Stage | Callable[..., Any],
    reduction: Reduction | None,
    *,
    run_dir: str | Path,
    **engine: Any,
) -> Outcome:
    """Run ``func(chunk)`` on each chunk; see :meth:`polytene.genome.ChunkPlan.map`."""
    stage = as_stage(func)
    folded = reduction or Reduction(None, _by_id)
    units = engine_plan(plan, stage)
    return run(units, [on_units(stage)], folded, run_dir=run_dir, **engine)


def engine_plan(plan: ChunkPlan, stage: Stage) -> Plan[ChunkUnit]:
    """Return the plan of a run; what the function is called and bound to is part of it."""
    return unit_plan(plan, "genome-map", {"function": _meaning(stage.func)})


def _meaning(func: Callable[..., Any]) -> list[Any]:
    inner = func
    while isinstance(inner, functools.partial) or hasattr(inner, "__wrapped__"):
        inner = inner.func if isinstance(inner, functools.partial) else inner.__wrapped__
    name = getattr(inner, "__qualname__", type(inner).__qualname__)
    return [f"{getattr(inner, '__module__', '')}:{name}", *parameters(func, f"function {name!r}")]


def on_units(stage: Stage) -> Stage:
    """Return a stage that hands the chunk of a unit to the function of another."""
    func = stage.func

    def call(unit: ChunkUnit) -> Any:
        return func(chunk_of(unit))

    call.__name__ = stage.name
    return replace(stage, func=call)


def _by_id(values: Iterable[tuple[ChunkUnit, Any]], plan: Any, failures: Any) -> dict[str, Any]:
    return {unit.chunk_id: value for unit, value in values}


def to_delayed(plan: ChunkPlan, func: Stage | Callable[..., Any]) -> list[Delayed]:
    """Return ``func(chunk)`` of each chunk as a ``dask.delayed`` value, in plan order."""
    stage = as_stage(func)
    return engine_plan(plan, stage).to_delayed([on_units(stage)])


def to_bag(plan: ChunkPlan, partition_size: int) -> Bag:
    """Return the chunks as a ``dask.bag``, in plan order."""
    bag: Bag = unit_plan(plan, "genome-bag", {}).to_bag(partition_size)
    return bag.map(_chunk)


def _chunk(unit: ChunkUnit) -> GenomicChunk:
    return chunk_of(unit)
