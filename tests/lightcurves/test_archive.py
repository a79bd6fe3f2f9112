"""Downloads from a server that fails as archives do."""

from __future__ import annotations

import threading

import pytest

from polytene import lightcurves as lc
from polytene.exceptions import UsageError
from polytene.formats.remote import DownloadFailed, NotThere, Unlike
from polytene.lightcurves import archive as archives
from polytene.lightcurves.download import download
from polytene.lightcurves.features import SCHEMAS
from polytene.testing import stars
from polytene.testing.stars import file_name

from .conftest import rows


def statuses(outcome) -> list[tuple[str, str]]:
    return [(r["status"], r["reason"]) for r in rows(outcome)]


def leftovers(folder) -> list[str]:
    return [p.name for p in folder.rglob("*") if p.name.endswith((".part", ".etag", ".tmp"))]


def test_an_extraction_from_the_archive_is_one_from_its_files(archive, source, ids, extract, sky):
    got = extract(ids, source())
    assert statuses(got) == [("ok", "")] * 6
    assert [r["n_files"] for r in rows(got)] == [2, 1, 1, 1, 1, 1]
    local = extract(ids[1:], sky)
    strip = [{k: v for k, v in r.items() if v == v} for r in rows(got)[1:]]
    assert strip == [{k: v for k, v in r.items() if v == v} for r in rows(local)]


def test_what_the_cache_has_is_not_asked_for_again(archive, source, ids, extract, tmp_path):
    extract(ids, source())
    asked = sum(archive.requests.values())
    assert asked == 6 + 7
    again = extract(ids, source())
    assert sum(archive.requests.values()) == asked
    assert again.computed == 6
    assert not leftovers(tmp_path)


def test_fetch_fills_the_cache_that_extract_reads(archive, source, ids, extract, here, tmp_path):
    got = lc.fetch([*ids, "TIC1"], tmp_path / "f", source(), client=here)
    assert got.result["files"] == 7
    assert got.result["bytes"] == sum(map(len, archive.files.values()))
    assert got.result["missing"] == ["TIC1"]
    asked = sum(archive.requests.values())
    assert statuses(extract(ids, source())) == [("ok", "")] * 6
    assert sum(archive.requests.values()) == asked


def test_a_target_without_products_is_missing_and_never_invented(archive, source, extract):
    (row,) = rows(extract(["TIC5"], source()))
    assert (row["status"], row["reason"]) == ("missing", "no_product")
    assert all(row[n] != row[n] for n in SCHEMAS["v1"])
    assert archive.requests == {"search": 1}


@pytest.mark.parametrize("fault", ["503", "429-wait", "truncated", "html", "wrong-md5", "cut-fits"])
def test_a_fault_that_passes_leaves_no_trace(archive, source, ids, extract, tmp_path, fault):
    name = file_name(next(stars(1)))
    archive.faults = {name: [fault] * 2, "search": ["503"]}
    got = extract(ids, source(), in_flight=4)
    assert statuses(got) == [("ok", "")] * 6
    assert archive.requests[name] in (2, 3)
    (cached,) = (tmp_path / "cache").rglob(name)
    assert cached.read_bytes() == archive.files[name]
    assert not leftovers(tmp_path)


def test_a_stalled_download_is_given_up_and_tried_again(archive, source, ids, extract):
    name = file_name(next(stars(1)))
    archive.faults = {name: ["stall"]}
    assert statuses(extract(ids[:1], source(timeout=0.5))) == [("ok", "")]
    assert archive.requests[name] == 2


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ("503", "download_timeout"),
        ("truncated", "download_timeout"),
        ("stall", "download_timeout"),
        ("html", "corrupt_file"),
        ("cut-fits", "corrupt_file"),
    ],
)
def test_a_fault_that_stays_fails_its_target_alone_and_is_tried_again_later(
    archive, source, ids, extract, tmp_path, fault, reason
):
    name = file_name(list(stars(2))[1])
    archive.faults = {name: [f"always {fault}"]}
    run_dir = tmp_path / "r"
    where = source(timeout=0.6 if fault == "stall" else 5.0, bases=(archive.base,))
    got = extract(ids, where, run_dir=run_dir)
    assert statuses(got)[1] == ("failed", reason)
    assert [s for i, s in enumerate(statuses(got)) if i != 1] == [("ok", "")] * 5
    assert got.planned == got.computed + len(got.quarantined) == 6
    assert all(v is None or v != v for k, v in rows(got)[1].items() if k.startswith("bls_"))
    archive.faults = {}
    again = extract(ids, source(), run_dir=run_dir)
    assert (again.computed, again.resumed) == (1, 5)
    assert statuses(again) == [("ok", "")] * 6


def test_the_second_base_has_what_the_first_lacks(archive, source, ids, extract):
    name = file_name(list(stars(2))[1])
    archive.faults = {f"s3 {name}": ["always 404"]}
    assert statuses(extract(ids[1:2], source())) == [("ok", "")]
    assert archive.requests[name] == 2


def test_a_file_that_no_base_has_leaves_the_row_with_the_others(archive, source, ids, extract):
    name = file_name(next(stars(1)), 2)
    archive.faults = {name: ["always 404"]}
    got = extract(ids[:1], source())
    assert statuses(got) == [("partial", "1_of_2_files")]
    assert [f.reason for f in got.rejected] == ["not-at-archive"]


def test_an_interrupted_download_goes_on_where_it_stopped(archive, source, ids, extract):
    name = file_name(next(stars(1)))
    archive.faults = {name: ["truncated"]}
    assert statuses(extract(ids[:1], source(bases=(archive.base,)))) == [("ok", "")]
    size = len(archive.files[name])
    assert archive.ranges == [f"bytes={size // 3}-"]
    assert archive.sent[name] == size


def test_a_part_of_another_version_is_not_gone_on_with(archive, tmp_path):
    name = file_name(next(stars(1)))
    url = f"{archive.base}/x/{name}"
    archive.faults = {name: ["truncated"]}
    with pytest.raises(DownloadFailed):
        download(url, tmp_path / name, timeout=5)
    archive.files[name] = archive.files[name][:-2880] + bytes(2880)
    download(url, tmp_path / name, timeout=5)
    assert (tmp_path / name).read_bytes() == archive.files[name]
    assert archive.ranges == []


def test_what_was_announced_has_to_come(archive, tmp_path):
    name = file_name(next(stars(1)))
    url, data = f"{archive.base}/x/{name}", archive.files[name]
    with pytest.raises(Unlike, match="announced"):
        download(url, tmp_path / name, timeout=5, nbytes=len(data) - 1)
    with pytest.raises(Unlike, match="MD5"):
        download(url, tmp_path / name, timeout=5, md5="0" * 32)
    with pytest.raises(NotThere, match="404"):
        download(f"{archive.base}/x/nothing", tmp_path / "n", timeout=5)
    with pytest.raises(DownloadFailed, match="ConnectError"):
        download("http://127.0.0.1:1/x", tmp_path / "n", timeout=5)
    assert list(tmp_path.iterdir()) == []


def test_the_cap_holds_over_all_threads_and_is_used(archive, source, ids, many_threads, tmp_path):
    archive.latency = 0.05
    lc.fetch(ids, tmp_path / "r", source(connections=3), client=many_threads)
    assert archive.peak == 3


def test_the_cap_holds_over_worker_processes(archive, source, ids, local_client, tmp_path):
    archive.latency = 0.05
    source = source(connections=1)
    lc.fetch(ids, tmp_path / "r", source, client=local_client)
    assert archive.peak == 1


def test_targets_that_share_files_download_them_once(archive, source, many_threads, tmp_path, ids):
    archive.latency = 0.02
    lc.fetch([ids[1]] * 8, tmp_path / "r", source(connections=8), client=many_threads)
    assert archive.requests[file_name(list(stars(2))[1])] == 1


def test_families_are_not_mixed(archive, source, ids, extract):
    star = list(stars(2))[1]
    fast = file_name(star).replace("0120-s_lc", "0120-a_fast-lc".replace("-lc", "_lc"))
    archive.observed[str(star.tic)] += [fast, "tess_hlsp_other.fits"]
    archive.files[fast] = archive.files[file_name(star)]
    assert [r["n_files"] for r in rows(extract(ids[1:2], source()))] == [1]
    assert archive.requests[fast] == 0
    assert [r["n_files"] for r in rows(extract(ids[1:2], source(family="spoc-20")))] == [1]
    assert archive.requests[fast] == 1


def test_kepler_stars_are_listed_in_the_bucket(archive, source, extract):
    name = "kplr011446443-2009131105131_llc.fits"
    archive.files[name] = archive.files[file_name(next(stars(1)))]
    archive.files["kplr011446443-2009131110544_slc.fits"] = b""
    (row,) = rows(extract(["KIC 11446443"], source()))
    assert (row["status"], row["n_files"]) == ("ok", 1)
    assert archive.requests == {name: 1}


def test_a_product_table_needs_no_search(archive, source, ids, extract, tmp_path):
    name = file_name(list(stars(2))[1])
    table = tmp_path / "products.csv"
    table.write_text(f"target_id,url,bytes\nTIC{ids[1][3:]},{name},{len(archive.files[name])}\n")
    got = extract(ids[1:3], source(products=table))
    assert statuses(got)[0] == ("ok", "")
    assert archive.requests == {name: 1, "search": 1, file_name(list(stars(3))[2]): 1}


@pytest.mark.parametrize("name", ["star 7", "TICK12"])
def test_a_name_that_no_archive_knows_fails_alone(archive, source, ids, extract, name):
    got = extract([ids[1], name], source())
    assert statuses(got) == [("ok", ""), ("failed", "bad_target_id")]
    assert "TIC25155310" in got.quarantined[0].detail


def test_a_cached_file_that_was_damaged_is_fetched_anew(archive, source, ids, extract, tmp_path):
    extract(ids[1:2], source())
    name = file_name(list(stars(2))[1])
    (cached,) = (tmp_path / "cache").rglob(name)
    cached.unlink()
    cached.write_bytes(archive.files[name][:-10])
    extract(ids[1:2], source())
    assert cached.read_bytes() == archive.files[name]


def test_urls_are_those_of_the_open_data_bucket_and_of_mast():
    name = "tess2018206045859-s0001-0000000025155310-0120-s_lc.fits"
    first, second = archives.urls_of(name, ["https://a", "https://b"])
    assert first == f"https://a/tess/public/tid/s0001/0000/0000/2515/5310/{name}"
    assert second == (f"https://b/api/v0.1/Download/file?uri=mast%3ATESS%2Fproduct%2F{name}")
    assert archives.urls_of("https://c/x.fits", ["https://a"]) == ["https://c/x.fits"]


def test_wrong_settings_are_refused():
    for wrong in ({"connections": 0}, {"family": "any"}):
        with pytest.raises(UsageError):
            lc.Archive("cache", **wrong)


def test_many_threads_share_one_download(archive, tmp_path):
    name = file_name(next(stars(1)))
    settings = {"bases": [archive.base], "timeout": 5.0}
    product = {"product": f"x/{name}", "bytes": None, "md5": None}
    found: list[str] = []

    def work() -> None:
        found.append(archives.fetch_product(product, tmp_path, settings)["sha256"])

    work_at_once = [threading.Thread(target=work) for _ in range(6)]
    for thread in work_at_once:
        thread.start()
    for thread in work_at_once:
        thread.join(20)
    assert len(found) == 6
    assert len(set(found)) == archive.requests[name] == 1
