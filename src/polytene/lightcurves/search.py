"""Find the best periods of a grid: all of them looked at, or those that fast folding points to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from polytene.lightcurves import bls_kernels, fold_kernels
from polytene.lightcurves.bls_kernels import COUNT_BITS, LIKELIHOOD, Floats, Ints
from polytene.lightcurves.grids import Grid

_STREAMS = 16
_VALUE_BITS = 42
_RESOLUTION = 1e-6  # of the scatter: what packing may round
_NOTHING = np.zeros(0, np.int64)

FOLD_BINS = 2  # of a duration, when folding fast
_PEAKS = 40
_FEW = 1_000_000  # periods x points: looking at all of them takes a millisecond
_LOST = 0.4  # of a score, at most, by folding fast
_STEPS = 1.5
_CLIMBED = 3
_TIED = 1e-5


@dataclass(frozen=True)
class Series:
    """Points as the kernels take them.

    Parameters
    ----------
    times
        From 0 [d]; in an order that puts neighbours apart, as additions to one bin wait for each
        other.
    pairs
        Alternately ``w (f - mean)`` and ``w``.
    packed, unit
        The same for equal weights, or nothing; see ``bls_kernels.spectrum``.
    total
        Sum of the weights.
    origin
        Time of the first point [d].
    span
        Time from the first to the last point [d].
    """

    times: Floats
    pairs: Floats
    packed: Ints
    unit: float
    total: float
    origin: float
    span: float

    @classmethod
    def of(cls, time: Floats, flux: Floats, weight: Floats | None) -> Series:
        """Prepare points in ascending time; ``weight`` None means equal weights of 1."""
        n = time.size
        w = np.ones(n) if weight is None else weight
        total = float(w.sum())
        value = w * (flux - float((w * flux).sum()) / total)
        apart = _apart(n)
        pairs = np.column_stack([value, w])[apart].ravel()
        packed, unit = _packed(value) if weight is None else (_NOTHING, 1.0)
        origin = float(time[0])
        times = (time - origin)[apart]
        packed = packed[apart] if packed.size else packed
        return cls(times, pairs, packed, unit, total, origin, float(time[-1] - origin))


def _apart(n: int) -> Ints:
    whole = n // _STREAMS * _STREAMS
    mixed = np.arange(whole).reshape(_STREAMS, -1).T.ravel()
    return np.concatenate([mixed, np.arange(whole, n)])


def _packed(value: Floats) -> tuple[Ints, float]:
    """Return values and counts in one integer, unless that would round what is to be found."""
    n, largest = value.size, float(np.abs(value).max())
    if n >= 1 << COUNT_BITS or not largest:
        return _NOTHING, 1.0
    unit = n * largest / 2.0**_VALUE_BITS
    scatter = 1.4826 * float(np.median(np.abs(value - np.median(value))))
    if unit > _RESOLUTION * scatter:
        return _NOTHING, 1.0
    return np.round(value / unit).astype(np.int64) << COUNT_BITS | 1, unit


@dataclass(frozen=True)
class Found:
    """Best boxes of some periods of a grid.

    Parameters
    ----------
    index
        Which periods, ascending.
    boxes
        Shape ``(len(index), 5)``: score, summed value, summed weight, first bin, bins.
    score_mean, score_std
        Of the square root of the scores over the whole grid.
    """

    index: Ints
    boxes: Floats
    score_mean: float
    score_std: float

    @property
    def best(self) -> int:
        """Position of the best box; of equal ones that of the lowest index."""
        scores = self.boxes[:, 0]
        return int(np.flatnonzero(scores >= scores.max() * (1 - 1e-9))[0])


def evaluate(
    series: Series, grid: Grid, index: Ints, objective: int, astropy: bool, *, packed: bool = True
) -> Floats:
    """Return the best box of the periods ``index``, looking at every point."""
    boxes = np.zeros((index.size, 5))
    if index.size:
        bls_kernels.spectrum(
            series.times,
            series.pairs,
            series.packed if packed else _NOTHING,
            series.unit,
            series.total,
            grid.periods[index],
            grid.sizes,
            grid.first[index],
            grid.stop[index],
            grid.width,
            grid.oversample,
            objective,
            astropy,
            boxes,
        )
    return boxes


def exact(series: Series, grid: Grid, objective: int, astropy: bool) -> Found:
    """Look at every period with every point."""
    index = np.arange(grid.periods.size)
    boxes = evaluate(series, grid, index, objective, astropy)
    return settled(series, grid, index, boxes, objective, astropy)


def settled(
    series: Series, grid: Grid, index: Ints, boxes: Floats, objective: int, astropy: bool
) -> Found:
    """Return boxes with those that could be the best computed in full precision."""
    root = np.sqrt(boxes[:, 0])
    _refine(series, grid, index, boxes, objective, astropy)
    return Found(index, boxes, float(root.mean()), float(root.std()))


def _refine(
    series: Series, grid: Grid, index: Ints, boxes: Floats, objective: int, astropy: bool
) -> None:
    if series.packed.size:
        close = np.flatnonzero(boxes[:, 0] >= boxes[:, 0].max() * (1 - _TIED))
        boxes[close] = evaluate(series, grid, index[close], objective, astropy, packed=False)


def fast(series: Series, grid: Grid, objective: int, astropy: bool) -> Found:
    """Fold fast, then look with every point at the periods around the highest peaks."""
    if grid.periods.size * series.times.size <= _FEW:
        return exact(series, grid, objective, astropy)
    order = np.argsort(grid.periods, kind="stable")
    ascending = grid.periods[order]
    spectra = [_fold(series, grid, ascending, order, low, high, objective)
               for low, high in _octaves(grid.durations)]  # fmt: skip
    near = _near_peaks(spectra, ascending, series.span)
    seen = order[near]
    boxes = evaluate(series, grid, seen, objective, astropy)
    climbed = _around_best(ascending, near, boxes[:, 0], grid.durations[-1], series.span)
    more = order[np.setdiff1d(climbed, near)]
    index = np.concatenate([seen, more])
    boxes = np.concatenate([boxes, evaluate(series, grid, more, objective, astropy)])
    by_index = np.argsort(index)
    index, boxes = index[by_index], boxes[by_index]
    _refine(series, grid, index, boxes, objective, astropy)
    each = [np.interp(ascending, s.periods, s.scores) for s in spectra]
    root = np.sqrt(np.maximum.reduce(each) * _scale(series, objective))
    return Found(index, boxes, float(root.mean()), float(root.std()))


def _scale(series: Series, objective: int) -> float:
    """Return what the score of weights that sum to 1 is multiplied by for the series' own."""
    return 1.0 / series.total if objective == LIKELIHOOD else 1.0


def _octaves(durations: Floats) -> list[tuple[int, int]]:
    """Return where durations begin and end that differ by less than a factor of 2."""
    found = []
    low = 0
    while low < durations.size:
        high = int(np.searchsorted(durations, 2 * durations[low]))
        found.append((low, high))
        low = high
    return found


class Folded(NamedTuple):
    """What fast folding with bins of `width` [d] found: periods [d], ascending, and scores."""

    periods: Floats
    scores: Floats
    width: float


def _fold(
    series: Series,
    grid: Grid,
    ascending: Floats,
    order: Ints,
    low: int,
    high: int,
    objective: int,
) -> Folded:
    """Score the durations from `low` to `high`, in bins of a part of the shortest of them."""
    durations = grid.durations[low:high]
    width = float(durations[0]) / FOLD_BINS
    sizes = np.round(durations / width).astype(np.int64)
    length = int(series.span / width) + 1
    place = (series.times / width).astype(np.int64)
    sums = [np.bincount(place, series.pairs[i::2], length) / series.total for i in (0, 1)]
    pairs = np.column_stack(sums).astype(np.float32).ravel()
    first = np.clip(grid.first[order] - low, 0, high - low)
    stop = np.clip(grid.stop[order] - low, 0, high - low)
    periods, scores = np.zeros(ascending.size), np.zeros(ascending.size, np.float32)
    about = (ascending / width, sizes, first, stop, objective)
    n = fold_kernels.search(pairs, *about, periods, scores)
    return Folded(periods[:n] * width, scores[:n].astype(np.float64), width)


def _near_peaks(spectra: list[Folded], ascending: Floats, span: float) -> Ints:
    """Return the places in the ascending grid within a few folding steps of the highest peaks."""
    least = _LOST * max(float(s.scores.max()) for s in spectra)
    lows, highs = [], []
    for periods, scores, width in spectra:
        before = np.concatenate([[0.0], scores[:-1]])
        after = np.concatenate([scores[1:], [0.0]])
        peaks = np.flatnonzero((scores >= before) & (scores >= after) & (scores >= least))
        peaks = peaks[np.argsort(-scores[peaks], kind="stable")[:_PEAKS]]
        reach = _STEPS * width * periods[peaks] / span
        lows.append(periods[peaks] - reach)
        highs.append(periods[peaks] + reach)
    return _within(ascending, np.concatenate(lows), np.concatenate(highs))


def _within(ascending: Floats, low: Floats, high: Floats) -> Ints:
    """Return the places between the limits, and the nearest where there is none between."""
    start, stop = np.searchsorted(ascending, low), np.searchsorted(ascending, high)
    empty = start == stop
    start, stop = np.where(empty, start - 1, start), np.where(empty, stop + 1, stop)
    change = np.zeros(ascending.size + 1, np.int64)
    np.add.at(change, np.clip(start, 0, ascending.size), 1)
    np.add.at(change, np.clip(stop, 0, ascending.size), -1)
    return np.flatnonzero(np.cumsum(change[:-1]))


def _around_best(
    ascending: Floats, near: Ints, scores: Floats, longest: float, span: float
) -> Ints:
    """Return the places around the highest of the peaks, as far as a transit stays in its box."""
    chosen: list[float] = []
    for place in near[np.argsort(-scores, kind="stable")]:
        period = float(ascending[place])
        if all(abs(period - p) > longest * p / span for p in chosen):
            chosen.append(period)
        if len(chosen) == _CLIMBED:
            break
    best = np.array(chosen)
    reach = longest / 2 * best / span
    return _within(ascending, best - reach, best + reach)
