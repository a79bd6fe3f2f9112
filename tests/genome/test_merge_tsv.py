"""Tables and plain text, joined."""

from __future__ import annotations

import gzip
import itertools
import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polytene.exceptions import BadInput
from polytene.genome.merging.files import Part
from polytene.genome.merging.tables import concat, merge_tsv


def parts_of(folder: Path, *contents: bytes, suffix: str = ".tsv") -> list[Part]:
    out = []
    for i, content in enumerate(contents):
        path = folder / f"chunk_{i:04d}{suffix}"
        path.write_bytes(content)
        out.append(Part(path, f"chunk_{i:04d}"))
    return out


def joined(folder: Path, *contents: bytes) -> bytes:
    merge_tsv(parts_of(folder, *contents), folder / "all")
    return (folder / "all").read_bytes()


@pytest.mark.parametrize(
    ("contents", "expected"),
    [
        ([b"h\nx\n", b"h\ny\n"], b"h\nx\ny\n"),
        ([b"h\nx", b"h\ny"], b"h\nx\ny\n"),
        ([b"", b"h\ny\n", b""], b"h\ny\n"),
        ([b"h\n", b"h", b"h\ny\n"], b"h\ny\n"),
        ([b"", b""], b""),
        ([b"#c\nh\nx\n", b"#c\nh\ny\n"], b"#c\nh\nx\ny\n"),
        ([b"##v\n#a\tb\n1\t2\n", b"##v\n#a\tb\n3\t4\n"], b"##v\n#a\tb\n1\t2\n3\t4\n"),
        ([b"#a\tb\n", b"#a\tb\n3\t4\n"], b"#a\tb\n3\t4\n"),
        ([b"#n\tx\na\tb\n1\t2\n", b"#n\tx\na\tb\n3\t4\n"], b"#n\tx\na\tb\n1\t2\n3\t4\n"),
        ([b"h\r\nx\r\n", b"h\r\ny\r\n"], b"h\r\nx\r\ny\r\n"),
        ([b"\n\nh\nx\n", b"h\ny\n"], b"h\nx\ny\n"),
        ([b"h\nx\n#c\ny\n", b"h\n"], b"h\nx\n#c\ny\n"),
        ([b'h\n"a\nb"\n', b"h\nz\n"], b'h\n"a\nb"\nz\n'),
    ],
)
def test_one_header_and_every_row(tmp_path, contents, expected):
    assert joined(tmp_path, *contents) == expected


def test_comments_that_differ_are_left_out_and_said(tmp_path):
    parts = parts_of(tmp_path, b"#all\n#one\nh\nx\n", b"#all\n#two\nh\ny\n")
    merged = merge_tsv(parts, tmp_path / "all")
    assert (tmp_path / "all").read_bytes() == b"#all\nh\nx\ny\n"
    (note,) = merged.notes
    assert "2 comment lines" in note
    assert "'#one'" in note
    assert "chunk_0000.tsv" in note


def test_rows_are_counted(tmp_path):
    merged = merge_tsv(parts_of(tmp_path, b"h\nx\ny", b"", b"h\nz\n"), tmp_path / "all")
    assert (merged.files, merged.records) == (3, 3)


def test_headers_that_differ_are_named(tmp_path):
    with pytest.raises(BadInput, match="headers-differ") as error:
        joined(tmp_path, b"a\tb\n1\t2\n", b"a\tc\n1\t2\n")
    assert "chunk_0001.tsv" in str(error.value)
    assert r"'a\tc'" in str(error.value)
    assert not (tmp_path / "all").exists()


def test_a_table_without_header_is_never_cut(tmp_path):
    with pytest.raises(BadInput, match="headers-differ"):
        joined(tmp_path, b"chr1\t5\n", b"chr2\t9\n")


def test_an_endless_head_is_refused(tmp_path):
    with pytest.raises(BadInput, match="no-header"):
        joined(tmp_path, b"#" * (17 << 20))


def test_gzip_in_and_out(tmp_path):
    parts = parts_of(tmp_path, gzip.compress(b"h\nx\n"), b"h\ny\n", gzip.compress(b"h\nz"))
    merge_tsv(parts, tmp_path / "all.tsv.gz")
    assert gzip.decompress((tmp_path / "all.tsv.gz").read_bytes()) == b"h\nx\ny\nz\n"
    merge_tsv(parts, tmp_path / "again.tsv.gz")
    assert (tmp_path / "again.tsv.gz").read_bytes() == (tmp_path / "all.tsv.gz").read_bytes()


def test_compressed_output_is_bgzf(tmp_path):
    body = bytes(random.Random(1).choices(b"abcdefgh\n", k=300_000))
    concat(parts_of(tmp_path, body + b"\n"), tmp_path / "all.gz")
    data = (tmp_path / "all.gz").read_bytes()
    assert gzip.decompress(data) == body + b"\n"
    places, place = [], 0
    while place < len(data):
        assert data[place : place + 4] == b"\x1f\x8b\x08\x04"
        assert data[place + 12 : place + 14] == b"BC"
        places.append(place)
        place += int.from_bytes(data[place + 16 : place + 18], "little") + 1
    assert len(places) > 4
    assert len(data) - places[-1] == 28


def test_a_damaged_part_leaves_no_output_and_keeps_the_old_one(tmp_path):
    (tmp_path / "all").write_bytes(b"old")
    whole = gzip.compress(b"h\n" + b"x\n" * 100_000)
    with pytest.raises(BadInput, match="truncated-gzip"):
        joined(tmp_path, b"h\ny\n", whole[:-20])
    assert (tmp_path / "all").read_bytes() == b"old"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["all", "chunk_0000.tsv", "chunk_0001.tsv"]


ROWS = st.lists(st.binary(min_size=1, max_size=6).map(lambda b: b.hex().encode()), max_size=12)


@given(ROWS, st.lists(st.integers(0, 12), max_size=5), st.lists(st.booleans(), min_size=6))
def test_the_cuts_do_not_show(tmp_path_factory, rows, cuts, ends):
    """Any partition of the rows gives the file that one part gives."""
    folder = tmp_path_factory.mktemp("cut")
    places = [0, *sorted(min(c, len(rows)) for c in cuts), len(rows)]
    contents = []
    for i, (a, b) in enumerate(itertools.pairwise(places)):
        text = b"\n".join([b"#made by", b"name", *rows[a:b]])
        contents.append(text + (b"\n" if ends[i] else b""))
    assert joined(folder, *contents) == b"".join(r + b"\n" for r in (b"#made by", b"name", *rows))


def test_concat_joins_text_and_never_two_lines(tmp_path):
    concat(parts_of(tmp_path, b">a\nAC", b"", b">b\nGT\n"), tmp_path / "all")
    assert (tmp_path / "all").read_bytes() == b">a\nAC\n>b\nGT\n"


def test_concat_adds_nothing_to_binary_parts(tmp_path):
    concat(parts_of(tmp_path, b"\0\1", b"\2\0"), tmp_path / "all")
    assert (tmp_path / "all").read_bytes() == b"\0\1\2\0"
