"""The box search against astropy, against brute force, and against what was planted."""

from __future__ import annotations

import numpy as np
import pytest
from astropy.timeseries import BoxLeastSquares
from hypothesis import given, settings
from hypothesis import strategies as st

from polytene import lightcurves as lc
from polytene.exceptions import BadInput, UsageError
from polytene.lightcurves import fold_kernels
from polytene.lightcurves.bls import events

from .injections import KINDS, injections, planted

DURATIONS = (0.05, 0.1, 0.15, 0.2, 0.25, 0.33)


def reference(curve, periods, objective="likelihood"):
    error = curve.scatter if curve.flux_err is None else curve.flux_err
    model = BoxLeastSquares(curve.time, curve.flux, error)
    return model.power(periods, DURATIONS, objective=objective, oversample=10)


def first_of_best(power):
    return int(np.flatnonzero(power >= power.max() * (1 - 1e-9))[0])


@pytest.mark.parametrize("objective", ["likelihood", "snr"])
@pytest.mark.parametrize("errors", [False, True])
@pytest.mark.parametrize("seed", range(3))
def test_exact_is_astropys_at_every_period(objective, errors, seed):
    curve, _, _ = planted(seed, errors=errors)
    periods = lc.uniform_periods(curve.baseline, frequency_factor=10)
    got = lc.bls(curve, periods, DURATIONS, objective, "exact", "astropy")
    expected = reference(curve, periods, objective)
    np.testing.assert_allclose(got.spectrum["power"], expected.power, rtol=1e-6)
    best = first_of_best(expected.power)
    assert got.index == best
    for mine, theirs in (("depth", "depth"), ("depth_err", "depth_err"), ("snr", "depth_snr"),
                         ("duration", "duration"), ("power", "power")):  # fmt: skip
        assert getattr(got, mine) == pytest.approx(expected[theirs][best], rel=1e-6)
    turns = (got.t0 - expected.transit_time[best]) / got.period
    assert turns == pytest.approx(round(turns), abs=1e-6)


@pytest.mark.parametrize("regular", [0.02, 0.005, 1 / 48])
def test_stamps_on_the_edges_of_bins_fall_where_astropys_do(regular):
    time = np.arange(0, 20, regular)
    flux = 1 + np.random.default_rng(2).normal(0, 1e-3, time.size)
    curve = lc.LightCurve(time, flux)
    periods = np.linspace(0.5, 9, 300)
    got = lc.bls(curve, periods, DURATIONS, method="exact", wrap="astropy")
    np.testing.assert_allclose(got.spectrum["power"], reference(curve, periods).power, rtol=1e-6)


@pytest.mark.parametrize("centre", [0.0, 0.1, 1.0, 2.9, 2.99])
def test_a_transit_across_the_ends_of_the_phase_is_whole(centre):
    random = np.random.default_rng(0)
    time = np.arange(0, 27, 10 / 1440)
    flux = 1 + random.normal(0, 1e-4, time.size)
    flux[np.abs((time - centre + 1.5) % 3 - 1.5) < 0.15] -= 1e-3
    curve = lc.LightCurve(time, flux, np.full(time.size, 1e-4))
    durations = [0.05, 0.1, 0.15, 0.2, 0.25, 0.3]
    slow = BoxLeastSquares(time, flux, 1e-4).power([3.0], durations, method="slow", oversample=30)
    grid = np.linspace(2.9, 3.1, 401)
    for method in ("auto", "exact"):
        got = lc.bls(curve, [3.0], durations, method=method)
        assert got.snr == pytest.approx(slow.depth_snr[0], rel=0.01)
        assert got.depth == pytest.approx(slow.depth[0], rel=0.01)
        assert lc.bls(curve, grid, durations, method=method).period == pytest.approx(3, abs=1e-3)


def test_astropys_wrap_loses_such_a_transit():
    time = np.arange(0, 27, 2 / 1440)
    flux = 1 + np.random.default_rng(0).normal(0, 1e-4, time.size)
    flux[np.abs((time + 1.5) % 3 - 1.5) < 0.15] -= 1e-3
    curve = lc.LightCurve(time, flux)
    full, lossy = (lc.bls(curve, [3.0], [0.1, 0.3], wrap=w) for w in ("full", "astropy"))
    assert lossy.snr < 0.9 * full.snr


def brute(curve, period, durations, width):
    """Each box by its definition: bins of the phase, boxes of whole bins, all the way round."""
    time, flux = curve.time - curve.time[0], curve.flux
    bins = int(np.ceil(period / width))
    place = np.floor((time % period) / width).astype(int)
    best = (-1.0, 0.0, 0)
    for duration in durations:
        size = round(duration / width)
        for start in range(bins):
            inside = (place - start) % bins < size
            if not inside.any() or inside.all():
                continue
            depth = flux[~inside].mean() - flux[inside].mean()
            power = 0.5 * inside.sum() * depth**2 if depth > 0 else 0.0
            if power > best[0] * (1 + 1e-12):
                best = (power, depth, size)
    return best


@given(
    seed=st.integers(0, 10**6),
    n=st.integers(5, 60),
    period=st.floats(0.3, 6.0),
    span=st.floats(1.0, 12.0),
)
@settings(max_examples=60)
def test_the_full_wrap_is_brute_force(seed, n, period, span):
    random = np.random.default_rng(seed)
    time = np.unique(random.uniform(0, span, n))
    curve = lc.LightCurve(time, random.normal(1, 0.1, time.size))
    got = lc.bls(curve, [period], [0.1, 0.2], method="exact", oversample=2)
    power, depth, _ = brute(curve, period, (0.1, 0.2), 0.05)
    assert got.power * curve.scatter**2 == pytest.approx(power, rel=1e-6, abs=1e-12)
    if power > 1e-9:
        assert got.depth == pytest.approx(depth, rel=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_auto_finds_the_period_of_exact_in_injections(kind):
    """Fifty each of four kinds; below SNR 8 noise may win, and which of its peaks is not said."""
    tried = 0
    for i, (curve, periods) in enumerate(injections(kind, 52)):
        wrap = ("full", "astropy")[i % 2]
        exact = lc.bls(curve, periods, DURATIONS, method="exact", wrap=wrap)
        if exact.snr < 8:
            continue
        tried += 1
        auto = lc.bls(curve, periods, DURATIONS, wrap=wrap)
        assert auto.index == exact.index, i
        assert auto.depth == pytest.approx(exact.depth, rel=1e-6)
        assert auto.snr == pytest.approx(exact.snr, rel=1e-6)
        assert auto.n_transits == exact.n_transits
        assert 0.9 < auto.sde / exact.sde < 1.4
    assert tried >= 50


def test_few_points_and_periods_are_all_looked_at():
    for seed in range(40):
        random = np.random.default_rng(seed)
        time = np.unique(random.uniform(0, 30, random.integers(20, 400)))
        flux = 1 + random.normal(0, 1e-3, time.size) - 0.01 * (time % 3.3 < 0.4)
        curve = lc.LightCurve(time, flux)
        periods = random.uniform(0.6, 12, random.integers(1, 200))
        auto = lc.bls(curve, periods, [0.01, 0.2, 0.5])
        assert auto.index == lc.bls(curve, periods, [0.01, 0.2, 0.5], method="exact").index


@pytest.mark.parametrize("order", ["rising", "falling", "mixed"])
def test_the_order_of_the_periods_does_not_matter(order):
    curve, _, _ = planted(5, depth=0.006)
    periods = lc.optimal_periods(curve.baseline)
    best = lc.bls(curve, periods)
    chosen = {"rising": periods, "falling": periods[::-1],
              "mixed": np.random.default_rng(1).permutation(periods)}[order]  # fmt: skip
    for method in ("auto", "exact"):
        got = lc.bls(curve, chosen, method=method)
        assert chosen[got.index] == got.period == best.period
        assert got.snr == pytest.approx(best.snr, rel=1e-9)


def test_what_was_planted_is_found():
    for seed in range(8):
        curve, period, depth = planted([9, seed], depth=0.006, cadence=0.005)
        got = lc.bls(curve)
        turns = got.period / period
        assert turns == pytest.approx(1, abs=2e-3) or turns == pytest.approx(0.5, abs=2e-3)
        assert got.depth == pytest.approx(depth, rel=0.3)


def test_a_packed_series_is_refused_where_it_would_round():
    from polytene.lightcurves.search import Series

    time = np.arange(0, 20, 0.001)
    flux = 1 + np.random.default_rng(0).normal(0, 1e-4, time.size)
    assert Series.of(time, flux, None).packed.size
    flux[7] = 1e4
    assert not Series.of(time, flux, None).packed.size
    periods = np.linspace(1, 3, 50)
    got = lc.bls(lc.LightCurve(time, flux), periods, DURATIONS, method="exact", wrap="astropy")
    expected = reference(lc.LightCurve(time, flux), periods)
    np.testing.assert_allclose(got.spectrum["power"], expected.power, rtol=1e-6)


@pytest.mark.parametrize(("rows", "bins"), [(1, 5), (2, 7), (3, 8), (7, 11), (16, 9), (57, 31)])
def test_fast_folding_folds(rows, bins):
    data = np.random.default_rng(1).normal(size=(rows, bins, 2)).astype(np.float32)
    series, spare = data.ravel(), (np.zeros(data.size, np.float32) for _ in range(2))
    halves = fold_kernels.fold_halves(series, *spare, rows, bins)
    whole, direct = np.zeros_like(data), np.zeros_like(data)
    for drift in range(rows):
        fold_kernels.fold_whole(halves, rows, bins, drift, whole[drift].reshape(-1))
        fold_kernels.fold_directly(series, rows, bins, drift, direct[drift].reshape(-1))
    for got in (whole, direct):
        np.testing.assert_allclose(got[0], data.sum(axis=0), atol=1e-4)
        last = sum(np.roll(data[r], -r, axis=0) for r in range(rows))
        np.testing.assert_allclose(got[-1], last, atol=1e-4)
        np.testing.assert_allclose(got.sum(axis=1), data.sum(axis=(0, 1))[None].repeat(rows, 0),
                                   atol=1e-3)  # fmt: skip


def test_the_peaks_of_top_stand_apart():
    curve, period, _ = planted(3, depth=0.006)
    for method in ("auto", "exact"):
        peaks = lc.bls(curve, method=method).top(4)
        assert peaks[0].period == pytest.approx(period, rel=0.01)
        powers = [p.power for p in peaks]
        assert powers == sorted(powers, reverse=True)
        for i, a in enumerate(peaks):
            for b in peaks[:i]:
                assert abs(a.period - b.period) > a.duration * a.period / curve.baseline


def test_a_density_range_leaves_the_durations_of_such_orbits():
    curve, _, _ = planted(3, depth=0.006)
    periods = lc.optimal_periods(curve.baseline)
    got = lc.bls(curve, periods, method="exact", density=(0.5, 2.0)).spectrum
    longest = np.maximum(lc.orbital_durations(got.period, 0.5), DURATIONS[0])
    assert (got["duration"] <= longest + 1e-9).all()
    auto = lc.bls(curve, periods, density=(0.5, 2.0))
    assert auto.index == lc.bls(curve, periods, method="exact", density=(0.5, 2.0)).index


def test_events_are_the_transits_that_have_points():
    time = np.array([0.9, 1.0, 1.1, 4.0, 9.95, 10.04])
    found = events(time, 3.0, 1.0, 0.3)
    assert {k: v.tolist() for k, v in found.items()} == {0: [0, 1, 2], 1: [3], 3: [4, 5]}


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"periods": []}, "periods"),
        ({"periods": [1.0, np.nan]}, "periods"),
        ({"periods": [-1.0]}, "periods"),
        ({"periods": [1.0], "durations": [1.5]}, "not below"),
        ({"durations": [0.0]}, "durations"),
        ({"objective": "power"}, "objective"),
        ({"method": "fast"}, "method"),
        ({"wrap": "half"}, "wrap"),
        ({"device": "tpu"}, "device"),
        ({"oversample": 0}, "oversample"),
        ({"density": (0.0, 1.0)}, "density"),
    ],
)
def test_wrong_arguments_are_named(wrong, says):
    curve, _, _ = planted(1)
    with pytest.raises(UsageError, match=says):
        lc.bls(curve, **wrong)


def test_there_is_no_spectrum_of_periods_that_were_not_looked_at():
    curve, _, _ = planted(1)
    with pytest.raises(UsageError, match="exact"):
        _ = lc.bls(curve).spectrum


@pytest.mark.parametrize(
    ("time", "flux", "reason"),
    [([], [], "too-few-points"), ([1.0], [1.0], "too-few-points"),
     ([1.0, 2.0, 3.0], [1.0, 1.0, 1.0], "constant-flux")],
)  # fmt: skip
def test_there_is_nothing_to_search(time, flux, reason):
    curve = lc.LightCurve(np.array(time), np.array(flux))
    with pytest.raises(BadInput) as caught:
        lc.bls(curve, [1.0])
    assert caught.value.reason == reason


def test_nan_and_idle_errors_do_not_pass_for_a_result():
    time, flux = np.arange(5.0), np.ones(5)
    with pytest.raises(UsageError, match="from_arrays"):
        lc.bls(lc.LightCurve(time, np.where(time == 2, np.nan, flux)), [1.0])
    with pytest.raises(UsageError, match="from_arrays"):
        lc.bls(lc.LightCurve(time, flux + time, np.zeros(5)), [1.0])
