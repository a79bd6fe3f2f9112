"""The page that maps HelixForge's guide to ours: each of its examples runs, and is right."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.conftest import require_tool
from tests.genome.quick_program import quick_program

import polytene
import polytene.genome
from polytene.testing.assembly import write_assembly

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "docs" / "genome-guide.md").read_text(encoding="utf-8")
TASKS = (ROOT / "docs" / "genome-tasks.md").read_text(encoding="utf-8")
FENCE = re.compile(r"^```(\S+)\n(.*?)^```$", re.M | re.S)

ANNOTATOR = """\
import argparse

options = argparse.ArgumentParser()
options.add_argument("verb")
for name in ("-p", "-g", "-o", "-r", "--genome", "--region", "--scaffold", "--chunk-id"):
    options.add_argument(name)
given, _ = options.parse_known_args()
seqid, start, end = given.scaffold, 1, 10**12
if given.region:
    seqid, _, place = given.region.rpartition(":")
    start, end = map(int, place.split("-"))

table, graph, mine = ["gene_id\\tseqid\\tstart"], ["##gff-version 3"], False
for line in open(given.g):
    fields = line.rstrip().split("\\t")
    if len(fields) < 9:
        continue
    if "Parent=" not in fields[8]:
        mine = fields[0] == seqid and start <= int(fields[3]) <= end
        if mine:
            table.append("\\t".join([fields[8].split(";")[0][3:], fields[0], fields[3]]))
    if mine:
        graph.append(line.rstrip())
tsv = "\\n".join(table) + "\\n"
gff = "\\n".join(graph) + "\\n"
open(given.o, "w").write(tsv if given.verb == "confidence" else gff)
if given.r:
    open(given.r, "w").write(tsv)
"""


def blocks(language: str) -> list[str]:
    return [text for name, text in FENCE.findall(GUIDE) if name == language]


@pytest.fixture
def lab(tmp_path, monkeypatch) -> Iterator[dict[str, str]]:
    """A folder with an assembly, an annotator that writes the genes it owns, and site commands."""
    made = write_assembly(tmp_path, bases=60_000, scaffolds=6)
    made.gff3.rename(tmp_path / "predictions.gff3")
    tools = tmp_path / "bin"
    tools.mkdir()
    (tools / "annotator.py").write_text(ANNOTATOR)
    program = tools / "helixforge"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -IS {tools}/annotator.py "$@"\n')
    program.chmod(0o755)
    (tools / "site.sh").write_text("module() { :; }\nconda() { :; }\n")
    monkeypatch.chdir(tmp_path)
    path = f"{tools}:{Path(sys.executable).parent}:{os.environ['PATH']}"
    clean = {k: v for k, v in os.environ.items() if not k.startswith("SLURM")}
    where = {"PATH": path, "PYTHONPATH": str(Path(polytene.__file__).parents[1])}
    with quick_program(tools):
        yield {**clean, **where, "BASH_ENV": str(tools / "site.sh")}


def test_the_shell_examples_run(lab):
    require_tool("parallel")
    for block in blocks("bash"):
        if "hs cluster" in block and shutil.which("hs", path=lab["PATH"]) is None:
            if os.environ.get("POLYTENE_REQUIRE_TOOLS") == "1":
                pytest.fail("hs is not installed, and POLYTENE_REQUIRE_TOOLS=1")
            continue
        done = subprocess.run(
            ["bash", "-e", "-c", block], env=lab, capture_output=True, text=True, timeout=200
        )
        assert done.returncode == 0, f"{block}\n{done.stdout[-1000:]}{done.stderr[-2000:]}"
    rows = [line.split("\t") for line in Path("combined.tsv").read_text().splitlines()[1:]]
    genes = [line.split("\t") for line in Path("predictions.gff3").read_text().splitlines()]
    expected = {(g[0], g[3]) for g in genes if len(g) == 9 and "Parent=" not in g[8]}
    assert {(r[1], r[2]) for r in rows} == expected
    assert len(rows) == len(expected)
    assert Path("combined.gff3").read_bytes() == Path("refined.gff3").read_bytes()


def test_the_python_examples_run(lab):
    script = re.sub(r"n_workers=[48]", "n_workers=2", "\n\n".join(blocks("python")))
    job = {"SLURM_JOB_ID": "7", "SLURM_ARRAY_TASK_ID": "1", "SLURM_CPUS_PER_TASK": "2"}
    body = f'if __name__ == "__main__":\n{textwrap.indent(script, "    ")}'
    Path("example.py").write_text(body)
    done = subprocess.run(
        [sys.executable, "example.py"],
        env={**lab, **job},
        capture_output=True,
        text=True,
        timeout=200,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    for line in ("Generated 8 tasks", "Processed 8/8 chunks", "Progress: 8/8 - chunk_", "CPUs: 2"):
        assert line in done.stdout
    assert "Processing chunk chunk_0001\nRegion: chr2:0-" in done.stdout


NAMES = [
    "ChunkPlan",
    "ChunkStrategy",
    "ExecutorBackend",
    "GenomeAccessor",
    "GenomeChunker",
    "MemoryMonitor",
    "ParallelExecutor",
    "TaskGenerator",
    "generate_hypershell_command",
    "get_chunk_for_task",
    "get_memory_stats",
    "get_optimal_workers",
    "get_slurm_resources",
    "get_slurm_task_id",
    "is_slurm_job",
    "merge_overlapping_results",
    "suggest_chunk_parameters",
    "track_memory",
]


@pytest.mark.parametrize("name", NAMES)
def test_every_name_of_the_guide_is_there_and_shown(name):
    assert hasattr(polytene.genome, name)
    assert re.search(rf"\b{name}\b", "\n".join(blocks("python")))


def reasons() -> set[str]:
    """The codes that merging makes BadInput with."""
    found = set()
    for path in (ROOT / "src" / "polytene" / "genome" / "merging").glob("*.py"):
        text = path.read_text(encoding="utf-8")
        found |= set(re.findall(r'BadInput\(\s*"([a-z0-9-]+)"', text))
        found |= set(re.findall(r'wrong\(\s*[\w.]+,\s*[\w.]+,\s*"([a-z0-9-]+)"', text))
    return found


def test_the_table_of_reason_codes_is_whole():
    table = TASKS[TASKS.index("### Reason codes") :]
    shown = set(re.findall(r"`([a-z0-9-]+)`", "".join(re.findall(r"^\| (`.*?) \|", table, re.M))))
    reading = {"unreadable", "truncated-gzip", "damaged-gzip", "line-too-long"}
    assert shown == reasons() | reading
