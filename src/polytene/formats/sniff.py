"""Tell what a file holds from its first bytes."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from typing import Literal

from polytene.exceptions import BadInput
from polytene.formats.text import PathLike, peek, printable, read_blocks

_SIGNS: tuple[tuple[bytes, str], ...] = (
    (b"\x1f\x8b", "gzip inside gzip"),
    (b"BZh", "bzip2"),
    (b"\xfd7zXZ\0", "xz"),
    (b"\x28\xb5\x2f\xfd", "Zstandard"),
    (b"PK\x03\x04", "a zip archive"),
    (b"PAR1", "Parquet"),
    (b"ARROW1", "Arrow IPC"),
    (b"BAM\1", "BAM"),
    (b"\x89HDF", "HDF5"),
    (b"\xef\xbb\xbf", "text that begins with a byte-order mark; save it without one"),
    (b"\xff\xfe", "UTF-16 text; save it as UTF-8"),
    (b"\xfe\xff", "UTF-16 text; save it as UTF-8"),
    (b"LOCUS ", "GenBank"),
    (b"ID   ", "EMBL"),
    (b"##gff", "GFF3"),
    (b"##fileformat=VCF", "VCF"),
    (b"#!", "a script"),
    (b"<", "XML or HTML, such as a web page saved instead of the file"),
    (b"{", "JSON"),
    (b"[", "JSON"),
    (b"@", "FASTQ or SAM"),
    (b">", "FASTA"),
    (b";", "FASTA"),
)

RELEASE_BANNER = b"Genetic Sequence Data Bank"


def sniff(path: PathLike) -> Literal["fasta", "genbank"]:
    r"""Return the format of a sequence file, plain or compressed, by its content.

    Raises
    ------
    BadInput
        ``empty-file`` or ``unknown-format``, or whatever :func:`read_blocks` finds at the start.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> path = pathlib.Path(tempfile.mkdtemp(), "plasmid")
    >>> _ = path.write_bytes(b"LOCUS       NC_005816 9609 bp DNA circular\n")
    >>> sniff(path)
    'genbank'
    """
    what = describe(_first_text(read_blocks(path)))
    if what == "nothing":
        raise empty_file(printable(path))
    if what in ("FASTA", "GenBank"):
        return "fasta" if what == "FASTA" else "genbank"
    raise BadInput(
        "unknown-format", f"{printable(path)}: expected FASTA or GenBank; this is {what}"
    )


def describe(head: bytes) -> str:
    """Say what a file that begins with `head` is, in words for an error message.

    Examples
    --------
    >>> describe(b"@read1"), describe(b"PAR1"), describe(b"  ")
    ('FASTQ or SAM', 'Parquet', 'nothing')
    """
    text = head.lstrip()
    if not text:
        return "nothing"
    if RELEASE_BANNER in text.splitlines()[0]:
        return "GenBank"
    for sign, what in _SIGNS:
        if text.startswith(sign):
            return what
    return f"something that begins with {text[:20]!r}"


def _first_text(blocks: Iterator[bytes]) -> bytes:
    for block in blocks:
        if text := block.lstrip():
            return peek(chain([text], blocks))[0]
    return b""


def empty_file(name: str) -> BadInput:
    """Return the error for a file without a record."""
    return BadInput("empty-file", f"{name}: no record in it; expected at least one")
