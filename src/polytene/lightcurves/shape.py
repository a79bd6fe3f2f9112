"""What the points in and around the transits of one ephemeris say."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from polytene.lightcurves.bls import events
from polytene.lightcurves.bls_kernels import Floats
from polytene.lightcurves.bls_result import BLSResult
from polytene.lightcurves.curve import LightCurve

NAN = math.nan
_LEAST = 3  # points that a mean is taken of
_BLOCK_SHARE = 0.5


@dataclass(frozen=True)
class Shape:
    """Measures of the transits; NaN where too few points speak of one.

    Parameters
    ----------
    depth
        Mean of the flux outside minus inside.
    odd_even, odd_even_sigma
        Depth of odd transits minus that of even ones, and how many standard errors that is.
    secondary, secondary_err
        The same half a period later, and its standard error.
    asymmetry
        Depth of the first half minus that of the second, in depths.
    pointedness
        1 minus depth of the outer quarters over that of the inner half: 0 a box, more a V.
    beta
        Scatter of means over a transit's duration, in that of white noise (Pont et al. 2006).
    without_strongest
        SNR without the transit that adds most to it, over the whole SNR.
    n_transits
        Transits with points.
    strongest_t0, strongest_depth, strongest_points
        Middle [d], depth and points of the transit that adds most to the SNR.
    scatter
        Robust standard deviation of the points outside.
    """

    depth: float
    odd_even: float
    odd_even_sigma: float
    secondary: float
    secondary_err: float
    asymmetry: float
    pointedness: float
    beta: float
    without_strongest: float
    n_transits: int
    strongest_t0: float
    strongest_depth: float
    strongest_points: int
    scatter: float


def shape_of(curve: LightCurve, found: BLSResult) -> Shape:
    """Measure the transits of a flat light curve at the period that was found."""
    time, flux = curve.time, curve.flux
    offset = curve.fold(found.period, found.t0)
    distance = np.abs(offset)
    half = found.duration / 2
    out = (distance > found.duration) & (found.period / 2 - distance > found.duration)
    if out.sum() < _LEAST:
        out = distance > half
    level, sigma = _level(flux, out)
    beta = red_noise_beta(time[out], flux[out], found.duration)
    sigma_red = sigma * (beta if beta > 1 else 1.0)
    inside = events(time, found.period, found.t0, found.duration)

    def depth(points: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> float:
        return level - float(flux[points].mean()) if points.sum() >= _LEAST else NAN

    box = distance < half
    odd, even = _parities(time, found, box)
    difference = depth(odd) - depth(even)
    n_odd, n_even = int(odd.sum()), int(even.sum())
    error = sigma_red * math.sqrt(1 / n_odd + 1 / n_even) if n_odd and n_even else NAN
    opposite = found.period / 2 - distance < half
    whole = depth(box)
    return Shape(
        depth=whole,
        odd_even=difference,
        odd_even_sigma=abs(difference) / error if error and error > 0 else NAN,
        secondary=depth(opposite),
        secondary_err=sigma_red / math.sqrt(opposite.sum()) if opposite.sum() >= _LEAST else NAN,
        asymmetry=_over(depth(box & (offset < 0)) - depth(box & (offset >= 0)), whole),
        pointedness=1
        - _over(depth(box & (distance >= half / 2)), depth(box & (distance < half / 2))),
        beta=beta,
        without_strongest=_without_strongest(level - flux, inside),
        n_transits=len(inside),
        **_strongest(level - flux, inside, found),
        scatter=sigma,
    )


def _over(a: float, b: float) -> float:
    return a / b if b else NAN


def _level(flux: Floats, out: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> tuple[float, float]:
    if out.sum() < _LEAST:
        return NAN, NAN
    rest = flux[out]
    middle = float(np.median(rest))
    return middle, 1.4826 * float(np.median(np.abs(rest - middle)))


def _parities(
    time: Floats, found: BLSResult, box: np.ndarray[tuple[int], np.dtype[np.bool_]]
) -> tuple[np.ndarray[tuple[int], np.dtype[np.bool_]], np.ndarray[tuple[int], np.dtype[np.bool_]]]:
    odd = np.round((time - found.t0) / found.period).astype(np.int64) % 2 == 1
    return box & odd, box & ~odd


def _without_strongest(dip: Floats, inside: dict[int, Floats]) -> float:
    """Return what of the SNR is left when its strongest transit is left out; 0 of a single one."""
    sums = np.array([float(dip[points].sum()) for points in inside.values()])
    counts = np.array([len(points) for points in inside.values()])
    if sums.size < 2 or sums.sum() <= 0:
        return 0.0 if sums.size else NAN
    rest = np.arange(sums.size) != int(sums.argmax())
    left = sums[rest].sum() / math.sqrt(counts[rest].sum())
    return float(max(0.0, left / (sums.sum() / math.sqrt(counts.sum()))))


def _strongest(dip: Floats, inside: dict[int, Floats], found: BLSResult) -> dict[str, Any]:
    if not inside:
        return {"strongest_t0": NAN, "strongest_depth": NAN, "strongest_points": 0}
    number = max(inside, key=lambda n: float(dip[inside[n]].sum()))
    points = inside[number]
    return {
        "strongest_t0": found.t0 + number * found.period,
        "strongest_depth": float(dip[points].mean()),
        "strongest_points": len(points),
    }


def red_noise_beta(time: Floats, flux: Floats, duration: float) -> float:
    """Return the scatter of means over ``duration`` over what white noise would leave of it.

    Notes
    -----
    Pont, Zucker & Queloz (2006), MNRAS 373, 231; Winn et al. (2008), ApJ 683, 1076. Robust: both
    scatters are 1.4826 median absolute deviations. Means of fewer than half as many points as the
    median one do not count.

    Examples
    --------
    >>> time = np.arange(0, 20, 0.002)
    >>> white = np.random.default_rng(1).normal(1, 0.001, time.size)
    >>> round(red_noise_beta(time, white, 0.1), 1)
    1.0
    """
    if time.size < _LEAST:
        return NAN
    number = ((time - time[0]) / duration).astype(np.int64)
    _, place, counts = np.unique(number, return_inverse=True, return_counts=True)
    means = np.bincount(place, flux) / counts
    full = counts >= max(1.0, _BLOCK_SHARE * float(np.median(counts)))
    if full.sum() < 2 * _LEAST:
        return NAN
    sigma = 1.4826 * float(np.median(np.abs(flux - np.median(flux))))
    scaled = (means[full] - np.median(flux)) * np.sqrt(counts[full])
    spread = 1.4826 * float(np.median(np.abs(scaled - np.median(scaled))))
    return spread / sigma if sigma > 0 else NAN
