"""The laws of the design, each as it shows in this room."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest
from distributed import Client

from polytene import lightcurves as lc
from polytene.exceptions import PlanChanged
from polytene.lightcurves.features import SCHEMAS
from polytene.testing import stars
from polytene.testing.stars import file_name

from .conftest import rows

OUTPUTS = ("features.csv", "features.parquet")


def outputs(outcome) -> dict[str, bytes]:
    return {name: (Path(outcome.directory) / name).read_bytes() for name in OUTPUTS}


def parts(folder: Path) -> dict[str, bytes]:
    found = [p for p in (folder / "parts").rglob("*") if p.is_file()]
    return {str(p.relative_to(folder)): p.read_bytes() for p in found}


def test_law_1_a_part_is_a_pure_function_of_its_unit(sky, here, local_client, tmp_path):
    found = []
    for i, client in enumerate([here, local_client, local_client]):
        lc.extract(sky / "targets.csv", tmp_path / f"{i}", sky, 1, client=client)
        found.append(parts(tmp_path / f"{i}"))
    assert found[0] == found[1] == found[2]
    assert len(found[0]) == 2 * 8


def test_law_2_nothing_is_invented(sky, extract, tmp_path):
    folder = shutil.copytree(sky, tmp_path / "sky")
    bad = folder / file_name(list(stars(2))[1])
    bad.write_bytes(bad.read_bytes()[:5000])
    table = rows(extract(folder / "targets.csv", folder))
    assert [r["status"] for r in table].count("missing") == 1
    for row in table:
        if row["status"] in ("missing", "failed"):
            assert all(row[name] != row[name] for name in SCHEMAS["v1"])
        assert all(row[name] != row[name] for name in SCHEMAS["v1"] if name.startswith("tls_"))
    starter = rows(extract(folder / "targets.csv", folder, schema="starter"))
    for row in starter:
        if row["status"] in ("missing", "failed"):
            assert all(row[name] != row[name] for name in SCHEMAS["starter"])


def test_law_3_what_is_done_is_not_done_again(sky, extract, tmp_path):
    first = extract(sky / "targets.csv", sky, run_dir=tmp_path / "r")
    again = extract(sky / "targets.csv", sky, run_dir=tmp_path / "r")
    assert (first.computed, again.computed, again.resumed) == (8, 0, 8)
    assert outputs(first) == outputs(again)


def _touch(path: Path) -> None:
    os.utime(path, ns=(1, 1))


@pytest.mark.parametrize("change", [_touch, Path.unlink, lambda p: p.write_bytes(b"")])
def test_law_3_a_changed_file_is_seen_before_any_work(sky, extract, tmp_path, change):
    folder = shutil.copytree(sky, tmp_path / "sky")
    extract(folder / "targets.csv", folder, run_dir=tmp_path / "r", batch_size=1)
    before = parts(tmp_path / "r")
    change(folder / file_name(list(stars(3))[2]))
    with pytest.raises(PlanChanged, match="TIC900000003"):
        extract(folder / "targets.csv", folder, run_dir=tmp_path / "r", batch_size=1)
    assert parts(tmp_path / "r") == before
    again = extract(folder / "targets.csv", folder, run_dir=tmp_path / "r", batch_size=1,
                    on_change="rerun")  # fmt: skip
    assert (again.resumed, again.computed + len(again.quarantined)) == (7, 1)


def test_law_3_another_schema_is_another_computation(sky, extract, tmp_path):
    extract(sky / "targets.csv", sky, run_dir=tmp_path / "r")
    with pytest.raises(PlanChanged, match="schema"):
        extract(sky / "targets.csv", sky, run_dir=tmp_path / "r", schema="starter")


def test_law_4_rows_files_and_points_add_up(sky, extract, tmp_path):
    folder = shutil.copytree(sky, tmp_path / "sky")
    names = [file_name(s) for s in stars(3)]
    (folder / names[0]).write_bytes(b"SIMPLE  =" + bytes(2871))
    copy = folder / names[1].replace("s0001", "s0002")
    copy.write_bytes(b"<html>")
    outcome = extract(folder / "targets.csv", folder, batch_size=3)
    table = rows(outcome)
    assert outcome.planned == len(table) == 8
    assert outcome.planned == outcome.computed + outcome.resumed + len(outcome.quarantined)
    assert [r["status"] for r in table] == ["failed", "partial", *["ok"] * 5, "missing"]
    assert table[1]["reason"] == "1_of_2_files"
    assert {f.reason for f in outcome.rejected} == {"not-a-light-curve", "no-product"}
    files = sum(r["n_files"] for r in table)
    assert outcome.items == files + 1 == 8
    whole = rows(extract(sky / "targets.csv", sky))
    for star, row in zip(stars(7), whole, strict=False):
        curve = lc.read(sky / file_name(star))
        assert row["n_points"] + row["n_dropped"] + row["n_duplicate"] == curve.meta["n_read"]


def test_law_5_connections_are_taken_before_the_work_starts(
    archive, source, ids, many_threads, tmp_path
):
    archive.latency = 0.03
    outcome = lc.extract(ids, tmp_path / "r", source(connections=2), batch_size=1,
                         client=many_threads)  # fmt: skip
    assert archive.peak == 2
    assert outcome.computed == 6


@pytest.mark.parametrize("batch_size", [1, 7, 100])
def test_law_6_batches_do_not_matter(sky, extract, batch_size):
    expected = outputs(extract(sky / "targets.csv", sky, batch_size=3))
    assert outputs(extract(sky / "targets.csv", sky, batch_size=batch_size)) == expected


@pytest.mark.parametrize("schema", ["v1", "starter"])
def test_law_6_workers_do_not_matter(sky, extract, local_client, schema):
    expected = outputs(extract(sky / "targets.csv", sky, schema=schema))
    got = extract(sky / "targets.csv", sky, schema=schema, client=local_client, batch_size=2)
    assert outputs(got) == expected


def test_law_6_one_two_or_four_workers_do_not_matter(sky, extract):
    found = []
    for n in (1, 2, 4):
        about = {"n_workers": n, "threads_per_worker": 1, "memory_limit": None}
        loopback = "127.0.0.1:0"
        with Client(processes=False, dashboard_address=loopback, set_as_default=False,
                    worker_dashboard_address=loopback, **about) as client:  # fmt: skip
            found.append(outputs(extract(sky / "targets.csv", sky, client=client, batch_size=1)))
    assert found[0] == found[1] == found[2]


def test_law_6_where_the_files_lie_does_not_matter(sky, extract, tmp_path):
    expected = outputs(extract(sky / "targets.csv", sky))
    folder = shutil.copytree(sky, tmp_path / "elsewhere")
    assert outputs(extract(folder / "targets.csv", folder)) == expected


def test_law_6_a_row_does_not_depend_on_the_others(sky, extract):
    table = rows(extract(sky / "targets.csv", sky))
    names = [r["target_id"] for r in table]
    turned = rows(extract(names[::-1], sky))[::-1]
    for a, b in zip(table, turned, strict=True):
        assert repr([a[n] for n in SCHEMAS["v1"]]) == repr([b[n] for n in SCHEMAS["v1"]])


DRIVER = """
    import sys
    from pathlib import Path
    import dask
    from distributed import Client
    from polytene import lightcurves as lc
    if __name__ == "__main__":
        sky, base = Path(sys.argv[1]), Path(sys.argv[2])
        dask.config.set({"polytene.task-seconds": 0})
        with Client(processes=False, n_workers=1, threads_per_worker=1, memory_limit=None,
                    dashboard_address="127.0.0.1:0",
                    worker_dashboard_address="127.0.0.1:0") as client:
            lc.extract(sky / "targets.csv", base, sky, batch_size=1, client=client)
"""


def drive(sky: Path, base: Path) -> subprocess.Popen:
    argv = [sys.executable, "-c", textwrap.dedent(DRIVER), str(sky), str(base)]
    return subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def finished(sky: Path, base: Path) -> dict[str, bytes]:
    process = drive(sky, base)
    _, error = process.communicate(timeout=120)
    assert process.returncode == 0, error.decode()
    return {name: (base / name).read_bytes() for name in OUTPUTS}


def test_law_6_a_run_that_is_killed_and_resumed_leaves_the_same_bytes(sky, tmp_path, extract):
    expected = outputs(extract(sky / "targets.csv", sky))
    chance = random.Random(3)
    seen = []
    for i, least in enumerate([0, 3]):
        base = tmp_path / f"killed{i}"
        process = drive(sky, base)
        deadline = time.monotonic() + 100
        done = base / "parts"
        while len(list(done.glob("*/*/*.json"))) <= least and process.poll() is None:
            assert time.monotonic() < deadline
            time.sleep(0.002)
        time.sleep(chance.random() * 0.02)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        seen.append(process.returncode)
        assert not (base / "features.csv").exists()
        assert finished(sky, base) == expected
    assert seen == [-signal.SIGKILL] * 2
