"""Reads on disk: whole to their last byte, and counted."""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from polytene.exceptions import BadInput
from polytene.formats.text import read_blocks

TEXT_BYTES = 1 << 20
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


class Unpacker:
    """Turns the bytes of a FASTQ file, gzip or plain, into text while they come; counts reads.

    A quantifier is given text: kallisto 0.48 waits for ever on some damaged gzip files, and calls
    others a success.
    """

    def __init__(self, name: str) -> None:
        self.error: BadInput | None = None
        self._name, self._plain, self._begun = name, False, False
        self._lines, self._last = 0, b"\n"
        self._inflater: Any = None

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Yield the text of the next bytes; after damage there is none, see ``error``."""
        if not self._begun:
            self._begun, self._plain = True, not data.startswith(b"\x1f")
        if self._plain:
            yield self._counted(data)
            return
        while data and self.error is None:
            self._inflater = self._inflater or zlib.decompressobj(31)
            try:
                text = self._inflater.decompress(data, TEXT_BYTES)
            except zlib.error as error:
                self.error = BadInput("damaged-gzip", f"{self._name}: {error}")
                return
            if text:
                yield self._counted(text)
            data = self._inflater.unconsumed_tail or self._inflater.unused_data
            if self._inflater.eof:
                self._inflater = None
                data = data.lstrip(b"\0")

    def _counted(self, text: bytes) -> bytes:
        self._lines += text.count(b"\n")
        self._last = text[-1:]
        return text

    def close(self) -> None:
        """Raise what was wrong with the file, once all of it came.

        Raises
        ------
        BadInput
            ``damaged-gzip`` or ``truncated-gzip``.
        """
        if self.error is not None:
            raise self.error
        if self._inflater is not None:
            raise BadInput("truncated-gzip", f"{self._name}: it ends inside a gzip member")

    @property
    def reads(self) -> int:
        """Reads up to now."""
        return (self._lines + (self._last != b"\n")) // 4


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
