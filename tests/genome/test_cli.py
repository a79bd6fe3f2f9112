"""The commands, as they are typed."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from polytene.exceptions import PolyteneError
from polytene.genome import ChunkPlan
from polytene.genome.cli import group
from polytene.testing.assembly import write_assembly


@pytest.fixture
def typed(tmp_path, monkeypatch):
    """Run a command line in a folder with an assembly; return exit code and output."""
    write_assembly(tmp_path)
    monkeypatch.chdir(tmp_path)

    def run(line: str, code: int = 0) -> str:
        done = CliRunner().invoke(group, shlex.split(line))
        if isinstance(done.exception, PolyteneError):
            assert done.exception.exit_code == code, done.exception
            return str(done.exception)
        assert done.exit_code == code, (done.output, done.exception)
        return done.output

    return run


PLAN = "plan --genome genome.fa --gff genes.gff3"


def test_plan_says_what_it_made(typed):
    text = typed(f"{PLAN} --n-chunks 6 -o chunks.json")
    assert "ChunkPlan balanced: 6 chunks, 60,000 bp" in text
    assert "takes more than 6 chunks" in text
    assert len(ChunkPlan.load("chunks.json")) == 6
    found = json.loads(typed(f"{PLAN} --workers 2 --chunks-per-worker 2 -o c.json --json"))
    assert (found["n_chunks"], found["split"], found["certificate"]["optimal"]) == (4, 0, True)


@pytest.mark.parametrize(
    "options",
    [
        "--strategy scaffold --max-chunk-size 9000",
        "--strategy size --chunk-size 9000 --min-chunk-size 500",
        "--strategy genes --chunk-size 5 --gene-ids",
        "--strategy adaptive --target-chunks 7 --min-chunk-size 100",
        "--n-chunks 5 --cut owned --halo 100 --flank 0 --cost bp",
        "--n-chunks 5 --flank 10 --slack 0.01 --gene-type gene",
        "--workers 1 --memory-per-worker 200kB --bytes-per-base 20 --max-chunk-size 10000",
    ],
)
def test_every_plan_passes_its_check(typed, options):
    typed(f"{PLAN} {options} -o chunks.json")
    text = typed("check-plan chunks.json --gff genes.gff3")
    assert text.count(": yes") == 5


def test_a_plan_of_another_genome_is_found(typed, tmp_path):
    typed(f"{PLAN} --n-chunks 3 -o chunks.json")
    write_assembly(tmp_path / "other", seed=5)
    text = typed("check-plan chunks.json --genome other/genome.fa", code=3)
    assert "made for this genome: NO" in text


def test_suggest_prints_a_command_that_runs(typed):
    text = typed("suggest --genome genome.fa --gff genes.gff3 --memory 4 --workers 2")
    line = text.strip().splitlines()[-1]
    assert line.startswith("polytene genome plan")
    typed(line.removeprefix("polytene genome "))
    found = json.loads(typed("suggest --genome genome.fa --memory 4 --workers 2 --json"))
    assert {"strategy", "chunk_size", "rationale"} <= set(found)


def test_run_and_resume(typed):
    typed(f"{PLAN} --n-chunks 3 -o chunks.json")
    line = (
        "run --chunk-plan chunks.json --command 'wc -l < {bed} > {output_dir}/{chunk_id}.txt' "
        "--output-dir out --workers 1 --input genes.gff3 --timeout 60 --memory 10MB --no-progress"
    )
    assert "3 outputs" in typed(line)
    assert "0 computed, 3 resumed" in typed(line)
    assert len(list(Path("out").glob("*.txt"))) == 3
    assert "3 x chunk" in typed(f"{line} --dry-run")


def test_a_trial_leaves_the_outputs_of_all(typed, tmp_path):
    typed(f"{PLAN} --n-chunks 3 -o chunks.json")
    command = "--command 'touch {output_dir}/{chunk_id}' --output-dir out --workers 1 --no-progress"
    typed(f"run --chunk-plan chunks.json {command}")
    typed(f"run --chunk-plan chunks.json {command} --limit 1")
    assert len(list((tmp_path / "out").glob("chunk_0*"))) == 3
    assert len(list((tmp_path / "out.trial").glob("chunk_0*"))) == 1


def test_a_failing_command_has_exit_code_3(typed):
    typed(f"{PLAN} --n-chunks 3 -o chunks.json")
    text = typed("run --chunk-plan chunks.json --output-dir out --workers 1 --no-progress "
                 "--command 'case {chunk_id} in *1) exit 4;; esac; touch {output_dir}/{chunk_id}' "
                 "--max-quarantined 1", code=3)  # fmt: skip
    assert "1 quarantined" in text
    assert sorted(p.name for p in Path("out").glob("chunk_0*")) == ["chunk_0000", "chunk_0002"]


def test_composition_writes_its_file(typed):
    text = typed("composition --genome genome.fa -o c.parquet --window 5000 --kmer 2 --workers 1 "
                 "--no-progress --reader pread")  # fmt: skip
    assert "windows, GC 0.4" in text
    assert pq.read_table("c.parquet").num_rows == 18
    typed(f"{PLAN} --n-chunks 4 -o chunks.json")
    found = typed("composition --chunk-plan chunks.json -o c.tsv --by chunk --no-cpg --json "
                  "--workers 1 --no-progress")  # fmt: skip
    assert json.loads(found.splitlines()[-1])["rows"] == 4


@pytest.mark.parametrize(
    ("line", "code", "why"),
    [
        ("composition -o c.nc", 2, "--genome or --chunk-plan"),
        ("composition --genome genome.fa -o c.xls", 2, "one of .nc"),
        ("plan --genome none.fa -o c.json", 3, "No such file"),
        ("plan --genome genes.gff3 -o c.json", 3, "not-fasta"),
        ("plan --genome genome.fa --gff genome.fa -o c.json", 3, "no-features"),
        ("plan --genome genome.fa --n-chunks 99999999 -o c.json", 2, "more than possible"),
        ("check-plan genome.fa", 2, "no JSON"),
        ("run --chunk-plan genome.fa --command x --output-dir o", 2, "no JSON"),
    ],
)
def test_what_is_wrong_is_said(typed, line, code, why):
    assert why in typed(line, code)
