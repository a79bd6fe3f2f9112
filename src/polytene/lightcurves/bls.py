"""Transit search by box least squares."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike

from polytene.exceptions import BadInput, UsageError
from polytene.lightcurves.bls_kernels import LIKELIHOOD, SNR, Floats
from polytene.lightcurves.bls_result import BLSResult, Peaks
from polytene.lightcurves.curve import LightCurve
from polytene.lightcurves.grids import OVERSAMPLE, Grid, make_grid, optimal_periods
from polytene.lightcurves.search import Found, Series, exact, fast

Objective = Literal["likelihood", "snr"]
Method = Literal["auto", "exact"]
Wrap = Literal["full", "astropy"]
Device = Literal["cpu", "cuda"]
_OBJECTIVES = {"likelihood": LIKELIHOOD, "snr": SNR}
FEWEST = 2


def bls(
    curve: LightCurve,
    periods: ArrayLike | None = None,
    durations: ArrayLike | None = None,
    objective: Objective = "likelihood",
    method: Method = "auto",
    wrap: Wrap = "full",
    device: Device = "cpu",
    *,
    oversample: int = OVERSAMPLE,
    density: tuple[float, float] | None = None,
) -> BLSResult:
    """Search a light curve for a periodic box-shaped dip.

    Parameters
    ----------
    curve
        Flat, or all but: see :meth:`LightCurve.flatten`. Where it has ``flux_err`` points are
        weighted by them; else all weigh the same and their scatter stands for their error.
    periods
        Trial periods [d]; None: :func:`optimal_periods` from 0.5 d to half of the baseline.
    durations
        Trial durations [d]; None: 0.05, 0.1, 0.15, 0.2, 0.25 and 0.33.
    objective
        What the best box has most of: ``"likelihood"`` or ``"snr"``.
    method
        ``"exact"`` looks at every period with every point. ``"auto"`` folds fast first and looks
        only around the highest peaks: the same best period, many times sooner.
    wrap
        ``"full"``: boxes may lie across the ends of the folded curve. ``"astropy"``: as
        ``astropy.timeseries.BoxLeastSquares``, which loses the last bin there.
    device
        ``"cuda"``: all periods on a GPU, as ``"exact"`` does.
    oversample
        Bins of the shortest duration.
    density
        Range of stellar densities, in that of the Sun: each period then tries only the durations
        that circular orbits around such stars have.

    Returns
    -------
    BLSResult
        The best signal; always one, so look at its ``snr`` and ``sde``.

    Raises
    ------
    UsageError
        If an argument is wrong.
    BadInput
        ``too-few-points`` or ``constant-flux`` if there is nothing to search.

    Notes
    -----
    Kovacs, Zucker & Mazeh (2002), A&A 391, 369; fast folding as Shahaf et al. (2022), MNRAS 513,
    2732, use it. Bins, boxes and scores are those of astropy's.

    Examples
    --------
    >>> time = np.arange(0, 27, 0.01)
    >>> flux = np.where((time - 1.3) % 3.5 < 0.15, 0.99, 1.0)
    >>> flux += np.random.default_rng(1).normal(0, 0.001, time.size)
    >>> found = bls(LightCurve(time, flux))
    >>> round(found.period, 2), round(found.depth, 3), found.n_transits
    (3.5, 0.01, 8)
    """
    for name, value, known in (
        ("objective", objective, _OBJECTIVES),
        ("method", method, ("auto", "exact")),
        ("wrap", wrap, ("full", "astropy")),
        ("device", device, ("cpu", "cuda")),
    ):
        if value not in known:
            raise UsageError(f"{name} is {value!r}: one of {', '.join(known)}")
    check_searchable(curve)
    trials = optimal_periods(curve.baseline) if periods is None else periods
    grid = make_grid(trials, durations, oversample, density)
    weight, sigma = _weights(curve)
    series = Series.of(curve.time, curve.flux, weight)
    about = (series, grid, _OBJECTIVES[objective], wrap == "astropy")
    if device == "cuda":
        from polytene.lightcurves.cuda_kernels import exact_on_device

        found, method = exact_on_device(*about), "exact"
    else:
        found = (exact if method == "exact" else fast)(*about)
    return _result(curve, grid, series, found, sigma, objective, method)


def check_searchable(curve: LightCurve) -> None:
    """Refuse what holds no signal.

    Raises
    ------
    BadInput
        ``too-few-points`` or ``constant-flux``.
    """
    name = curve.meta.get("target_id", "light curve")
    if len(curve) < FEWEST or not curve.baseline > 0:
        raise BadInput("too-few-points", f"{name}: {len(curve)} points; nothing to search")
    if not (np.isfinite(curve.flux).all() and np.isfinite(curve.time).all()):
        raise UsageError("time and flux hold NaN or infinity: use LightCurve.from_arrays")
    if curve.flux_err is not None and not (curve.flux_err > 0).all():
        raise UsageError("an error is not above 0: use LightCurve.from_arrays")
    if np.ptp(curve.flux) == 0:
        raise BadInput("constant-flux", f"{name}: every flux is {curve.flux[0]:g}")


def _weights(curve: LightCurve) -> tuple[Floats | None, float]:
    """Return weights, or None where all are equal, and the error of a point of weight 1."""
    error = curve.flux_err
    if error is None:
        return None, curve.scatter or float(curve.flux.std())
    if (error == error[0]).all():
        return None, float(error[0])
    return error**-2.0, 1.0


def _result(
    curve: LightCurve,
    grid: Grid,
    series: Series,
    found: Found,
    sigma: float,
    objective: Objective,
    method: Method,
) -> BLSResult:
    peaks = _peaks(grid, series, found, sigma, objective)
    best = found.best
    score = float(np.sqrt(found.boxes[best, 0]))
    spread = found.score_std
    values: dict[str, Any] = {
        name: float(getattr(peaks, name)[best])
        for name in ("period", "t0", "duration", "depth", "depth_err", "power")
    }
    return BLSResult(
        **values,
        snr=values["depth"] / values["depth_err"],
        sde=(score - found.score_mean) / spread if spread > 0 else float("nan"),
        n_transits=len(events(curve.time, values["period"], values["t0"], values["duration"])),
        index=int(peaks.index[best]),
        method=method,
        objective=objective,
        peaks=peaks,
        span=series.span,
    )


def _peaks(grid: Grid, series: Series, found: Found, sigma: float, objective: Objective) -> Peaks:
    value, weight, start, size = found.boxes[:, 1:].T
    rest = series.total - weight
    with np.errstate(divide="ignore", invalid="ignore"):
        depth = -value * series.total / (weight * rest)
        depth_err = sigma * np.sqrt(series.total / (weight * rest))
        power = (
            0.5 * weight * (depth / sigma) ** 2 if objective == "likelihood" else depth / depth_err
        )
    period = grid.periods[found.index]
    t0 = series.origin + ((start + size / 2) * grid.width) % period
    return Peaks(found.index, period, t0, size * grid.width, depth, depth_err, power)


def events(time: Floats, period: float, t0: float, duration: float) -> dict[int, Floats]:
    """Return, for each transit that has points in the box, which points those are."""
    number = np.round((time - t0) / period).astype(np.int64)
    inside = np.flatnonzero(np.abs(time - t0 - number * period) < duration / 2)
    return {int(n): inside[number[inside] == n] for n in np.unique(number[inside])}


def warm() -> None:
    """Compile the kernels of the room, or load them from the cache."""
    time = np.arange(0.0, 6.0, 0.02)
    flux = 1 + 0.001 * np.sin(7 * time) - 0.01 * (time % 1.7 < 0.15)
    for error in (None, np.full(time.size, 0.001) + 1e-4 * (time > 3)):
        curve = LightCurve(time, flux, error).flatten()
        for method in ("auto", "exact"):
            bls(curve, method=method)
