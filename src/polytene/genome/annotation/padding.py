"""On which side Helixer filled up the last row of the reverse strand: seen by the genes."""

from __future__ import annotations

import numpy as np

from polytene.formats.gff3_index import GffIndex
from polytene.formats.gff3_text import GffText
from polytene.formats.helixer_rows import Padding, Predictions
from polytene.genome.annotation.inputs import Inputs, rows_of
from polytene.genome.annotation.kernels import CDS
from polytene.genome.annotation.models import Gene, Interval, read_genes, read_lines

MOST_GENES = 200


def padding_of(inputs: Inputs, index: GffIndex) -> Padding:
    """Return the layout under which coding bases of the genes are most often seen as coding.

    Only rows that are not full can tell; ``end`` where no gene lies in one.
    """
    rows = rows_of(inputs)
    assert rows is not None
    partial = {s: r for s, r in rows.strands.items() if r.length % rows.block}
    text = GffText(inputs["genes"][0])
    readers = [Predictions(inputs["predictions"][0], rows.block, p) for p in ("end", "start")]
    sums, seen = np.zeros(2), 0
    for entry in index.entries:
        found = partial.get(entry.seqid)
        if found is None or entry.end <= (edge := found.length - found.length % rows.block):
            continue
        lines, _ = read_lines(next(text.pieces([entry.spans])))
        for gene in read_genes(lines):
            places = _coding(gene, edge, found.length)
            if gene.strand != "-" or not places:
                continue
            for i, reader in enumerate(readers):
                last = edge // rows.block
                track, end = reader.track(found, "-", last, last)
                p = track[:, CDS].astype(np.float64)
                sums[i] += sum(float(p[end - b : end - a].sum()) for a, b in places)
            seen += 1
        if seen >= MOST_GENES:
            break
    for reader in readers:
        reader.close()
    return "start" if sums[1] > sums[0] else "end"


def _coding(gene: Gene, low: int, high: int) -> list[Interval]:
    if not gene.transcripts:
        return []
    inside = [(max(a, low), min(b, high)) for a, b in gene.transcripts[0].cds]
    return [(a, b) for a, b in inside if a < b]
