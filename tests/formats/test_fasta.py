from __future__ import annotations

import gzip
import itertools
import time
from pathlib import Path

import pytest
from Bio import SeqIO
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from polytene.exceptions import BadInput
from polytene.formats.fasta import NUCLEOTIDES, FastaRecord, nucleotide_check, read_fasta
from polytene.formats.sniff import describe, sniff

SAME_FOLDER = settings(
    deadline=None,
    max_examples=150,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
REAL = [
    "HighlyExpressedGenes.txt",
    "NC_005816.ffn",
    "NC_005816.fna",
    "human_mt_cds.fa",
    "expected/yeast300.fa",
]


def parse(folder: Path, content: bytes, block_bytes: int | None = None) -> list[FastaRecord]:
    path = folder / "x.fa"
    path.write_bytes(content)
    return list(read_fasta(path, block_bytes))


@pytest.mark.parametrize("name", REAL)
def test_real_files_read_as_biopython_reads_them(shared_data: Path, name: str) -> None:
    path = shared_data / "codons" / name
    expected = list(SeqIO.parse(path, "fasta"))
    records = list(read_fasta(path))
    assert [record.id for record in records] == [record.id for record in expected]
    assert [record.sequence.decode() for record in records] == [str(r.seq) for r in expected]
    shown = [f"{record.id} {record.description}".strip() for record in records]
    assert shown == [record.description for record in expected]
    assert not any(nucleotide_check(record.sequence) for record in records)


words = st.text(st.characters(codec="utf-8", categories=["L", "N", "P", "S"]), min_size=1)
letters = st.text("ACGTNacgtn-*>;", max_size=60).map(lambda text: text.lstrip(">;"))
models = st.lists(st.tuples(words, st.lists(words, max_size=3), letters), min_size=1, max_size=6)


@st.composite
def texts(draw: st.DrawFn) -> tuple[list[FastaRecord], bytes]:
    """A list of records and one of the many ways to write them."""
    newline = draw(st.sampled_from([b"\n", b"\r\n", b"\r"]))
    lines: list[bytes] = [b""] * draw(st.integers(0, 2))
    records = []
    for name, rest, sequence in draw(models):
        records.append(FastaRecord(name, " ".join(rest), sequence.encode(), len(lines) + 1))
        header = " ".join([name, *rest])
        lines.append(b">" + b" " * draw(st.integers(0, 2)) + header.encode())
        lines += wrapped(sequence, draw(st.integers(1, 70)))
        lines += [draw(st.sampled_from([b"", b"  ", b"; a > comment", b";"]))]
    end = newline if draw(st.booleans()) else b""
    return records, newline.join(lines) + end


def wrapped(sequence: str, width: int) -> list[bytes]:
    """Lines of `width` letters, of which none begins like a header or a comment."""
    cuts = [0]
    while cuts[-1] < len(sequence):
        cut = cuts[-1] + width
        while cut < len(sequence) and sequence[cut] in ">;":
            cut += 1
        cuts.append(cut)
    return [sequence[a:b].encode() for a, b in itertools.pairwise(cuts)]


@SAME_FOLDER
@given(written=texts(), block_bytes=st.one_of(st.integers(1, 7), st.none()), zipped=st.booleans())
def test_records_survive_writing_and_reading(
    tmp_path: Path, written: tuple[list[FastaRecord], bytes], block_bytes: int, zipped: bool
) -> None:
    records, content = written
    assert parse(tmp_path, gzip.compress(content) if zipped else content, block_bytes) == records


@SAME_FOLDER
@given(content=st.text("\n\r >;ab\t", max_size=40).map(str.encode), block_bytes=st.integers(1, 7))
def test_any_text_reads_the_same_in_any_blocks(
    tmp_path: Path, content: bytes, block_bytes: int
) -> None:
    assert outcome(tmp_path, content, block_bytes) == outcome(tmp_path, content, None)


def outcome(folder: Path, content: bytes, block_bytes: int | None) -> object:
    try:
        return parse(folder, content, block_bytes)
    except BadInput as error:
        return error.reason


@pytest.mark.parametrize(
    ("content", "reason", "says"),
    [
        (b"", "empty-file", "x.fa"),
        (b" \n\r\n\t\n", "empty-file", "x.fa"),
        (b"; only a comment\n", "empty-file", "x.fa"),
        (b"\n\nACGT\n>a\nAC\n", "not-fasta", "line 3: .*begins with b'ACGT"),
        (b"  >a\nACGT\n", "not-fasta", "line 1"),
        (b"LOCUS       X 4 bp\n", "not-fasta", "GenBank"),
        (b"@read1\nACGT\n+\nIIII\n", "not-fasta", "FASTQ"),
        (b"PAR1\x15\x04", "not-fasta", "Parquet"),
        (gzip.compress(gzip.compress(b">a\nA\n")), "not-fasta", "gzip inside gzip"),
        (b"<!DOCTYPE html>", "not-fasta", "web page"),
        (b"\xef\xbb\xbf>a\nACGT\n", "not-fasta", "byte-order mark"),
        (b">a\nAC\n\n>\nGT\n", "no-id", "line 4"),
        (b">  \t\nGT\n", "no-id", "line 1"),
        (b">", "no-id", "line 1"),
    ],
)
def test_what_is_wrong_is_said(tmp_path: Path, content: bytes, reason: str, says: str) -> None:
    with pytest.raises(BadInput, match=says) as caught:
        parse(tmp_path, content)
    assert caught.value.reason == reason


def test_records_before_an_error_are_yielded(tmp_path: Path) -> None:
    path = tmp_path / "x.fa"
    path.write_bytes(b">a\nAC\n>\nGT\n")
    records = read_fasta(path)
    assert next(records) == FastaRecord("a", "", b"AC", 1)
    with pytest.raises(BadInput, match="no-id"):
        next(records)


def test_gzip_cut_anywhere_never_gives_fewer_records_in_silence(tmp_path: Path) -> None:
    whole = gzip.compress(b">a\nACGTTTGA\n>b\nAAAC\n>c\nGGT\n")
    for size in range(len(whole)):
        with pytest.raises(BadInput):
            parse(tmp_path, whole[:size])


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (b"../../etc/passwd", "../../etc/passwd"),
        (b"/", "/"),
        (b"a\x1b[2Jb", "a\x1b[2Jb"),
        (b"'\"`$(x)", "'\"`$(x)"),
        (b"a\xffb", "a\\xffb"),
        ("é≠".encode(), "é≠"),
    ],
)
def test_hostile_names_are_kept_as_names(tmp_path: Path, raw: bytes, expected: str) -> None:
    (record,) = parse(tmp_path, b">" + raw + b"\ttabbed\x01text\nAC")
    assert (record.id, record.description) == (expected, "tabbed\x01text")


def test_a_header_without_end_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("polytene.formats.text.MAX_LINE_BYTES", 1000)
    with pytest.raises(BadInput, match="line-too-long"):
        parse(tmp_path, b">" + b"a" * 5000, 100)


def test_one_long_line_takes_linear_time(tmp_path: Path) -> None:
    path = tmp_path / "long.fa"
    with path.open("wb") as file:
        file.write(b">chr1\n")
        for _ in range(200):
            file.write(b"ACGT" * 250_000)
    started = time.perf_counter()
    (record,) = read_fasta(path, 1 << 16)
    assert len(record.sequence) == 200_000_000
    assert time.perf_counter() - started < 20


@given(st.binary(max_size=50))
def test_nucleotide_check_finds_the_first_foreign_byte(sequence: bytes) -> None:
    foreign = [(at, byte) for at, byte in enumerate(sequence) if byte not in NUCLEOTIDES]
    assert nucleotide_check(sequence) == (foreign[0] if foreign else None)


def test_letters_of_proteins_are_foreign() -> None:
    assert all(nucleotide_check(bytes([byte])) for byte in b"EFIJLOPQZefijlopqz*0123456789 >\n")
    assert nucleotide_check(NUCLEOTIDES + b"acgtuACGTU") is None


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"\n" * 2000 + b">a\nAC", "fasta"),
        (b"; old\n>a\nAC", "fasta"),
        (b"  \nLOCUS       X", "genbank"),
        (b"GBBCT1.SEQ          Genetic Sequence Data Bank\n", "genbank"),
    ],
)
def test_sniffing(tmp_path: Path, content: bytes, expected: str) -> None:
    path = tmp_path / "x"
    path.write_bytes(gzip.compress(content))
    assert sniff(path) == expected


@pytest.mark.parametrize(
    ("content", "reason"), [(b" \n", "empty-file"), (b"seq\tname\n", "unknown-format")]
)
def test_sniffing_in_vain(tmp_path: Path, content: bytes, reason: str) -> None:
    path = tmp_path / "x"
    path.write_bytes(content)
    with pytest.raises(BadInput, match=reason):
        sniff(path)


@given(st.binary(max_size=40))
def test_any_bytes_can_be_described(head: bytes) -> None:
    assert describe(head).isprintable()
