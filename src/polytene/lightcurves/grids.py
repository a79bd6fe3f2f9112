"""Which periods and durations are tried."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from polytene.exceptions import UsageError
from polytene.lightcurves.bls_kernels import Floats, Ints

DURATIONS = (0.05, 0.1, 0.15, 0.2, 0.25, 0.33)
OVERSAMPLE = 10
SHORTEST_PERIOD = 0.5
MOST_PERIODS = 5_000_000
_G_SUN_DENSITY = 702.40  # G x the mean density of the Sun [d^-2]
_SUN = 0.0698  # R / (G M)^(1/3) of the Sun [d^(2/3)]


def optimal_periods(
    baseline: float,
    minimum: float = SHORTEST_PERIOD,
    maximum: float | None = None,
    *,
    oversampling: float = 3.0,
    radius: float = 1.0,
    mass: float = 1.0,
) -> Floats:
    """Return trial periods that lose no transit and repeat none: uniform in frequency^(1/3).

    Parameters
    ----------
    baseline
        Time from the first to the last point [d].
    minimum, maximum
        Ends of the range [d]; maximum None: half of the baseline, so that two transits fit.
    oversampling
        Trials per width of a peak.
    radius, mass
        Of the star, in those of the Sun: a denser star has shorter transits and needs more trials.

    Returns
    -------
    numpy.ndarray
        float64, ascending [d].

    Raises
    ------
    UsageError
        If the range is empty or gives more than 5,000,000 periods.

    Notes
    -----
    Ofir (2014), A&A 561, A138, equations 6 to 8.

    Examples
    --------
    >>> periods = optimal_periods(27.4)
    >>> len(periods), round(float(periods[-1]), 2)
    (2746, 13.7)
    """
    maximum = baseline / 2 if maximum is None else maximum
    if not 0 < minimum < maximum:
        raise UsageError(f"periods from {minimum:g} d to {maximum:g} d: no such range")
    step = (2 * np.pi) ** (2 / 3) / np.pi * _SUN * radius / np.cbrt(mass)
    step /= 3 * baseline * oversampling
    low, high = maximum ** (-1 / 3), minimum ** (-1 / 3)
    n = int(np.ceil((high - low) / step)) + 1
    _check_count(n)
    periods: Floats = np.linspace(high, low, n) ** -3
    return periods


def uniform_periods(
    baseline: float,
    minimum: float = SHORTEST_PERIOD,
    maximum: float | None = None,
    *,
    duration: float = DURATIONS[0],
    frequency_factor: float = 1.0,
) -> Floats:
    """Return trial periods that are uniform in frequency, as astropy's ``autoperiod`` has them.

    Parameters
    ----------
    baseline, minimum, maximum
        As for :func:`optimal_periods`.
    duration
        Shortest transit [d]: neighbouring trials move the last transit by so much.
    frequency_factor
        Step in that unit.

    Examples
    --------
    >>> len(uniform_periods(27.4))
    28935
    """
    maximum = baseline / 2 if maximum is None else maximum
    if not 0 < minimum < maximum:
        raise UsageError(f"periods from {minimum:g} d to {maximum:g} d: no such range")
    n = 1 + round((1 / minimum - 1 / maximum) * baseline**2 / (frequency_factor * duration))
    _check_count(n)
    periods: Floats = 1 / np.linspace(1 / minimum, 1 / maximum, n)
    return periods


def _check_count(n: int) -> None:
    if n > MOST_PERIODS:
        raise UsageError(f"{n:,} trial periods: raise the shortest period or the step")


def orbital_durations(periods: ArrayLike, density: float = 1.0) -> Floats:
    """Return how long a central transit on a circular orbit lasts [d].

    Parameters
    ----------
    periods
        Orbital periods [d].
    density
        Mean density of the star, in that of the Sun.

    Notes
    -----
    ``P / pi asin(R / a)`` with ``(a / R)^3 = G density P^2 / (3 pi)`` (Winn 2010, eq. 14 and 30).

    Examples
    --------
    >>> [round(float(d), 3) for d in orbital_durations([1, 365.25])]
    [0.076, 0.541]
    """
    period = np.asarray(periods, dtype=float)
    distance = np.cbrt(_G_SUN_DENSITY * density * period**2 / (3 * np.pi))
    found: Floats = period / np.pi * np.arcsin(np.minimum(1.0, 1 / distance))
    return found


@dataclass(frozen=True)
class Grid:
    """Trial periods, and durations in bins.

    Parameters
    ----------
    periods
        Trial periods [d], in the caller's order.
    durations
        Ascending [d].
    first, stop
        Per period, the durations from ``first`` to ``stop`` that it tries.
    width
        Width of a bin [d].
    oversample
        Bins of the shortest duration.
    """

    periods: Floats
    durations: Floats
    first: Ints
    stop: Ints
    width: float
    oversample: int

    @property
    def sizes(self) -> Ints:
        """The durations in bins."""
        return np.round(self.durations / self.width).astype(np.int64)


def make_grid(
    periods: ArrayLike,
    durations: ArrayLike | None,
    oversample: int = OVERSAMPLE,
    density: tuple[float, float] | None = None,
) -> Grid:
    """Check periods and durations, and return them as a grid.

    ``density`` is the range of stellar densities, in that of the Sun, whose circular orbits decide
    which durations a period tries; at least one is tried.

    Raises
    ------
    UsageError
        If there are none, or they are not positive, or a duration is not below the periods.
    """
    period = np.atleast_1d(np.asarray(periods, dtype=np.float64))
    tried = np.unique(np.asarray(DURATIONS if durations is None else durations, dtype=np.float64))
    if durations is None and period.size:
        tried = tried[tried < period.min()]
    for name, values in (("periods", period), ("durations", tried)):
        if values.ndim != 1 or not values.size:
            raise UsageError(f"{name}: give at least one, as a list of days")
        if not (np.isfinite(values) & (values > 0)).all():
            raise UsageError(f"{name}: each has to be a number of days above 0")
    if tried[-1] >= period.min():
        raise UsageError(
            f"the longest duration, {tried[-1]:g} d, is not below the shortest period, "
            f"{period.min():g} d"
        )
    if oversample < 1:
        raise UsageError(f"oversample is {oversample}: at least 1 bin per duration")
    first, stop = _window(period, tried, density)
    return Grid(period, tried, first, stop, float(tried[0]) / oversample, oversample)


def _window(
    periods: Floats, durations: Floats, density: tuple[float, float] | None
) -> tuple[Ints, Ints]:
    if density is None:
        return np.zeros(periods.size, np.int64), np.full(periods.size, durations.size)
    low, high = sorted(density)
    if low <= 0:
        raise UsageError(f"density is {density}: two numbers above 0")
    shortest, longest = orbital_durations(periods, high) / 2, orbital_durations(periods, low)
    last = durations.size - 1
    first = np.minimum(np.searchsorted(durations, shortest), last)
    stop = np.maximum(np.searchsorted(durations, longest, side="right"), first + 1)
    return first.astype(np.int64), np.minimum(stop, durations.size).astype(np.int64)
