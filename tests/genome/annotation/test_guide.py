"""Each example line of HelixForge's guide for these commands, the name of the program aside."""

from __future__ import annotations

import shlex
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

from polytene.command import RunOptions
from polytene.genome import ChunkPlan, format_command
from polytene.genome.cli import group
from polytene.testing.annotation import write_annotation

LINES = """
confidence -p predictions.h5 -g predictions.gff3 --genome genome.fa --chunk-id {chunk_id} --region {seqid}:{start}-{end} -o outputs/{chunk_id}.tsv
confidence -p predictions.h5 -g predictions.gff3 --genome genome.fa --region {seqid}:{start}-{end} --chunk-id {chunk_id} -o outputs/{chunk_id}_confidence.tsv
confidence -p predictions.h5 -g predictions.gff3 --genome genome.fa --scaffold {seqid} --chunk-id {chunk_id} -o outputs/{chunk_id}_confidence.tsv
confidence -p predictions.h5 -g predictions.gff3 --genome genome.fa --chunk-id {chunk_id} --region {seqid}:{start}-{end} -o {output_dir}/{chunk_id}.tsv
refine -p predictions.h5 -g predictions.gff3 --genome genome.fa --rnaseq-bam rnaseq.bam --region {seqid}:{start}-{end} --chunk-id {chunk_id} -o outputs/{chunk_id}_refined.gff3 -r outputs/{chunk_id}_report.tsv
refine -p predictions.h5 -g predictions.gff3 --genome genome.fa --rnaseq-bam liver.bam,brain.bam,heart.bam --min-tissues 2 --min-reads 3 --region {seqid}:{start}-{end} --chunk-id {chunk_id} -o outputs/{chunk_id}_refined.gff3 -r outputs/{chunk_id}_report.tsv
refine -p predictions.h5 -g predictions.gff3 --genome genome.fa --rnaseq-bam-list tissue_bams.txt --min-tissues 2 --region {seqid}:{start}-{end} --chunk-id {chunk_id} -o outputs/{chunk_id}_refined.gff3
refine -p predictions.h5 -g predictions.gff3 --genome genome.fa --junctions-bed sample1_SJ.out.tab,sample2_SJ.out.tab,sample3_SJ.out.tab --min-tissues 2 --region {seqid}:{start}-{end} --chunk-id {chunk_id} -o outputs/{chunk_id}_refined.gff3
evidence -g predictions.gff3 -b rnaseq.bam --region {seqid}:{start}-{end} --chunk-id {chunk_id} -o outputs/{chunk_id}.gff3
evidence -g predictions.gff3 -b rnaseq.bam --scaffold {seqid} --chunk-id {chunk_id} -o outputs/{chunk_id}.gff3 --report outputs/{chunk_id}.tsv
""".strip().splitlines()  # noqa: E501


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    """A folder with the files that the guide names."""
    folder = tmp_path_factory.mktemp("lab")
    made = write_annotation(folder, genes=5, samples=3, errors=0.4)
    for name, bam in zip(("liver", "brain", "heart"), made.bams, strict=True):
        shutil.copy(bam, folder / f"{name}.bam")
        shutil.copy(f"{bam}.bai", folder / f"{name}.bam.bai")
    shutil.copy(made.bams[0], folder / "rnaseq.bam")
    shutil.copy(f"{made.bams[0]}.bai", folder / "rnaseq.bam.bai")
    (folder / "tissue_bams.txt").write_text("liver.bam\nbrain.bam\nheart.bam\n")
    (folder / "outputs").mkdir()
    return folder


def call(*argv: str):
    result = CliRunner().invoke(group, list(argv))
    assert result.exit_code == 0, result.output
    return result.output


@pytest.mark.parametrize("line", LINES)
def test_each_line_runs_for_each_chunk(lab, monkeypatch, line):
    monkeypatch.chdir(lab)
    strategy = "scaffold" if "--scaffold" in line else "size"
    call("plan", "--genome", "genome.fa", "--strategy", strategy, "--chunk-size", "3000",
         "--min-chunk-size", "100", "-o", "chunks.json") if strategy == "size" else call(
        "plan", "--genome", "genome.fa", "--strategy", "scaffold", "-o", "chunks.json")  # fmt: skip
    plan = ChunkPlan.load("chunks.json")
    rows = 0
    for chunk in plan:
        argv = shlex.split(format_command(line, chunk, output_dir="outputs"))
        said = call(*argv)
        assert said.startswith(chunk.chunk_id)
        rows += int(said.split(": ")[1].split()[0])
    assert rows == 10


def test_one_call_takes_a_plan_to_the_merged_file(lab, monkeypatch):
    monkeypatch.chdir(lab)
    call("plan", "--genome", "genome.fa", "--n-chunks", "6", "-o", "six.json")
    common = ["-p", "predictions.h5", "-g", "predictions.gff3", "--genome", "genome.fa"]
    rnaseq = ["--rnaseq-bam", "liver.bam,brain.bam"]
    call("refine", *common, *rnaseq, "-o", "whole.gff3", "-r", "whole.tsv")
    made = ["--chunk-plan", "six.json", "--workers", "1", "--no-progress"]
    call("refine", *common, *rnaseq, *made, "-o", "merged.gff3", "-r", "merged.tsv")
    for suffix in ("gff3", "tsv"):
        assert (lab / f"merged.{suffix}").read_bytes() == (lab / f"whole.{suffix}").read_bytes()
    one = ["--chunk-plan", "six.json", "--chunk-id", "chunk_0002"]
    call("refine", *common, *rnaseq, *one, "-o", "one.gff3", "-r", "one.parquet")
    lines = set((lab / "one.gff3").read_bytes().splitlines())
    assert lines <= set((lab / "merged.gff3").read_bytes().splitlines())


def test_the_help_says_whose_a_gene_is():
    for verb in ("confidence", "evidence", "refine"):
        text = " ".join(call(verb, "--help").split())
        assert "a gene belongs to the region that holds its first base" in text
        for option in ("--region", "--scaffold", "--chunk-id", "--chunk-plan", "--owned"):
            assert option in text


@pytest.mark.parametrize("verb", ["confidence", "evidence", "refine"])
def test_each_option_is_documented(verb):
    text = (Path(__file__).parents[3] / "docs" / "genome-annotation.md").read_text()
    for param in group.commands[verb].params:
        if param.name not in RunOptions.__dataclass_fields__:
            for shown in param.opts:
                assert shown in text, f"{verb}: {shown}"
