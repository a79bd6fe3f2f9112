"""Plans: all of the genome, each gene once, the best balance, the strategies of the guide."""

from __future__ import annotations

import json
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from polytene.exceptions import BadInput, UsageError
from polytene.formats.gff3 import Features, read_features
from polytene.genome import ChunkPlan, ChunkStrategy, Genome, GenomeChunker, plan_chunks
from polytene.genome.planning.check import check_plan
from polytene.genome.planning.genes import read_genes

STRATEGIES = [s.value for s in ChunkStrategy]


def features(names, genes) -> Features:
    columns = np.array([list(g) for g in genes], np.int64).reshape(-1, 3).T
    return Features(list(names), *columns, np.arange(1, len(genes) + 1))


@st.composite
def cases(draw):
    sizes = draw(st.lists(st.integers(0, 400), min_size=1, max_size=6).filter(any))
    genome = Genome.from_lengths([(f"s{i}", n) for i, n in enumerate(sizes)])
    genes = []
    for _ in range(draw(st.integers(0, 12))):
        i = draw(st.integers(0, len(sizes) - 1))
        if sizes[i]:
            start = draw(st.integers(0, sizes[i] - 1))
            genes.append((i, start, draw(st.integers(start + 1, sizes[i]))))
    return genome, features(genome.names, genes)


def check_tiling(plan: ChunkPlan, genome: Genome, genes: Features) -> None:
    """Chunks follow one another through the genome, and each gene has one owner."""
    intervals = [r for c in plan for r in c.intervals]
    at = dict.fromkeys(genome.names, 0)
    for seqid, start, end in intervals:
        assert start == at[seqid]
        assert start < end
        at[seqid] = end
    assert at == genome.lengths
    order = [genome.index.places[r.seqid] for r in intervals]
    assert order == sorted(order)
    owners = []
    for i, start in zip(genes.seq.tolist(), genes.starts.tolist(), strict=True):
        name = genes.seqids[i]
        assert [c.chunk_id for c in plan if c.owns(name, start)] == [
            plan.owner_of(name, start).chunk_id
        ]
        owners.append(plan.owner_of(name, start).index)
    assert [c.n_genes for c in plan] == [owners.count(i) for i in range(len(plan))]
    assert sum(c.size for c in plan) == genome.total_bases
    assert abs(sum(c.cost for c in plan) - sum(plan.quality()["mean_cost"] for _ in plan)) < 1e-3
    assert max(c.cost for c in plan) == pytest.approx(plan.quality()["max_cost"])


@given(cases(), st.sampled_from(STRATEGIES), st.sampled_from(["safe", "owned"]), st.data())
@settings(max_examples=300)
def test_every_plan_covers_all_and_owns_each_gene_once(case, strategy, cut, data):
    genome, genes = case
    options: dict = {"cut": cut, "halo": data.draw(st.sampled_from([0, 7]))}
    options["flank"] = data.draw(st.sampled_from([0, 5]))
    if strategy == "balanced":
        options["target_chunks"] = data.draw(st.integers(1, 9))
    elif strategy == "size":
        options["chunk_size"] = data.draw(st.integers(1, 300))
        options["min_chunk_size"] = data.draw(st.sampled_from([0, 20, 500]))
    elif strategy == "genes":
        options["chunk_size"] = data.draw(st.integers(1, 5))
    elif strategy == "adaptive":
        options["target_chunks"] = data.draw(st.integers(1, 9))
        options["min_chunk_size"] = data.draw(st.integers(1, 50))
    else:
        options["max_chunk_size"] = data.draw(st.sampled_from([None, 60]))
    plan = plan_chunks(genome, genes, strategy, cost="bp", **options)
    check_tiling(plan, genome, genes)
    quality = plan.quality()
    if cut == "safe":
        assert quality["split"] == 0
    assert quality["max_cost"] >= quality["lower_bound"] or strategy != "balanced"
    assert all(not c.problem for c in check_plan(plan, genome, read_genes(genome, genes)))
    for chunk in plan:
        for own, read in zip(chunk.intervals, chunk.reads, strict=True):
            length = genome.lengths[own.seqid]
            assert read.start == max(0, own.start - options["halo"])
            ends = [e for i, s, e in zip(genes.seq.tolist(), genes.starts.tolist(),
                                         genes.ends.tolist(), strict=True)
                    if genes.seqids[i] == own.seqid and own.start <= s < own.end]  # fmt: skip
            least = min(length, max([own.end, *ends]) + options["halo"])
            assert least <= read.end <= length
    if strategy != "balanced":
        assert all(len(c.intervals) == 1 for c in plan)


@given(cases(), st.integers(1, 12))
@settings(max_examples=150)
def test_a_balanced_plan_has_as_many_chunks_as_asked_for(case, n):
    genome, genes = case
    if n > len(plan_chunks(genome, genes, target_chunks=10_000)):
        with pytest.raises(UsageError, match="more than possible"):
            plan_chunks(genome, genes, n_chunks=n)
        return
    plan = plan_chunks(genome, genes, n_chunks=n)
    assert len(plan) == n
    assert plan.quality()["certificate"]["optimal"]


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_every_real_annotation_is_owned_once(shared_data, strategy):
    files = sorted((shared_data / "genome").rglob("*.gff*"))
    assert len(files) >= 12
    for path in files:
        genes = read_features(path)
        sizes = dict.fromkeys(genes.seqids, 1000)
        for i, end in zip(genes.seq.tolist(), genes.ends.tolist(), strict=True):
            sizes[genes.seqids[i]] = max(sizes[genes.seqids[i]], end + 500)
        genome = Genome.from_lengths(sizes)
        for n in (1, 7, 64):
            how = {
                "balanced": {"target_chunks": n},
                "size": {"chunk_size": -(-genome.total_bases // n)},
                "genes": {"chunk_size": -(-len(genes) // n)},
                "adaptive": {"target_chunks": n, "min_chunk_size": 100},
                "scaffold": {"max_chunk_size": -(-genome.total_bases // n)},
            }[strategy]
            plan = plan_chunks(genome, path, strategy, **how)
            found = check_plan(plan, genome, read_genes(genome, path))
            assert not any(c.problem for c in found), (path.name, n, found)


def lines(plan) -> list[tuple]:
    return [(r.seqid, r.start, r.end) for c in plan for r in c.intervals]


def test_the_strategies_cut_as_the_guide_says():
    genome = Genome.from_lengths({"a": 1000, "b": 90, "c": 330})
    chunker = GenomeChunker(genome)
    assert lines(chunker.create_plan(ChunkStrategy.BY_SCAFFOLD)) == [
        ("a", 0, 1000), ("b", 0, 90), ("c", 0, 330)]  # fmt: skip
    split = chunker.create_plan(ChunkStrategy.BY_SCAFFOLD, max_chunk_size=600)
    assert lines(split) == [("a", 0, 600), ("a", 600, 1000), ("b", 0, 90), ("c", 0, 330)]
    sized = chunker.create_plan(ChunkStrategy.BY_SIZE, chunk_size=300, min_chunk_size=100)
    assert lines(sized) == [("a", 0, 300), ("a", 300, 600), ("a", 600, 900), ("a", 900, 1000),
                            ("b", 0, 90), ("c", 0, 330)]  # fmt: skip
    folded = chunker.create_plan(ChunkStrategy.BY_SIZE, chunk_size=300, min_chunk_size=101)
    assert lines(folded)[2] == ("a", 600, 1000)
    even = chunker.create_plan(ChunkStrategy.ADAPTIVE, target_chunks=4, min_chunk_size=10)
    assert [r for r in lines(even) if r[0] == "a"] == [("a", 0, 355), ("a", 355, 710),
                                                       ("a", 710, 1000)]  # fmt: skip


def test_genes_per_chunk_are_cut_between_genes():
    genome = Genome.from_lengths({"a": 100, "b": 50})
    genes = features(["a", "b"], [(0, 10, 20), (0, 30, 40), (0, 35, 60), (0, 80, 90)])
    plan = GenomeChunker(genome, genes).create_plan(ChunkStrategy.BY_GENES, chunk_size=1)
    assert lines(plan) == [("a", 0, 25), ("a", 25, 60), ("a", 60, 70), ("a", 70, 100),
                           ("b", 0, 50)] or lines(plan) == [
        ("a", 0, 25), ("a", 25, 60), ("a", 60, 100), ("b", 0, 50)]  # fmt: skip
    assert plan.quality()["split"] == 0


def test_small_scaffolds_are_pooled_and_chromosomes_cut():
    genome = Genome.from_lengths({"chr": 1000, **{f"s{i}": 10 for i in range(100)}})
    plan = plan_chunks(genome, n_chunks=4, cost="bp")
    assert [len(c.intervals) for c in plan] == [1, 1, 50, 50]
    assert plan.quality()["max_over_mean"] == 1


def test_cuts_are_in_runs_of_n(tmp_path):
    text = "ACGT" * 300 + "N" * 120 + "ACGT" * 270
    (tmp_path / "g.fa").write_text(f">s\n{text}\n")
    genome = Genome(tmp_path / "g.fa")
    assert plan_chunks(genome, n_chunks=2)[0].end == 1200
    wide = "ACGT" * 3000 + "N" * 120 + "ACGT" * 2950
    (tmp_path / "h.fa").write_text(f">s\n{wide}\n")
    genes = features(["s"], [(0, 0, 11000), (0, 12900, 23000)])
    exact = plan_chunks(Genome(tmp_path / "h.fa"), genes, n_chunks=2)
    assert exact.quality()["certificate"]["optimal"]
    plan = plan_chunks(Genome(tmp_path / "h.fa"), genes, n_chunks=2, slack=0.01)
    assert 12000 < plan[0].end < 12120
    assert 1 < plan.quality()["max_over_lower_bound"] < 1.01


def test_owned_cuts_go_anywhere_and_genes_are_read_to_their_ends():
    genome = Genome.from_lengths({"s": 1000})
    genes = features(["s"], [(0, 100, 900)])
    safe = plan_chunks(genome, genes, n_chunks=4, cost="bp")
    assert safe.quality()["max_cost"] == 800
    assert safe.quality()["atom_bound"]
    owned = plan_chunks(genome, genes, n_chunks=4, cost="bp", cut="owned", halo=10)
    assert owned.quality()["max_cost"] == 250
    assert owned.quality()["split"] == 1
    assert owned[0].reads == (("s", 0, 910),)
    assert [c.n_genes for c in owned] == [1, 0, 0, 0]


def test_a_gene_that_begins_on_the_last_base_of_a_chunk():
    genome = Genome.from_lengths({"s": 20_000})
    genes = features(["s"], [(0, 9_999, 19_999)])
    plan = plan_chunks(genome, genes, "size", chunk_size=10_000)
    assert [c.n_genes for c in plan] == [1, 0]
    assert plan.owner_of("s", 9_999).index == 0
    assert plan[0].reads[0].end == 19_999


def test_workers_memory_and_sizes_say_how_many():
    genome = Genome.from_lengths({"s": 10_000})
    assert len(plan_chunks(genome, workers=3)) == 36
    assert len(plan_chunks(genome, workers=3, chunks_per_worker=2)) == 6
    assert len(plan_chunks(genome, workers=3, min_chunk_size=1000)) == 10
    assert len(plan_chunks(genome, workers=1, max_bp=100)) == 100
    assert len(plan_chunks(genome, workers=1, memory_per_worker="4000B", bytes_per_base=20)) == 50
    assert len(plan_chunks(genome, target_chunks=7)) == 7
    with pytest.raises(UsageError, match="100 are needed"):
        plan_chunks(genome, n_chunks=99, max_bp=100)
    assert len(plan_chunks(genome)) > 0


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"n_chunks": 0}, "at least 1"),
        ({"n_chunks": 5, "workers": 2}, "give one"),
        ({"n_chunks": 10**6}, "more than possible: at most 1,000"),
        ({"strategy": "even"}, "one of scaffold, size, genes, adaptive, balanced"),
        ({"strategy": "size", "n_chunks": 5}, "n_chunks is for the strategy balanced, not size"),
        ({"strategy": "scaffold", "chunk_size": 5}, "size or genes, not scaffold"),
        ({"strategy": "genes"}, "give a GFF3 file"),
        ({"cut": "anywhere"}, "'safe' or 'owned'"),
        ({"halo": -1}, "at least 0"),
        ({"slack": 2}, "between 0 and 1"),
        ({"cost": "genes"}, "no genes are given"),
        ({"cost": "no-such-file"}, "nor a run"),
        ({"cost": {"bp": 1, "exon": 2}}, "knows no 'exon'"),
        ({"cost": {"bp": 0}}, "costs nothing"),
        ({"cost": {"bp": -1}}, "negative"),
        ({"cost": lambda s, a, b: float("nan")}, "no number"),
        ({"memory_per_worker": "much"}, "give a size"),
    ],
)
def test_parameters_that_cannot_be_are_named(options, why):
    with pytest.raises(UsageError, match=why):
        plan_chunks(Genome.from_lengths({"s": 1000}), **options)


def test_an_annotation_of_another_genome_is_named(tmp_path, genome):
    text = "".join(f"Chr{i}\t.\tgene\t1\t9\t.\t+\t.\tID=g{i}\n" for i in range(1, 6))
    (tmp_path / "g.gff3").write_text(text)
    with pytest.raises(
        BadInput, match=r"5 of its 5.*'Chr1', 'Chr2', 'Chr3', \.\.\.; 'Chr1' may be"
    ):
        plan_chunks(genome, tmp_path / "g.gff3")
    (tmp_path / "h.gff3").write_text("#\nchr1\t.\tgene\t5\t99999999\t.\t+\t.\tID=g\n")
    with pytest.raises(BadInput, match=r"gene-outside.*line 2.*99,999,999 of 'chr1'"):
        plan_chunks(genome, tmp_path / "h.gff3")


# Costs


def halves(genome, cost, **options) -> list[int]:
    plan = plan_chunks(genome, n_chunks=2, cost=cost, **options)
    assert plan.quality()["certificate"]["optimal"]
    return [c.size for c in plan]


def test_costs_decide_where_the_cuts_are(tmp_path):
    genome = Genome.from_lengths({"a": 600, "b": 400})
    assert halves(genome, "bp") == [500, 500]
    genes = features(["a", "b"], [(0, i, i + 5) for i in range(0, 60, 6)])
    assert halves(genome, "genes", genes=genes)[0] < 60
    assert halves(genome, {"bp": 1, "gene": 0.5}, genes=genes)[0] == 498
    (tmp_path / "depth.bed").write_text("# depth\na\t0\t100\tx\t900\na\t100\t600\tx\t100\nb\t0\t400\tx\t0\n")  # fmt: skip  # noqa: E501
    assert halves(genome, tmp_path / "depth.bed")[0] == pytest.approx(56, abs=1)
    assert halves(genome, {"bp": 1, "reads": tmp_path / "depth.bed", "read": 10})[0] < 100
    assert halves(genome, lambda seqid, start, end: (end - start) * (9 if seqid == "b" else 0)
                  )[0] == pytest.approx(800, abs=1)  # fmt: skip


@pytest.mark.parametrize(
    "text", ["", "a\t0\t9\n", "a\t0\tx\t5\n", "z\t0\t9\t5\n", "a\t0\t999\t5\n"]
)
def test_weights_that_cannot_be_are_named(tmp_path, text):
    (tmp_path / "depth.bed").write_text(text)
    with pytest.raises(UsageError, match=r"depth\.bed"):
        plan_chunks(Genome.from_lengths({"a": 600}), cost=tmp_path / "depth.bed")


# Files and views


def test_a_plan_is_the_same_after_saving(tmp_path, genome, assembly):
    for options in ({"n_chunks": 6}, {"n_chunks": 3, "halo": 50, "with_gene_ids": True}):
        plan = plan_chunks(genome, assembly.gff3, **options)
        plan.save(tmp_path / "p.json")
        again = ChunkPlan.load(tmp_path / "p.json")
        assert again == plan
        assert list(again) == list(plan)
        assert again.quality() == plan.quality()
        assert json.loads((tmp_path / "p.json").read_text())["schema"] == "polytene.chunkplan/1"
    ids = [name for chunk in again for name in chunk.gene_ids]
    assert sorted(ids) == sorted(name for *_, name in assembly.genes)


def test_equal_questions_have_equal_answers(tmp_path, assembly):
    for i in range(2):
        plan_chunks(assembly.fasta, assembly.gff3, n_chunks=9).save(tmp_path / f"{i}.json")
    assert (tmp_path / "0.json").read_bytes() == (tmp_path / "1.json").read_bytes()


def test_slices_and_iteration_agree(genome):
    plan = plan_chunks(genome, n_chunks=5)
    assert [c.index for c in plan] == [0, 1, 2, 3, 4]
    assert plan.chunks[1:3] == [plan[1], plan[2]]
    assert plan[-1] == plan.get_chunk_by_index(4) == plan.get_chunk("chunk_0004")
    assert all(a.end == b.start or a.seqid != b.seqid
               for a, b in pairwise(r for c in plan for r in c.intervals))  # fmt: skip


def test_plans_can_be_looked_at(genome, assembly):
    plan = plan_chunks(genome, assembly.gff3, n_chunks=6)
    text, page = plan.describe(), plan._repr_html_()
    assert "ChunkPlan balanced: 6 chunks, 60,000 bp" in text
    assert "takes more than 6 chunks" in text
    assert text.count("scaffold_") == 6
    assert page.count("<title>chunk_") == sum(len(c.intervals) for c in plan)
    many = Genome.from_lengths({f"<s{i}>": 10 + i for i in range(100)})
    plan = plan_chunks(many, n_chunks=9)
    assert "76 shorter sequences, 3,610 bp in 6 chunks" in plan.describe()
    assert "<s" not in plan._repr_html_().replace("<svg", "")


def test_what_does_not_fit_is_said(genome, assembly, tmp_path):
    genes = read_genes(genome, assembly.gff3)
    plan = plan_chunks(genome, n_chunks=3)
    rows = json.loads(json.dumps({"chunks": [
        {"chunk_id": f"c{i}", "seqid": "chr1", "start": a, "end": b}
        for i, (a, b) in enumerate([(0, 500), (400, 900)])
    ]}))  # fmt: skip
    (tmp_path / "p.json").write_text(json.dumps(rows))
    bad = ChunkPlan.load(tmp_path / "p.json")
    problems = [c.problem for c in check_plan(bad, genome, genes)]
    assert problems[0] == problems[1] == ""
    assert "59,100 bases are in no chunk, 100 bases are in more than one" in problems[2]
    assert "no owner" in problems[3]
    assert bad.quality()["overlapping"] == 100
    other = Genome.from_lengths({"chr1": 10})
    assert "differ" in check_plan(plan, other)[0].problem
    assert "is not in" in check_plan(plan, other)[1].problem
