"""The example and the demo of the room, and the compiling ahead."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
from tests.genome.conftest import read_naively

from polytene.genome import ChunkPlan
from polytene.genome.demo import BASES, CHUNKS, demo
from polytene.genome.warm import warm

EXAMPLE = Path(__file__).parents[2] / "examples" / "genome_chunks.py"


def test_the_example_counts_what_its_file_holds(tmp_path):
    assert len(EXAMPLE.read_text().splitlines()) <= 15
    done = subprocess.run([sys.executable, EXAMPLE], cwd=tmp_path, capture_output=True, text=True,
                          timeout=120, check=False)  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "ChunkPlan balanced: 24 chunks, 60,000 bp" in done.stdout
    text = "".join(read_naively(tmp_path / "assembly" / "genome.fa").values()).upper()
    table = pq.read_table(tmp_path / "composition.parquet")
    found = {x: sum(table.column(x).to_pylist()) for x in ("a", "c", "g", "t", "n")}
    assert found == {x: text.count(x.upper()) for x in found}


def test_the_demo_leaves_a_plan_and_a_table(tmp_path, here, capsys):
    page = demo(tmp_path, here)
    assert len(ChunkPlan.load(tmp_path / "chunks.json")) == CHUNKS
    table = pq.read_table(tmp_path / "composition.parquet")
    assert sum(sum(table.column(x).to_pylist()) for x in ("a", "c", "g", "t", "n")) == BASES
    assert page.count("<title>chunk_") >= CHUNKS
    assert "0 cut" in capsys.readouterr().out


def test_kernels_compile_ahead():
    warm()
