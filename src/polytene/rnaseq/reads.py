"""Reads on disk: whole to their last byte, and counted."""

from __future__ import annotations

import re
import zlib
from collections.abc import Sequence
from pathlib import Path

from polytene.exceptions import BadInput
from polytene.formats.text import read_blocks

SUFFIXES = (".fastq.gz", ".fq.gz", ".fastq", ".fq")


def count_reads(path: Path) -> int:
    """Return the reads of a FASTQ file, plain or gzip, after reading all of it to its checksum.

    Raises
    ------
    BadInput
        ``truncated-gzip``, ``damaged-gzip``, ``empty-file``, ``not-fastq`` or
        ``truncated-fastq``, with the file.
    """
    lines, last, first = 0, b"\n", b""
    for block in read_blocks(path):
        first = first or block[:1]
        lines += block.count(b"\n")
        last = block[-1:]
    if not first:
        raise BadInput("empty-file", f"{path}: no read in it")
    if first != b"@":
        raise BadInput("not-fastq", f"{path}: begins with {first!r}; a FASTQ file begins with @")
    lines += last != b"\n"
    if lines % 4:
        raise BadInput("truncated-fastq", f"{path}: {lines:,} lines, which are not whole reads")
    return lines // 4


class ReadCounter:
    """Counts the reads of a gzip or plain stream while it passes."""

    def __init__(self) -> None:
        self.lines, self._plain = 0, False
        self._last = b"\n"
        self._inflater: zlib._Decompress | None = None
        self._begun = False

    def feed(self, data: bytes) -> None:
        """Take the next bytes; what cannot be decompressed ends the count in silence."""
        if not self._begun:
            self._begun, self._plain = True, not data.startswith(b"\x1f")
        if self._plain:
            self._text(data)
            return
        while data:
            self._inflater = self._inflater or zlib.decompressobj(31)
            try:
                self._text(self._inflater.decompress(data))
            except zlib.error:
                return
            data = self._inflater.unused_data
            if self._inflater.eof:
                self._inflater = None

    def _text(self, text: bytes) -> None:
        self.lines += text.count(b"\n")
        self._last = text[-1:] or self._last

    @property
    def reads(self) -> int:
        """Reads up to now."""
        return (self.lines + (self._last != b"\n")) // 4


def mates(names: Sequence[str]) -> list[int]:
    """Return which files hold the reads: both mates, or the only file.

    An archive lists up to three files for a paired run: the mates and reads that lost theirs.
    """
    ends = {}
    for i, name in enumerate(names):
        if found := re.search(r"_([12])\.f(?:ast)?q(?:\.gz)?$", name):
            ends[found[1]] = i
    if len(ends) == 2:
        return [ends["1"], ends["2"]]
    return [0] if len(names) == 1 else []


def find_local(run: str, folder: Path) -> list[Path]:
    """Return the files of a run below a folder: FASTQ, plain or gzip, or ``.sra``."""
    for base in (folder, folder / run):
        for suffix in SUFFIXES:
            pair = [base / f"{run}_{end}{suffix}" for end in (1, 2)]
            if all(p.is_file() for p in pair):
                return pair
        for name in (run, f"{run}_1"):
            for suffix in (*SUFFIXES, ".sra"):
                if (path := base / f"{name}{suffix}").is_file():
                    return [path]
    return []
