"""Chunk plans as JSON: ours, and that of HelixForge."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from polytene.exceptions import UsageError
from polytene.formats.regions import Region
from polytene.genome.chunks import ChunkPlan, GenomeFacts, GenomicChunk
from polytene.genome.reader import Layout

SCHEMA = "polytene.chunkplan/1"


def to_json(plan: ChunkPlan) -> str:
    """Return a plan as JSON with one line per chunk."""
    head = {
        "schema": SCHEMA,
        "coords": "0-based half-open",
        "genome": asdict(plan.genome) if plan.genome else None,
        "strategy": plan.strategy,
        "parameters": dict(plan.parameters),
        "cost": dict(plan.cost_terms),
        "quality": dict(plan.measures),
        "total_bases": plan.total_bases,
        "total_genes": plan.total_genes,
        "n_chunks": len(plan),
    }
    text = json.dumps(head, indent=2)[:-2]
    lines = ",\n".join(f"    {json.dumps(_row(c))}" for c in plan)
    return f'{text},\n  "chunks": [\n{lines}\n  ]\n}}\n'


def _row(chunk: GenomicChunk) -> dict[str, Any]:
    row: dict[str, Any] = {"chunk_id": chunk.chunk_id}
    if len(chunk.intervals) == 1:
        row |= chunk.intervals[0]._asdict()
    row |= {"size": chunk.size, "cost": chunk.cost, "n_genes": chunk.n_genes}
    row["intervals"] = chunk.intervals
    if chunk.reads != chunk.intervals:
        row["reads"] = chunk.reads
    if chunk.layouts:
        row["layouts"] = chunk.layouts
    if chunk.gene_ids is not None:
        row["gene_ids"] = chunk.gene_ids
    return row


def from_json(data: Any, name: str) -> ChunkPlan:
    """Return the plan that JSON holds; ``name`` is how errors call the file.

    Raises
    ------
    UsageError
        If it is no plan, or one of a later version.
    """
    if not isinstance(data, dict) or not isinstance(data.get("chunks"), list):
        raise UsageError(f"{name} is no chunk plan: expected an object with a list 'chunks'")
    schema = data.get("schema", SCHEMA)
    if schema != SCHEMA:
        raise UsageError(f"{name} is of schema {schema!r}, and this version reads {SCHEMA!r}")
    try:
        about = data.get("genome")
        genome = GenomeFacts(**about) if about else None
        fasta = genome.path if genome else None
        chunks = [_chunk(i, row, fasta) for i, row in enumerate(data["chunks"])]
    except (KeyError, TypeError, ValueError) as error:
        raise UsageError(f"{name} is no chunk plan: {error}") from None
    if not chunks:
        raise UsageError(f"{name} has no chunks")
    if len({c.chunk_id for c in chunks}) < len(chunks):
        raise UsageError(f"{name}: two chunks have the same id")
    return ChunkPlan(
        str(data.get("strategy", "unknown")),
        chunks,
        int(data.get("total_bases") or sum(c.size for c in chunks)),
        data.get("total_genes"),
        data.get("parameters") or {},
        genome,
        data.get("cost") or {},
        data.get("quality") or {},
    )


def _chunk(index: int, row: dict[str, Any], fasta: str | None) -> GenomicChunk:
    chunk_id = str(row["chunk_id"])
    if "intervals" in row:
        intervals = _regions(row["intervals"], chunk_id)
    else:
        intervals = _regions([[row["seqid"], row["start"], row["end"]]], chunk_id)
    genes = row.get("gene_ids")
    gene_ids = None if genes is None else tuple(map(str, genes))
    n_genes = row.get("n_genes", None if gene_ids is None else len(gene_ids))
    reads = _regions(row.get("reads", ()), chunk_id)
    cost = row.get("cost", sum(r.size for r in intervals))
    layouts = tuple(Layout(*map(int, place)) for place in row.get("layouts", ()))
    about = (index, cost, n_genes, gene_ids, reads, layouts, fasta)
    return GenomicChunk(chunk_id, intervals, *about)


def _regions(rows: Sequence[Any], chunk_id: str) -> tuple[Region, ...]:
    regions = tuple(Region(str(s), int(a), int(b)) for s, a, b in rows)
    for region in regions:
        if not 0 <= region.start < region.end:
            raise ValueError(f"{chunk_id} has the interval {region[1]} to {region[2]}")
    return regions
