"""Random access to bgzipped files (SAM specification, section 4.1)."""

from __future__ import annotations

import os
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from polytene.exceptions import BadInput
from polytene.formats.text import PathLike, printable

HEADER = 18
Ints = np.ndarray[Any, np.dtype[np.int64]]


def is_bgzf(path: PathLike) -> bool:
    """Whether a file begins as bgzip writes it; other gzip has no blocks to go to."""
    with open(path, "rb") as source:
        return _is_header(source.read(HEADER))


def is_gzip_only(path: PathLike) -> bool:
    """Whether a file is gzip, but not by bgzip."""
    with open(path, "rb") as source:
        head = source.read(HEADER)
    return head[:2] == b"\x1f\x8b" and not _is_header(head)


def _is_header(head: bytes) -> bool:
    return head[:4] == b"\x1f\x8b\x08\x04" and head[12:16] == b"BC\x02\x00"


@dataclass(frozen=True, eq=False)
class Bgzf:
    """Where the blocks of a bgzipped file lie.

    Parameters
    ----------
    path
        The file.
    packed, plain
        First byte of each block in the file and in the text, with the two ends after the last.
    """

    path: str
    packed: Ints
    plain: Ints

    @property
    def size(self) -> int:
        """Bytes of the text."""
        return int(self.plain[-1])

    def read(self, start: int, stop: int) -> bytes:
        """Return bytes ``start`` to ``stop`` (not included) of the text.

        Raises
        ------
        BadInput
            ``damaged-gzip`` if a block cannot be decompressed or fails its checksum.
        """
        stop = min(stop, self.size)
        if start >= stop:
            return b""
        first = int(np.searchsorted(self.plain, start, side="right")) - 1
        last = int(np.searchsorted(self.plain, stop, side="left"))
        with open(self.path, "rb") as source:
            source.seek(int(self.packed[first]))
            data = source.read(int(self.packed[last] - self.packed[first]))
        text = b"".join(self._inflate(data, first, last))
        skip = int(self.plain[first])
        return text[start - skip : stop - skip]

    def _inflate(self, data: bytes, first: int, last: int) -> Any:
        base = int(self.packed[first])
        for block in range(first, last):
            begin, end = int(self.packed[block]) - base, int(self.packed[block + 1]) - base
            try:
                yield zlib.decompress(data[begin:end], wbits=31)
            except zlib.error as error:
                raise BadInput(
                    "damaged-gzip",
                    f"{printable(self.path)}: block at byte {begin + base}: {error}; copy or "
                    "download it again",
                ) from None


def open_bgzf(path: PathLike) -> Bgzf:
    """Find the blocks of a bgzipped file: by its ``.gzi`` if that is newer, else by a scan.

    Raises
    ------
    BadInput
        ``truncated-gzip`` or ``damaged-gzip``.
    """
    gzi = Path(f"{os.fspath(path)}.gzi")
    size = os.stat(path).st_size
    if gzi.is_file() and gzi.stat().st_mtime_ns >= os.stat(path).st_mtime_ns:
        rows = np.fromfile(gzi, "<i8")
        if rows.size and rows.size == 2 * int(rows[0]) + 1:
            starts = np.concatenate([[0, 0], rows[1:]]).reshape(-1, 2).T
            return _checked(path, starts[0], starts[1], size)
    return _scan(path, size)


def _scan(path: PathLike, size: int, start: int = 0, text: int = 0) -> Bgzf:
    packed, plain = [start], [text]
    with open(path, "rb", buffering=1 << 17) as source:
        while start < size:
            source.seek(start)
            head = source.read(HEADER)
            if not _is_header(head):
                raise _damaged(path, start, "no bgzip block begins here")
            start += struct.unpack("<H", head[16:18])[0] + 1
            if start > size:
                raise BadInput("truncated-gzip", f"{printable(path)}: ends inside its last block")
            source.seek(start - 4)
            text += struct.unpack("<I", source.read(4))[0]
            packed.append(start)
            plain.append(text)
    return Bgzf(str(path), np.array(packed, np.int64), np.array(plain, np.int64))


def _checked(path: PathLike, packed: Ints, plain: Ints, size: int) -> Bgzf:
    """Add what a ``.gzi`` leaves out: the blocks from the last one that it names to the end."""
    if np.any(np.diff(packed) <= 0) or packed[-1] >= size:
        return _scan(path, size)
    rest = _scan(path, size, int(packed[-1]), int(plain[-1]))
    blocks = np.concatenate([packed[:-1], rest.packed])
    return Bgzf(str(path), blocks, np.concatenate([plain[:-1], rest.plain]))


def _damaged(path: PathLike, place: int, why: str) -> BadInput:
    return BadInput("damaged-gzip", f"{printable(path)}: byte {place}: {why}")
