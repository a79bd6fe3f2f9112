"""Splice junctions as text: STAR's SJ.out.tab, and BED."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from polytene.exceptions import BadInput
from polytene.formats.text import (
    PathLike,
    decode,
    printable,
    read_blocks,
    read_lines,
    unix_newlines,
)

STAR_STRANDS = {b"0": ".", b"1": "+", b"2": "-"}


class Junction(NamedTuple):
    """An intron that reads span; 0-based and half-open; strand ``.`` where it is not known."""

    seqid: str
    start: int
    end: int
    strand: str
    reads: int


def read_junctions(path: PathLike) -> Iterator[Junction]:
    r"""Yield the junctions of a file, plain or gzip; STAR's table and BED are told apart.

    Of STAR's table, reads are those that map to one place. BED may have 3 to 12 columns: with
    12 (regtools, TopHat) the introns lie between the blocks, else the line is the intron. Its
    score is the number of reads, 1 where there is none.

    Raises
    ------
    BadInput
        ``bad-junctions`` with the line.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> path = pathlib.Path(tempfile.mkdtemp(), "SJ.out.tab")
    >>> _ = path.write_text("chr1\t14624\t14668\t2\t2\t1\t7\t1\t30\n")
    >>> list(read_junctions(path))
    [Junction(seqid='chr1', start=14623, end=14668, strand='-', reads=7)]
    """
    name = printable(path)
    for number, line in enumerate(read_lines(unix_newlines(read_blocks(path)), name), 1):
        if not line.strip() or line.startswith((b"#", b"track", b"browser")):
            continue
        fields = line.split(b"\t") if b"\t" in line else line.split()
        try:
            yield from _star(fields) if _is_star(fields) else _bed(fields)
        except (ValueError, IndexError):
            raise BadInput(
                "bad-junctions",
                f"{name}: line {number:,}: {printable(decode(line[:80]))!r} is no line of STAR's "
                "SJ.out.tab (9 columns of numbers) or of BED (name, start, end, ...)",
            ) from None


def _is_star(fields: list[bytes]) -> bool:
    return len(fields) == 9 and fields[3] in STAR_STRANDS and all(f.isdigit() for f in fields[1:])


def _star(fields: list[bytes]) -> Iterator[Junction]:
    start, end = int(fields[1]) - 1, int(fields[2])
    if not 0 <= start < end:
        raise ValueError
    yield Junction(decode(fields[0]), start, end, STAR_STRANDS[fields[3]], int(fields[6]))


def _bed(fields: list[bytes]) -> Iterator[Junction]:
    start, end = int(fields[1]), int(fields[2])
    if not 0 <= start < end:
        raise ValueError
    strand = decode(fields[5]) if len(fields) > 5 and fields[5] in (b"+", b"-") else "."
    reads = int(float(fields[4])) if len(fields) > 4 and fields[4] != b"." else 1
    seqid = decode(fields[0])
    if len(fields) < 12:
        yield Junction(seqid, start, end, strand, reads)
        return
    sizes, firsts = ([int(v) for v in f.split(b",") if v] for f in (fields[10], fields[11]))
    for i in range(int(fields[9]) - 1):
        low, high = start + firsts[i] + sizes[i], start + firsts[i + 1]
        if low < high:
            yield Junction(seqid, low, high, strand, reads)
