"""The example and the demo."""

from __future__ import annotations

import csv
import subprocess
import sys
from pathlib import Path

from polytene.genome.annotation.demo import demo

EXAMPLE = Path(__file__).parents[3] / "examples" / "genome_confidence.py"


def test_the_example_runs_and_is_short(tmp_path):
    assert len(EXAMPLE.read_text().splitlines()) <= 15
    done = subprocess.run(
        [sys.executable, str(EXAMPLE)], cwd=tmp_path, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert "overall_score" in done.stdout
    with (tmp_path / "report.tsv").open() as report:
        rows = list(csv.DictReader((r for r in report if r[0] != "#"), delimiter="\t"))
    assert len(rows) == 60
    assert {row["orf_after"] for row in rows} == {"valid"}


def test_the_demo_says_what_it_mended(tmp_path, here, capsys):
    demo(tmp_path, here)
    said = capsys.readouterr().out
    assert "valid ORFs:" in said
    assert (tmp_path / "refined.gff3").read_bytes().startswith(b"##gff-version 3\n")
