"""Where to cut, of all places that are equally good for the balance."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from polytene.formats.regions import Region
from polytene.genome.genome import Genome
from polytene.genome.planning.atoms import Axis
from polytene.genome.planning.nruns import MIN_RUN, n_runs

Ints = np.ndarray[Any, np.dtype[np.int64]]
SHARE = 0.01
LOOK = 1 << 16


def preference(
    genome: Genome, offsets: Ints, axis: Axis, n: int, cut: str
) -> Callable[[int, int, int], int]:
    """Return how a balanced plan of ``n`` chunks chooses among cuts that are equally good.

    Within a hundredth of a chunk around the ideal place: the end of a sequence, else the middle
    of the longest run of N, else, between genes, the middle of the widest gap.
    """
    reach = max(1, int(SHARE * axis.bases / n))

    def prefer(low: int, high: int, ideal: int) -> int:
        low, high = max(low, ideal - reach), min(high, ideal + reach)
        if (end := _sequence_end(offsets, low, high, ideal)) is not None:
            return end
        if genome.has_bases and (gap := _n_run(genome, offsets, axis, low, high, ideal)):
            return gap
        return _widest(axis, low, high, ideal) if cut == "safe" else ideal

    return prefer


def _sequence_end(offsets: Ints, low: int, high: int, ideal: int) -> int | None:
    a, b = np.searchsorted(offsets, (low, high + 1))
    if a == b:
        return None
    return int(min(offsets[a:b].tolist(), key=lambda x: abs(x - ideal)))


def _n_run(
    genome: Genome, offsets: Ints, axis: Axis, low: int, high: int, ideal: int
) -> int | None:
    """Return the middle of the longest run of N in the window, if it may be cut there."""
    low, high = max(low, ideal - LOOK), min(high, ideal + LOOK)
    i = int(np.searchsorted(offsets, ideal, side="right")) - 1
    base, end = int(offsets[i]), int(offsets[i + 1])
    around = max(base, low - MIN_RUN), min(end, high + MIN_RUN)
    where = Region(genome.names[i], around[0] - base, around[1] - base)
    for run in sorted(n_runs(genome, where), key=lambda r: -r.size):
        middle = base + min(max((run.start + run.end) // 2, low - base), high - base)
        step = int(np.searchsorted(axis.points, middle, side="right")) - 1
        free = axis.free[step] or axis.points[step] == middle
        if free and run.start <= middle - base <= run.end:
            return middle
    return None


def _widest(axis: Axis, low: int, high: int, ideal: int) -> int:
    """Return the middle of the widest gap between genes, as far as it lies in the window."""
    a = max(int(np.searchsorted(axis.points, low, side="right")) - 1, 0)
    b = int(np.searchsorted(axis.points, high, side="left"))
    starts, ends = axis.points[a:b], axis.points[a + 1 : b + 1]
    width = np.where(axis.free[a:b], np.minimum(ends, high) - np.maximum(starts, low), -1)
    if not width.size or width.max() <= 0:
        return ideal
    best = int(np.argmax(width))
    return min(max((int(starts[best]) + int(ends[best])) // 2, low), high)
