"""Each reason code, and each row of the table of what is returned when something is wrong."""

from __future__ import annotations

import gzip
import shutil

import numpy as np
import pytest

from polytene import lightcurves as lc
from polytene.exceptions import BadInput, UsageError
from polytene.lightcurves.features import SCHEMAS
from polytene.testing import stars
from polytene.testing.stars import file_name, fits_bytes

from .conftest import SLOW_CADENCE, rows


@pytest.fixture(scope="module")
def whole() -> bytes:
    return fits_bytes(next(stars(1)), cadence=SLOW_CADENCE)


def make_csv(tmp_path, text: str, name: str = "star.csv"):
    path = tmp_path / name
    path.write_text(text)
    return path


astropy_warns = pytest.mark.filterwarnings("ignore::astropy.utils.exceptions.AstropyWarning")

CASES = {
    "truncated-fits": lambda b: b[:-100],
    "damaged-fits": lambda b: b[:2880] + b"X" * 2880 + b[5760:],
    "not-a-light-curve": lambda b: b"<html>404</html>",
    "missing-column": lambda b: b.replace(b"'PDCSAP_FLUX'", b"'PDCSAP_FLOX'"),
    "truncated-gzip": lambda b: gzip.compress(b)[:-9],
    "damaged-gzip": lambda b: gzip.compress(b)[:-8] + bytes(8),
    "bad-number": lambda b: b"time,flux\n1,2\n2,x\n",
}


@astropy_warns
@pytest.mark.parametrize("reason", CASES)
def test_what_is_wrong_with_a_file_is_said(whole, tmp_path, reason):
    path = tmp_path / "star.fits"
    path.write_bytes(CASES[reason](whole))
    with pytest.raises(BadInput) as caught:
        lc.read(path)
    assert caught.value.reason == reason
    assert str(path) in caught.value.detail


@astropy_warns
def test_a_table_cut_between_two_blocks_is_truncated(whole, tmp_path):
    path = tmp_path / "star.fits"
    path.write_bytes(whole[: len(whole) // 2880 // 2 * 2880])
    with pytest.raises(BadInput) as caught:
        lc.read(path)
    assert caught.value.reason in ("truncated-fits", "damaged-fits")


@astropy_warns
def test_a_damaged_file_is_refused_or_read_and_nothing_else(whole, tmp_path):
    path, refused = tmp_path / "star.fits", 0
    for seed in range(40):
        random, raw = np.random.default_rng(seed), bytearray(whole)
        for place in random.integers(0, 4 * 2880, random.integers(1, 30)):
            raw[place] = random.integers(0, 256)
        path.write_bytes(bytes(raw))
        try:
            lc.read(path)
        except BadInput:
            refused += 1
    assert refused > 10


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "not-a-light-curve"),
        ("time\n1\n", "not-a-light-curve"),
        ("time,mag\n1,2\n", "missing-column"),
        ("when,flux\n1,2\n", "missing-column"),
        ("1,2\n3\n", "bad-number"),
        ("1,nan\n2,nan\n", "no-points"),
        ("1,0\n2,0\n", "no-flux-level"),
        ("1,-5\n2,-4\n3,2\n", "no-flux-level"),
    ],
)
def test_what_is_wrong_with_a_table_is_said(tmp_path, text, reason):
    with pytest.raises(BadInput) as caught:
        lc.read(make_csv(tmp_path, text))
    assert caught.value.reason == reason


def test_a_file_that_is_not_there_or_may_not_be_read(tmp_path):
    for path in (tmp_path / "none.fits", tmp_path):
        with pytest.raises(BadInput) as caught:
            lc.read(path)
        assert caught.value.reason == "unreadable"


def noisy(n: int, seed: int = 0, start: float = 0.0, step: float = 0.01) -> str:
    flux = 1 + np.random.default_rng(seed).normal(0, 1e-3, n)
    return "".join(f"{start + i * step:.6f},{f:.8f}\n" for i, f in enumerate(flux))


@pytest.fixture
def one(tmp_path, extract):
    """The row of a star whose only file is this text."""

    def run(text: str, **options) -> dict:
        folder = tmp_path / "one"
        folder.mkdir(exist_ok=True)
        make_csv(folder, text)
        (row,) = rows(extract(["star"], folder, **options))
        return row

    return run


def is_nan(row, *names) -> bool:
    return all(row[n] != row[n] for n in names)


def test_too_few_points_are_skipped_with_flux_statistics_only(one):
    row = one(noisy(99))
    assert (row["status"], row["reason"], row["n_points"]) == ("skipped", "too_few_points", 99)
    assert row["flux_std"] > 0
    assert is_nan(row, *[n for n in SCHEMAS["v1"] if not n.startswith("flux_")], "flux_p2p")


def test_a_span_too_short_for_two_transits_is_skipped(one):
    assert one(noisy(500, step=0.001))["reason"] == "too_few_points"


def test_constant_flux_is_skipped(one):
    row = one("".join(f"{i / 100},5\n" for i in range(2000)))
    assert (row["status"], row["reason"], row["flux_std"]) == ("skipped", "constant_flux", 0.0)
    assert is_nan(row, "bls_period", "bls_snr", "flux_skewness")


@pytest.mark.parametrize("schema", ["v1", "starter"])
def test_what_cannot_be_used_is_dropped_and_counted(one, schema):
    lines = noisy(2000).splitlines()
    lines[10], lines[20], lines[30] = "0.1,nan", "nan,1", "0.3,inf"
    row = one("\n".join(lines), schema=schema)
    assert (row["status"], row["n_points"], row["n_dropped"]) == ("ok", 1997, 3)
    assert row["bls_period"] > 0


def test_errors_that_are_not_above_zero_are_dropped_and_counted(tmp_path):
    path = make_csv(tmp_path, "1,1,0.1\n2,1,0\n3,1,-1\n4,2,0.2\n5,1,nan\n6,1,0.3\n")
    curve = lc.read(path)
    assert (len(curve), curve.meta["n_bad_err"]) == (3, 3)


def test_repeated_times_are_merged_by_inverse_variance():
    curve = lc.LightCurve.from_arrays([2, 1, 2, 3], [10, 1, 20, 3], [1, 1, 2, 1])
    assert curve.time.tolist() == [1, 2, 3]
    assert curve.flux.tolist() == pytest.approx([1, (10 / 1 + 20 / 4) / (1 + 1 / 4), 3])
    assert curve.flux_err.tolist() == pytest.approx([1, (1 + 1 / 4) ** -0.5, 1])
    assert curve.meta["n_duplicate"] == 1


def test_the_order_of_the_points_does_not_matter(one, tmp_path):
    lines = noisy(2000).splitlines()
    straight = one("\n".join(lines))
    (tmp_path / "one" / "star.csv").unlink()
    turned = one("\n".join(lines[::-1]))
    names = SCHEMAS["v1"]
    assert repr([straight[n] for n in names]) == repr([turned[n] for n in names])


def test_a_single_transit_has_no_period_but_depth_and_time(one):
    random = np.random.default_rng(4)
    when = np.arange(0, 27, 0.01)
    flux = 1 + random.normal(0, 5e-4, when.size) - 0.01 * (np.abs(when - 11.3) < 0.12)
    row = one("".join(f"{t:.5f},{f:.8f}\n" for t, f in zip(when, flux, strict=True)))
    assert (row["status"], row["flags"], row["n_transits"]) == ("ok", "single_transit", 1.0)
    assert is_nan(row, "bls_period", "duration_over_period")
    assert row["bls_depth"] == pytest.approx(0.01, rel=0.3)
    assert row["bls_t0"] == pytest.approx(11.3, abs=0.1)


def test_a_catalogue_without_period_is_searched_whole(one, extract, tmp_path):
    row = one(noisy(2500), schema="starter")
    assert row["status"] == "ok"
    assert is_nan(row, "input_period", "input_depth")
    assert 0.5 <= row["bls_period"] <= 20


def test_a_catalogue_period_beyond_the_light_curve_is_searched_whole(one, extract, tmp_path):
    row = one(noisy(2500), schema="starter")
    (tmp_path / "one" / "star.csv").write_text(noisy(2500))
    for period in (1e6, -3.0):
        samples = [{"target_id": "star", "period": period}]
        (other,) = rows(extract(samples, tmp_path / "one", schema="starter"))
        assert (other["status"], other["bls_period"]) == ("ok", row["bls_period"])


def test_repeated_times_are_counted_in_the_row(one):
    lines = noisy(2000).splitlines()
    row = one("\n".join([*lines, *lines[:7]]))
    assert (row["status"], row["n_points"], row["n_duplicate"]) == ("ok", 2000, 7)


def test_files_that_cannot_be_used_fail_their_target_alone(sky, extract, tmp_path):
    folder = tmp_path / "mixed"
    folder.mkdir()
    names = [file_name(s) for s in stars(2)]
    (folder / names[0]).write_bytes((sky / names[0]).read_bytes())
    (folder / names[1]).write_bytes(b"SIMPLE  = T")
    outcome = extract([s.target_id for s in stars(2)], folder)
    table = rows(outcome)
    assert [(r["status"], r["reason"]) for r in table] == [("ok", ""), ("failed", "corrupt_file")]
    assert names[1] in outcome.quarantined[0].detail
    assert outcome.quarantined[0].category == "input"


def test_a_target_that_computes_too_long_fails_alone(sky, local_client, tmp_path):
    ids = [s.target_id for s in stars(2)]
    outcome = lc.extract(ids, tmp_path / "r", sky, client=local_client, timeout=0.001,
                         max_quarantined=1.0)  # fmt: skip
    assert [r["reason"] for r in rows(outcome)] == ["compute_timeout"] * 2


def test_a_target_that_kills_its_worker_fails_alone(sky, local_client, tmp_path):
    """A file that grows beyond the worker's memory, in one batch with whole ones."""
    folder = shutil.copytree(sky, tmp_path / "sky")
    ids = [s.target_id for s in stars(3)]
    (folder / file_name(list(stars(2))[1])).unlink()
    member = gzip.compress(b"1,1\n" * 2_500_000, 1)
    (folder / f"{ids[1]}.csv.gz").write_bytes(150 * member)
    outcome = lc.extract(ids, tmp_path / "r", folder, client=local_client, max_quarantined=1.0)
    assert [(r["status"], r["reason"]) for r in rows(outcome)] == [
        ("ok", ""), ("failed", "worker_died"), ("ok", "")
    ]  # fmt: skip


def test_a_failure_of_each_kind_has_its_word():
    from polytene.core.failure import Failure
    from polytene.lightcurves.rows import reason_of

    def word(category: str, reason: str) -> str:
        return reason_of(Failure("k", "s", category, reason))

    assert word("infrastructure", "KilledWorker") == "worker_died"
    assert word("infrastructure", "died") == "worker_died"
    assert word("memory", "memory-limit") == "worker_died"
    assert word("tool", "timeout") == "compute_timeout"
    assert word("transport", "DownloadFailed") == "download_timeout"
    assert word("transport", "Unlike") == "corrupt_file"
    assert word("input", "corrupt-file") == "corrupt_file"
    assert word("tool", "ZeroDivisionError") == "ZeroDivisionError"


@pytest.mark.parametrize(
    ("samples", "says"),
    [
        ([], "no row"),
        ([{"target_id": ""}], "row 1"),
        ([{"target_id": None}], "row 1"),
        ("none.csv", "no such file"),
    ],
)
def test_a_table_of_targets_that_cannot_be_used_is_refused(sky, samples, says, tmp_path):
    with pytest.raises(UsageError, match=says):
        lc.plan(samples, source=sky)


def test_a_table_without_target_id_names_its_columns(sky, tmp_path):
    path = make_csv(tmp_path, "tic,period\n1,2\n", "t.csv")
    with pytest.raises(UsageError, match="tic, period"):
        lc.plan(path, source=sky)


def test_a_source_without_light_curves_is_refused(tmp_path):
    for folder in (tmp_path / "none", tmp_path):
        with pytest.raises(UsageError):
            lc.plan(["TIC1"], source=folder)


def test_targets_named_twice_have_a_row_each(sky, extract):
    name = next(stars(1)).target_id
    table = rows(extract([name, name.lower().replace("tic", "TIC 0")], sky))
    assert [r["sample_id"] for r in table] == [name, f"{name}@2"]
    assert repr(table[0]["bls_snr"]) == repr(table[1]["bls_snr"])
