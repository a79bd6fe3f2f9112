"""Plans as values: lookups, JSON, the JSON of HelixForge."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polytene.exceptions import UsageError
from polytene.formats.regions import Region
from polytene.genome.chunks import ChunkPlan, GenomeFacts, GenomicChunk, chunk_ids

GUIDE = {
    "strategy": "size",
    "total_bases": 250,
    "total_genes": None,
    "parameters": {"chunk_size": 100},
    "n_chunks": 3,
    "chunks": [
        {"chunk_id": "chunk_0000", "seqid": "chr1", "start": 0, "end": 100, "gene_ids": ["g1"]},
        {"chunk_id": "chunk_0001", "seqid": "chr1", "start": 90, "end": 200},
        {"chunk_id": "chunk_0002", "seqid": "chr2", "start": 0, "end": 50},
    ],
}


@pytest.fixture
def guide(tmp_path):
    path = tmp_path / "chunks.json"
    path.write_text(json.dumps(GUIDE, indent=2))
    return ChunkPlan.load(path)


def pooled() -> GenomicChunk:
    return GenomicChunk("chunk_0001", (Region("a", 5, 9), Region("b", 0, 3)), 1, 7, 2, ("x", "y"))


@pytest.mark.parametrize("name", ["seqid", "start", "end"])
def test_a_pooled_chunk_has_no_one_place(name):
    with pytest.raises(UsageError, match=r"chunk_0001 pools 2 intervals.*use \.intervals"):
        getattr(pooled(), name)
    assert pooled().size == 7
    assert pooled().owns("b", 2)
    assert not pooled().owns("b", 3)


def test_ids_have_four_digits_or_more_and_sort():
    assert chunk_ids(2) == ["chunk_0000", "chunk_0001"]
    many = chunk_ids(10_001)
    assert (many[0], many[-1]) == ("chunk_00000", "chunk_10000")
    assert sorted(many) == many


def test_the_plan_of_the_guide_is_read(guide):
    assert [c.chunk_id for c in guide] == ["chunk_0000", "chunk_0001", "chunk_0002"]
    assert (guide.n_chunks, guide.total_bases, guide.total_genes) == (3, 250, None)
    first = guide.get_chunk("chunk_0000")
    assert (first.seqid, first.start, first.end, first.n_genes) == ("chr1", 0, 100, 1)
    assert guide.get_chunk_by_index(2).seqid == "chr2"
    assert guide.find_chunk_for_region("chr1", 90, 120) is guide[1]
    assert guide.find_chunk_for_region("chr1", 50, 95) is guide[0]
    assert guide.find_chunk_for_region("chr1", 50, 120) is None
    assert guide.find_chunk_for_region("chr9", 0, 1) is None


def test_lookups_name_what_is_not_there(guide):
    with pytest.raises(UsageError, match="chunk_0000 to chunk_0002"):
        guide.get_chunk("chunk_7")
    for index in (-1, 3):
        with pytest.raises(UsageError, match="0 to 2"):
            guide.get_chunk_by_index(index)
    with pytest.raises(UsageError, match="no sequence 'chr9'"):
        guide.owner_of("chr9", 0)
    with pytest.raises(UsageError, match="no chunk holds base 201"):
        guide.owner_of("chr1", 200)
    with pytest.raises(UsageError, match="start < end"):
        guide.find_chunk_for_region("chr1", 5, 5)


def test_a_plan_comes_back_as_it_was_saved(tmp_path):
    facts = GenomeFacts("/g.fa", 100, 2, 20, "abc")
    one = GenomicChunk("chunk_0000", (Region("a", 0, 5),), 0, 5, 0, (), (Region("a", 0, 6),))
    plan = ChunkPlan("balanced", [one, pooled()], 12, 2, {"n_chunks": 2}, facts, {"bp": 1},
                     {"max_cost": 7})  # fmt: skip
    plan.save(tmp_path / "deep" / "p.json")
    again = ChunkPlan.load(tmp_path / "deep" / "p.json")
    assert again == plan
    again.save(tmp_path / "q.json")
    assert (tmp_path / "q.json").read_bytes() == (tmp_path / "deep" / "p.json").read_bytes()
    row = json.loads((tmp_path / "q.json").read_text())["chunks"]
    assert (row[0]["seqid"], row[0]["start"], row[0]["end"]) == ("a", 0, 5)
    assert "seqid" not in row[1]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("{", "no JSON"),
        ("[]", "no chunk plan"),
        ('{"chunks": []}', "no chunks"),
        ('{"schema": "polytene.chunkplan/2", "chunks": []}', "chunkplan/2"),
        ('{"chunks": [{"chunk_id": "a"}]}', "seqid"),
        ('{"chunks": [{"chunk_id": "a", "seqid": "s", "start": 5, "end": 5}]}', "interval 5 to 5"),
        ('{"chunks": [{"chunk_id": "a", "seqid": "s", "start": 0, "end": 5},'
         '{"chunk_id": "a", "seqid": "s", "start": 5, "end": 9}]}', "same id"),
    ],
)  # fmt: skip
def test_what_is_no_plan_is_refused(tmp_path, text, why):
    (tmp_path / "p.json").write_text(text)
    with pytest.raises(UsageError, match=why):
        ChunkPlan.load(tmp_path / "p.json")


def test_a_missing_plan_is_named(tmp_path):
    with pytest.raises(UsageError, match=r"p\.json: No such file"):
        ChunkPlan.load(tmp_path / "p.json")


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(1, 30)), min_size=1, max_size=12),
       st.integers(0, 80), st.integers(1, 20))  # fmt: skip
def test_holders_are_those_of_a_search_through_all(rows, start, size):
    chunks = [GenomicChunk(f"c{i}", (Region("s", a, a + n),), i) for i, (a, n) in enumerate(rows)]
    plan = ChunkPlan("x", chunks, 1)
    holding = [c for c in chunks if c.start <= start and start + size <= c.end]
    found = plan.find_chunk_for_region("s", start, start + size)
    assert found in holding if holding else found is None
