"""Evidence against what the reads of a generated genome say."""

from __future__ import annotations

import itertools
from collections import Counter

import numpy as np
import pysam
import pytest

from polytene import genome
from polytene.genome.annotation.alignments import Reads
from polytene.genome.annotation.run import annotate
from polytene.testing.annotation import make_world, write_annotation


def naive(world):
    """Return pooled coverage by sequence, and reads by sample of each intron."""
    depth = {s: np.zeros(len(t), int) for s, t in world.sequences.items()}
    introns = [Counter() for _ in world.reads]
    for i, sample in enumerate(world.reads):
        for seqid, strand, pieces in sample:
            for a, b in pieces:
                depth[seqid][a:b] += 1
            for one, two in itertools.pairwise(pieces):
                introns[i][seqid, one[1], two[0], strand] += 1
    return depth, introns


def test_coverage_and_junctions_of_all_samples_count(made, inputs):
    result, lost = annotate("evidence", None, inputs, boundary_tolerance=0)
    assert lost == []
    depth, introns = naive(made.world)
    models = {m.id: m for m in made.world.genes}
    rows = {row["gene_id"]: row for row in result.table.to_pylist()}
    exons = result.read("exons").to_pylist()
    for row in exons:
        covered = depth[row["seqid"]][row["start"] - 1 : row["end"]]
        assert row["mean_coverage"] == pytest.approx(covered.mean())
        assert row["median_coverage"] == np.median(covered)
        assert row["min_coverage"] == covered.min()
    for row in result.read("junctions").to_pylist():
        key = (row["seqid"], row["start"] - 1, row["end"], row["strand"])
        reads = [c[key] for c in introns]
        assert row["reads"] == sum(reads)
        assert row["supported"] == (sum(reads) >= 3) == row["exact"]
        assert row["sample_reads"] in (None, ",".join(map(str, reads)))
    for name, model in models.items():
        pairs = zip(model.exons[:-1], model.exons[1:], strict=True)
        keys = [(model.seqid, a[1], b[0], model.strand) for a, b in pairs]
        good = [sum(c[k] for c in introns) >= 3 for k in keys]
        row = rows[name]
        assert row["n_introns_supported"] == row["n_introns_exact"] == sum(good)
        ratio = sum(good) / len(good) if good else None
        expressed = row["n_exons_expressed"] / len(model.exons)
        ends = (row["start_supported"] + row["stop_supported"]) / 2
        parts = [(0.5, ratio), (0.3, expressed), (0.2, ends)]
        known = [(w, r) for w, r in parts if r is not None]
        aed = sum(w * (1 - r) for w, r in known) / sum(w for w, _ in known)
        assert row["aed"] == pytest.approx(aed)
        assert 0 <= row["aed"] <= 1


def test_a_silent_gene_without_introns_has_no_support(tmp_path, read):
    made = write_annotation(tmp_path, genes=8, silent=1.0)
    table = genome.evidence(None, read(made)).to_pylist()
    assert {row["aed"] for row in table} == {1.0}
    assert {row["evidence_level"] for row in table} == {"none"}
    assert {row["junction_support_ratio"] for row in table if not row["n_introns"]} == {None}


def test_min_tissues_asks_each_sample_for_min_reads(made, inputs, read):
    _, introns = naive(made.world)
    found, _ = annotate("evidence", None, inputs, min_tissues=2, min_reads=8, boundary_tolerance=0)
    for row in found.read("junctions").to_pylist():
        key = (row["seqid"], row["start"] - 1, row["end"], row["strand"])
        assert row["supported"] == (sum(c[key] >= 8 for c in introns) >= 2)


def test_tables_of_junctions_say_the_same_as_alignments(made, inputs, read):
    given = {"coverage": False, "boundary_tolerance": 5}
    tables = read(made, bams=(), junctions=made.junctions)
    one = genome.evidence(None, inputs, **given)
    assert genome.evidence(None, tables, **given).equals(one)
    assert set(one["exon_coverage_ratio"].to_pylist()) == {None}
    alone = [r for r in one.to_pylist() if not r["n_introns"]]
    assert {(r["aed"], r["evidence_level"]) for r in alone} == {(None, "unknown")}


def test_a_junction_of_the_other_strand_is_no_support(tmp_path, read):
    world = make_world(genes=10, seed=4)
    turned = tuple(
        tuple((s, "-+"["-+".index(x) ^ 1], p) for s, x, p in sample) for sample in world.reads
    )
    made = write_annotation(tmp_path, type(world)(**(vars(world) | {"reads": turned})))
    rows = [r for r in genome.evidence(None, read(made)).to_pylist() if r["n_introns"]]
    assert rows
    assert {r["n_introns_supported"] for r in rows} == {0}
    assert {r["strand_consistent"] for r in rows} == {False}
    assert all("STRAND_CONFLICT" in r["flags"] for r in rows)


def test_each_stretch_is_read_once(inputs, monkeypatch):
    seen = []
    over = Reads.over

    def counted(self, seqid, start, end):
        seen.append((seqid, start, end))
        return over(self, seqid, start, end)

    monkeypatch.setattr(Reads, "over", counted)
    genome.evidence(None, inputs)
    for one, two in zip(sorted(seen)[:-1], sorted(seen)[1:], strict=True):
        assert one[0] != two[0] or one[2] <= two[1]


def test_features_keep_what_they_had_byte_for_byte(made, inputs):
    lines = list(genome.features("evidence", None, inputs))
    old = made.gff3.read_bytes().splitlines()
    assert len(lines) == len(old)
    cut = [b";".join(p for p in x.split(b";") if not p.startswith(ADDED)) for x in lines]
    assert sorted(cut) == sorted(old)
    marked = [x for x in lines if b"\taed=" in x or b";aed=" in x]
    assert {x.split(b"\t")[2] for x in marked} == {b"gene", b"mRNA"}


ADDED = (b"evidence_level=", b"aed=", b"junction_support=", b"mean_coverage=")


def test_the_coverage_is_that_of_samtools_depth(made, inputs):
    found, _ = annotate("evidence", "chr1", inputs)
    for row in found.read("exons").to_pylist()[::7]:
        region = f"chr1:{row['start']}-{row['end']}"
        text = pysam.depth("-aa", "-r", region, *map(str, made.bams))
        depth = [sum(map(int, line.split("\t")[2:])) for line in text.splitlines()]
        assert row["mean_coverage"] == pytest.approx(np.mean(depth))


def test_volvox_genes_get_their_exons_from_cds_and_utr(shared_data):
    folder = shared_data / "genome" / "volvox"
    inputs = genome.annotation_inputs(folder / "volvox.gff3", bams=[folder / "volvox-rnasim.bam"])
    rows = {r["transcript_id"]: r for r in genome.evidence(None, inputs).to_pylist()}
    assert {t: r["n_exons"] for t, r in rows.items() if t.startswith("EDEN")} == {
        "EDEN.1": 4,
        "EDEN.2": 3,
        "EDEN.3": 4,
    }
    assert {r["evidence_level"] for r in rows.values()} == {"none"}
    lines = list(genome.features("evidence", None, inputs))
    assert sum(not x.startswith(b"#") and b"\t" in x for x in lines) == sum(
        not x.startswith("#") and "\t" in x for x in (folder / "volvox.gff3").open()
    )
