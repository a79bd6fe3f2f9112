"""Large documents cut at the ends of their records, each of which then stands for itself."""

from __future__ import annotations

import re
from collections.abc import Iterator

from polytene.exceptions import BadInput
from polytene.metadata.parser.schema import KINDS

LONGEST_RECORD = 64 << 20
HEAD_BYTES = 1 << 16
_ROOT = re.compile(
    rb"\A(?:\xef\xbb\xbf)?(<\?xml[^>]*\?>)?\s*(?:<!--.*?-->\s*|<\?[^>]*\?>\s*)*"
    rb"<([A-Za-z_]+)((?:\s[^<>]*)?)>",
    re.S,
)
_UTF8 = re.compile(rb"encoding\s*=\s*[\"']utf-?8[\"']", re.I)
_SETS = {f"{k.upper()}_SET".encode() for k in KINDS} | {b"EXPERIMENT_PACKAGE_SET"}


def cut(blocks: Iterator[bytes], name: str, whole: int) -> Iterator[tuple[str, bytes]]:
    """Yield ``(name, document)`` for each document that a stream stands for.

    A stream of at most ``whole`` bytes is one document as it is. A longer one that is a set is
    cut behind each record, and each piece is put between the tags of the set: its name tells
    where it begins, as ``file#byte``. What is left at the end is a piece, too, so that a stream
    that breaks off shows.

    Raises
    ------
    BadInput
        ``too_large`` if a long stream is no set in UTF-8, or a record is longer than 64 MiB.
    """
    held, ended = _fill(b"", blocks, whole + 1)
    if ended:
        yield name, held
        return
    root = _ROOT.match(held[:HEAD_BYTES])
    declaration = root[1] if root else None
    plain = not declaration or b"encoding" not in declaration or _UTF8.search(declaration)
    if root is None or root[2] not in _SETS or root[3].endswith(b"/") or not plain:
        raise BadInput(
            "too_large",
            f"{name}: more than {whole:,} bytes, and no set of records in UTF-8 that can be cut",
        )
    begin = b"<" + root[2] + root[3] + b">"
    finish = b"</" + root[2] + b">"
    mark = b"</" + root[2].removesuffix(b"_SET") + b">"
    yield from _pieces(held[root.end() :], root.end(), blocks, name, (begin, mark, finish))


def _fill(held: bytes, blocks: Iterator[bytes], size: int) -> tuple[bytes, bool]:
    """Return at least ``size`` bytes, and whether the stream ended before."""
    parts, length = [held], len(held)
    while length < size:
        block = next(blocks, b"")
        if not block:
            return b"".join(parts), True
        parts.append(block)
        length += len(block)
    return b"".join(parts), False


def _pieces(
    held: bytes, place: int, blocks: Iterator[bytes], name: str, tags: tuple[bytes, bytes, bytes]
) -> Iterator[tuple[str, bytes]]:
    begin, mark, finish = tags
    ended = False
    while True:
        start = 0
        while (stop := held.find(mark, start)) >= 0:
            stop += len(mark)
            yield f"{name}#{place + start}", begin + held[start:stop] + finish
            start = stop
        held, place = held[start:], place + start
        if ended:
            break
        if len(held) > LONGEST_RECORD:
            raise BadInput("too_large", f"{name}: byte {place}: a record of more than 64 MiB")
        held, ended = _fill(held, blocks, len(held) + (4 << 20))
    if held.strip() != finish:
        yield f"{name}#{place}", begin + held
