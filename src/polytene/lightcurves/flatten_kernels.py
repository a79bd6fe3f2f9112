"""The slow trend of a light curve. Arrays in, arrays out."""

from __future__ import annotations

import numpy as np

from polytene.lightcurves.bls_kernels import Floats, kernel

SEGMENT_GAP = 0.5  # [d]
_NODES = 12  # of the trend in a window
_REACH = 5.0  # median absolute deviations; what is farther out does not count
_TURNS = 10
_CLOSE = 1e-5


@kernel
def biweight(values: Floats) -> float:
    """Return Tukey's biweight mean: a mean that forgets what is far from it."""
    middle = np.median(values)
    spread = np.median(np.abs(values - middle)) * _REACH
    if spread == 0.0:
        return middle
    for _ in range(_TURNS):
        total = weight = 0.0
        for value in values:
            distance = (value - middle) / spread
            if abs(distance) < 1.0:
                w = (1.0 - distance * distance) ** 2
                total += w * (value - middle)
                weight += w
        if weight == 0.0:
            break
        middle += total / weight
        if abs(total / weight) < _CLOSE * spread:
            break
    return middle


@kernel
def trend(time: Floats, flux: Floats, window: float) -> Floats:
    """Return the biweight mean over a sliding window, interpolated between nodes.

    Parameters
    ----------
    time, flux
        float64 of shape ``(point,)``, time ascending [d].
    window
        Days.

    Returns
    -------
    numpy.ndarray
        The trend at each point.
    """
    out = np.empty(time.size)
    begin = 0
    while begin < time.size:
        end = begin + 1
        while end < time.size and time[end] - time[end - 1] <= SEGMENT_GAP:
            end += 1
        _segment(time[begin:end], flux[begin:end], window, out[begin:end])
        begin = end
    return out


@kernel
def _segment(time: Floats, flux: Floats, window: float, out: Floats) -> None:
    length = time[-1] - time[0]
    count = int(np.ceil(length / window * _NODES)) + 1
    nodes, level = np.empty(count), np.empty(count)
    low = high = 0
    for i in range(count):
        nodes[i] = time[0] + (length * i / (count - 1) if count > 1 else 0.0)
        while low < time.size and time[low] < nodes[i] - window / 2:
            low += 1
        while high < time.size and time[high] <= nodes[i] + window / 2:
            high += 1
        level[i] = biweight(flux[low:high]) if high > low else np.nan
    out[:] = np.interp(time, nodes, level)
