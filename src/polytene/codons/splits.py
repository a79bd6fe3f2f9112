"""Long sequences as several rows: where they are cut, and what lies across a cut.

A row of a sequence that was cut says where it starts in the whole (``part_start``), how long the
whole is (``total``) and which bases come after it (``after``, up to five). A codon, and a pair of
codons, belongs to the row that holds its first base; five bases are what a pair can need beyond
the row's end. So each row is counted on its own, and the counts add up exactly.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from polytene.codons.kernels import Int64s
from polytene.exceptions import BadInput

Bools = np.ndarray[Any, np.dtype[np.bool_]]

PART_BASES = 6 << 20  # whole codons, and whole bytes of four bases
AFTER = 5
COLUMNS = ("part", "part_start", "total", "after")


def cuts(total: int, extents: Iterable[tuple[int, int]] = (), most: int = PART_BASES) -> list[int]:
    """Return where a sequence is cut: the starts of its rows, and its end.

    Parameters
    ----------
    total
        Bases of the sequence.
    extents
        Half-open spans in bp that no cut may divide, such as coding sequences with their introns.
    most
        Bases of a row, unless a span that may not be divided is longer.

    Examples
    --------
    >>> cuts(25, most=10), cuts(25, [(8, 13), (12, 17)], most=10)
    ([0, 10, 20, 25], [0, 8, 18, 25])
    """
    spans = _merged(extents)
    ends = [0]
    while total - ends[-1] > most:
        ends.append(_cut(ends[-1], ends[-1] + most, spans))
        if ends[-1] >= total:
            ends.pop()
            break
    return [*ends, total]


def _merged(extents: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    out: list[tuple[int, int]] = []
    for start, end in sorted(extents):
        if out and start < out[-1][1]:
            out[-1] = out[-1][0], max(out[-1][1], end)
        else:
            out.append((start, end))
    return out


def _cut(after: int, wanted: int, spans: list[tuple[int, int]]) -> int:
    """Return the cut at ``wanted``, or before or behind the span that it would divide."""
    for start, end in spans:
        if start < wanted < end:
            return start if start > after else end
    return wanted


@dataclass(frozen=True)
class Place:
    """Where the rows of a slice lie in their sequences; arrays of shape ``(row,)``."""

    size: Int64s
    """Bases of the row."""
    start: Int64s
    """Bases of the sequence before the row."""
    total: Int64s
    """Bases of the sequence."""

    @classmethod
    def of(cls, data: pa.RecordBatch, sizes: Int64s, path: str) -> Place:
        """Read where the rows lie; without the columns, each is a whole sequence.

        Raises
        ------
        BadInput
            ``damaged-parts`` if the columns contradict the sequences.
        """
        if not set(COLUMNS) <= set(data.schema.names):
            return cls(sizes, np.zeros_like(sizes), sizes)
        start, total = (_numbers(data.column(name)) for name in ("part_start", "total"))
        after = _numbers(pc.binary_length(data.column("after")))
        rest = total - start - sizes
        if ((start < 0) | (rest < 0) | (after != np.minimum(rest, AFTER)))[sizes > 0].any():
            raise BadInput(
                "damaged-parts",
                f"{path}: part_start, total and after do not fit the sequences; make the set again",
            )
        return cls(sizes, start, total)

    @property
    def first(self) -> Bools:
        """Whether a row begins its sequence."""
        return self.start == 0  # type: ignore[no-any-return]

    @property
    def last(self) -> Bools:
        """Whether a row ends its sequence."""
        return self.start + self.size >= self.total

    def skip(self, frame: int) -> Int64s:
        """Return the bases of each row before its first codon in a frame of the sequence."""
        return (frame - self.start) % 3

    def held(self, frame: int, codons: int = 1) -> Int64s:
        """Return how many runs of so many codons begin in each row and end in its sequence."""
        skip = self.skip(frame)
        begin = np.maximum(0, self.size - skip + 2) // 3
        whole = np.maximum(0, self.total - self.start - skip) // 3
        most: Int64s = np.minimum(begin, whole - codons + 1)
        return np.maximum(0, most)

    def partial(self, frame: int) -> Bools:
        """Whether a row is the end of a sequence that leaves bases over in a frame."""
        return self.last & (np.maximum(self.total - frame, 0) % 3 > 0)

    def rows(self, keep: Any) -> Place:
        """Return some of the rows."""
        return Place(self.size[keep], self.start[keep], self.total[keep])


def _numbers(column: pa.Array) -> Int64s:
    found = column.cast(pa.int64()).fill_null(0).to_numpy(zero_copy_only=False)
    return found.astype(np.int64)  # type: ignore[no-any-return]


def seams(
    after: pa.Array, tail: Callable[[int, int], bytes], place: Place, frame: int, codons: int = 1
) -> Iterator[tuple[int, bytes]]:
    """Yield the rows that a cut ends, with the bases of the runs of codons that it divides.

    Parameters
    ----------
    after
        The bases that come after each row.
    tail
        ``tail(row, start)`` gives the bases of a row from one on.
    place
        Where the rows lie in their sequences.
    frame
        Frame of the whole sequence.
    codons
        1: bases of the codon that begins in the row and ends behind it, if any. 2: those of the
        pairs that do.
    """
    held, skip = place.held(frame), place.skip(frame)
    for i in np.flatnonzero(~place.last & (held > 0)).tolist():
        inside = int(place.size[i] - skip[i]) // 3
        start = int(skip[i]) + 3 * max(0, inside - codons + 1)
        stop = int(skip[i]) + 3 * int(held[i] + codons - 1)
        yield i, (tail(i, start) + _bytes(after[i]))[: stop - start]


def _bytes(value: Any) -> bytes:
    found = value.as_py() or b""
    return found if isinstance(found, bytes) else found.encode()
