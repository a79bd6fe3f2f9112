"""Read text files, compressed or not, as blocks of bytes or as lines, and never fewer than all."""

from __future__ import annotations

import errno
import os
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager
from itertools import chain

from polytene.exceptions import BadInput
from polytene.formats.gunzip import MAGIC, Gunzip, is_gzip

PathLike = str | os.PathLike[str]

BLOCK_BYTES = 1 << 20
MAX_LINE_BYTES = 1 << 24

# What a path can be blamed for; any other failure is the storage's and may pass.
_LASTING = frozenset(
    {
        errno.ENOENT,
        errno.EACCES,
        errno.EPERM,
        errno.EISDIR,
        errno.ENOTDIR,
        errno.ELOOP,
        errno.ENAMETOOLONG,
        errno.ENXIO,
        errno.EINVAL,
    }
)


def read_blocks(path: PathLike, block_bytes: int | None = None) -> Iterator[bytes]:
    r"""Yield the text of a file in blocks, decompressed if it is gzip or BGZF.

    Compression is recognised by content, whatever the file is called. A compressed file gives all
    of its members or an error: the end of the iteration means that every checksum held and that
    no member is cut. (Of gzip alone no reader can tell that whole members are missing at the end;
    of BGZF this one does.) Memory is bounded by the block size, however far a file expands.

    Parameters
    ----------
    path
        A plain, gzip (RFC 1952, one or many members) or BGZF (SAM specification, section 4.1) file.
    block_bytes
        Largest size of a block, in bytes; 1 MiB if None. Blocks end anywhere, also inside a line.

    Yields
    ------
    bytes
        Never empty; no block at all for an empty file.

    Raises
    ------
    BadInput
        ``unreadable`` if the file is missing or may not be read, ``truncated-gzip`` if it ends
        too early, ``damaged-gzip`` if it cannot be decompressed, fails its checksum or goes on
        after its last member. Raised when the reading gets there: blocks may have come before.
    OSError
        If the storage fails in a way that may pass, such as ``EIO`` or ``ESTALE``.

    Examples
    --------
    >>> import gzip, pathlib, tempfile
    >>> path = pathlib.Path(tempfile.mkdtemp(), "reads")
    >>> _ = path.write_bytes(gzip.compress(b">a\nAC") + gzip.compress(b"GT\n"))
    >>> b"".join(read_blocks(path))
    b'>a\nACGT\n'
    """
    size = block_bytes or BLOCK_BYTES
    if "\0" in os.fspath(path):
        raise BadInput("unreadable", f"{printable(path)}: no file name may hold a NUL character")
    with _blaming(path), open(path, "rb") as source:
        block = source.read(max(size, len(MAGIC)))
        if is_gzip(block):
            yield from Gunzip(source, block, printable(path), size).blocks()
            return
        while block:
            yield block
            block = source.read(size)


def unix_newlines(blocks: Iterable[bytes]) -> Iterator[bytes]:
    r"""Turn CRLF and lone CR into LF, also where a block ends between the two.

    Examples
    --------
    >>> b"".join(unix_newlines([b"a\r", b"\nb\rc"]))
    b'a\nb\nc'
    """
    held = b""
    for block in blocks:
        if held or b"\r" in block:
            block = held + block
            held = b"\r" if block.endswith(b"\r") else b""
            block = block.removesuffix(b"\r").replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        if block:
            yield block
    if held:
        yield b"\n"


def read_lines(blocks: Iterable[bytes], name: str) -> Iterator[bytes]:
    r"""Yield the lines of blocks that use LF, without their newlines.

    Parameters
    ----------
    blocks
        As :func:`unix_newlines` yields them.
    name
        How errors name the file.

    Raises
    ------
    BadInput
        ``line-too-long`` above 16 MiB: the input is not made of lines.

    Examples
    --------
    >>> list(read_lines([b"a\nb", b"c\n", b"d"], "x"))
    [b'a', b'bc', b'd']
    """
    tail: list[bytes] = []
    tail_bytes = number = 0
    for block in blocks:
        lines = block.split(b"\n")
        if len(lines) > 1:
            tail.append(lines[0])
            yield b"".join(tail)
            yield from lines[1:-1]
            number += len(lines) - 1
            tail, tail_bytes = [], 0
        tail.append(lines[-1])
        tail_bytes += len(lines[-1])
        check_line(tail_bytes, name, number + 1)
    if tail_bytes:
        yield b"".join(tail)


def check_line(length: int, name: str, number: int) -> None:
    """Raise BadInput ``line-too-long`` if `length`, in bytes, is more than a line may have."""
    if length > MAX_LINE_BYTES:
        raise BadInput(
            "line-too-long",
            f"{name}: line {number} is longer than {MAX_LINE_BYTES} bytes, which no header and no "
            "annotation is; the file is damaged or of another format",
        )


def peek(blocks: Iterator[bytes], size: int = 512) -> tuple[bytes, Iterator[bytes]]:
    """Return the first `size` bytes (fewer only if there are no more) and all blocks again.

    Examples
    --------
    >>> head, blocks = peek(iter([b">a", b" b", b"c"]), size=3)
    >>> head, list(blocks)
    (b'>a ', [b'>a', b' b', b'c'])
    """
    taken: list[bytes] = []
    length = 0
    while length < size and (block := next(blocks, b"")):
        taken.append(block)
        length += len(block)
    return b"".join(taken)[:size], chain(taken, blocks)


def decode(raw: bytes) -> str:
    r"""Decode a name or a description; bytes that are not UTF-8 become escapes such as ``\xff``."""
    return raw.decode("utf-8", "backslashreplace")


def printable(text: PathLike) -> str:
    r"""Return `text` with every character that a terminal might act on written as an escape.

    Examples
    --------
    >>> print(printable("a\x1b[2J\tb"))
    a\x1b[2J\tb
    """
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode()
        for char in os.fspath(text)
    )


@contextmanager
def _blaming(path: PathLike) -> Generator[None]:
    """Turn the failures that the path is to blame for into BadInput."""
    try:
        yield
    except OSError as error:
        if error.errno not in _LASTING:
            raise
        raise BadInput(
            "unreadable", f"{printable(path)}: {error.strerror}; expected a file that can be read"
        ) from error
