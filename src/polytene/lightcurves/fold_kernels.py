"""The fast folding algorithm: all periods between p and p + 1 bins at once, those wanted searched.

Folding by additions of halves (Staelin 1969, Proc. IEEE 57, 724) costs ``p log2(rows)`` additions
per trial period where binning all points costs their number. Arrays in, arrays out; float32, as
what it finds is looked at again. A bin is a pair of floats, value and weight, side by side.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from polytene.lightcurves.bls_kernels import LIKELIHOOD, Floats, Ints, kernel

Singles: TypeAlias = NDArray[np.float32]
_NONE = np.float32(0.0)
_TINY = np.float32(1e-12)
_ALL = np.float32(1 - 1e-5)


@kernel
def _add(source: Singles, a: int, b: int, shift: int, size: int, out: Singles, at: int) -> None:
    """Write, from `at` on, the `size` floats from `a` on plus those from `b` on turned left."""
    # Unsigned, as numba looks whether other indices are negative, and LLVM vectorises none such.
    turn, rest = np.uint64(shift), np.uint64(size) - np.uint64(shift)
    i0, j0, o0 = np.uint64(a), np.uint64(b) + turn, np.uint64(at)
    for i in range(rest):
        out[o0 + np.uint64(i)] = source[i0 + np.uint64(i)] + source[j0 + np.uint64(i)]
    i0, j0, o0 = i0 + rest, np.uint64(b), o0 + rest
    for i in range(turn):
        out[o0 + np.uint64(i)] = source[i0 + np.uint64(i)] + source[j0 + np.uint64(i)]


@kernel
def _add_halves(
    source: Singles,
    begin: int,
    middle: int,
    end: int,
    bins: int,
    drift: int,
    out: Singles,
    at: int,
) -> None:
    """Write the sum of rows `begin` to `end` that drifts by `drift` bins, from those of its halves.

    `source` holds, at each row of a half, the sum of that half with the drift of the row's place.
    """
    share = drift / (end - begin - 1)
    head = int((middle - begin - 1) * share + 0.5)
    tail = int((end - middle - 1) * share + 0.5)
    shift = drift - tail
    while shift >= bins:
        shift -= bins
    a, b = 2 * bins * (begin + head), 2 * bins * (middle + tail)
    _add(source, a, b, 2 * shift, 2 * bins, out, at)


@kernel
def fold_halves(series: Singles, one: Singles, other: Singles, rows: int, bins: int) -> Any:
    """Fold the upper and the lower half of `rows` rows of `bins` bins, each with all its drifts.

    The result is `one`, `other` or, of one or two rows, the series, which is never changed.
    """
    depth = 0
    while (1 << depth) < rows:
        depth += 1
    source, target, spare = series, one, other
    for level in range(depth - 1, 0, -1):
        groups = 1 << level
        for g in range(groups):
            begin, end = g * rows // groups, (g + 1) * rows // groups
            middle = (2 * g + 1) * rows // (2 * groups)
            if middle in (begin, end):
                low, high = 2 * bins * begin, 2 * bins * end
                target[low:high] = source[low:high]
                continue
            for drift in range(end - begin):
                at = 2 * bins * (begin + drift)
                _add_halves(source, begin, middle, end, bins, drift, target, at)
        source, target, spare = target, spare, target
    return source


@kernel
def fold_whole(halves: Singles, rows: int, bins: int, drift: int, out: Singles) -> None:
    """Write the sum of all rows that drifts by `drift` bins from the first to the last row."""
    if rows == 1:
        out[: 2 * bins] = halves[: 2 * bins]
    else:
        _add_halves(halves, 0, rows // 2, rows, bins, drift, out, 0)


@kernel
def fold_directly(series: Singles, rows: int, bins: int, drift: int, out: Singles) -> None:
    """Do the same without halves: cheaper where few drifts are wanted."""
    size = np.uint64(2 * bins)
    out[: 2 * bins] = series[: 2 * bins]
    for row in range(1, rows):
        turn = np.uint64(2 * (int(drift * row / (rows - 1) + 0.5) % bins))
        begin = np.uint64(2 * bins * row)
        rest = size - turn
        for i in range(rest):
            out[np.uint64(i)] += series[begin + turn + np.uint64(i)]
        for i in range(turn):
            out[rest + np.uint64(i)] += series[begin + np.uint64(i)]


@kernel
def _best(boxes: Singles, objective: int) -> Any:
    """Return the highest score of boxes; all weights together are 1."""
    # Scores are not negative, so their bits compare as they do, and LLVM vectorises that.
    best = np.int32(0)
    one = np.float32(1.0)
    likelihood = objective == LIKELIHOOD
    for n in range(boxes.size // 2):
        s, v = boxes[2 * n], boxes[2 * n + 1]
        s = s if (s < _NONE) & (v < _ALL) else _NONE
        rest = one - v
        other = rest if likelihood else one
        best = max(best, np.float32(s * s / (v * rest * other + _TINY)).view(np.int32))
    return np.int32(best).view(np.float32)


@kernel
def _best_of_all(
    profile: Singles, bins: int, sizes: Ints, low: int, high: int, boxes: Singles, objective: int
) -> Any:
    """Return the highest score of the boxes of sizes `low` to `high` that are no whole turn."""
    width = 2 * bins
    for n in range(2 * sizes[-1]):  # round the circle, more than once where it is short
        profile[width + n] = profile[n]
    boxes[:width] = profile[:width]
    best, size = _NONE, 1
    for k in range(low, high):
        if sizes[k] >= bins:
            break
        while size < sizes[k]:
            added = profile[2 * size : 2 * size + width]
            for n in range(width):
                boxes[n] += added[n]
            size += 1
        best = max(best, _best(boxes[:width], objective))
    return best


@kernel
def search(
    pairs: Singles,
    wanted: Floats,
    sizes: Ints,
    first: Ints,
    stop: Ints,
    objective: int,
    periods: Floats,
    scores: Singles,
) -> int:
    """Score the folded periods that are nearest to those wanted, once each; return how many.

    Parameters
    ----------
    pairs
        Alternately summed ``w (f - mean)`` and ``w`` of each bin of the series; weights sum to 1.
    wanted
        Periods in bins, ascending.
    sizes
        Durations in bins, ascending.
    first, stop
        Which durations are tried at each of the periods wanted.
    periods, scores
        Written: periods in bins and their best scores; as long as `wanted`.

    Notes
    -----
    With a drift of d bins per row, what recurs after ``p^2 / (p - d)`` bins stays at its place: a
    row is p bins long, so that there are more rows than turns.
    """
    length, longest = pairs.size // 2, int(wanted[-1]) + 1
    series = np.zeros(2 * (length + longest), np.float32)
    series[: 2 * length] = pairs
    one, other = np.zeros_like(series), np.zeros_like(series)
    profile = np.zeros(2 * (longest + sizes[-1]), np.float32)
    boxes = np.zeros(2 * longest, np.float32)
    found = asked = 0
    while asked < wanted.size:
        bins = int(wanted[asked])
        rows = -(-length // bins)
        end = asked + 1
        while end < wanted.size and wanted[end] < bins + 1:
            end += 1
        few = 2.0 ** (end - asked + 1) < rows
        halves = series if few else fold_halves(series, one, other, rows, bins)
        last = -1
        while asked < end:
            drift = int((bins - bins * bins / wanted[asked]) * (rows - 1) + 0.5)
            if drift != last:
                if few:
                    fold_directly(series, rows, bins, drift, profile)
                else:
                    fold_whole(halves, rows, bins, drift, profile)
                about = (sizes, first[asked], stop[asked], boxes, objective)
                scores[found] = _best_of_all(profile, bins, *about)
                periods[found] = bins * bins / (bins - drift / max(rows - 1, 1))
                found += 1
            last = drift
            asked += 1
    return found
