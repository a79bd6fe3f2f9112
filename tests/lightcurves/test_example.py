"""The room's example runs, is short, and finds what was planted."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from polytene.testing import stars

EXAMPLE = Path(__file__).parents[2] / "examples" / "lightcurves_extract.py"


def test_the_example_is_short():
    assert len(EXAMPLE.read_text().rstrip().splitlines()) <= 15


def test_the_example_finds_what_was_planted(tmp_path):
    done = subprocess.run(
        [sys.executable, str(EXAMPLE)], cwd=tmp_path, capture_output=True, text=True, timeout=200
    )
    assert done.returncode == 0, done.stderr
    assert "7 planned: 7 computed" in done.stdout
    rows = {r["target_id"]: r for r in pq.read_table(tmp_path / "features.run" / "features.parquet")
            .to_pylist()}  # fmt: skip
    for star in stars(6):
        row = rows[star.target_id]
        if star.depth:
            assert row["bls_period"] == pytest.approx(star.period, rel=1e-3)
            assert row["bls_depth"] == pytest.approx(star.depth, rel=0.3)
        expected = {"planet": "", "eclipsing_binary": "eclipsing_binary", "quiet": "no_signal"}
        assert row["flags"] == expected[star.kind]


def test_the_demo_finds_what_was_planted(tmp_path, here, capsys):
    from polytene.lightcurves.demo import demo

    page = demo(tmp_path, here)
    said = capsys.readouterr().out
    assert "13 planned: 13 computed" in said
    assert page.count("<tr>") == 14
    assert (tmp_path / "vetting.html").exists()
