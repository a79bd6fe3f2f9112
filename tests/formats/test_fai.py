"""Indexing FASTA: the same as pyfaidx, with reasons where it cannot be."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np
import pyfaidx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from polytene.exceptions import BadInput
from polytene.formats import fai_build
from polytene.formats.fai import load_index, read_fai
from polytene.formats.fai_build import build_index

SEQUENCES = st.lists(st.tuples(st.integers(1, 50), st.integers(1, 12)), min_size=1, max_size=6)


def rows(index) -> list[tuple]:
    columns = (index.lengths, index.offsets, index.line_bases, index.line_width)
    return list(zip(index.names, *(c.tolist() for c in columns), strict=True))


def fasta(records, newline: bytes = b"\n", last: bool = True) -> bytes:
    out = []
    for i, (length, width) in enumerate(records):
        letters = (b"ACGTacgtNn" * 9)[i : i + length]
        lines = [letters[j : j + width] for j in range(0, length, width)]
        out += [b">s%d about > it" % i, *lines]
    return newline.join(out) + (newline if last else b"")


@given(SEQUENCES, st.sampled_from([b"\n", b"\r\n"]), st.booleans(), st.integers(1, 40))
def test_as_pyfaidx_has_it_whatever_the_blocks(tmp_path_factory, records, newline, last, block):
    path = tmp_path_factory.mktemp("fai") / "g.fa"
    path.write_bytes(fasta(records, newline, last))
    before = fai_build.BLOCK
    fai_build.BLOCK = block
    try:
        index = build_index(path)
    finally:
        fai_build.BLOCK = before
    assert index.lengths.tolist() == [n for n, _ in records]
    text = path.read_bytes()
    for name, length, offset, bases, width in rows(index):
        found = text[offset : int(index.ends[index.places[name]])]
        assert len(found.replace(b"\r", b"").replace(b"\n", b"")) == length
        assert text[:offset].rstrip(b"\r\n").rpartition(b"\n")[2].startswith(b">" + name.encode())
        assert bases <= width
    if last and newline == b"\n":
        theirs = pyfaidx.Faidx(str(path)).index
        assert rows(index) == [(k, v.rlen, v.offset, v.lenc, v.lenb) for k, v in theirs.items()]


def test_a_block_may_end_anywhere(tmp_path):
    path = tmp_path / "g.fa"
    path.write_bytes(fasta([(50, 7), (21, 7), (3, 60)]))
    whole = rows(build_index(path))
    for block in range(1, len(path.read_bytes()) + 2):
        fai_build.BLOCK = block
        assert rows(build_index(path)) == whole
    fai_build.BLOCK = 1 << 19


def test_blank_lines_after_a_sequence_are_fine(tmp_path):
    (tmp_path / "g.fa").write_bytes(b"\n>a\n\nACG\nTTT\nA\n\n\n>b\nCC\n\n")
    assert rows(build_index(tmp_path / "g.fa")) == [("a", 7, 5, 3, 4), ("b", 2, 20, 2, 3)]


def test_an_empty_sequence_has_no_bases(tmp_path):
    (tmp_path / "g.fa").write_bytes(b">a\n>b\nAC\n>c\n")
    assert build_index(tmp_path / "g.fa").lengths.tolist() == [0, 2, 0]


@pytest.mark.parametrize(
    ("text", "reason", "detail"),
    [
        (b"", "empty-file", "g.fa"),
        (b">a\nACGT\nAC\nACGT\n", "ragged-lines", "line 4 of 'a'"),
        (b">a\nAC\nACGT\n", "ragged-lines", "line 3 of 'a'"),
        (b">a\nACGT\n\nACGT\n", "ragged-lines", "line 4 of 'a'"),
        (b">a\nACGT\nACGT\r\nAC\n", "mixed-newlines", "line 3 of 'a'"),
        (b">a\rACGT\rACGT\r", "cr-newlines", "CR alone"),
        (b">a\nAC GT\nAC G \n", "blank-in-sequence", "line 3 of 'a'"),
        (b">a\nAC\n>b\nAC\n>a\nAC\n", "duplicate-id", "'a'"),
        (b">a\nAC\n> b\nAC\n", "no-id", "sequence 2"),
        (b">\nAC\n", "no-id", "sequence 1"),
        (b">a\n>b\n", "no-bases", "2 headers"),
        (b"ACGT\n", "not-fasta", "g.fa"),
        (b"LOCUS       X\n", "not-fasta", "GenBank"),
        (b"@r1\nACGT\n+\nIIII\n", "not-fasta", "FASTQ"),
    ],
)
def test_what_cannot_be_indexed_is_named(tmp_path, text, reason, detail):
    (tmp_path / "g.fa").write_bytes(text)
    with pytest.raises(BadInput, match=detail) as caught:
        build_index(tmp_path / "g.fa")
    assert caught.value.reason == reason


def test_full_lines_that_hide_a_newline_are_found(tmp_path):
    """Two short lines that together are as long as a full one are not taken for it."""
    (tmp_path / "g.fa").write_bytes(b">a\nACGTACG\nACG\nACG\nACGTACG\n")
    with pytest.raises(BadInput, match="line 4"):
        build_index(tmp_path / "g.fa")


@pytest.fixture
def indexed(tmp_path) -> Path:
    path = tmp_path / "g.fa"
    path.write_bytes(fasta([(50, 10), (20, 10)]))
    load_index(path)
    return path


def make_newer(path: Path) -> None:
    now = Path(f"{path}.fai").stat().st_mtime_ns
    os.utime(path, ns=(now - 10**9, now - 10**9))


def test_an_index_is_written_and_read_again(indexed):
    fai = Path(f"{indexed}.fai")
    assert rows(read_fai(fai)) == rows(build_index(indexed))
    before = fai.stat().st_mtime_ns
    assert rows(load_index(indexed)) == rows(build_index(indexed))
    assert fai.stat().st_mtime_ns == before


@pytest.mark.parametrize(
    "text",
    [
        fasta([(50, 10), (20, 10), (9, 10)]),
        fasta([(50, 10)]),
        fasta([(50, 10), (20, 10)]).replace(b">s1", b">t1"),
        fasta([(51, 10), (19, 10)]),
        b"\n" + fasta([(50, 10), (20, 10)]),
    ],
)
def test_an_index_of_other_content_is_made_anew(indexed, text, caplog):
    """Also where the times do not show it."""
    indexed.write_bytes(text)
    make_newer(indexed)
    assert rows(load_index(indexed)) == rows(build_index(indexed))
    assert "made anew" in caplog.text


def test_an_older_index_is_made_anew(indexed, caplog):
    os.utime(f"{indexed}.fai", ns=(1, 1))
    caplog.set_level("INFO", logger="polytene")
    load_index(indexed)
    assert "older than" in caplog.text
    assert Path(f"{indexed}.fai").stat().st_mtime_ns > 1


@pytest.mark.parametrize("text", ["", "s0\t5\n", "s0\ta\tb\tc\td\n", "s0\t5\t0\t1\t1\n", "\0"])
def test_a_broken_index_is_made_anew(indexed, text):
    Path(f"{indexed}.fai").write_text(text)
    assert load_index(indexed).names == ["s0", "s1"]


def test_a_folder_that_cannot_be_written_does_not_matter(tmp_path, monkeypatch):
    path = tmp_path / "g.fa"
    path.write_bytes(fasta([(5, 5)]))

    def refuse(*args):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "write_bytes", refuse)
    assert load_index(path).names == ["s0"]
    assert not Path(f"{path}.fai").exists()


def test_a_name_that_is_not_utf_8_is_the_same_in_both(tmp_path):
    path = tmp_path / "g.fa"
    path.write_bytes(b">caf\xe9\nACGT\n")
    first = load_index(path)
    assert first.names == ["caf\\xe9"]
    assert load_index(path).names == first.names


def test_real_indices_are_those_of_samtools(shared_data, tmp_path):
    for name in ("volvox/volvox.fa", "helixerpost_oryza/genome.fa"):
        source = shared_data / "genome" / name
        shutil.copyfile(source, tmp_path / "g.fa")
        theirs = read_fai(Path(f"{source}.fai"))
        ours = build_index(tmp_path / "g.fa")
        assert rows(ours) == rows(theirs)
        assert np.array_equal(ours.ends, theirs.ends)
