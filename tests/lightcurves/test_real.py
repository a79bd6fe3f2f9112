"""Eight real light curves, against what is published of them and against astropy."""

from __future__ import annotations

import json

import numpy as np
import pytest
from astropy.timeseries import BoxLeastSquares

from polytene import lightcurves as lc

PLANETS = ("WASP-126 b", "WASP-62 b", "WASP-46 b", "pi Men c", "TrES-2 b", "K2-3 b")
DURATIONS = (0.05, 0.1, 0.15, 0.2, 0.25, 0.33)


@pytest.fixture
def about(real):
    """Entries of the manifest by target."""
    return {e["target"]: e for e in json.loads((real / "MANIFEST.json").read_text())}


def entry(about, name):
    return next(e for target, e in about.items() if target.startswith(name))


@pytest.mark.parametrize("name", PLANETS)
def test_the_published_period_and_depth_are_found(real, about, name):
    known = entry(about, name)
    curve = lc.read(real / known["file"])
    found = lc.features(curve)
    assert found.values["bls_period"] == pytest.approx(known["published_period_d"], rel=1e-3)
    assert found.values["bls_depth"] == pytest.approx(known["published_depth"], rel=0.3)
    assert found.flags == []
    assert found.values["bls_snr"] > 50


def test_the_eclipsing_binary_and_the_quiet_star_are_said_to_be_such(real, about):
    binary = lc.features(lc.read(real / entry(about, "TIC 117544915")["file"]))
    assert binary.flags == ["eclipsing_binary"]
    quiet = lc.features(lc.read(real / entry(about, "TIC 126890217")["file"]))
    assert quiet.flags == ["no_signal"]


def test_points_are_those_that_have_no_flag(real, about):
    for name in ("WASP-126 b", "TIC 126890217", "TrES-2 b"):
        known = entry(about, name)
        curve = lc.read(real / known["file"])
        assert abs(len(curve) - known["n_points"]) <= 3
        assert (
            len(curve) + curve.meta["n_flagged"] + curve.meta["n_bad_flux"]
            == (curve.meta["n_read"])
        )
        more = lc.read(real / known["file"], quality="default")
        assert len(more) >= len(curve)


def test_what_the_headers_say_is_kept(real, about):
    tess = lc.read(real / entry(about, "WASP-126 b")["file"]).meta
    assert (tess["target_id"], tess["mission"], tess["sector"]) == ("TIC25155310", "TESS", 1)
    assert tess["time_system"] == "BJD - 2457000"
    kepler = lc.read(real / entry(about, "TrES-2 b")["file"]).meta
    assert (kepler["target_id"], kepler["quarter"]) == ("KIC11446443", 0)
    assert "constant_flux_err" in lc.read(real / entry(about, "pi Men c")["file"]).meta


@pytest.mark.parametrize("name", ["WASP-126 b", "WASP-46 b", "TrES-2 b", "K2-3 b", "TIC 117544915"])
@pytest.mark.parametrize("errors", [False, True])
def test_auto_and_exact_are_astropys_best_period(real, about, name, errors):
    curve = lc.read(real / entry(about, name)["file"]).flatten()
    curve = curve if errors else lc.LightCurve(curve.time, curve.flux)
    if errors and curve.flux_err is None:
        curve = lc.LightCurve(
            curve.time, curve.flux, curve.scatter * (1 + 0.3 * np.sin(curve.time))
        )
    periods = lc.optimal_periods(curve.baseline)
    error = curve.scatter if curve.flux_err is None else curve.flux_err
    theirs = BoxLeastSquares(curve.time, curve.flux, error).power(periods, DURATIONS)
    best = int(np.argmax(theirs.power))
    for method in ("auto", "exact"):
        got = lc.bls(curve, periods, DURATIONS, method=method, wrap="astropy")
        assert got.index == best
        assert got.depth == pytest.approx(theirs.depth[best], rel=1e-6)
        assert got.snr == pytest.approx(theirs.depth_snr[best], rel=1e-6)
    np.testing.assert_allclose(got.spectrum["power"], theirs.power, rtol=1e-6)


def test_tls_finds_the_planet(real, about):
    curve = lc.read(real / entry(about, "WASP-46 b")["file"]).flatten()
    got = lc.tls(curve, 1.3, 1.6)
    assert got.method == "tls"
    assert got.period == pytest.approx(1.43037, rel=1e-3)
    assert got.depth == pytest.approx(0.0215, rel=0.3)
    assert 0 < got.duration < 0.3
    assert got.snr > 20
    assert got.n_transits >= 17


def test_an_extraction_of_all_is_one_row_each(real, about, extract):
    ids = ["TIC25155310", "KIC11446443", "EPIC201367065", "pimen_year1", "TIC126890217", "TIC1"]
    table = extract(ids, real).result
    assert table.column("status").to_pylist() == ["ok"] * 5 + ["missing"]
    data = lc.to_xarray(table)
    assert data["value"].sel(feature="bls_period")[:3].values == pytest.approx(
        [3.2888, 2.470613, 10.0545], rel=1e-3
    )
    assert str(data.sel(feature="bls_period").unit.values) == "d"
