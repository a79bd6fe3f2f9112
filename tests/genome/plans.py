"""Small plans, and genomes whose sequences have names that no shell should see bare."""

from __future__ import annotations

from polytene.formats.regions import Region
from polytene.genome.chunks import ChunkPlan, GenomicChunk, chunk_ids

HOSTILE = [
    "chr 2 x",
    "gi|3|y#z",
    'it\'s $(touch HACKED) "q" `touch HACKED`; touch HACKED &',
    "HLA:A*01:01",
    "a\\b",
    "~root",
    "${HOME}",
    "{start}",
]


def plan_of(*chunks: list[tuple[str, int, int]]) -> ChunkPlan:
    """A plan with these intervals, chunk by chunk."""
    ids = chunk_ids(len(chunks))
    made = [
        GenomicChunk(i, tuple(Region(*r) for r in rows), n)
        for n, (i, rows) in enumerate(zip(ids, chunks, strict=True))
    ]
    return ChunkPlan("balanced", made, sum(c.size for c in made))


def cut(lengths: dict[str, int], k: int) -> ChunkPlan:
    """A plan of ``k`` chunks of nearly equal size, small sequences pooled."""
    total = sum(lengths.values())
    ends = [round(total * (i + 1) / k) for i in range(k)]
    chunks: list[list[tuple[str, int, int]]] = [[] for _ in range(k)]
    place, chunk = 0, 0
    for seqid, length in lengths.items():
        start = 0
        while start < length:
            end = min(length, start + ends[chunk] - place)
            if end > start:
                chunks[chunk].append((seqid, start, end))
            place, start = place + end - start, end
            chunk += place == ends[chunk]
    return plan_of(*chunks)
