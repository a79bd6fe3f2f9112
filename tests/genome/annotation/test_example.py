"""The example and the demo."""

from __future__ import annotations

import csv
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from polytene import genome
from polytene.exceptions import UsageError
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


def test_the_demo_says_what_it_mended_and_shows_a_gene(tmp_path, here, capsys):
    page = demo(tmp_path, here)
    said = capsys.readouterr().out
    assert "valid ORFs:" in said
    assert (tmp_path / "refined.gff3").read_bytes().startswith(b"##gff-version 3\n")
    assert page.count("<svg") == 2


def test_the_picture_of_a_gene_has_its_exons_and_what_helixer_saw(tmp_path, made, inputs):
    for model in made.world.genes[:6]:
        svg = ElementTree.fromstring(genome.gene_svg(model.id, inputs))
        boxes = [e for e in svg if e.tag.endswith("rect") and e.get("height") == "6.0"]
        assert len(boxes) == len(model.exons)
        assert sum(e.tag.endswith("path") for e in svg) == 5
    for wrong in ("nobody", "gene1.1"):
        with pytest.raises(UsageError, match="no gene"):
            genome.gene_svg(wrong, inputs)
