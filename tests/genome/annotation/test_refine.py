"""Refine: planted errors are mended, right genes stay, and no valid ORF is lost."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from polytene import genome
from polytene.genome.annotation.models import read_genes, read_lines
from polytene.genome.annotation.run import annotate
from polytene.testing.annotation import make_world, mirrored, write_annotation

STOPS = {"TAA", "TAG", "TGA"}
OTHER = str.maketrans("ACGT", "TGCA")


def coding_of(text: str, cds, strand: str) -> str:
    spliced = "".join(text[a:b] for a, b in cds)
    return spliced.translate(OTHER)[::-1] if strand == "-" else spliced


def is_valid(text: str, cds, strand: str) -> bool:
    """Judge an ORF without polytene: start, length, stop, and no stop inside."""
    coding = coding_of(text, cds, strand)
    codons = [coding[i : i + 3] for i in range(0, len(coding), 3)]
    inside = not STOPS & set(codons[:-1])
    return coding[:3] == "ATG" and len(coding) % 3 == 0 and codons[-1] in STOPS and inside


def models_of(lines):
    text = b"\n".join(lines)
    return {g.id: g for g in read_genes(read_lines(text)[0])}


def pieces(model):
    low, high = model.cds
    clipped = [(max(a, low), min(b, high)) for a, b in model.exons]
    return [(a, b) for a, b in clipped if a < b]


@settings(max_examples=12)
@given(st.integers(0, 10**6), st.floats(0, 1), st.floats(0, 0.5), st.integers(1, 20))
def test_no_valid_orf_is_ever_lost(tmp_path_factory, seed, errors, silent, depth):
    world = make_world(genes=6, errors=errors, silent=silent, depth=depth, samples=1, seed=seed)
    made = write_annotation(tmp_path_factory.mktemp("r"), world)
    inputs = genome.annotation_inputs(made.gff3, genome=made.fasta, bams=made.bams)
    result, _ = annotate("refine", None, inputs)
    rows = {row["gene_id"]: row for row in result.table.to_pylist()}
    after = models_of(result.features())
    for model in world.genes:
        text = world.sequences[model.seqid].decode()
        was = is_valid(text, pieces(model), model.strand)
        new = after[model.id].transcripts[0]
        now = is_valid(text, new.cds, model.strand)
        row = rows[model.id]
        assert now or not was
        assert (row["orf_before"] == "valid", row["orf_after"] == "valid") == (was, now)
        changed = (new.exons, tuple(pieces(model))) != (tuple(model.exons), new.cds)
        assert changed == bool(row["changes"])
        assert not changed or now


def test_planted_errors_are_mended_and_right_genes_stay(made, inputs):
    result, lost = annotate("refine", None, inputs)
    assert lost == []
    after = models_of(result.features())
    changed = {row["gene_id"] for row in result.table.to_pylist() if row["changes"]}
    right = 0
    for model in made.world.truth:
        new = after[model.id].transcripts[0]
        found = (new.exons, (new.cds[0][0], new.cds[-1][1]))
        right += model.id in made.world.planted and found == (model.exons, model.cds)
        if model.id not in made.world.planted:
            assert found == (model.exons, model.cds)
    assert changed <= made.world.planted.keys()
    assert right >= 0.9 * len(made.world.planted)


def test_lines_are_whole_and_phases_right_after_a_change(made, inputs):
    result, _ = annotate("refine", None, inputs)
    changed = {row["gene_id"] for row in result.table.to_pylist() if row["changes"]}
    lines, _ = read_lines(b"\n".join(result.features()))
    for gene in read_genes(lines):
        transcript = gene.transcripts[0]
        cds = sorted((c for c in transcript.children if c.type == b"CDS"), key=lambda c: c.start)
        done = 0
        for line in cds if gene.strand == "+" else cds[::-1]:
            assert line.fields[7] == b"%d" % (-done % 3)
            done += line.end - line.start
        utrs = [c for c in transcript.children if c.type.endswith(b"UTR")]
        covered = sorted((c.start, c.end) for c in [*cds, *utrs])
        bases = sum(b - a for a, b in covered)
        assert bases == sum(b - a for a, b in transcript.exons)
        assert all(one[1] <= two[0] for one, two in itertools.pairwise(covered))
        assert (gene.start, gene.end) == (transcript.exons[0][0], transcript.exons[-1][1])
        ids = [c.id for c in transcript.children]
        assert len(set(ids)) == len(ids)
    old = set(made.gff3.read_bytes().splitlines())
    for line in lines:
        parts = (line.parents or (line.id,))[0].decode().split(".")[0]
        if parts not in changed and line.type not in (b"gene", b"mRNA"):
            assert b"\t".join(line.fields) in old


@pytest.mark.parametrize("verb", ["confidence", "evidence", "refine"])
@settings(max_examples=5)
@given(seed=st.integers(0, 10**6), block=st.sampled_from([700, 2000, 21384]))
def test_the_other_strand_mirrors_this_one(tmp_path_factory, read, verb, seed, block):
    folder = tmp_path_factory.mktemp("mirror")
    world = make_world(genes=9, errors=0.5, silent=0.1, seed=seed)
    both = [
        write_annotation(folder / "a", world, block=block),
        write_annotation(folder / "b", mirrored(world), block=block),
    ]
    one, two = (annotate(verb, None, read(made))[0] for made in both)
    sizes = {s: len(t) for s, t in world.sequences.items()}
    rows = [{r["gene_id"]: r for r in made.table.to_pylist()} for made in (one, two)]
    assert rows[0].keys() == rows[1].keys()
    for name, row in rows[0].items():
        other = dict(rows[1][name])
        if "start" in row:
            size = sizes[row["seqid"]]
            other["start"], other["end"] = size - other["end"] + 1, size - other["start"] + 1
        other["strand"] = "-+"["-+".index(other["strand"]) ^ 1]
        if verb == "refine":
            assert row.pop("changes").count(";") == other.pop("changes").count(";")
        assert other == row
    if verb == "refine":
        models = [models_of(made.features()) for made in (one, two)]
        for name, gene in models[0].items():
            turned = models[1][name].transcripts[0]
            size = sizes[gene.seqid]
            for kind in ("exons", "cds"):
                back = tuple((size - b, size - a) for a, b in reversed(getattr(turned, kind)))
                assert back == getattr(gene.transcripts[0], kind)


def test_without_a_valid_form_nothing_changes(tmp_path):
    world = make_world(genes=6, errors=0, seed=2)
    broken = tuple(replace(m, cds=(m.cds[0] + 100, m.cds[1])) for m in world.genes)
    made = write_annotation(tmp_path, replace(world, genes=broken))
    inputs = genome.annotation_inputs(made.gff3, genome=made.fasta, bams=made.bams)
    table = genome.refine(None, inputs, boundary_window=10).to_pylist()
    assert {row["changes"] for row in table if row["orf_after"] != "valid"} == {""}
    assert any("INVALID_ORF" in row["flags"] for row in table)


def test_starts_and_stops_stay_where_that_is_asked_for(made, inputs):
    table = genome.refine(None, inputs, adjust_boundaries=False).to_pylist()
    assert not any(row["boundary_adjusted"] for row in table)
    assert any(row["splice_corrections"] for row in table)
