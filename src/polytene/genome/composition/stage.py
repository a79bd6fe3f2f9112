"""The composition of a chunk on a worker: bases, CpG and k-mers by window, sequence or chunk.

A C before G, and a k-mer, belong to where their first base is; so what chunks and windows count
adds up to what the sequence holds, wherever they are cut.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from polytene.core.stage import Partial
from polytene.exceptions import BadInput
from polytene.formats.text import printable
from polytene.genome.composition import kernels
from polytene.genome.reader import Layout, Reader, Text, open_text
from polytene.genome.units import ChunkUnit

Ints = np.ndarray[Any, np.dtype[np.int64]]
Counts = dict[str, Ints]
PIECE = 4 << 20
SPANS = 1024
MERGE_BYTES = 32 << 20
KEYS = ("row", "place")


def compose(unit: ChunkUnit, *, by: str, window: int, k: int, cpg: bool, reader: Reader) -> Partial:
    """Count the letters of a chunk.

    Returns
    -------
    Partial
        Arrays with one entry per row: ``row`` (the sequence, by its byte in the file; the chunk's
        index for ``by="chunk"``) and ``place`` (number of the window), both int64;
        ``letters (row, 7)``, ``cpg (row,)`` and ``kmers (row, 4 ** k)``, int64.

    Raises
    ------
    BadInput
        ``not-nucleotide`` or ``genome-changed``.
    """
    assert unit.fasta is not None
    text = open_text(unit.fasta, reader, unit.expected)
    whole = unit.reads or unit.intervals
    found = Sum()
    for (seqid, start, end), layout, (_, _, reach) in zip(
        unit.intervals, unit.layouts, whole, strict=True
    ):
        place = Layout(*layout)
        for cuts in _slabs(start, end, window if by == "window" else 0, k):
            counts = _count(text, place, cuts, max(reach, end), k, cpg)
            _check(text, place, cuts, counts["letters"], seqid, unit)
            rows = np.full(len(cuts) - 1, unit.index if by == "chunk" else place.offset, np.int64)
            places = cuts[:-1] // window if by == "window" else np.zeros_like(rows)
            counts["letters"] = kernels.fold(counts["letters"])
            found.add({"row": rows, "place": places, **counts})
    bases = sum(end - start for _, start, end in unit.intervals)
    return Partial(found.total(), nbytes=bases)


class Sum:
    """Counts that are added up before they take much memory."""

    def __init__(self) -> None:
        self._parts: list[Counts] = []
        self._bytes, self._most = 0, MERGE_BYTES

    def add(self, part: Counts) -> None:
        """Take counts."""
        self._parts.append(part)
        self._bytes += _size(part)
        if self._bytes > self._most:
            self._parts = [self.total()]
            self._bytes = _size(self._parts[0])
            self._most = max(MERGE_BYTES, 2 * self._bytes)

    def total(self) -> Counts:
        """Return all that was taken, added up."""
        return merge(self._parts)


def _size(part: Counts) -> int:
    return sum(array.nbytes for array in part.values())


def _slabs(start: int, end: int, window: int, k: int) -> Iterator[Ints]:
    """Yield edges of pieces: at multiples of the window, and not too far apart."""
    step = min(window or PIECE, PIECE)
    per_slab = max(1, min(SPANS, PIECE // step, MERGE_BYTES // (8 * 4**k)))
    edges = [np.array([start, end])]
    for width in {step, window or step}:
        edges.append(np.arange(start // width * width + width, end, width))
    cuts = np.unique(np.concatenate(edges))
    for at in range(0, len(cuts) - 1, per_slab):
        yield cuts[at : at + per_slab + 1]


def _count(text: Text, layout: Layout, cuts: Ints, reach: int, k: int, cpg: bool) -> Counts:
    """Count between cuts; what begins before one may end after it, but not after ``reach``."""
    first = _bytes(layout, cuts[:-1])
    low, high = int(first[0]), int(_bytes(layout, cuts[-1:] - 1)[0]) + 1
    beyond = max(int(_bytes(layout, np.minimum(cuts[-1:] + max(k - 2, 0), reach - 1))[0]) + 1, high)
    raw = text.read(low, beyond)
    spans = np.stack([first, np.append(first[1:], high)], axis=1) - low
    n = len(spans)
    counts = {"letters": np.zeros((n, 256), np.int64), "cpg": np.zeros(n, np.int64)}
    kernels.count_letters(raw, spans, counts["letters"])
    for name, size in (("cpg", 2 if cpg else 0), ("kmers", k)):
        counts.setdefault(name, np.zeros((n, 4**k if k else 0), np.int64))
        if size:
            longer = np.minimum(cuts[1:] + size - 1, reach) - 1
            wide = np.stack([first, _bytes(layout, longer) + 1], axis=1) - low
            if name == "cpg":
                kernels.count_cpg(raw, wide, counts["cpg"])
            else:
                kernels.count_kmers(raw, wide, k, kernels.CODES, counts["kmers"])
    text.done(low, beyond)
    return counts


def _bytes(layout: Layout, positions: Ints) -> Ints:
    full, rest = np.divmod(positions, layout.line_bases)
    return layout.offset + full * layout.line_width + rest


def _check(
    text: Text, layout: Layout, cuts: Ints, letters: Ints, seqid: str, unit: ChunkUnit
) -> None:
    """Refuse letters that no nucleotide sequence holds, and a file that is not as indexed."""
    seen = letters.sum(axis=0)
    bad = np.flatnonzero((seen > 0) & (kernels.CLASSES == kernels.BAD))
    if bad.size:
        raw = text.read(layout.byte(int(cuts[0])), layout.byte(int(cuts[-1]) - 1) + 1)
        place = int(np.argmax(raw == bad[0]))
        line_ends = int(np.count_nonzero(kernels.CLASSES[raw[:place]] == kernels.SKIP))
        raise BadInput(
            "not-nucleotide",
            f"{printable(unit.fasta or '')}: base {int(cuts[0]) + place - line_ends + 1:,} of "
            f"{printable(seqid)!r} is {chr(int(bad[0]))!r}, which no nucleotide sequence holds",
        )
    skipped = int(seen[kernels.CLASSES == kernels.SKIP].sum())
    if int(seen.sum()) - skipped != int(cuts[-1] - cuts[0]):
        raise BadInput(
            "genome-changed",
            f"{printable(unit.fasta or '')}: the lines of {printable(seqid)!r} are not as they "
            "were indexed: remove the .fai and plan it anew",
        )


def merge(values: Any) -> Counts:
    """Add up the rows of partial counts that are the same, in genome order."""
    whole = {name: np.concatenate([v[name] for v in values]) for name in values[0]}
    order = np.lexsort((whole["place"], whole["row"]))
    keys = [whole[name][order] for name in KEYS]
    new = np.any([np.diff(key) != 0 for key in keys], axis=0)
    first = np.flatnonzero(np.concatenate([[True], new]))
    out = {name: key[first] for name, key in zip(KEYS, keys, strict=True)}
    for name in whole:
        if name not in KEYS:
            out[name] = np.add.reduceat(whole[name][order], first, axis=0)
    return out
