"""Genes that are read together: each stretch of the alignments is read once per chunk."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from polytene.genome.annotation.alignments import Reads, Stretch
from polytene.genome.annotation.evidence import Lookup
from polytene.genome.annotation.work import Graph

GAP = 2000
LONGEST = 4 << 20


@dataclass
class Reading:
    """Genes, and the reads over the stretch that they share; none where there are no genes."""

    graphs: list[Graph]
    stretch: Stretch | None
    lookups: dict[str, Lookup]


def together(graphs: list[Graph], reads: Reads, margin: int) -> Iterator[Reading]:
    """Yield genes that lie near each other with the reads over them.

    Parameters
    ----------
    graphs
        Sorted by sequence and start.
    reads
        The samples.
    margin
        Bases to look at beside a gene.
    """
    held: list[Graph] = []
    seqid, start, end = "", 0, 0
    for graph in graphs:
        if not graph.genes:
            held.append(graph)
            continue
        gene = graph.genes[0]
        low, high = graph.start - margin, graph.end + margin
        near = gene.seqid == seqid and low <= end + GAP
        if near and (low < end or max(high, end) - start <= LONGEST):
            end = max(end, high)
        else:
            if held:
                yield _reading(held, reads, seqid, start, end)
            held, seqid, start, end = [], gene.seqid, low, high
        held.append(graph)
    if held:
        yield _reading(held, reads, seqid, start, end)


def _reading(graphs: list[Graph], reads: Reads, seqid: str, start: int, end: int) -> Reading:
    if start >= end:
        return Reading(graphs, None, {})
    stretch = reads.over(seqid, start, end)
    return Reading(graphs, stretch, {s: Lookup(stretch, s) for s in "+-"})
