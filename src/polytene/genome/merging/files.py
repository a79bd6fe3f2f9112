"""Parts in, one file out: plain or compressed, and there whole or not at all."""

from __future__ import annotations

import fcntl
import os
import re
import struct
import uuid
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from glob import escape
from pathlib import Path
from typing import BinaryIO, NamedTuple

from polytene.core.files import full_disk_named, sync_folder
from polytene.exceptions import BadInput
from polytene.formats.text import printable, read_blocks, read_lines, unix_newlines

COMPRESSED = (".gz", ".bgz")
BGZF_BYTES = 0xFF00
BGZF_END = bytes.fromhex("1f8b08040000000000ff0600424302001b0003000000000000000000")
_DRAFT = re.compile(r"\.[0-9a-f]{12}\.tmp$")

Write = Callable[[bytes], object]


class Part(NamedTuple):
    """A file that is merged, and the task that wrote it."""

    path: Path
    task_id: str

    @property
    def name(self) -> str:
        """How errors call the file."""
        return printable(self.path)


@dataclass
class Merged:
    """What a merge has read and written.

    Parameters
    ----------
    files
        Parts that were read.
    records
        Rows, lines or features that were written; None where nothing was counted.
    notes
        What a reader should know of: one sentence each.
    """

    files: int
    records: int | None = None
    notes: list[str] = field(default_factory=list)


def lines_of(part: Part) -> Iterator[bytes]:
    """Yield the lines of a part without their ends; gzip and CRLF are read, too."""
    return read_lines(unix_newlines(read_blocks(part.path)), part.name)


def wrong(part: Part, line: int, reason: str, detail: str) -> BadInput:
    """Return the error for a line of a part, counted from 1."""
    return BadInput(reason, f"{part.name}: line {line:,}: {detail}")


@contextmanager
def whole_file(path: Path) -> Iterator[Write]:
    """Give a function that writes to ``path``, which appears when all is written and durable.

    A name that ends with ``.gz`` or ``.bgz`` gets BGZF, which is gzip that tabix can index; the
    same content always gives the same bytes. What an earlier process that was killed left of
    ``path`` is removed.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    _sweep(path)
    draft, out = _new_draft(path)
    try:
        with full_disk_named(path):
            with out:
                if path.suffix in COMPRESSED:
                    packed = _Bgzf(out)
                    yield packed.write
                    packed.close()
                else:
                    yield out.write
                out.flush()
                os.fsync(out.fileno())
                os.replace(draft, path)
            sync_folder(path.parent)
    finally:
        draft.unlink(missing_ok=True)


def _new_draft(path: Path) -> tuple[Path, BinaryIO]:
    """Return a new file beside ``path``, locked for as long as it is open."""
    while True:
        draft = path.with_name(f".{path.name}.{uuid.uuid4().hex[:12]}.tmp")
        out = open(draft, "xb")  # noqa: SIM115
        with suppress(OSError):  # a file system without locks: nobody sweeps there
            fcntl.flock(out, fcntl.LOCK_EX)
        if draft.exists():
            return draft, out
        out.close()  # swept before it was locked


def _sweep(path: Path) -> None:
    """Remove what killed processes left of ``path``: drafts that nobody holds the lock of."""
    for left in path.parent.glob(f".{escape(path.name)}.*.tmp"):
        if not _DRAFT.search(left.name):
            continue
        # OSError: a living process writes it, it is gone by now, or there are no locks here.
        with suppress(OSError), open(left, "rb+") as held:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
            left.unlink()


class _Bgzf:
    """Writes BGZF (SAM specification, section 4.1): gzip of members of at most 64 KiB."""

    def __init__(self, out: BinaryIO) -> None:
        self._out = out
        self._held = bytearray()

    def write(self, data: bytes) -> None:
        """Take bytes; full members are written."""
        self._held += data
        full = len(self._held) - len(self._held) % BGZF_BYTES
        for start in range(0, full, BGZF_BYTES):
            self._member(bytes(self._held[start : start + BGZF_BYTES]))
        del self._held[:full]

    def close(self) -> None:
        """Write what is left, and the member that marks the end."""
        if self._held:
            self._member(bytes(self._held))
        self._out.write(BGZF_END)

    def _member(self, data: bytes) -> None:
        packer = zlib.compressobj(6, zlib.DEFLATED, -15)
        body = packer.compress(data) + packer.flush()
        head = b"\x1f\x8b\x08\x04\0\0\0\0\0\xff\x06\0BC\x02\0"
        self._out.write(head + struct.pack("<H", len(body) + 25))
        self._out.write(body + struct.pack("<II", zlib.crc32(data), len(data)))
