"""Runs of N: gaps in an assembly, where a cut harms nobody."""

from __future__ import annotations

from typing import Any

import numba
import numpy as np

from polytene.exceptions import UsageError
from polytene.formats.regions import Region
from polytene.genome.genome import Genome
from polytene.genome.reader import Layout, open_text, raw_blocks

MIN_RUN = 100
_START, _POSITION = 0, 1


@numba.njit(nogil=True, cache=True, error_model="numpy")  # type: ignore[untyped-decorator, unused-ignore]
def _scan(raw: Any, state: Any, least: int, out: Any) -> Any:
    """Go through bytes as they are in the file; ``state`` is carried from block to block."""
    n = 0
    start, position = state[_START], state[_POSITION]
    for byte in raw:
        if byte == 10 or byte == 13:
            continue
        if byte == 78 or byte == 110:
            if start < 0:
                start = position
        elif start >= 0:
            if position - start >= least:
                out[n, 0] = start
                out[n, 1] = position
                n += 1
            start = -1
        position += 1
    state[_START], state[_POSITION] = start, position
    return n


def n_runs(
    genome: Genome, where: str | Region | None = None, *, min_length: int = MIN_RUN
) -> list[Region]:
    """Return the runs of N of a genome or of a region of it, in genome order.

    Parameters
    ----------
    genome
        The genome.
    where
        A region, or all of it.
    min_length
        Bases of the shortest run to report. A run is cut off at the ends of the region.

    Examples
    --------
    >>> from polytene.testing.assembly import write_assembly
    >>> [str(r) for r in n_runs(Genome(write_assembly().fasta))][:2]
    ['chr1:6168-6365', 'chr1:14096-14207']
    """
    if not genome.has_bases:
        raise UsageError("only the lengths of this genome are known, not its bases")
    if min_length < 1:
        raise UsageError(f"min_length is {min_length}: at least 1")
    regions = [genome.region(where)] if where is not None else _everything(genome)
    text = open_text(genome.path, genome.reader, (genome.size, genome.mtime_ns))
    return [r for region in regions for r in _of(text, genome.layout(region.seqid), region,
                                                  min_length)]  # fmt: skip


def _everything(genome: Genome) -> list[Region]:
    return [Region(seqid, 0, length) for seqid, length in genome.lengths.items() if length]


def _of(text: Any, layout: Layout, region: Region, least: int) -> list[Region]:
    state = np.array([-1, region.start], np.int64)
    found = []
    for raw in raw_blocks(text, layout, region.start, region.end):
        out = np.empty((raw.size // (least + 1) + 1, 2), np.int64)
        n = _scan(raw, state, least, out)
        found += [Region(region.seqid, a, b) for a, b in out[:n].tolist()]
    if 0 <= state[_START] <= region.end - least:
        found.append(Region(region.seqid, int(state[_START]), region.end))
    return found
