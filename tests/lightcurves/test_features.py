"""Features against independent definitions."""

from __future__ import annotations

import math

import numpy as np
import pytest
from astropy.timeseries import BoxLeastSquares
from scipy import signal, stats

from polytene import lightcurves as lc
from polytene.exceptions import UsageError
from polytene.lightcurves.features import SCHEMAS
from polytene.lightcurves.features_v1 import FLAGS, V1

CATALOGUE = {"period": 3.5, "depth": 9000, "duration": 2.9}


def star(seed=1, *, depth=0.01, period=3.5, width=0.12, odd=0.0, secondary=0.0, red=0.0):
    random = np.random.default_rng(seed)
    time = np.arange(0, 27, 0.005)
    flux = 1 + random.normal(0, 1e-3, time.size)
    number = np.round((time - 1.3) / period)
    inside = np.abs(time - 1.3 - number * period) < width / 2
    flux -= inside * depth * (1 + odd * (number % 2))
    half = np.abs((time - 1.3) % period - period / 2) < width / 2
    flux -= secondary * half
    if red:
        flux += np.repeat(random.normal(0, red, time.size // 24 + 1), 24)[: time.size]
    return lc.LightCurve(1325 + time, flux)


def original(curve, catalogue):
    """The definitions of the notebooks, in numpy, scipy and astropy, written for clarity."""
    time, flux = curve.time, curve.flux
    period = catalogue["period"]
    model = BoxLeastSquares(time, flux)
    durations = [0.05, 0.10, 0.15, 0.20, 0.25, 0.33]
    low, high = max(0.5, 0.8 * period), min(20.0, 1.2 * period)
    periods = model.autoperiod(
        durations, minimum_period=low, maximum_period=high, frequency_factor=3.0
    )
    power = model.power(periods, durations)
    best = np.argmax(power.power)
    p, t0, d = (float(power[n][best]) for n in ("period", "transit_time", "duration"))
    phase = ((time - t0) % p) / p
    centred = np.where(phase > 0.5, phase - 1, phase)
    inside = np.abs(centred) < d / p / 2
    number = np.floor((time - t0) / p).astype(int)
    before, after = flux[inside & (centred < 0)], flux[inside & (centred > 0)]
    slopes = np.diff(before).mean(), np.diff(after).mean()
    from_start = ((time - time.min()) % p) / p
    bins = [flux[(from_start >= i / 20) & (from_start < (i + 1) / 20)] for i in range(20)]
    frequency, density = signal.periodogram(flux, fs=1 / np.median(np.diff(time)))
    return {
        "input_period": period,
        "input_depth": catalogue["depth"] / 1e6,
        "input_duration": catalogue["duration"] / 24,
        "input_epoch": time[0],
        "flux_std": np.std(flux),
        "flux_mad": stats.median_abs_deviation(flux),
        "flux_skewness": stats.skew(flux),
        "flux_kurtosis": stats.kurtosis(flux),
        "bls_period": p,
        "bls_t0": t0,
        "bls_duration": d,
        "bls_depth": power.depth[best],
        "bls_snr": power.power[best],
        "bls_power": power.power[best],
        "duration_over_period": d / p,
        "odd_even_depth_diff": abs(
            np.median(flux[inside & (number % 2 == 1)])
            - np.median(flux[inside & (number % 2 == 0)])
        ),
        "transit_symmetry": abs(sum(slopes)) / (sum(map(abs, slopes)) + 1e-10),
        "periodicity_strength": np.std([np.median(b) for b in bins]) / np.std(flux),
        "secondary_depth": abs(1 - np.median(flux[(phase > 0.4) & (phase < 0.6)])),
        "ingress_egress_ratio": (centred[inside] < -0.01).sum() / (centred[inside] > 0.01).sum(),
        "phase_coverage": (np.histogram(phase, 50, (0, 1))[0] > 0).mean(),
        "red_noise": np.median(density[(frequency > 0) & (frequency < 1)]),
    }


@pytest.mark.parametrize("seed", range(4))
def test_starter_is_what_the_notebooks_define(seed):
    curve = star(seed)
    got = lc.features(curve, "starter", catalogue=CATALOGUE).values
    assert tuple(got) == SCHEMAS["starter"]
    expected = original(curve, CATALOGUE)
    assert set(expected) == {n for n in got if not n.startswith("tls_")}
    for name, value in expected.items():
        assert got[name] == pytest.approx(value, rel=1e-5, abs=1e-9), name
    assert all(math.isnan(got[n]) for n in got if n.startswith("tls_"))


def test_starter_with_tls_has_its_five_and_the_level_for_a_depth():
    curve = star(depth=0.02)
    got = lc.features(curve, "starter", tls=True, catalogue=CATALOGUE).values
    assert got["tls_period"] == pytest.approx(3.5, rel=0.01)
    assert got["tls_depth"] == pytest.approx(0.98, abs=0.005)
    assert got["tls_sde"] > 5


def test_v1_with_tls_has_a_depth_for_a_depth():
    time = np.arange(0, 12, 0.02)
    flux = 1 + np.random.default_rng(0).normal(0, 1e-3, time.size)
    flux -= 0.02 * (np.abs((time - 1.3) % 3.5) < 0.15)
    got = lc.features(lc.LightCurve(time, flux), tls=True).values
    assert got["tls_depth"] == pytest.approx(0.02, rel=0.3)
    assert got["tls_period"] == pytest.approx(3.5, rel=0.02)


def test_each_feature_of_v1_is_documented_and_there():
    got = lc.features(star()).values
    assert tuple(got) == SCHEMAS["v1"] == tuple(f.name for f in V1)
    assert all(f.formula and f.unit in ("1", "d") for f in V1)
    assert all(math.isfinite(v) for n, v in got.items() if not n.startswith("tls_"))


def test_a_depth_is_a_depth_and_an_snr_an_snr():
    got = lc.features(star()).values
    assert got["bls_depth"] == pytest.approx(0.01, rel=0.2)
    assert got["bls_snr"] == pytest.approx(got["bls_depth"] / got["bls_depth_err"])
    assert got["bls_snr"] > 100
    assert got["n_transits"] == 8


def test_odd_and_even_transits_are_told_apart():
    same, other = lc.features(star()), lc.features(star(odd=0.5))
    assert same.values["odd_even_sigma"] < 4
    assert same.flags == []
    assert abs(other.values["odd_even_depth_diff"]) == pytest.approx(0.005, rel=0.2)
    assert other.values["odd_even_sigma"] > 20
    assert other.flags == ["eclipsing_binary"]


def test_a_secondary_eclipse_has_a_sign_and_a_flag():
    assert abs(lc.features(star()).values["secondary_depth"]) < 3e-4
    other = lc.features(star(secondary=0.004))
    assert other.values["secondary_depth"] == pytest.approx(0.004, rel=0.2)
    assert other.flags == ["eclipsing_binary"]
    brighter = lc.features(star(secondary=-0.003))
    assert brighter.values["secondary_depth"] == pytest.approx(-0.003, rel=0.2)
    assert brighter.flags == []


def test_red_noise_lowers_the_snr_that_counts():
    white, red = lc.features(star()).values, lc.features(star(red=1.5e-3)).values
    assert white["red_noise_beta"] == pytest.approx(1, abs=0.25)
    assert red["red_noise_beta"] > 2
    assert red["snr_red"] < red["bls_snr"] / 2


@pytest.mark.parametrize("seed", range(5))
def test_noise_is_no_signal(seed):
    assert lc.features(star(seed, depth=0.0)).flags == ["no_signal"]
    assert set(FLAGS) == {"no_signal", "single_transit", "eclipsing_binary"}


@pytest.mark.parametrize("width", [0.1, 0.2, 0.33])
def test_flattening_keeps_transits_of_a_third_of_the_window(width):
    time = np.arange(0, 27, 0.005)
    slow = 1 + 0.01 * np.sin(2 * np.pi * time / 7) + 0.002 * time / 27
    inside = np.abs((time - 1.3) % 3.5 - 0.5) < width / 2
    noise = np.random.default_rng(1).normal(0, 2e-4, time.size)
    flat = lc.LightCurve(time, slow * (1 - 0.01 * inside) + noise).flatten(1.0)
    depth = np.median(flat.flux[~inside]) - np.median(flat.flux[inside])
    assert depth == pytest.approx(0.01, rel=0.1)
    assert flat.flux[~inside].std() < 6e-4


def test_segments_are_flattened_apart():
    time = np.concatenate([np.arange(0, 10, 0.01), np.arange(12, 22, 0.01)])
    flux = np.where(time < 11, 1.0, 1.5) + np.random.default_rng(1).normal(0, 1e-4, time.size)
    curve = lc.LightCurve(time, flux)
    assert len(curve.segments()) == 2
    assert curve.flatten().flux.std() < 2e-4


def test_stitching_makes_each_segment_relative_to_itself():
    parts = [star(s) for s in range(3)]
    curves = [
        lc.LightCurve(c.time + 100 * i, c.flux * (10.0 + i), None) for i, c in enumerate(parts)
    ]
    joined = lc.stitch(curves[::-1])
    assert len(joined) == sum(map(len, parts))
    assert (np.diff(joined.time) > 0).all()
    for i in range(3):
        part = joined.flux[(joined.time - 1325) // 100 == i]
        assert np.median(part) == pytest.approx(1.0, abs=1e-12)


def test_a_schema_that_is_not_known_is_refused():
    with pytest.raises(UsageError, match="v1, starter"):
        lc.features(star(), "v2")
