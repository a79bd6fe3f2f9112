"""The ways to cut a genome that HelixForge knows, with nothing left out and nothing owned twice.

Each returns the places of all cuts on the axis of the genome, its two ends included; no chunk
holds more than one sequence.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from polytene.genome.planning.atoms import Axis, distinct
from polytene.genome.planning.genes import Genes

Ints = np.ndarray[Any, np.dtype[np.int64]]
CHUNK_SIZE = 10_000_000
MIN_CHUNK_SIZE = 100_000
GENES = 100
BASES_PER_CHUNK = 50_000_000
LEAST_DENSITY = 0.5


def by_scaffold(offsets: Ints, max_chunk_size: int | None) -> Ints:
    """Cut between sequences, and those that are longer than allowed at each multiple of it."""
    if max_chunk_size is None:
        return distinct(offsets)
    return by_size(offsets, max_chunk_size, 0)


def by_size(offsets: Ints, size: int, least: int) -> Ints:
    """Cut sequences into windows; a last one that is shorter than ``least`` joins its neighbour."""
    lengths = np.diff(offsets)
    windows = np.maximum(-(-lengths // size), 1)
    rest = lengths % size
    windows -= (rest > 0) & (rest < least) & (windows > 1)
    windows[lengths < least] = 1
    first = np.repeat(np.cumsum(windows) - windows, windows)
    number = np.arange(int(windows.sum())) - first
    return np.append(np.repeat(offsets[:-1], windows) + number * size, offsets[-1])


def by_genes(offsets: Ints, genes: Genes, n: int) -> Ints:
    """Cut after each ``n`` genes of a sequence, in the middle of the gap that follows."""
    seq = np.searchsorted(offsets, genes.starts, side="right") - 1
    rank = np.arange(len(genes)) - np.searchsorted(seq, seq, side="left")
    after = np.flatnonzero((rank > 0) & (rank % n == 0))
    start, end = genes.starts[after], genes.furthest[after - 1]
    cuts = np.where(end <= start, (start + end) // 2, start)
    return distinct(offsets, cuts)


def adaptive(offsets: Ints, genes: Genes | None, target: int, least: int, axis: Axis) -> Ints:
    """Cut sequences into windows that are shorter where genes are denser."""
    lengths = np.diff(offsets)
    total = int(offsets[-1])
    base = max(least, total // target)
    sizes = np.full(len(lengths), base, np.int64)
    if genes is not None and len(genes):
        found = np.diff(np.searchsorted(genes.starts, offsets))
        density = np.divide(found * total, lengths * len(genes), where=lengths > 0,
                            out=np.ones(len(lengths)))  # fmt: skip
        sizes = (base / np.maximum(LEAST_DENSITY, density)).astype(np.int64)
    sizes = np.maximum(sizes, max(least, 1))
    cuts = []
    for i in np.flatnonzero(lengths > sizes).tolist():
        at, end, size = int(offsets[i]), int(offsets[i + 1]), int(sizes[i])
        while (at := int(whole(axis, np.array([at + size]))[0])) < end and end - at >= least:
            cuts.append(at)
    return distinct(offsets, np.array(cuts, np.int64))


def whole(axis: Axis, cuts: Ints) -> Ints:
    """Move cuts out of what must stay whole, to its end."""
    inside = np.minimum(cuts, axis.bases)
    i = np.searchsorted(axis.points, inside, side="right") - 1
    free = np.append(axis.free, True)[i] | (axis.points[i] == inside)
    return np.where(free, inside, axis.points[np.minimum(i + 1, len(axis.points) - 1)])
