"""Box least squares on a grid of periods: fold into bins, sum boxes, keep the best.

Arrays in, arrays out. Times begin at 0 [d]; values are weighted fluxes whose sum is 0, so that a
box of summed value s and summed weight v, out of W in all, is lower than the rest by
``-s W / (v (W - v))`` (Kovacs, Zucker & Mazeh 2002, A&A 391, 369).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias, TypeVar, cast

import numba
import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float64]
Ints: TypeAlias = NDArray[np.int64]
_F = TypeVar("_F", bound=Callable[..., Any])

LIKELIHOOD, SNR = 0, 1
_CHUNK = 1024
_NEAR = 1e-6  # closer to the edge of a bin than this, divisions decide and not products
_ALL = 1 - 1e-9  # a box with more of the weight than this leaves nothing to compare with
_TINY = 1e-300  # an empty box scores 0
COUNT_BITS = 20
_COUNT = np.int64((1 << COUNT_BITS) - 1)


def kernel(function: _F) -> _F:
    """Compile a kernel that keeps no lock."""
    return cast(_F, numba.njit(nogil=True, cache=True, error_model="numpy")(function))


@kernel
def _bins(times: Floats, period: float, width: float, found: NDArray[np.int32]) -> None:
    """Write the bin of each time, as ``floor((t mod period) / width)`` has it to the last bit."""
    frequency = 1.0 / period
    per_turn = period / width
    near = np.int32(0)
    for i in range(times.size):
        turns = times[i] * frequency
        place = (turns - np.floor(turns)) * per_turn
        found[i] = np.int32(place)
        near += np.int32(abs(place - np.rint(place)) < _NEAR)
    if near:
        for i in range(times.size):
            turns = times[i] * frequency
            place = (turns - np.floor(turns)) * per_turn
            if abs(place - np.rint(place)) < _NEAR:
                phase = times[i] - np.floor(times[i] / period) * period
                found[i] = np.int32(phase / width)


@kernel
def fold(
    times: Floats, pairs: Floats, period: float, width: float, sums: Floats, found: Any
) -> None:
    """Add value and weight of each point, which alternate in `pairs`, to those of its bin."""
    for start in range(0, times.size, _CHUNK):
        stop = min(times.size, start + _CHUNK)
        _bins(times[start:stop], period, width, found)
        chunk = pairs[2 * start : 2 * stop]
        for i in range(stop - start):
            at = np.uint64(found[i]) << np.uint64(1)
            sums[at] += chunk[2 * i]
            sums[at + np.uint64(1)] += chunk[2 * i + 1]


@kernel
def fold_packed(
    times: Floats, packed: Ints, period: float, width: float, packs: Ints, found: Any
) -> None:
    """Do the same for points of equal weight: one addition for value and count."""
    for start in range(0, times.size, _CHUNK):
        stop = min(times.size, start + _CHUNK)
        _bins(times[start:stop], period, width, found)
        chunk = packed[start:stop]
        for i in range(stop - start):
            packs[np.uint64(found[i])] += chunk[i]


@kernel
def _unpack(packs: Ints, bins: int, unit: float, sums: Floats) -> None:
    for n in range(bins):
        sums[2 * n] = np.float64(packs[n] >> COUNT_BITS) * unit
        sums[2 * n + 1] = np.float64(packs[n] & _COUNT)


@kernel
def cumulate(
    sums: Floats, bins: int, pad: int, astropy: bool, value: Floats, weight: Floats
) -> int:
    """Write running sums over the bins and, behind them, over the first `pad` again.

    Returns how many bins that is. astropy writes what it pads over its last bin, and so loses it.
    """
    base = bins - 1 if astropy else bins
    y = w = 0.0
    value[0] = weight[0] = 0.0
    for n in range(base):
        y += sums[2 * n]
        w += sums[2 * n + 1]
        value[n + 1] = y
        weight[n + 1] = w
    for n in range(pad):
        y += sums[2 * n]
        w += sums[2 * n + 1]
        value[base + n + 1] = y
        weight[base + n + 1] = w
    total = base + pad
    if astropy:
        value[total + 1] = y
        weight[total + 1] = w
        total += 1
    return total


@kernel
def _best(
    value: Floats, weight: Floats, size: int, starts: int, total: float, objective: int
) -> Any:
    # Scores are not negative, so their bits compare as they do, and LLVM vectorises that.
    y0, y1 = value[:starts], value[size : size + starts]
    w0, w1 = weight[:starts], weight[size : size + starts]
    best = np.int64(0)
    most = _ALL * total
    likelihood = objective == LIKELIHOOD
    for n in range(starts):
        v = w1[n] - w0[n]
        s = y1[n] - y0[n]
        s = s if (s < 0.0) & (v < most) else 0.0
        rest = total - v
        score = s * s / (v * rest * (rest if likelihood else 1.0) + _TINY)
        best = max(best, np.float64(score).view(np.int64))
    return np.int64(best).view(np.float64)


@kernel
def _first(
    value: Floats, weight: Floats, size: int, starts: int, total: float, objective: int
) -> int:
    """Return the first start of the best box of this size."""
    best, at = -1.0, 0
    for n in range(starts):
        v = weight[n + size] - weight[n]
        s = value[n + size] - value[n]
        s = s if (s < 0.0) & (v < _ALL * total) else 0.0
        rest = total - v
        score = s * s / (v * rest * (rest if objective == LIKELIHOOD else 1.0) + _TINY)
        if score > best:
            best, at = score, n
    return at


@kernel
def spectrum(
    times: Floats,
    pairs: Floats,
    packed: Ints,
    unit: float,
    total: float,
    periods: Floats,
    sizes: Ints,
    first: Ints,
    stop: Ints,
    width: float,
    oversample: int,
    objective: int,
    astropy: bool,
    found: Floats,
) -> None:
    """Write the best box of each period.

    Parameters
    ----------
    times, pairs
        Times from 0 [d]; and alternately ``w (f - mean)`` and ``w`` of each point.
    packed, unit
        The same for equal weights of 1, or nothing: ``round((f - mean) / unit) << 20 | 1``.
    total
        Sum of the weights.
    periods
        Trial periods [d].
    sizes
        Durations in bins, ascending; period p tries those from ``first[p]`` to ``stop[p]``.
    width
        Width of a bin [d].
    oversample
        Bins of the shortest duration.
    objective
        ``LIKELIHOOD`` or ``SNR``.
    astropy
        Whether to wrap as astropy does.
    found
        Shape ``(period, 5)``: score, summed value, summed weight, first bin and bins of the box.
    """
    longest = sizes.max()
    most = int(np.ceil(periods.max() / width)) + max(longest, oversample) + 4
    sums, packs = np.zeros(2 * most), np.zeros(most, np.int64)
    value, weight = np.zeros(most + 1), np.zeros(most + 1)
    places = np.empty(_CHUNK, np.int32)
    for p in range(periods.size):
        bins = int(np.ceil(periods[p] / width))
        if packed.size:
            packs[: bins + 2] = 0
            fold_packed(times, packed, periods[p], width, packs, places)
            _unpack(packs, bins, unit, sums)
        else:
            sums[: 2 * bins + 4] = 0.0
            fold(times, pairs, periods[p], width, sums, places)
        pad = oversample if astropy else longest
        length = cumulate(sums, bins, pad, astropy, value, weight)
        best, size = -1.0, sizes[first[p]]
        for k in range(first[p], stop[p]):
            starts = length - sizes[k] + 1 if astropy else bins
            score = _best(value, weight, sizes[k], starts, total, objective)
            if score > best:
                best, size = score, sizes[k]
        starts = length - size + 1 if astropy else bins
        at = _first(value, weight, size, starts, total, objective)
        found[p, 0] = best
        found[p, 1] = value[at + size] - value[at]
        found[p, 2] = weight[at + size] - weight[at]
        found[p, 3] = at
        found[p, 4] = size
