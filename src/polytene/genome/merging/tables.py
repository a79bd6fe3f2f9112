"""Tables as text, joined under one header; and plain concatenation."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from polytene.exceptions import BadInput
from polytene.formats.text import read_blocks
from polytene.genome.merging.files import Merged, Part, Write, whole_file
from polytene.genome.merging.shared import shared_lines, shown

HEAD_BYTES = 1 << 24


@dataclass(frozen=True)
class Head:
    """The beginning of a table: its comments, its header, and where its rows begin."""

    comments: list[bytes] = field(default_factory=list)
    header: bytes | None = None
    nbytes: int = 0
    first_row: bytes | None = None


def merge_tsv(parts: Sequence[Part], output: Path) -> Merged:
    """Join tables, such as TSV or CSV, that have the same header.

    Rows stay as they are, byte for byte and in the order of the parts. Comments before the header
    are written once, those that not all tables share are left out and noted. Empty files and
    tables without rows are fine.

    Parameters
    ----------
    parts
        The tables in the order of the result; gzip is recognised by content.
    output
        File to write; its name decides whether it is compressed.

    Raises
    ------
    BadInput
        ``headers-differ``, ``no-header``, or what :func:`polytene.formats.text.read_blocks` says.
    """
    heads = _uncommented([read_head(part) for part in parts])
    header = _common_header(parts, heads)
    comments, notes = shared_lines(parts, [head.comments for head in heads])
    rows = 0
    with whole_file(output) as write:
        for line in (*comments, *([header] if header is not None else [])):
            write(line + b"\n")
        for part, head in zip(parts, heads, strict=True):
            rows += _copy_rows(part, head.nbytes, write)
    return Merged(len(parts), rows, notes)


def read_head(part: Part) -> Head:
    """Return the comments and the header of a table.

    Comments are the lines at the start that begin with ``#``. The last of them is the header if
    it has as many tab-separated fields as the line after it, and more than one, as in
    ``#chrom	start	end``.
    """
    text = b""
    blocks = read_blocks(part.path)
    for block in blocks:
        text += block
        if _first_row(text, whole=False) is not None:
            break
        if len(text) > HEAD_BYTES:
            raise BadInput("no-header", f"{part.name}: no header in its first {len(text):,} bytes")
    place = _first_row(text, whole=True)
    before = text if place is None else text[:place]
    comments = [c for c in before.split(b"\n") if c.strip()]
    row = None if place is None else _line_at(text, place)
    if comments and _names_columns(comments[-1], row):
        return Head(comments[:-1], comments[-1], len(before), row)
    if row is None:
        return Head(comments, None, len(before))
    return Head(comments, row, len(before) + len(row) + 1)


def _uncommented(heads: list[Head]) -> list[Head]:
    """Take a row that all tables begin with for the header, and what seemed to be it for a comment.

    Where a comment has by chance as many tabs as the header that follows it.
    """
    rows = [h.first_row for h in heads if h.first_row is not None]
    if len(rows) < 2 or len(set(rows)) > 1:
        return heads
    return [
        h
        if h.header is None
        else Head(
            [*h.comments, h.header],
            h.first_row,
            h.nbytes + (0 if h.first_row is None else len(h.first_row) + 1),
        )
        for h in heads
    ]


def _line_at(text: bytes, place: int) -> bytes:
    end = text.find(b"\n", place)
    return text[place : end if end >= 0 else len(text)]


def _first_row(text: bytes, *, whole: bool) -> int | None:
    """Return where the first line without ``#`` begins; None if it is not all there yet."""
    place = 0
    while place < len(text):
        end = text.find(b"\n", place)
        if end < 0 and not whole:
            return None
        line = _line_at(text, place)
        if line.strip() and not line.startswith(b"#"):
            return place
        if end < 0:
            return None
        place = end + 1
    return None


def _names_columns(comment: bytes, row: bytes | None) -> bool:
    """Whether a comment is the header of the row after it."""
    tabs = comment.count(b"\t")
    return tabs > 0 and not comment.startswith(b"##") and (row is None or row.count(b"\t") == tabs)


def _common_header(parts: Sequence[Part], heads: Sequence[Head]) -> bytes | None:
    known: tuple[Part, bytes] | None = None
    for part, head in zip(parts, heads, strict=True):
        if head.header is None:
            continue
        if known is None:
            known = part, head.header
        elif head.header != known[1]:
            raise BadInput(
                "headers-differ",
                f"{part.name} begins with {shown(head.header)}, {known[0].name} with "
                f"{shown(known[1])}: tables are joined under one header; for files without "
                "headers use --type concat",
            )
    return None if known is None else known[1]


def _copy_rows(part: Part, skip: int, write: Write) -> int:
    rows = 0
    last = b"\n"
    for block in _after(part.path, skip):
        rows += block.count(b"\n")
        last = block[-1:]
        write(block)
    if last != b"\n":
        write(b"\n")
        rows += 1
    return rows


def _after(path: Path, skip: int) -> Iterator[bytes]:
    for block in read_blocks(path):
        if skip < len(block):
            yield block[skip:] if skip else block
        skip = max(0, skip - len(block))


def concat(parts: Sequence[Part], output: Path) -> Merged:
    """Join files as they are; text without a newline at its end gets one.

    A part that holds a NUL byte is no text, and nothing is added to it.
    """
    with whole_file(output) as write:
        for part in parts:
            last, binary = b"\n", False
            for block in read_blocks(part.path):
                last = block[-1:]
                binary = binary or b"\0" in block
                write(block)
            if last != b"\n" and not binary:
                write(b"\n")
    return Merged(len(parts))
