"""Where the genes of a GFF3 file lie in it: one pass, then each is read by itself."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple
from urllib.parse import unquote

import numpy as np

from polytene.exceptions import BadInput
from polytene.formats.gff3_groups import group
from polytene.formats.gff3_lines import (
    BEGIN,
    COLUMNS,
    COMMENT,
    DIRECTIVE,
    FIRST,
    GTF,
    KIND,
    LAST,
    LINE,
    PLACE,
    SEQ_END,
    STOP,
    Lines,
    read_lines,
)
from polytene.formats.gff3_text import Span
from polytene.formats.text import PathLike, decode, printable, read_blocks

BLOCK = 4 << 20
Piece = tuple[int, bytes, bool]


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
        Lines with ``#`` before the first feature or ``###``. Later ones belong to the feature
        that follows, or, before ``###`` and at the end, to the one before.
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
    index, taker = GffIndex(), _Taker(printable(path))
    pieces = _pieces(path)
    for base, text, is_fasta in pieces:
        if is_fasta:
            _take_fasta(index, _lines(base, text, pieces))
        else:
            taker.take(index, base, text)
    taker.close(index)
    return index


def _pieces(path: PathLike) -> Iterator[Piece]:
    """Yield first byte and text: of features up to some ``###``, then of FASTA, if there is any."""
    text, base, seen = bytearray(), 0, 0
    blocks = read_blocks(path, BLOCK)
    for block in blocks:
        text += block
        fasta = _fasta_of(text, seen)
        if fasta >= 0:
            yield base, bytes(text[:fasta]), False
            yield base + fasta, bytes(text[fasta:]), True
            base += len(text)
            for rest in blocks:
                yield base, rest, True
                base += len(rest)
            return
        mark = text.rfind(b"\n###", seen)
        if end := text.find(b"\n", mark + 4) + 1 if mark >= 0 else 0:
            yield base, bytes(text[:end]), False
            del text[:end]
            base += end
        seen = max(0, len(text) - len(b"\n##FASTA"))
    if text:
        yield base, bytes(text), False


def _fasta_of(text: bytearray, seen: int) -> int:
    """Return where FASTA begins behind what was searched before; -1."""
    if not seen and text.startswith((b">", b"##FASTA")):
        return 0
    found = [text.find(mark, seen) for mark in (b"\n>", b"\n##FASTA")]
    return min((at + 1 for at in found if at >= 0), default=-1)


def _lines(base: int, text: bytes, pieces: Iterator[Piece]) -> Iterator[tuple[int, bytes]]:
    """Yield first byte and text with its newline of each line of FASTA."""
    tail = b""
    while text:
        parts = (tail + text).split(b"\n")
        tail = parts.pop()
        for part in parts:
            yield base, part + b"\n"
            base += len(part) + 1
        _, text, _ = next(pieces, (0, b"", True))
    if tail:
        yield base, tail


def _take_directive(index: GffIndex, line: bytes) -> None:
    words = line.split()
    if words[0] == b"##sequence-region" and len(words) == 4:
        index.regions[decode(words[1])] = line
    elif words[0] != b"##gff-version" and line not in index.directives and len(line) > 2:
        index.directives.append(line)


def _take_fasta(index: GffIndex, lines: Iterator[tuple[int, bytes]]) -> None:
    name, begin, end = "", 0, 0
    for offset, line in lines:
        if line.startswith(b">"):
            if end:
                index.sequences.setdefault(name, (begin, end - begin))
            name, begin = decode((line[1:].split() or [b""])[0]), offset
        elif not name:
            continue
        end = offset + len(line)
    if end:
        index.sequences.setdefault(name, (begin, end - begin))


class _Taker:
    """Takes pieces of text into an index."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._lines = self._end = 0
        self._begun, self._held = False, -1
        self._seqids: dict[bytes, str] = {}

    def take(self, index: GffIndex, base: int, text: bytes) -> None:
        """Take a piece that ends where ``###`` could stand."""
        text = text if text.endswith(b"\n") else text + b"\n"
        found = read_lines(text)
        self._check(found)
        groups, spans, head, self._begun, self._held, lost = group(
            found, self._begun, self._held, base
        )
        if lost >= 0:
            line, first, last = found.names[lost, [LINE, FIRST, LAST]].tolist()
            raise BadInput(
                "missing-parent",
                f"{self._at(line)}: Parent={decode(text[first:last])} is not in the file, "
                "or ### has closed it before",
            )
        for i in np.flatnonzero(np.isin(found.lines[:, KIND], (COMMENT, DIRECTIVE))).tolist():
            begin, stop, kind = found.lines[i, [BEGIN, STOP, KIND]].tolist()
            if kind == DIRECTIVE:
                _take_directive(index, text[begin:stop].rstrip())
            elif i < head:
                index.comments.append(text[begin:stop].rstrip())
        self._take_groups(index, text, found, groups, spans)
        self._lines += len(found.lines)
        self._end = base + len(text)

    def _take_groups(
        self, index: GffIndex, text: bytes, found: Lines, groups: np.ndarray, spans: np.ndarray
    ) -> None:
        spans = spans[np.argsort(spans[:, 0], kind="stable")]
        bounds = np.searchsorted(spans[:, 0], np.arange(len(groups) + 1)).tolist()
        pairs = list(zip(spans[:, 1].tolist(), spans[:, 2].tolist(), strict=True))
        seqs = found.lines[groups[:, 0]][:, [BEGIN, SEQ_END]].tolist()
        for i, ((begin, stop), (_, start, end)) in enumerate(
            zip(seqs, groups.tolist(), strict=True)
        ):
            seqid = self._seqid(text[begin:stop])
            index.entries.append(Entry(seqid, start, end, tuple(pairs[bounds[i] : bounds[i + 1]])))

    def _seqid(self, raw: bytes) -> str:
        if raw not in self._seqids:
            text = decode(raw)
            self._seqids[raw] = unquote(text) if "%" in text else text
        return self._seqids[raw]

    def _check(self, found: Lines) -> None:
        wrong = np.flatnonzero(found.lines[:, KIND] < 0)
        if not wrong.size:
            return
        line = int(wrong[0])
        kind = int(found.lines[line, KIND])
        if kind == GTF:
            raise BadInput("gtf", f"{self._at(line)}: attributes as in GTF: convert it to GFF3")
        why = {
            COLUMNS: "it does not have the 9 columns of GFF3, with tabs between",
            PLACE: "its start and end are not 1 <= start <= end",
        }[kind]
        raise BadInput("bad-gff3", f"{self._at(line)}: {why}")

    def _at(self, line: int) -> str:
        return f"{self._name}: line {self._lines + line + 1:,}"

    def close(self, index: GffIndex) -> None:
        """Give comments at the end to the last feature."""
        if self._held >= 0 and index.entries:
            last = index.entries[-1]
            spans = (*last.spans, (self._held, self._end - self._held))
            index.entries[-1] = last._replace(spans=spans)
