"""A genome by name and place: the same bases as pyfaidx, plain, bgzipped, mapped or read."""

from __future__ import annotations

import gzip
import shutil
import struct
import zlib
from pathlib import Path

import numpy as np
import pyfaidx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from polytene.exceptions import BadInput, UsageError
from polytene.formats.bgzf import is_bgzf, open_bgzf
from polytene.genome import Genome, Region, n_runs, plan_chunks


def bgzip(text: bytes, block: int = 700) -> bytes:
    """Compress as the SAM specification has it."""
    out = []
    for at in [*range(0, len(text), block), None]:
        data = b"" if at is None else text[at : at + block]
        packer = zlib.compressobj(6, zlib.DEFLATED, -15)
        packed = packer.compress(data) + packer.flush()
        head = b"\x1f\x8b\x08\x04\0\0\0\0\0\xff\x06\0BC\x02\0" + struct.pack("<H", len(packed) + 25)
        out.append(head + packed + struct.pack("<II", zlib.crc32(data), len(data)))
    return b"".join(out)


@pytest.fixture(scope="module")
def bgzipped(assembly, tmp_path_factory) -> Genome:
    path = tmp_path_factory.mktemp("bgzf") / "genome.fa.gz"
    path.write_bytes(bgzip(assembly.fasta.read_bytes()))
    return Genome(path)


def test_every_sequence_is_that_of_a_plain_reading(genome, bgzipped, sequences):
    slow = Genome(genome.path, reader="pread")
    for opened in (genome, bgzipped, slow):
        assert opened.lengths == {k: len(v) for k, v in sequences.items()}
        for name, expected in sequences.items():
            assert opened.fetch(Region(name, 0, len(expected))) == expected


@given(st.data())
def test_any_region_is_that_of_pyfaidx(genome, bgzipped, data):
    theirs = pyfaidx.Fasta(genome.path)
    name = data.draw(st.sampled_from(genome.names))
    length = genome.lengths[name]
    start = data.draw(st.integers(0, length))
    end = data.draw(st.integers(start, length))
    expected = str(theirs[name][start:end]) if start < end else ""
    region = Region(name, start, end)
    assert genome.fetch(region) == bgzipped.fetch(region) == expected
    other = (-theirs[name][start:end]).seq if start < end else ""
    assert genome.get_sequence(name, start, end, strand="-") == other


@pytest.mark.parametrize("newline", [b"\n", b"\r\n"])
def test_crlf_and_no_final_newline(tmp_path, newline):
    path = tmp_path / "g.fa"
    path.write_bytes(newline.join([b">a", b"ACGTA", b"CG", b">b", b"TTTTT", b"G"]))
    genome = Genome(path)
    assert [genome.fetch(n) for n in genome.names] == ["ACGTACG", "TTTTTG"]


def test_a_gzi_says_the_same_as_a_scan(bgzipped):
    scanned = open_bgzf(bgzipped.path)
    packed, plain = scanned.packed[1:-1], scanned.plain[1:-1]
    rows = np.stack([packed, plain], axis=1).astype("<i8").tobytes()
    Path(f"{bgzipped.path}.gzi").write_bytes(struct.pack("<q", len(packed)) + rows)
    named = open_bgzf(bgzipped.path)
    assert named.plain.tolist() == scanned.plain.tolist()
    assert named.packed.tolist() == scanned.packed.tolist()
    Path(f"{bgzipped.path}.gzi").write_bytes(b"nonsense")
    assert open_bgzf(bgzipped.path).size == scanned.size
    assert is_bgzf(bgzipped.path)


def test_a_damaged_block_is_named(bgzipped, tmp_path):
    path = tmp_path / "g.fa.gz"
    data = bytearray(Path(bgzipped.path).read_bytes())
    shutil.copyfile(f"{bgzipped.path}.fai", f"{path}.fai")
    data[400] ^= 0xFF
    path.write_bytes(data)
    with pytest.raises(BadInput, match="damaged-gzip"):
        open_bgzf(path).read(0, 60_000)


def test_regions_as_people_write_them(genome):
    assert genome.fetch("chr1:1-5") == genome.fetch(Region("chr1", 0, 5))
    assert len(genome.fetch("chr2")) == genome.lengths["chr2"]
    with pytest.raises(UsageError, match="did you mean chr1"):
        genome.fetch("Chr1:1-5")
    with pytest.raises(UsageError, match="not inside"):
        genome.fetch(Region("chr1", 0, 10**9))
    with pytest.raises(UsageError, match="did you mean chr1"):
        genome.get_length("1")
    with pytest.raises(UsageError, match="strand"):
        genome.fetch("chr1:1-5", strand="x")


def test_a_genome_of_lengths_alone():
    genome = Genome.from_lengths({"a": 10, "b": 0, "c": 5})
    assert (len(genome), genome.total_bases, "c" in genome) == (3, 15, True)
    with pytest.raises(UsageError, match="not its bases"):
        genome.bases("a:1-5")
    for lengths in ({}, {"a": -1}, [("a", 1), ("a", 2)]):
        with pytest.raises(UsageError):
            Genome.from_lengths(lengths)


def naive_runs(sequences: dict[str, str], least: int) -> list[tuple]:
    import re

    return [(name, m.start(), m.end()) for name, text in sequences.items()
            for m in re.finditer("[Nn]+", text) if m.end() - m.start() >= least]  # fmt: skip


@pytest.mark.parametrize("least", [1, 100, 300, 10**6])
def test_runs_of_n(genome, bgzipped, sequences, least):
    expected = naive_runs(sequences, least)
    assert n_runs(genome, min_length=least) == expected
    assert n_runs(bgzipped, min_length=least) == expected
    if least == 100:
        assert len(expected) > 3


@given(st.text("ACGTNn", min_size=1, max_size=60), st.integers(1, 9), st.integers(1, 4))
def test_runs_of_n_in_any_sequence(tmp_path_factory, text, width, least):
    path = tmp_path_factory.mktemp("n") / "g.fa"
    path.write_text(">s\n" + "\n".join(text[i : i + width] for i in range(0, len(text), width)))
    assert n_runs(Genome(path), min_length=least) == naive_runs({"s": text}, least)


def test_chunks_read_their_bases(genome, assembly, sequences):
    plan = plan_chunks(genome, assembly.gff3, n_chunks=5, halo=20)
    for reader in ("memmap", "pread"):
        for halo in (False, True):
            found = [
                (region, bases.tobytes().decode())
                for chunk in plan
                for region, bases in chunk.sequences(halo=halo, reader=reader)
            ]
            assert all(sequences[r.seqid][r.start : r.end] == text for r, text in found)
        assert sum(len(text) for _, text in found) > 60_000


def test_a_worker_opens_no_index(tmp_path, monkeypatch):
    """A file of 120,000 sequences is mapped, and nothing else of it is read."""
    path = tmp_path / "g.fa"
    path.write_bytes(b"".join(b">scaffold_%d\nACGTACGT\n" % i for i in range(120_000)))
    plan = plan_chunks(path, n_chunks=600, cost="bp")
    chunk = plan[300]
    monkeypatch.setattr("polytene.formats.fai.load_index", None)
    found = {bases.tobytes() for _, bases in chunk.sequences()}
    assert found == {b"ACGTACGT"}


def test_a_file_that_changed_is_noticed(tmp_path):
    path = tmp_path / "g.fa"
    path.write_bytes(b">a\nACGT\nACGT\n")
    genome = Genome(path)
    plan = plan_chunks(genome, n_chunks=2)
    path.write_bytes(b">a\nACGTA\nCGT\nG\n")
    with pytest.raises(BadInput, match="not the file that was planned"):
        genome.fetch("a:1-4")
    with pytest.raises(BadInput, match="genome-changed"):
        [list(chunk.sequences()) for chunk in plan]


def test_plain_gzip_has_no_places(tmp_path, assembly):
    path = tmp_path / "g.fa.gz"
    path.write_bytes(gzip.compress(assembly.fasta.read_bytes()))
    with pytest.raises(BadInput, match="not-bgzip"):
        Genome(path)
