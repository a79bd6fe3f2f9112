"""BED files, joined and sorted; compared with ``sort`` and bedtools."""

from __future__ import annotations

import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.conftest import require_tool
from tests.genome.test_merge_tsv import parts_of

from polytene.exceptions import BadInput
from polytene.genome.merging.bed import merge_bed
from polytene.genome.merging.ranks import Ranks


def merged(folder, *contents: bytes, seqids=None) -> bytes:
    ranks = None if seqids is None else Ranks(seqids)
    merge_bed(parts_of(folder, *contents, suffix=".bed"), folder / "all", ranks)
    return (folder / "all").read_bytes()


def test_sorted_by_the_order_of_the_plan(tmp_path):
    parts = [b"chr10\t5\t9\nchr2\t7\t8\n", b"chr2\t1\t3\tx\t0\t+\nchr2\t1\t2"]
    expected = b"chr2\t1\t2\nchr2\t1\t3\tx\t0\t+\nchr2\t7\t8\nchr10\t5\t9\n"
    assert merged(tmp_path, *parts, seqids=["chr2", "chr10"]) == expected


def test_without_a_plan_sequences_keep_the_order_they_come_in(tmp_path):
    assert merged(tmp_path, b"b\t5\t6\na\t1\t2\n", b"b\t1\t2\n") == b"b\t1\t2\nb\t5\t6\na\t1\t2\n"


def test_header_lines_that_all_share_are_once(tmp_path):
    head = b"#from us\ntrack name=x\n"
    assert merged(tmp_path, head + b"a\t1\t2\n", b"", head + b"a\t3\t4\n") == (
        head + b"a\t1\t2\na\t3\t4\n"
    )


def test_equal_places_are_sorted_by_their_text(tmp_path):
    assert merged(tmp_path, b"a\t1\t2\tz\na\t1\t2\tb\n", b"a\t1\t2\ta\n") == (
        b"a\t1\t2\ta\na\t1\t2\tb\na\t1\t2\tz\n"
    )


def test_fields_apart_by_spaces_and_empty_features_are_bed_too(tmp_path):
    assert merged(tmp_path, b"a 5 5\na 1 2 n\n") == b"a 1 2 n\na 5 5\n"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"a\t1\n", "bad-bed"),
        (b"a\tx\t2\n", "bad-bed"),
        (b"a\t5\t2\n", "bad-bed"),
        (b"a\t-1\t2\n", "bad-bed"),
        (b"a\t1\t2\ntrack name=y\n", "second-track"),
        (b"q\t1\t2\n", "unknown-seqid"),
    ],
)
def test_bad_lines_are_named(tmp_path, content, reason):
    with pytest.raises(BadInput, match=reason) as error:
        merged(tmp_path, b"a\t0\t1\n", content, seqids=["a"])
    assert "chunk_0001.bed: line" in str(error.value)
    assert not (tmp_path / "all").exists()


FEATURES = st.lists(
    st.tuples(st.sampled_from(["c2", "c10", "cX"]), st.integers(0, 50), st.integers(0, 9)),
    max_size=40,
)


@given(FEATURES, st.integers(1, 5))
def test_as_bedtools_sorts(tmp_path_factory, features, k):
    folder = tmp_path_factory.mktemp("bed")
    lines = [f"{s}\t{a}\t{a + n}\n".encode() for s, a, n in features]
    out = merged(folder, *(b"".join(lines[i::k]) for i in range(k)), seqids=["c2", "c10", "cX"])
    rank = {b"c2": 0, b"c10": 1, b"cX": 2}
    want = sorted(lines, key=lambda x: (rank[x.split()[0]], *(int(v) for v in x.split()[1:3])))
    assert out == b"".join(want)


def test_bedtools_finds_it_sorted(tmp_path):
    require_tool("bedtools")
    (tmp_path / "g.txt").write_text("chr2\t1000\nchr10\t1000\n")
    merged(tmp_path, b"chr10\t5\t9\nchr2\t7\t8\n", b"chr2\t1\t3\n", seqids=["chr2", "chr10"])
    command = ["bedtools", "merge", "-i", str(tmp_path / "all")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == "chr2\t1\t3\nchr2\t7\t8\nchr10\t5\t9\n"
