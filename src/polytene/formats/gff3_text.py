"""The text of a GFF3 file by byte: what an index says where it lies."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from polytene.formats.bgzf import is_bgzf, is_gzip_only, open_bgzf
from polytene.formats.text import PathLike, read_blocks

BLOCK, GAP = 4 << 20, 4096
Span = tuple[int, int]


class GffText:
    """The text of a GFF3 file, by byte; only gzip that is not BGZF is held in memory."""

    def __init__(self, path: PathLike) -> None:
        self._bgzf = open_bgzf(path) if is_bgzf(path) else None
        self._text = b"".join(read_blocks(path)) if is_gzip_only(path) else None
        self._file = None if self._bgzf or self._text is not None else open(path, "rb")  # noqa: SIM115

    def read(self, offset: int, size: int) -> bytes:
        """Return some bytes of the text."""
        if self._text is not None:
            return self._text[offset : offset + size]
        if self._bgzf is not None:
            return self._bgzf.read(offset, offset + size)
        assert self._file is not None
        self._file.seek(offset)
        return self._file.read(size)

    def pieces(self, groups: Iterable[Iterable[Iterable[int]]]) -> Iterator[bytes]:
        """Yield the text of groups of spans, whole lines; neighbours are read together."""
        held, begin = b"", 0
        wanted = [[(int(a), int(n)) for a, n in spans] for spans in groups]
        flat = [span for spans in wanted for span in spans]
        ends = _read_ahead(flat)
        k = 0
        for spans in wanted:
            found = []
            for at, size in spans:
                if not begin <= at <= at + size <= begin + len(held):
                    begin, held = at, self.read(at, ends[k] - at)
                piece = held[at - begin : at - begin + size]
                found.append(piece if piece.endswith(b"\n") else piece + b"\n")
                k += 1
            yield found[0] if len(found) == 1 else b"".join(found)


def _read_ahead(spans: list[Span]) -> list[int]:
    """Return how far to read from each span on: as long as the next one follows soon."""
    ends = [0] * len(spans)
    for k in range(len(spans) - 1, -1, -1):
        at, size = spans[k]
        ends[k] = at + size
        if k + 1 < len(spans) and ends[k] <= spans[k + 1][0] <= ends[k] + GAP:
            ends[k] = min(ends[k + 1], max(at + size, at + BLOCK))
    return ends
