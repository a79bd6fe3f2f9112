"""Real files: any cut of the genome gives the bytes of the whole, and nothing is lost."""

from __future__ import annotations

import pytest

from polytene import genome
from polytene.formats.text import read_blocks
from polytene.genome import Genome, plan_chunks
from polytene.genome.annotation.run import annotate

ADDED = ("evidence_level=", "aed=", "junction_support=", "mean_coverage=", "flags=")


def lines_of(path):
    text = b"".join(read_blocks(path)).decode()
    return [x for x in text.splitlines() if "\t" in x and not x.startswith("#")]


def rows_of(result, tmp_path, name):
    names = {"confidence": ["confidence", "low_conf_bed"]}
    out = []
    for what in names.get(result.verb, ["gff3", result.verb, "junctions", "exons"]):
        result.write(what, tmp_path / f"{name}.{what}.tsv")
        out.append((tmp_path / f"{name}.{what}.tsv").read_bytes())
    return out


def check_all_cuts(verb, inputs, source, genes, tmp_path, here):
    whole = rows_of(annotate(verb, None, inputs)[0], tmp_path, "whole")
    for k in (1, 7, 64):
        plan = plan_chunks(source, genes, n_chunks=k, cut="owned")
        units = genome.annotation_plan(verb, plan, inputs)
        outcome = genome.annotation_run(units, run_dir=tmp_path / f"{k}.run", client=here)
        assert rows_of(outcome.result, tmp_path, str(k)) == whole


@pytest.mark.parametrize("verb", ["evidence", "refine"])
def test_volvox(tmp_path, shared_data, here, verb):
    folder = shared_data / "genome" / "volvox"
    genes, fasta = folder / "volvox.gff3", folder / "volvox.fa"
    inputs = genome.annotation_inputs(genes, genome=fasta, bams=[folder / "volvox-rnasim.bam"])
    check_all_cuts(verb, inputs, fasta, None, tmp_path, here)


@pytest.mark.parametrize("verb", ["confidence", "evidence", "refine"])
def test_oryza(tmp_path, shared_data, here, verb):
    folder = shared_data / "genome" / "helixerpost_oryza"
    genes, fasta = folder / "genes.gff3", folder / "genome.fa"
    (tmp_path / "none.bed").write_text("track name=none\n")
    files = {"predictions": folder / "predictions.h5", "junctions": [tmp_path / "none.bed"]}
    inputs = genome.annotation_inputs(genes, genome=fasta, **files)
    check_all_cuts(verb, inputs, fasta, None, tmp_path, here)


def test_refine_loses_no_valid_orf_of_real_genes(tmp_path, shared_data):
    folder = shared_data / "genome"
    (tmp_path / "none.bed").write_text("track name=none\n")
    some = {"junctions": [tmp_path / "none.bed"]}
    reads = {"bams": [folder / "volvox" / "volvox-rnasim.bam"]}
    counts = []
    for name, genes, given in (
        ("helixerpost_oryza/genome.fa", "helixerpost_oryza/genes.gff3", some),
        ("volvox/volvox.fa", "volvox/volvox.gff3", reads),
        ("volvox/volvox.fa", "volvox/volvox.subsubparts.gff3", reads),
    ):
        inputs = genome.annotation_inputs(folder / genes, genome=folder / name, **given)
        rows = genome.refine(None, inputs).to_pylist()
        assert all(r["orf_after"] == "valid" for r in rows if r["orf_before"] == "valid")
        counts.append([sum(r[k] == "valid" for r in rows) for k in ("orf_before", "orf_after")])
    assert counts[0] == [1, 1]


def test_rice_gold_standard(tmp_path, shared_data, here):
    genes = shared_data / "genome" / "rice_gold" / "gold_standard.gff3.gz"
    (tmp_path / "none.bed").write_text("track name=none\n")
    inputs = genome.annotation_inputs(genes, junctions=[tmp_path / "none.bed"])
    ends = {}
    for line in lines_of(genes):
        seqid, end = line.split("\t")[0], int(line.split("\t")[4])
        ends[seqid] = max(end, ends.get(seqid, 0))
    source = Genome.from_lengths(ends)
    check_all_cuts("evidence", inputs, source, genes, tmp_path, here)
    assert annotate("evidence", None, inputs)[0].table.num_rows == 1058


@pytest.mark.parametrize(
    "name",
    ["gt_eden.gff3", "gt_cds_with_multiple_parents_1.gff3", "gt_standard_fasta_example.gff3",
     "embedded_sequence.gff3", "gffutils_FBgn0031208.gff", "gt_multi_feature_simple.gff3"],
)  # fmt: skip
def test_corner_cases_keep_their_lines(tmp_path, shared_data, name):
    path = shared_data / "genome" / "gff3_edge" / name
    (tmp_path / "none.bed").write_text("track name=none\n")
    inputs = genome.annotation_inputs(path, junctions=[tmp_path / "none.bed"])
    found = list(genome.features("evidence", None, inputs))
    text = b"\n".join(found).decode()

    def bare(lines):
        parts = [x.split("\t") for x in lines]
        kept = [
            ";".join(p for p in x[8].split(";") if p and not p.startswith(ADDED)) for x in parts
        ]
        return sorted("\t".join([*x[:8], k]) for x, k in zip(parts, kept, strict=True))

    mine = [x for x in text.splitlines() if "\t" in x and not x.startswith("#")]
    assert bare(mine) == bare(lines_of(path))
    assert ("##FASTA" in text) == (b">" in b"".join(read_blocks(path)).split(b"##FASTA")[-1])
