"""Genes of chunks that overlap, each once."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.genome.plans import cut, plan_of

from polytene.exceptions import UsageError
from polytene.genome.guide import merge_overlapping_results

ONE, TWO = plan_of([("c1", 0, 100)], [("c1", 100, 200)])


def gene(name: str, start: int, end: int, seqid: str = "c1") -> dict[str, object]:
    return {"gene_id": name, "seqid": seqid, "start": start, "end": end}


def test_the_whole_gene_wins_over_one_that_was_cut_off():
    whole, left, right = gene("a", 90, 150), gene("a", 90, 100), gene("a", 100, 150)
    assert merge_overlapping_results([(ONE, [whole]), (TWO, [right])]) == [whole]
    assert merge_overlapping_results([(TWO, [whole]), (ONE, [left])]) == [whole]


def test_of_equal_copies_the_owners_is_kept():
    mine, other = {**gene("a", 90, 150), "by": 1}, {**gene("a", 90, 150), "by": 2}
    assert merge_overlapping_results([(TWO, [other]), (ONE, [mine])]) == [mine]


def test_a_gene_that_its_owner_does_not_have_is_kept_once():
    lost = gene("a", 90, 150)
    assert merge_overlapping_results([(ONE, []), (TWO, [lost])]) == [lost]
    three = plan_of([("c2", 0, 9)])[0]
    assert merge_overlapping_results([(three, [lost]), (TWO, [lost])]) == [lost]


def test_distinct_genes_that_share_an_id_are_all_kept():
    genes = [gene("g1", 10, 20), gene("g1", 150, 180), gene("g1", 10, 20, "c2")]
    merged = merge_overlapping_results([(ONE, [genes[0], genes[2]]), (TWO, [genes[1]])])
    assert merged == genes
    crossing = [gene("g1", 90, 150), gene("g1", 140, 180)]
    assert merge_overlapping_results([(ONE, crossing[:1]), (TWO, crossing[1:])]) == crossing
    twins = [gene("g1", 10, 50), gene("g1", 20, 30)]
    assert merge_overlapping_results([(ONE, twins)]) == twins


def test_objects_are_genes_too():
    one = SimpleNamespace(gene_id="a", seqid="c1", start=5, end=9)
    assert merge_overlapping_results([(ONE, [one])]) == [one]
    with pytest.raises(UsageError, match="chunk_0000 has no"):
        merge_overlapping_results([(ONE, [{"gene_id": "a"}])])


@given(
    st.lists(st.tuples(st.integers(0, 990), st.integers(1, 80)), max_size=30),
    st.integers(1, 20),
    st.integers(0, 60),
)
def test_any_cut_and_overlap_gives_every_gene_once(spans, k, halo):
    genes = [gene(f"g{i}", a, a + n) for i, (a, n) in enumerate(spans)]
    plan = cut({"c1": 1000}, k)
    results = []
    for chunk in plan:
        low, high = chunk.start - halo, chunk.end + halo
        seen = [g for g in genes if low <= g["start"] < high or chunk.owns("c1", g["start"])]
        results.append((chunk, seen))
    merged = merge_overlapping_results(results)
    assert sorted(g["gene_id"] for g in merged) == sorted(g["gene_id"] for g in genes)
    assert [g["start"] for g in merged] == sorted(g["start"] for g in genes)
