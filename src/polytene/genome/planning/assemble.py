"""Cuts on the axis of a genome, as chunks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Any, overload

import numpy as np

from polytene.formats.regions import Region
from polytene.genome.chunks import GenomicChunk, chunk_ids
from polytene.genome.genome import Genome
from polytene.genome.planning.atoms import distinct
from polytene.genome.planning.genes import Genes
from polytene.genome.reader import Layout

Ints = np.ndarray[Any, np.dtype[np.int64]]


class Chunks(Sequence[GenomicChunk]):
    """The chunks between cuts, made when they are asked for: a genome may have 120,000 scaffolds.

    Parameters
    ----------
    genome, offsets
        The genome, and where its sequences begin on the axis.
    cuts
        Places from 0 to the end of the axis.
    costs
        Cost of each chunk.
    genes
        Genes to count, and to read to their ends.
    halo
        Bases to read beyond each interval, inside its sequence.
    """

    def __init__(
        self,
        genome: Genome,
        offsets: Ints,
        cuts: Ints,
        costs: list[float],
        genes: Genes | None,
        halo: int,
    ) -> None:
        edges = distinct(cuts, offsets)
        starts, ends = edges[:-1], edges[1:]
        self._seq = np.searchsorted(offsets, starts, side="right") - 1
        base, high = offsets[self._seq], offsets[self._seq + 1]
        self._own = starts - base, ends - base
        reads = _reads(starts, ends, base, high, genes, halo)
        self._read = None if reads is None else (reads[0] - base, reads[1] - base)
        self._bounds = np.searchsorted(starts, cuts).tolist()
        self._genome, self._costs = genome, costs
        self._gene_bounds = None
        self._gene_ids = None
        if genes is not None:
            self._gene_bounds = np.searchsorted(genes.starts, cuts).tolist()
            self._gene_ids = genes.ids

    def __len__(self) -> int:
        return len(self._costs)

    @overload
    def __getitem__(self, index: int) -> GenomicChunk: ...
    @overload
    def __getitem__(self, index: slice) -> list[GenomicChunk]: ...
    def __getitem__(self, index: int | slice) -> GenomicChunk | list[GenomicChunk]:
        if isinstance(index, slice):
            return [self._chunk(i) for i in range(*index.indices(len(self)))]
        return self._chunk(range(len(self))[index])

    def __iter__(self) -> Iterator[GenomicChunk]:
        return map(self._chunk, range(len(self)))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and list(self) == list(other)

    __hash__ = None  # type: ignore[assignment]

    @cached_property
    def _ids(self) -> list[str]:
        return chunk_ids(len(self))

    def _chunk(self, i: int) -> GenomicChunk:
        where = slice(self._bounds[i], self._bounds[i + 1])
        seq = self._seq[where]
        names = [self._genome.names[s] for s in seq.tolist()]
        own = _regions(names, self._own, where)
        reads = own if self._read is None else _regions(names, self._read, where)
        n_genes, gene_ids = None, None
        if self._gene_bounds is not None:
            a, b = self._gene_bounds[i], self._gene_bounds[i + 1]
            n_genes = b - a
            gene_ids = None if self._gene_ids is None else tuple(self._gene_ids[a:b])
        about = (self._costs[i], n_genes, gene_ids, reads, _layouts(self._genome, seq))
        return GenomicChunk(self._ids[i], own, i, *about, self._genome.path or None)


def _regions(names: list[str], places: tuple[Ints, Ints], where: slice) -> tuple[Region, ...]:
    starts, ends = places
    return tuple(map(Region, names, starts[where].tolist(), ends[where].tolist()))


def _layouts(genome: Genome, seq: Ints) -> tuple[Layout, ...]:
    if not genome.has_bases:
        return ()
    index = genome.index
    columns = (index.offsets[seq], index.line_bases[seq], index.line_width[seq])
    return tuple(map(Layout, *(c.tolist() for c in columns)))


def _reads(
    starts: Ints, ends: Ints, low: Ints, high: Ints, genes: Genes | None, halo: int
) -> tuple[Ints, Ints] | None:
    """Return what to read for each interval; None where that is the interval."""
    reach = ends
    if genes is not None and len(genes):
        last = np.searchsorted(genes.starts, ends) - 1
        some = (last >= 0) & (genes.starts[np.maximum(last, 0)] >= starts)
        reach = np.where(some, np.maximum(ends, np.minimum(genes.furthest[last], high)), ends)
    if not halo and np.array_equal(reach, ends):
        return None
    return np.maximum(starts - halo, low), np.minimum(reach + halo, high)
