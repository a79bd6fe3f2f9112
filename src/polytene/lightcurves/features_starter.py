"""The 27 features of the exoplanet starter notebooks, by their names and definitions.

They are for models that were trained on them: two of them are the same number (``bls_snr`` and
``bls_power``), ``tls_depth`` is a flux level, and four repeat the catalogue. Where those notebooks
write a stand-in, such as the catalogue's period or 10.0, these are NaN.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from polytene.exceptions import BadInput
from polytene.lightcurves.bls import Device, bls
from polytene.lightcurves.bls_kernels import Floats
from polytene.lightcurves.bls_result import BLSResult
from polytene.lightcurves.curve import LightCurve
from polytene.lightcurves.grids import DURATIONS

NAN = math.nan
STARTER = (
    "input_period", "input_depth", "input_duration", "input_epoch",
    "flux_std", "flux_mad", "flux_skewness", "flux_kurtosis",
    "bls_period", "bls_t0", "bls_duration", "bls_depth", "bls_snr", "bls_power",
    "tls_period", "tls_depth", "tls_snr", "tls_sde", "tls_odd_even",
    "duration_over_period", "odd_even_depth_diff", "transit_symmetry", "periodicity_strength",
    "secondary_depth", "ingress_egress_ratio", "phase_coverage", "red_noise",
)  # fmt: skip
TLS_NAMES = STARTER[14:19]
SHORTEST, LONGEST = 0.5, 20.0
FREQUENCY_FACTOR = 3.0
_TINY = 1e-10


def nothing() -> dict[str, float]:
    """Return every feature as NaN."""
    return dict.fromkeys(STARTER, NAN)


def search_window(catalogue: Mapping[str, Any]) -> tuple[float, float]:
    """Return shortest and longest trial period [d]: 20% around the catalogue's, if it has one."""
    period = number(catalogue, "period")
    low, high = max(SHORTEST, 0.8 * period), min(LONGEST, 1.2 * period)
    return (low, high) if low < high else (SHORTEST, LONGEST)


def number(catalogue: Mapping[str, Any], name: str) -> float:
    """Return a number of the catalogue; NaN where it has none."""
    value = catalogue.get(name)
    try:
        return NAN if value is None or value == "" else float(value)
    except (TypeError, ValueError):
        return NAN


def features_starter(
    curve: LightCurve, catalogue: Mapping[str, Any], device: Device = "cpu"
) -> tuple[dict[str, float], BLSResult | None]:
    """Return the features of a stitched light curve that is not flattened, and the signal."""
    values = nothing() | flux_and_catalogue(curve, catalogue)
    found = _search(curve, catalogue, device) if len(curve) > 50 else None
    if found is None:
        return values, None
    period, t0, duration = found.period, found.t0, found.duration
    plain_power = found.power * curve.scatter**2
    values |= {
        "bls_period": period,
        "bls_t0": t0,
        "bls_duration": duration,
        "bls_depth": found.depth,
        "bls_snr": plain_power,
        "bls_power": plain_power,
        "duration_over_period": duration / period,
    }
    turn = (curve.time - t0) / period
    phase = (curve.time - t0) % period / period
    values |= {
        "odd_even_depth_diff": _odd_even(curve.flux, turn, phase, duration / period),
        "transit_symmetry": _symmetry(curve.flux, phase, duration / period),
        "periodicity_strength": _periodicity(curve, period),
        "secondary_depth": _secondary(curve.flux, phase),
        "ingress_egress_ratio": _ingress_egress(phase, duration / period),
        "phase_coverage": float((np.histogram(phase, 50, (0, 1))[0] > 0).sum() / 50),
        "red_noise": _red_noise(curve),
    }
    return values, found


def flux_and_catalogue(curve: LightCurve, catalogue: Mapping[str, Any]) -> dict[str, float]:
    """Return what needs no search."""
    return _of_catalogue(curve, catalogue) | _of_flux(curve.flux)


def _of_catalogue(curve: LightCurve, catalogue: Mapping[str, Any]) -> dict[str, float]:
    epoch = number(catalogue, "epoch")
    return {
        "input_period": number(catalogue, "period"),
        "input_depth": number(catalogue, "depth") / 1e6,
        "input_duration": number(catalogue, "duration") / 24,
        "input_epoch": float(curve.time[0]) if math.isnan(epoch) and len(curve) else epoch,
    }


def _of_flux(flux: Floats) -> dict[str, float]:
    if not flux.size:
        return {}
    z = (flux - flux.mean()) / (flux.std() + _TINY)
    return {
        "flux_std": float(flux.std()),
        "flux_mad": float(np.median(np.abs(flux - np.median(flux)))),
        "flux_skewness": float((z**3).mean()),
        "flux_kurtosis": float((z**4).mean() - 3.0),
    }


def _search(curve: LightCurve, catalogue: Mapping[str, Any], device: Device) -> BLSResult | None:
    """Search as ``astropy``'s autoperiod and box search do, without errors of the points."""
    low, high = search_window(catalogue)
    step = FREQUENCY_FACTOR * DURATIONS[0] / curve.baseline**2 if curve.baseline else NAN
    if not step > 0:
        return None
    n = 1 + round((1 / low - 1 / high) / step)
    periods = 1 / (1 / low - step * np.arange(n))
    bare = LightCurve(curve.time, curve.flux, None, curve.meta)
    try:
        return bls(bare, periods, wrap="astropy", device=device)
    except BadInput:
        return None


def _centred(phase: Floats) -> Floats:
    return np.where(phase > 0.5, phase - 1.0, phase)


def _odd_even(flux: Floats, turn: Floats, phase: Floats, width: float) -> float:
    inside = np.abs(_centred(phase)) < width / 2
    odd = np.floor(turn).astype(np.int64) % 2 == 1
    if not (inside & odd).any() or not (inside & ~odd).any():
        return NAN
    return float(abs(np.median(flux[inside & odd]) - np.median(flux[inside & ~odd])))


def _symmetry(flux: Floats, phase: Floats, width: float) -> float:
    centred = _centred(phase)
    inside = np.abs(centred) < width / 2
    before, after = flux[inside & (centred < 0)], flux[inside & (centred > 0)]
    if inside.sum() < 10 or before.size < 2 or after.size < 2:
        return NAN
    a, b = float(np.diff(before).mean()), float(np.diff(after).mean())
    return min(abs(a + b) / (abs(a) + abs(b) + _TINY), 1.0)


def _periodicity(curve: LightCurve, period: float) -> float:
    phase = (curve.time - curve.time[0]) % period / period
    place = np.digitize(phase, np.linspace(0, 1, 21)) - 1
    medians = [float(np.median(curve.flux[place == i])) for i in range(20) if (place == i).any()]
    if len(medians) <= 5:
        return NAN
    return min(float(np.std(medians)) / (float(curve.flux.std()) + _TINY), 1.0)


def _secondary(flux: Floats, phase: Floats) -> float:
    opposite = (phase > 0.4) & (phase < 0.6)
    return abs(1.0 - float(np.median(flux[opposite]))) if opposite.sum() > 5 else NAN


def _ingress_egress(phase: Floats, width: float) -> float:
    centred = _centred(phase)
    inside = centred[np.abs(centred) < width / 2]
    before, after = int((inside < -0.01).sum()), int((inside > 0.01).sum())
    return before / after if inside.size > 10 and before and after else NAN


def _red_noise(curve: LightCurve) -> float:
    """Return the median of the periodogram below one per day, as if there were no gaps."""
    n = len(curve)
    if n <= 100:
        return NAN
    rate = 1.0 / float(np.median(np.diff(curve.time)))
    power = np.abs(np.fft.rfft(curve.flux - curve.flux.mean())) ** 2 / (rate * n)
    power[1 : (n + 1) // 2] *= 2  # one-sided: all but the mean and the Nyquist frequency
    frequency = np.fft.rfftfreq(n, 1 / rate)
    slow = (frequency > 0) & (frequency < 1.0)
    return float(np.median(power[slow])) if slow.sum() > 5 else NAN
