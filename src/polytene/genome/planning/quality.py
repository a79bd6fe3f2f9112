"""How good a plan is, and the proof that none is better."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from polytene.genome.planning.atoms import Axis
from polytene.genome.planning.costs import Model
from polytene.genome.planning.genes import Genes
from polytene.genome.planning.partition import least_cost, lower_bound, parts_needed

if TYPE_CHECKING:
    from polytene.genome.chunks import ChunkPlan

Ints = np.ndarray[Any, np.dtype[np.int64]]


def measure(
    axis: Axis,
    cuts: Ints,
    offsets: Ints,
    genes: Genes | None,
    model: Model,
    max_bp: int,
    least: int | None = None,
) -> dict[str, Any]:
    """Return the quality of cuts; see :meth:`polytene.genome.ChunkPlan.quality`.

    ``least`` is the least cost of the dearest of as many chunks, where it is known.
    """
    spent = np.diff(axis.cost_at(cuts))
    n, dearest = len(spent), int(spent.max())
    mean = axis.total / n
    bound = lower_bound(axis, n)
    least = least_cost(axis, n, max_bp) if least is None else least
    more = least < 1 or parts_needed(axis, least - 1, max_bp, n) > n
    return {
        "max_cost": model.real(dearest),
        "mean_cost": model.real(axis.total) / n,
        "max_over_mean": round(dearest / mean, 6) if mean else 1.0,
        "lower_bound": model.real(bound),
        "max_over_lower_bound": round(dearest / bound, 6) if bound else 1.0,
        "certificate": {
            "optimal": bool(more and dearest == least),
            "least_max_cost": model.real(least),
            "chunks_needed_below": f"more than {n}" if more else f"at most {n}",
        },
        "split": split_genes(cuts, offsets, genes),
        "uncovered": 0,
        "atom_bound": bool(dearest == axis.biggest and dearest * n > axis.total),
        "biggest_atom": model.real(axis.biggest),
    }


def split_genes(cuts: Ints, offsets: Ints, genes: Genes | None) -> int | None:
    """Return how many genes a cut goes through; None where no genes are known."""
    if genes is None:
        return None
    inside = cuts[offsets[np.searchsorted(offsets, cuts)] != cuts]
    first = np.searchsorted(inside, genes.starts, side="right")
    return int(np.count_nonzero(first < np.searchsorted(inside, genes.ends, side="left")))


def measures_of(plan: ChunkPlan) -> dict[str, Any]:
    """Return what can be said of a plan without its genome: sizes, gaps and overlaps."""
    sizes = np.array([c.size for c in plan], np.int64)
    rows: dict[str, list[tuple[int, int]]] = {}
    for chunk in plan:
        for seqid, start, end in chunk.intervals:
            rows.setdefault(seqid, []).append((start, end))
    covered = sum(_covered(spans) for spans in rows.values())
    mean = float(sizes.mean())
    bound = int(-(-plan.total_bases // len(plan)))
    return {
        "max_cost": int(sizes.max()),
        "mean_cost": mean,
        "max_over_mean": round(float(sizes.max()) / mean, 6),
        "lower_bound": bound,
        "max_over_lower_bound": round(float(sizes.max()) / bound, 6),
        "certificate": None,
        "split": None,
        "uncovered": plan.total_bases - covered,
        "overlapping": int(sizes.sum()) - covered,
        "atom_bound": False,
        "biggest_atom": None,
    }


def _covered(spans: list[tuple[int, int]]) -> int:
    covered = reached = 0
    for start, end in sorted(spans):
        covered += max(0, end - max(start, reached))
        reached = max(reached, end)
    return covered
