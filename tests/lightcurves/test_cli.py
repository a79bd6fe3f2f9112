"""The commands, as they are typed."""

from __future__ import annotations

import json
import os
import re
import shutil

import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from polytene.cli import polytene
from polytene.testing import stars
from polytene.testing.stars import file_name

SCHEDULER = ["--no-progress", "--max-quarantined", "1"]


@pytest.fixture
def run(here):
    """A command on this process's client; returns exit code and output."""

    def call(*args, code: int = 0) -> str:
        done = CliRunner().invoke(polytene, ["lightcurves", *map(str, args)])
        assert done.exit_code == code, done.output + repr(done.exception)
        return done.output

    return call


@pytest.fixture
def address(local_client) -> list[str]:
    return [*SCHEDULER, "--cluster", local_client.scheduler.address]


def test_extract_status_export_merge(run, sky, tmp_path, address):
    out = tmp_path / "r"
    said = run("extract", sky / "targets.csv", "-o", out, "--source", sky, *address, code=3)
    assert "7 ok, 1 missing" in said
    said = run(
        "extract", sky / "targets.csv", "-o", out, "--source", sky, *address, "--json", code=3
    )
    about = json.loads(said.splitlines()[-1])
    assert (about["computed"], about["resumed"]) == (0, 8)
    assert about["status"] == {"ok": 7, "missing": 1}
    assert json.loads(run("status", out, "--json"))["reason"] == {"no_product": 1}
    assert "7 ok, 1 missing" in run("status", out)
    run("export", out, "-o", tmp_path / "e.parquet", "--status", "ok")
    assert pq.read_table(tmp_path / "e.parquet").num_rows == 7
    run("merge", out, out, "-o", tmp_path / "m.csv")
    assert (tmp_path / "m.csv").read_bytes() == (out / "features.csv").read_bytes()
    run("export", out, "-o", tmp_path / "e.xls", code=2)
    assert "3 targets" in run("report", out, "-o", tmp_path / "p.html", "--top", "3")
    page = (tmp_path / "p.html").read_text()
    found = [s.target_id for s in stars(7) if s.target_id in page]
    assert len(found) == 3
    assert all(s.depth > 0 for s in stars(7) if s.target_id in found)


def test_retry_needs_no_arguments_but_the_run(run, sky, tmp_path, address):
    folder = shutil.copytree(sky, tmp_path / "sky")
    bad = folder / file_name(next(stars(1)))
    whole = bad.read_bytes()
    broken = b"SIMPLE  =" + bytes(len(whole) - 9)
    bad.write_bytes(broken)
    about = bad.stat()
    out = tmp_path / "r"
    run("extract", folder / "targets.csv", "-o", out, "--source", folder, *address, code=3)
    assert json.loads(run("status", out, "--json"))["status"]["failed"] == 1
    bad.write_bytes(whole)
    os.utime(bad, ns=(about.st_atime_ns, about.st_mtime_ns))
    assert "7 ok, 1 missing" in run("retry", out, *address, code=3)
    run("retry", tmp_path, *address, code=2)


def test_fetch_and_extract_from_an_archive(run, archive, ids, tmp_path, address):
    table = tmp_path / "t.csv"
    table.write_text("\n".join(["target_id", *ids]) + "\n")
    where = [
        "--cache",
        tmp_path / "cache",
        "--base-url",
        archive.base,
        "--search-url",
        archive.base,
    ]
    said = run("fetch", table, "-o", tmp_path / "f", *where, "--connections", "4", "--no-progress")
    assert "7 files" in said
    assert 1 < archive.peak <= 4
    asked = sum(archive.requests.values())
    run("extract", table, "-o", tmp_path / "r", "--source", "archive", *where, *address)
    assert sum(archive.requests.values()) == asked


def test_bls_and_plot(run, sky, tmp_path):
    star = next(stars(1))
    path = sky / file_name(star)
    about = json.loads(run("bls", path, "--json", "--method", "exact"))
    assert about["peaks"][0]["period"] == pytest.approx(star.period, rel=2e-3)
    assert "SDE" in run("bls", path, "--top", "2", "--max-period", "9")
    for name in ("v.html", "v.png"):
        assert "period" in run("plot", path, "-o", tmp_path / name)
    page = (tmp_path / "v.html").read_text()
    assert star.target_id in page
    assert not re.search(r"<(script|link)[^>]*(src|href)=", page)
    assert (tmp_path / "v.png").read_bytes().startswith(b"\x89PNG")
    run("plot", path, "-o", tmp_path / "v.gif", code=2)


def test_a_dry_run_does_nothing(run, sky, tmp_path):
    said = run("extract", sky / "targets.csv", "-o", tmp_path / "r", "--source", sky, "--dry-run")
    assert "8 x target" in said
    assert not (tmp_path / "r").exists()
