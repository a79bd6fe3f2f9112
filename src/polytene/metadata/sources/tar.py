"""Tar archives as a stream: members in batches, without unpacking.

ustar, GNU and pax archives (POSIX.1-2001); sparse files are no documents and are passed over.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numba
import numpy as np

from polytene.exceptions import BadInput

Array = np.ndarray[Any, Any]

BLOCK = 512
CHUNK_BYTES = 8 << 20
HEADER, END, DAMAGED, SHORT = 0, 1, 2, 3


@dataclass(frozen=True)
class Member:
    """A file in an archive: its name, and its bytes or, where it is large, blocks of them."""

    name: str
    data: bytes | None
    blocks: Iterator[bytes] | None = None


@numba.njit(nogil=True, cache=True, error_model="numpy")
def walk(buf, i, end, places, sizes):  # type: ignore[no-untyped-def]
    """List the headers from ``i`` whose members lie whole before ``end``.

    Returns
    -------
    status, n, next : int
        ``SHORT`` if the member at ``next`` is not whole, ``END`` at the end mark, ``DAMAGED``.
    """
    n = 0
    while n < places.size:
        if i + 512 > end:
            return 3, n, i
        if buf[i] == 0:
            for k in range(512):
                if buf[i + k] != 0:
                    return 2, n, i
            return 1, n, i
        total = np.int64(8 * 32)
        for k in range(512):
            if k < 148 or k >= 156:
                total += buf[i + k]
        said = _octal(buf, i + 148, 8)
        size = _octal(buf, i + 124, 12)
        if said != total or size < 0:
            return 2, n, i
        whole = (size + 511) // 512 * 512
        if i + 512 + whole > end:
            return 3, n, i
        places[n] = i
        sizes[n] = size
        n += 1
        i += 512 + whole
    return 0, n, i


@numba.njit(nogil=True, cache=True, error_model="numpy")
def _octal(buf, i, width):  # type: ignore[no-untyped-def]
    """Return a number of a header, octal or GNU's binary; -1 if it is none."""
    value = np.int64(0)
    if buf[i] == 0x80:
        for k in range(i + 1, i + width):
            if value >= (1 << 54):
                return -1
            value = value * 256 + buf[k]
        return value
    digits = False
    for k in range(i, i + width):
        c = buf[k]
        if 48 <= c <= 55:
            value = value * 8 + c - 48
            digits = True
        elif c == 32 and not digits:
            continue
        elif c == 32 or c == 0:
            break
        else:
            return -1
    return value if digits else -1


class TarReader:
    """Members of a tar archive that comes in blocks.

    Parameters
    ----------
    blocks
        The archive, decompressed.
    name
        How errors name it.
    large
        Members above this size, in bytes, come as blocks.
    """

    def __init__(self, blocks: Iterator[bytes], name: str, large: int) -> None:
        self._blocks, self._name, self._large = blocks, name, large
        self._held = b""
        self._place = 0
        self._long: str | None = None
        self._pax: dict[str, str] = {}

    def members(self) -> Iterator[Member]:
        """Yield the regular files of the archive in its order.

        Raises
        ------
        BadInput
            ``truncated`` if the archive breaks off, ``io_error`` if a header is damaged.
        """
        places, sizes = np.empty(4096, np.int64), np.empty(4096, np.int64)
        start = 0
        while True:
            data = self._held
            buffer = np.frombuffer(data, np.uint8)
            status, n, stop = walk(buffer, start, len(data), places, sizes)
            for place, size in zip(places[:n].tolist(), sizes[:n].tolist(), strict=True):
                begin = place + BLOCK
                yield from self._member(data[place:begin], data[begin : begin + size])
            if status == END:
                return
            if status == DAMAGED:
                self._fail("io_error", stop, "no tar header where one should be")
            if status == HEADER:
                start = stop
                continue
            self._place += stop
            self._held = data[stop:]
            start = 0
            if size := self._size_of_next():
                yield from self._stream(size)
            elif not self._more():
                if not self._held:
                    return
                self._fail("truncated", 0, "the archive breaks off inside a member")

    def _more(self) -> bool:
        parts, size = [self._held], 0
        while size < CHUNK_BYTES and (block := next(self._blocks, b"")):
            parts.append(block)
            size += len(block)
        self._held = b"".join(parts)
        return size > 0

    def _size_of_next(self) -> int:
        """Return the size of the next member if it is a large regular file."""
        if len(self._held) < BLOCK:
            return 0
        head = np.frombuffer(self._held[:BLOCK], np.uint8)
        size = int(_octal(head, 124, 12))
        regular = self._held[156:157] in (b"0", b"\0")
        return size if regular and size > self._large and self._checked(head) else 0

    def _checked(self, head: Array) -> bool:
        total = int(head[:148].sum(dtype=np.int64)) + 256 + int(head[156:].sum(dtype=np.int64))
        return int(_octal(head, 148, 8)) == total

    def _stream(self, size: int) -> Iterator[Member]:
        name = self._take_name(self._held[:BLOCK])
        self._held = self._held[BLOCK:]
        self._place += BLOCK
        blocks = self._blocks_of(size)
        yield Member(name, None, blocks)
        for _ in blocks:  # what its taker left
            pass

    def _blocks_of(self, size: int) -> Iterator[bytes]:
        left, padding = size, -size % BLOCK
        while left + padding:
            if not self._held and not self._more():
                self._fail("truncated", 0, "the archive breaks off inside a member")
            block = self._held[: left + padding]
            self._held = self._held[len(block) :]
            self._place += len(block)
            if left:
                yield block[:left]
            padding -= max(0, len(block) - left)
            left -= min(left, len(block))

    def _member(self, head: bytes, data: bytes) -> Iterator[Member]:
        kind = head[156:157]
        if kind == b"L":
            self._long = data.rstrip(b"\0").decode("utf-8", "surrogateescape")
        elif kind == b"x":
            self._pax = _pax(data)
        elif kind in (b"g", b"K"):
            return
        else:
            name = self._take_name(head)
            if kind in (b"0", b"\0"):
                yield Member(name, data)

    def _take_name(self, head: bytes) -> str:
        plain = head[:100].partition(b"\0")[0]
        if head[257:263] == b"ustar\0" and (prefix := head[345:500].partition(b"\0")[0]):
            plain = prefix + b"/" + plain
        name = self._long or self._pax.get("path") or plain.decode("utf-8", "surrogateescape")
        self._long, self._pax = None, {}
        return name.removeprefix("./")

    def _fail(self, reason: str, offset: int, what: str) -> None:
        where = f"{self._name}: byte {self._place + offset} of the archive"
        raise BadInput(reason, f"{where}: {what}; copy or download it again")


def _pax(data: bytes) -> dict[str, str]:
    """Return the records of a pax header: ``length key=value``."""
    out: dict[str, str] = {}
    while data:
        size, _, rest = data.partition(b" ")
        if not size.isdigit() or not 0 < int(size) <= len(data):
            return out
        key, _, value = rest[: int(size) - len(size) - 2].partition(b"=")
        out[key.decode("utf-8", "replace")] = value.decode("utf-8", "surrogateescape")
        data = data[int(size) :]
    return out


def is_tar(head: bytes) -> bool:
    """Return whether a file that begins with ``head`` (512 bytes) is a tar archive."""
    return (
        len(head) >= BLOCK
        and walk(
            np.frombuffer(head[:BLOCK] + bytes(1 << 10), np.uint8),
            0,
            BLOCK,
            *np.empty((2, 1), np.int64),
        )[0]
        in (HEADER, SHORT)
        and head[257:262] == b"ustar"
    )
