"""Chunks as units of a run: all that a worker needs, as plain fields."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import Any

from polytene.core.keys import safe_key
from polytene.core.plan import Plan, Unit
from polytene.exceptions import UsageError
from polytene.formats.regions import Region
from polytene.formats.text import printable
from polytene.genome.chunks import ChunkPlan, GenomicChunk
from polytene.genome.reader import Layout

MANY = 4096
Rows = list[list[Any]]


@dataclass(frozen=True)
class ChunkUnit(Unit):
    """A chunk, and the file that it is read from.

    Parameters
    ----------
    chunk_id, index, intervals, n_genes, gene_ids, reads, layouts, fasta
        As in :class:`polytene.genome.GenomicChunk`; ``reads`` is empty where it is the intervals.
    size, mtime_ns
        What the file was when the run was planned; 0 without a file.
    chunk_cost
        Cost in the units of the plan.
    """

    chunk_id: str
    index: int
    intervals: Rows
    chunk_cost: float
    n_genes: int | None = None
    gene_ids: list[str] | None = None
    reads: Rows = field(default_factory=list)
    layouts: Rows = field(default_factory=list)
    fasta: str | None = None
    size: int = 0
    mtime_ns: int = 0

    @property
    def expected(self) -> tuple[int, int]:
        """Size and mtime_ns of the file."""
        return self.size, self.mtime_ns


def chunk_of(unit: ChunkUnit) -> GenomicChunk:
    """Return the chunk that a unit stands for."""
    ids = None if unit.gene_ids is None else tuple(unit.gene_ids)
    return GenomicChunk(
        unit.chunk_id,
        _regions(unit.intervals),
        unit.index,
        unit.chunk_cost,
        unit.n_genes,
        ids,
        _regions(unit.reads),
        tuple(Layout(*row) for row in unit.layouts),
        unit.fasta,
    )


def _regions(rows: Rows) -> tuple[Region, ...]:
    return tuple(Region(*row) for row in rows)


def unit_plan(
    plan: ChunkPlan, kind: str, params: dict[str, Any], *, with_genes: bool = True
) -> Plan[ChunkUnit]:
    """Return the chunks of a plan as a plan of the engine.

    ``with_genes=False`` leaves genes out, for results that do not depend on them.

    Raises
    ------
    UsageError
        If the FASTA file of the plan is not the one that was planned.
    """
    about = _file_of(plan)
    units = [_unit(chunk, about, with_genes) for chunk in plan]
    block = 16 if len(units) > MANY else 1
    return Plan(kind, units, params, block=block, noun="chunk")


def _unit(chunk: GenomicChunk, about: tuple[int, int], with_genes: bool) -> ChunkUnit:
    genes: dict[str, Any] = {}
    if with_genes:
        ids = None if chunk.gene_ids is None else list(chunk.gene_ids)
        genes = {"n_genes": chunk.n_genes, "gene_ids": ids}
    reads = [] if chunk.reads == chunk.intervals else [list(r) for r in chunk.reads]
    return ChunkUnit(
        safe_key(chunk.chunk_id),
        chunk.chunk_id,
        chunk.index,
        [list(r) for r in chunk.intervals],
        chunk.cost,
        **genes,
        reads=reads,
        layouts=[list(place) for place in chunk.layouts],
        fasta=chunk.fasta,
        size=about[0],
        mtime_ns=about[1],
        cost=float(max(chunk.cost, 1e-9) or 1),
    )


def _file_of(plan: ChunkPlan) -> tuple[int, int]:
    """Return size and mtime_ns of the file of a plan; zeros if it has none."""
    if plan.genome is None or not plan.genome.path:
        return 0, 0
    path = plan.genome.path
    try:
        found = os.stat(path)
    except OSError as error:
        raise UsageError(f"{printable(path)}, of which the plan is: {error.strerror}") from None
    if found.st_size != plan.genome.size:
        raise UsageError(
            f"{printable(path)} had {plan.genome.size:,} bytes when it was planned, and has "
            f"{found.st_size:,}: plan it anew"
        )
    return found.st_size, found.st_mtime_ns
