"""Decompress gzip and BGZF as a stream that is either whole or an error."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from importlib import import_module
from types import ModuleType
from typing import BinaryIO, NoReturn

from polytene.exceptions import BadInput

MAGIC = b"\x1f\x8b"
COMPRESSED_BYTES = 1 << 17

# As far as the identifier of the first extra field, which is "BC" in a BGZF block.
_HEAD_BYTES = 14
_HAS_EXTRA = 4
_GZIP_WINDOW = 31


def is_gzip(head: bytes) -> bool:
    """Return whether a file that begins with `head` is gzip, or the first byte of one."""
    return head.startswith(MAGIC) or head == MAGIC[:1]


class Gunzip:
    """One pass over a gzip file (RFC 1952) of any number of members.

    BGZF (SAM specification, section 4.1) is gzip whose members are independent blocks, so that a
    file cut between two of them is still valid gzip; therefore its empty last block is required.

    Parameters
    ----------
    source
        Where the compressed bytes after `head` are read from.
    head
        The compressed bytes that were read already.
    name
        How errors name the file.
    block_bytes
        Largest size of a decompressed block, in bytes.
    """

    def __init__(self, source: BinaryIO, head: bytes, name: str, block_bytes: int) -> None:
        self._source = source
        self._data = head
        self._name = name
        self._block_bytes = block_bytes
        self._member = 0
        self._text_bytes = 0

    def blocks(self) -> Iterator[bytes]:
        """Yield the decompressed blocks.

        Raises
        ------
        BadInput
            ``truncated-gzip`` or ``damaged-gzip``, when the reading gets there.
        """
        open_ended = False
        while self._begin_member():
            before = self._text_bytes
            bgzf = self._is_bgzf()
            yield from self._inflate()
            open_ended = bgzf and self._text_bytes > before
        if open_ended:
            self._fail_truncated("BGZF without its end-of-file block")

    def _begin_member(self) -> bool:
        """Make the next member's head the first of the data; False at the end of the file."""
        self._skip_padding()
        while len(self._data) < _HEAD_BYTES and (chunk := self._source.read(COMPRESSED_BYTES)):
            self._data += chunk
        if self._data and not is_gzip(self._data):
            self._fail_damaged("the bytes that follow are not gzip")
        self._member += 1
        return bool(self._data)

    def _skip_padding(self) -> None:
        """Skip the zeros that tapes and block devices leave behind a member."""
        self._data = self._data.lstrip(b"\0")
        while not self._data and (chunk := self._source.read(COMPRESSED_BYTES)):
            self._data = chunk.lstrip(b"\0")

    def _is_bgzf(self) -> bool:
        head = self._data[:_HEAD_BYTES]
        return len(head) == _HEAD_BYTES and bool(head[3] & _HAS_EXTRA) and head[12:] == b"BC"

    def _inflate(self) -> Iterator[bytes]:
        """Yield the text of the member that the data begins with; leave what follows it."""
        zlib = _zlib()
        inflater = zlib.decompressobj(wbits=_GZIP_WINDOW)
        while not inflater.eof:
            data = self._data or self._source.read(COMPRESSED_BYTES)
            try:
                text: bytes = inflater.decompress(data, self._block_bytes)
            except zlib.error as error:
                self._fail_damaged(str(error))
            if text:
                self._text_bytes += len(text)
                yield text
            elif not data and not inflater.eof:
                self._fail_truncated("the file ends inside it")
            self._data = inflater.unconsumed_tail
        self._data = inflater.unused_data

    def _fail_truncated(self, why: str) -> NoReturn:
        raise BadInput("truncated-gzip", f"{self._place()}: {why}; copy or download it again")

    def _fail_damaged(self, why: str) -> NoReturn:
        raise BadInput("damaged-gzip", f"{self._place()}: {why}; copy or download it again")

    def _place(self) -> str:
        member = max(self._member, 1)
        return f"{self._name}: gzip member {member}, after {self._text_bytes} decompressed bytes"


@cache
def _zlib() -> ModuleType:
    """Return isal's zlib, which is several times faster, or else the standard library's."""
    try:
        return import_module("isal.isal_zlib")
    except ImportError:
        return import_module("zlib")
