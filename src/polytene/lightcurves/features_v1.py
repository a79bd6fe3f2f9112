"""The features of schema v1: what each is, and how it is computed."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from polytene.lightcurves.bls import Device, bls
from polytene.lightcurves.bls_kernels import Floats
from polytene.lightcurves.bls_result import BLSResult
from polytene.lightcurves.curve import LightCurve, robust_scatter
from polytene.lightcurves.shape import Shape, shape_of

NAN = math.nan
SNR_LEAST = 7.1
SDE_LEAST = 5.0
SINGLE = 0.5
SINGLE_SNR_LEAST = 12.0  # one glitch makes one transit
DEEPEST_PLANET = 0.1
ECLIPSE_SIGMA = 7.0
ECLIPSE_SHARE = 0.1
PHASE_BINS = 50


class Feature(NamedTuple):
    """Name, unit, definition and source of a feature."""

    name: str
    unit: str
    formula: str
    source: str = ""


_POINTS = "stitched flux"
V1 = (
    Feature("flux_std", "1", f"standard deviation of the {_POINTS}"),
    Feature("flux_mad", "1", f"1.4826 median |f - median f| of the {_POINTS}"),
    Feature("flux_skewness", "1", "third standardised moment of the same"),
    Feature("flux_kurtosis", "1", "fourth standardised moment of the same, minus 3"),
    Feature("flux_p2p", "1", "1.4826 median |f(i+1) - f(i)| / sqrt 2 of the flat flux"),
    Feature("bls_period", "d", "period of the highest peak", "Kovacs et al. 2002"),
    Feature("bls_t0", "d", "middle of the first transit, in the file's time system"),
    Feature("bls_duration", "d", "duration of the best box"),
    Feature("bls_depth", "1", "flux outside the box minus flux inside"),
    Feature("bls_depth_err", "1", "its standard error for white noise"),
    Feature("bls_snr", "1", "bls_depth / bls_depth_err"),
    Feature("bls_sde", "1", "peak above the mean of the signal residue, in its standard deviations",
            "Kovacs et al. 2002, eq. 6"),
    Feature("bls_power", "1", "log likelihood gained over a constant flux"),
    Feature("n_transits", "1", "transits with points in the box"),
    Feature("duration_over_period", "1", "bls_duration / bls_period"),
    Feature("odd_even_depth_diff", "1", "depth of odd minus depth of even transits"),
    Feature("odd_even_sigma", "1", "the same without sign, in its standard errors with red noise"),
    Feature("secondary_depth", "1", "depth of the same box half a period later"),
    Feature("secondary_depth_err", "1", "its standard error with red noise"),
    Feature("transit_asymmetry", "1", "depth of the first half minus the second, in depths"),
    Feature("transit_pointedness", "1", "1 - depth of outer quarters / depth of inner half"),
    Feature("red_noise_beta", "1", "scatter of means over a duration, in that of white noise",
            "Pont et al. 2006"),
    Feature("snr_red", "1", "bls_snr / max(1, red_noise_beta)", "Pont et al. 2006"),
    Feature("snr_without_strongest", "1", "SNR without the strongest transit / whole SNR"),
    Feature("phase_coverage", "1", f"share of {PHASE_BINS} phase bins with points"),
    Feature("periodicity_strength", "1", "share of the variance that 20 phase bins explain"),
    Feature("tls_period", "d", "period of TLS", "Hippke & Heller 2019"),
    Feature("tls_depth", "1", "1 - flux level that TLS gives"),
    Feature("tls_snr", "1", "SNR of TLS"),
    Feature("tls_sde", "1", "SDE of TLS"),
    Feature("tls_odd_even", "1", "mismatch of odd and even transits of TLS, in standard errors"),
)  # fmt: skip
FLAGS = {
    "no_signal": f"snr_red below {SNR_LEAST}, or bls_sde below {SDE_LEAST}, or one event alone "
    f"with snr_red below {SINGLE_SNR_LEAST:g}",
    "single_transit": f"less than {SINGLE:.0%} of the SNR is left without the strongest transit",
    "eclipsing_binary": f"deeper than {DEEPEST_PLANET:.0%}, or a secondary eclipse or a difference "
    f"of odd and even ones above {ECLIPSE_SIGMA:g} sigma and {ECLIPSE_SHARE:.0%} of the depth",
}


def nothing() -> dict[str, float]:
    """Return every feature as NaN."""
    return {f.name: NAN for f in V1}


def flux_statistics(flux: Floats) -> dict[str, float]:
    """Return scatter and moments of the flux."""
    mean, std = float(flux.mean()), float(flux.std())
    z = (flux - mean) / std if std > 0 else np.full(flux.size, NAN)
    return {
        "flux_std": std,
        "flux_mad": robust_scatter(flux),
        "flux_skewness": float((z**3).mean()),
        "flux_kurtosis": float((z**4).mean()) - 3.0,
    }


def features_v1(
    curve: LightCurve, window: float, device: Device = "cpu"
) -> tuple[dict[str, float], list[str], BLSResult]:
    """Return the features of a stitched curve, its flags, and the signal itself."""
    flat = curve.flatten(window)
    found = bls(flat, device=device)
    shape = shape_of(flat, found)
    values = nothing() | flux_statistics(curve.flux) | _of_signal(flat, found, shape)
    flags = _flags(values)
    if "single_transit" in flags:
        values |= _of_one_event(shape)
    return values, flags, found


def _of_one_event(shape: Shape) -> dict[str, float]:
    """Return what one transit tells: when, how deep, and no period."""
    unknown = ("bls_period", "duration_over_period", "odd_even_depth_diff", "odd_even_sigma",
               "secondary_depth", "secondary_depth_err", "phase_coverage",
               "periodicity_strength")  # fmt: skip
    error = shape.scatter / math.sqrt(shape.strongest_points)
    snr = shape.strongest_depth / error if error > 0 else NAN
    red = max(1.0, shape.beta) if math.isfinite(shape.beta) else 1.0
    return {
        **dict.fromkeys(unknown, NAN),
        "n_transits": 1.0,
        "bls_t0": shape.strongest_t0,
        "bls_depth": shape.strongest_depth,
        "bls_depth_err": error,
        "bls_snr": snr,
        "snr_red": snr / red,
    }


def _of_signal(flat: LightCurve, found: BLSResult, shape: Shape) -> dict[str, float]:
    red = max(1.0, shape.beta) if math.isfinite(shape.beta) else 1.0
    step = np.abs(np.diff(flat.flux))
    return {
        "flux_p2p": 1.4826 * float(np.median(step)) / math.sqrt(2),
        "bls_period": found.period,
        "bls_t0": found.t0,
        "bls_duration": found.duration,
        "bls_depth": found.depth,
        "bls_depth_err": found.depth_err,
        "bls_snr": found.snr,
        "bls_sde": found.sde,
        "bls_power": found.power,
        "n_transits": float(shape.n_transits),
        "duration_over_period": found.duration / found.period,
        "odd_even_depth_diff": shape.odd_even,
        "odd_even_sigma": shape.odd_even_sigma,
        "secondary_depth": shape.secondary,
        "secondary_depth_err": shape.secondary_err,
        "transit_asymmetry": shape.asymmetry,
        "transit_pointedness": shape.pointedness,
        "red_noise_beta": shape.beta,
        "snr_red": found.snr / red,
        "snr_without_strongest": shape.without_strongest,
        "phase_coverage": phase_coverage(flat, found),
        "periodicity_strength": _explained(flat, found),
    }


def phase_coverage(curve: LightCurve, found: BLSResult) -> float:
    """Return the share of phase bins with points."""
    phase = (curve.time - found.t0) % found.period / found.period
    return np.unique((phase * PHASE_BINS).astype(np.int64)).size / PHASE_BINS


def _explained(curve: LightCurve, found: BLSResult) -> float:
    phase = (curve.time - found.t0) % found.period / found.period
    place = np.minimum((phase * 20).astype(np.int64), 19)
    count = np.maximum(np.bincount(place, minlength=20), 1)
    means = np.bincount(place, curve.flux, 20) / count
    variance = float(curve.flux.var())
    return 1 - float(((curve.flux - means[place]) ** 2).mean()) / variance if variance else NAN


def _flags(values: dict[str, float]) -> list[str]:
    flags = []
    if values["snr_without_strongest"] < SINGLE:
        return ["single_transit" if values["snr_red"] >= SINGLE_SNR_LEAST else "no_signal"]
    if not (values["snr_red"] >= SNR_LEAST and values["bls_sde"] >= SDE_LEAST):
        return ["no_signal"]
    depth = values["bls_depth"]
    secondary, error = values["secondary_depth"], values["secondary_depth_err"]
    eclipses = (
        depth > DEEPEST_PLANET,
        secondary > max(ECLIPSE_SIGMA * error, ECLIPSE_SHARE * depth),
        values["odd_even_sigma"] > ECLIPSE_SIGMA
        and abs(values["odd_even_depth_diff"]) > ECLIPSE_SHARE * depth,
    )
    if any(eclipses):
        flags.append("eclipsing_binary")
    return flags
