"""Where the genes of a GFF3 file lie in it: one pass, then each is read by itself."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from polytene.exceptions import BadInput
from polytene.formats.text import PathLike, decode, printable, read_blocks

_LINKS = re.compile(rb"(?:^|;)\s*(ID|Parent|Derives_from)=([^;\r]*)")
_GTF = re.compile(rb"\s*\w+ \"")
Span = tuple[int, int]


class Entry(NamedTuple):
    """A gene with its parts, or a feature that stands alone.

    Parameters
    ----------
    seqid
        As it stands in the file, unescaped.
    start, end
        What its features cover, 0-based and half-open.
    spans
        First byte and number of bytes of its lines in the text of the file, in file order.
    """

    seqid: str
    start: int
    end: int
    spans: tuple[Span, ...]


@dataclass
class GffIndex:
    """The genes and other features of a GFF3 file, in file order.

    Parameters
    ----------
    entries
        What stands in the file.
    directives
        Lines with ``##`` that stand for the whole file, without ``##gff-version``,
        ``##sequence-region`` and ``##FASTA``.
    regions
        ``##sequence-region`` lines by their sequence.
    comments
        Lines with ``#`` before the first feature.
    sequences
        First byte and size of each FASTA record behind the features, by its name.
    """

    entries: list[Entry] = field(default_factory=list)
    directives: list[bytes] = field(default_factory=list)
    regions: dict[str, bytes] = field(default_factory=dict)
    comments: list[bytes] = field(default_factory=list)
    sequences: dict[str, Span] = field(default_factory=dict)


def index_gff3(path: PathLike) -> GffIndex:
    r"""Return where each gene of a GFF3 file, with all its parts, lies in it.

    Features belong together that ID, Parent and Derives_from join between two ``###``.

    Parameters
    ----------
    path
        The file, plain or gzip.

    Raises
    ------
    BadInput
        ``bad-gff3`` or ``gtf`` with the line, ``missing-parent``, and whatever
        :func:`polytene.formats.text.read_blocks` raises.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> path = pathlib.Path(tempfile.mkdtemp(), "g.gff3")
    >>> rows = [
    ...     b"chr1\t.\tgene\t11\t20\t.\t+\t.\tID=g",
    ...     b"chr1\t.\tmRNA\t11\t18\t.\t+\t.\tParent=g",
    ... ]
    >>> _ = path.write_bytes(b"\n".join(rows) + b"\n")
    >>> index_gff3(path).entries
    [Entry(seqid='chr1', start=10, end=20, spans=((0, 62),))]
    """
    index, section = GffIndex(), _Section(printable(path))
    lines = _lines(path)
    held = -1
    for number, offset, line in lines:
        mark = line[:1]
        if mark == b"#":
            if line.startswith(b"###"):
                index.entries += section.close()
                held = -1
            elif line.startswith(b"##FASTA"):
                _take_fasta(index, lines)
            elif line.startswith(b"##"):
                _take_directive(index, line.rstrip())
            elif not index.entries and not section.begun:
                index.comments.append(line.rstrip())
            else:
                held = offset if held < 0 else held
        elif mark == b">":
            _take_fasta(index, lines, (number, offset, line))
        elif line.strip():
            section.add(number, held if held >= 0 else offset, offset + len(line), line)
            held = -1
    index.entries += section.close()
    return index


def _lines(path: PathLike) -> Iterator[tuple[int, int, bytes]]:
    """Yield number from 1, first byte, and text with its newline of each line."""
    number = offset = 0
    tail = b""
    for block in read_blocks(path):
        parts = (tail + block).split(b"\n")
        tail = parts.pop()
        for part in parts:
            number += 1
            yield number, offset, part + b"\n"
            offset += len(part) + 1
    if tail:
        yield number + 1, offset, tail


def _take_directive(index: GffIndex, line: bytes) -> None:
    words = line.split()
    if words[0] == b"##sequence-region" and len(words) == 4:
        index.regions[decode(words[1])] = line
    elif words[0] != b"##gff-version" and line not in index.directives and len(line) > 2:
        index.directives.append(line)


def _take_fasta(
    index: GffIndex,
    lines: Iterator[tuple[int, int, bytes]],
    first: tuple[int, int, bytes] | None = None,
) -> None:
    name, begin, end = "", 0, 0
    for _, offset, line in (*([first] if first else []), *lines):
        if line.startswith(b">"):
            if end:
                index.sequences.setdefault(name, (begin, end - begin))
            name, begin = decode((line[1:].split() or [b""])[0]), offset
        end = offset + len(line)
    if end:
        index.sequences.setdefault(name, (begin, end - begin))


class _Section:
    """The features between two ``###``."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._clear()

    def _clear(self) -> None:
        self._rows: list[tuple[bytes, int, int, int, int, bytes | int]] = []
        self._above: dict[bytes | int, bytes | int] = {}
        self._known: set[bytes] = set()
        self._parents: dict[bytes, int] = {}

    @property
    def begun(self) -> bool:
        return bool(self._rows)

    def add(self, number: int, begin: int, end: int, line: bytes) -> None:
        fields = line.split(b"\t")
        if len(fields) != 9:
            raise self._wrong(number, f"{len(fields)} columns where GFF3 has 9, with tabs between")
        try:
            low, high = int(fields[3]), int(fields[4])
        except ValueError:
            low, high = 0, 0
        if not 1 <= low <= high:
            raise self._wrong(number, "its start and end are not 1 <= start <= end")
        if _GTF.match(fields[8]):
            detail = f"{self._name}: line {number:,}: attributes as in GTF: convert it to GFF3"
            raise BadInput("gtf", detail)
        key: bytes | int | None = None
        for tag, value in _LINKS.findall(fields[8]):
            for name in [value] if tag == b"ID" else value.split(b","):
                name = name.strip()
                if not name:
                    continue
                if tag == b"ID":
                    self._known.add(name)
                else:
                    self._parents.setdefault(name, number)
                if key is None:
                    key = name
                else:
                    self._join(key, name)
        self._rows.append((fields[0], low - 1, high, begin, end, number if key is None else key))

    def _top(self, name: bytes | int) -> bytes | int:
        above = self._above
        while (up := above.get(name, name)) != name:
            above[name] = above.get(up, up)
            name = up
        return name

    def _join(self, one: bytes | int, other: bytes | int) -> None:
        one, other = self._top(one), self._top(other)
        if one != other:
            self._above[other] = one

    def close(self) -> list[Entry]:
        for parent, number in self._parents.items():
            if parent not in self._known:
                detail = (
                    f"{self._name}: line {number:,}: Parent={decode(parent)} is not in the file"
                )
                raise BadInput("missing-parent", f"{detail}, or ### has closed it before")
        found: dict[bytes | int, list[tuple[bytes, int, int, int, int]]] = {}
        for *row, key in self._rows:
            found.setdefault(self._top(key), []).append(tuple(row))  # type: ignore[arg-type]
        self._clear()
        return [_entry(rows) for rows in found.values()]

    def _wrong(self, number: int, why: str) -> BadInput:
        return BadInput("bad-gff3", f"{self._name}: line {number:,}: {why}")


def _entry(rows: list[tuple[bytes, int, int, int, int]]) -> Entry:
    spans: list[Span] = []
    for _, _, _, begin, end in rows:
        if spans and sum(spans[-1]) == begin:
            spans[-1] = (spans[-1][0], end - spans[-1][0])
        else:
            spans.append((begin, end - begin))
    from urllib.parse import unquote

    seqid = decode(rows[0][0])
    seqid = unquote(seqid) if "%" in seqid else seqid
    return Entry(seqid, min(r[1] for r in rows), max(r[2] for r in rows), tuple(spans))


class GffText:
    """The text of a GFF3 file, by byte; only gzip that is not BGZF is held in memory."""

    def __init__(self, path: PathLike) -> None:
        from polytene.formats.bgzf import is_bgzf, is_gzip_only, open_bgzf

        self._bgzf = open_bgzf(path) if is_bgzf(path) else None
        self._text = b"".join(read_blocks(path)) if is_gzip_only(path) else None
        self._file = None if self._bgzf or self._text is not None else open(path, "rb")  # noqa: SIM115

    def read(self, offset: int, size: int) -> bytes:
        """Return some bytes of the text."""
        if self._text is not None:
            return self._text[offset : offset + size]
        if self._bgzf is not None:
            return self._bgzf.read(offset, offset + size)
        assert self._file is not None
        self._file.seek(offset)
        return self._file.read(size)


def in_span(starts: list[int], low: int, high: int) -> range:
    """Return which of sorted starts lie in ``low`` to ``high``, not included."""
    return range(bisect_left(starts, low), bisect_left(starts, high))
