"""Bases out of a FASTA file whose places are known: nothing is parsed, nothing is opened twice."""

from __future__ import annotations

import mmap
import os
from collections.abc import Iterator
from functools import lru_cache
from typing import Any, Literal, NamedTuple, Protocol

import numpy as np

from polytene.exceptions import BadInput, UsageError
from polytene.formats.bgzf import Bgzf, is_bgzf, open_bgzf
from polytene.formats.text import printable

Reader = Literal["memmap", "pread"]
Bytes = np.ndarray[Any, np.dtype[np.uint8]]
BLOCK = 8 << 20
LF, CR = 10, 13


class Layout(NamedTuple):
    """Where a sequence lies in the text of its file.

    Parameters
    ----------
    offset
        Byte of its first base.
    line_bases, line_width
        Bases and bytes of a full line.
    """

    offset: int
    line_bases: int
    line_width: int

    def byte(self, position: int) -> int:
        """Return the byte of a 0-based position."""
        full, rest = divmod(position, self.line_bases)
        return self.offset + full * self.line_width + rest


class Text(Protocol):
    """The text of a file, by byte."""

    def read(self, start: int, stop: int) -> Bytes:
        """Return bytes ``start`` to ``stop``, not included."""

    def blocks(self, start: int, stop: int) -> Iterator[Bytes]:
        """Yield the same in blocks of at most 8 MiB."""

    def done(self, start: int, stop: int) -> None:
        """Give back the memory of bytes that were read."""


class MappedText:
    """A file in memory pages, which are given back once a block was used."""

    def __init__(self, path: str) -> None:
        with open(path, "rb") as source:
            self._map = mmap.mmap(source.fileno(), 0, access=mmap.ACCESS_READ)
        self._bytes: Bytes = np.frombuffer(self._map, np.uint8)

    def read(self, start: int, stop: int) -> Bytes:
        """Return a view of the pages."""
        return self._bytes[start:stop]

    def blocks(self, start: int, stop: int) -> Iterator[Bytes]:
        """Yield views; a guard of memory counts the pages of one block only."""
        for at in range(start, stop, BLOCK):
            yield self._bytes[at : min(at + BLOCK, stop)]
            self.done(at, min(at + BLOCK, stop))

    def done(self, start: int, stop: int) -> None:
        """Give the pages back."""
        page = start // mmap.PAGESIZE * mmap.PAGESIZE
        self._map.madvise(mmap.MADV_DONTNEED, page, stop - page)


class PreadText:
    """A file by reads of 8 MiB, as network file systems like it."""

    def __init__(self, path: str) -> None:
        self._file = open(path, "rb", buffering=0)  # noqa: SIM115 - as long as the process

    def read(self, start: int, stop: int) -> Bytes:
        """Return a copy."""
        return np.frombuffer(os.pread(self._file.fileno(), stop - start, start), np.uint8)

    def blocks(self, start: int, stop: int) -> Iterator[Bytes]:
        """Yield copies."""
        for at in range(start, stop, BLOCK):
            yield self.read(at, min(at + BLOCK, stop))

    def done(self, start: int, stop: int) -> None:
        """Copies need nothing."""


class BgzfText:
    """The text of a bgzipped file."""

    def __init__(self, path: str) -> None:
        self._file: Bgzf = open_bgzf(path)

    def read(self, start: int, stop: int) -> Bytes:
        """Return decompressed bytes."""
        return np.frombuffer(self._file.read(start, stop), np.uint8)

    def blocks(self, start: int, stop: int) -> Iterator[Bytes]:
        """Yield decompressed bytes."""
        for at in range(start, stop, BLOCK):
            yield self.read(at, min(at + BLOCK, stop))

    def done(self, start: int, stop: int) -> None:
        """Copies need nothing."""


@lru_cache(maxsize=8)
def _opened(path: str, size: int, mtime_ns: int, reader: Reader) -> Text:
    if is_bgzf(path):
        return BgzfText(path)
    return MappedText(path) if reader == "memmap" else PreadText(path)


def open_text(
    path: str, reader: Reader = "memmap", expected: tuple[int, int] | None = None
) -> Text:
    """Return the text of a FASTA file; a process opens each file once.

    Parameters
    ----------
    path
        FASTA, plain or bgzipped.
    reader
        ``"memmap"``, or ``"pread"`` for network file systems.
    expected
        Size and mtime_ns that the file had when it was planned.

    Raises
    ------
    BadInput
        ``unreadable``, or ``genome-changed`` if the file is not the one that was planned.
    """
    if reader not in ("memmap", "pread"):
        raise UsageError(f"reader is {reader!r}: 'memmap' or 'pread'")
    try:
        about = os.stat(path)
        now = (about.st_size, about.st_mtime_ns)
        if expected is not None and now != tuple(expected):
            raise BadInput(
                "genome-changed",
                f"{printable(path)} is not the file that was planned any more: plan it anew",
            )
        return _opened(path, *now, reader)
    except OSError as error:
        raise BadInput("unreadable", f"{printable(path)}: {error.strerror}") from None


def raw_blocks(text: Text, layout: Layout, start: int, end: int) -> Iterator[Bytes]:
    """Yield the bytes of an interval as they are in the file, with its line ends."""
    if start < end:
        yield from text.blocks(layout.byte(start), layout.byte(end - 1) + 1)


def bases(text: Text, layout: Layout, start: int, end: int) -> Bytes:
    """Return the bases of an interval, uint8, without line ends.

    Raises
    ------
    BadInput
        ``genome-changed`` if the file ends too early, or a line does where none should.
    """
    if start >= end:
        return np.empty(0, np.uint8)
    raw = text.read(layout.byte(start), layout.byte(end - 1) + 1)
    found: Bytes = raw[(raw != LF) & (raw != CR)]
    if found.size != end - start:
        raise BadInput(
            "genome-changed",
            f"expected {end - start:,} bases and found {found.size:,}: the file is not the one "
            "that was indexed; remove its .fai and plan it anew",
        )
    return found
