"""The fast folding algorithm: every period between p and p + 1 bins at once, box searched.

Folding by additions of halves (Staelin 1969, Proc. IEEE 57, 724) costs ``p log2(rows)`` additions
per trial period where binning all points costs their number. Arrays in, arrays out; float32, as
what it finds is looked at again.
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
def _add(a: Singles, b: Singles, shift: int, out: Singles) -> None:
    """Write a plus b turned left by `shift`."""
    n = a.size - shift
    a1, b1, o1 = a[:n], b[shift:], out[:n]
    for i in range(n):
        o1[i] = a1[i] + b1[i]
    a2, b2, o2 = a[n:], b[:shift], out[n:]
    for i in range(shift):
        o2[i] = a2[i] + b2[i]


@kernel
def fold_rows(data: Singles, spare: Singles, rows: int, bins: int) -> Any:
    """Fold `rows` rows of `bins` values; row i of the result is the sum with a drift of i bins.

    `data` is overwritten; the result is either of the two arrays.
    """
    depth = 0
    while (1 << depth) < rows:
        depth += 1
    source, target = data, spare
    for level in range(depth - 1, -1, -1):
        groups = 1 << level
        for g in range(groups):
            begin, end = g * rows // groups, (g + 1) * rows // groups
            middle = (2 * g + 1) * rows // (2 * groups)
            size, head, tail = end - begin, middle - begin, end - middle
            if head == 0 or tail == 0:
                target[begin * bins : end * bins] = source[begin * bins : end * bins]
                continue
            for s in range(size):
                share = s / (size - 1)
                h, t = int((head - 1) * share + 0.5), int((tail - 1) * share + 0.5)
                a, b, o = (begin + h) * bins, (middle + t) * bins, (begin + s) * bins
                first, second = source[a : a + bins], source[b : b + bins]
                _add(first, second, (s - t) % bins, target[o : o + bins])
        source, target = target, source
    return source


@kernel
def _best(
    value: Singles, weight: Singles, size: int, starts: int, total: np.float32, objective: int
) -> Any:
    y0, y1 = value[:starts], value[size : size + starts]
    w0, w1 = weight[:starts], weight[size : size + starts]
    best = np.int32(0)
    most = _ALL * total
    if objective == LIKELIHOOD:
        for n in range(starts):
            v = w1[n] - w0[n]
            s = y1[n] - y0[n]
            s = s if (s < _NONE) & (v < most) else _NONE
            rest = total - v
            best = max(best, np.float32(s * s / (v * rest * rest + _TINY)).view(np.int32))
    else:
        for n in range(starts):
            v = w1[n] - w0[n]
            s = y1[n] - y0[n]
            s = s if (s < _NONE) & (v < most) else _NONE
            best = max(best, np.float32(s * s / (v * (total - v) + _TINY)).view(np.int32))
    return np.int32(best).view(np.float32)


@kernel
def trials(length: int, shortest: int, longest: int) -> int:
    """Return how many periods :func:`search` tries."""
    n = 0
    for bins in range(shortest, longest):
        n += -(-length // bins)
    return n


@kernel
def search(
    values: Singles,
    weights: Singles,
    shortest: int,
    longest: int,
    sizes: Ints,
    first: Ints,
    stop: Ints,
    objective: int,
    periods: Floats,
    scores: Singles,
) -> None:
    """Score each period from `shortest` to `longest` bins.

    Parameters
    ----------
    values, weights
        Summed ``w (f - mean)`` and ``w`` of each bin of the series; weights sum to 1.
    sizes
        Durations in bins, ascending.
    first, stop
        Shape ``(longest - shortest,)``: which durations are tried at each base period.
    periods, scores
        Written: trial periods in bins and their best scores, as many as :func:`trials` says.
    """
    length, total = values.size, np.float32(1.0)
    room = length + longest
    y0, y1 = np.zeros(room, np.float32), np.zeros(room, np.float32)
    w0, w1 = np.zeros(room, np.float32), np.zeros(room, np.float32)
    pad = sizes.max()
    value, weight = np.zeros(longest + pad + 1, np.float32), np.zeros(longest + pad + 1, np.float32)
    at = 0
    for bins in range(shortest, longest):
        rows = -(-length // bins)
        y0[:length], w0[:length] = values, weights
        y0[length : rows * bins] = _NONE
        w0[length : rows * bins] = _NONE
        folded, share = fold_rows(y0, y1, rows, bins), fold_rows(w0, w1, rows, bins)
        for row in range(rows):
            y, w = folded[row * bins : (row + 1) * bins], share[row * bins : (row + 1) * bins]
            ysum = wsum = _NONE
            for n in range(bins):
                ysum += y[n]
                wsum += w[n]
                value[n + 1] = ysum
                weight[n + 1] = wsum
            for n in range(min(pad, bins)):
                value[bins + n + 1] = ysum + value[n + 1]
                weight[bins + n + 1] = wsum + weight[n + 1]
            best = _NONE
            for k in range(first[bins - shortest], stop[bins - shortest]):
                best = max(best, _best(value, weight, sizes[k], bins, total, objective))
            periods[at] = bins + (row / (rows - 1) if rows > 1 else 0.0)
            scores[at] = best
            at += 1
