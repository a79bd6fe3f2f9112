"""A gene as people look at it: what Helixer saw at each base, above what is annotated."""

from __future__ import annotations

import html
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import numpy as np

from polytene.exceptions import UsageError
from polytene.formats.gff3_text import GffText
from polytene.formats.helixer import CLASSES, Strands
from polytene.formats.text import printable
from polytene.genome.annotation.confidence import THRESHOLD
from polytene.genome.annotation.inputs import Inputs, index_of, rows_of
from polytene.genome.annotation.models import Gene, Interval, read_genes, read_lines
from polytene.genome.annotation.work import predictions_of

COLORS = ("#d8dde2", "#8fb3d1", "#1b5e93", "#e3b65f")
WIDTH, TRACK, LEFT, TOP = 720, 110, 46, 24
MARGIN, MOST_COLUMNS = 0.06, 720


def gene_svg(gene_id: str, inputs: Inputs, threshold: float = THRESHOLD) -> str:
    """Return a picture of a gene, as SVG: the probabilities of its strand, and its transcripts.

    Parameters
    ----------
    gene_id
        As it stands in the GFF3 file, unescaped.
    inputs
        Made by :func:`polytene.genome.annotation_inputs` with ``genome`` and ``predictions``.
    threshold
        Bases whose greatest probability is below it are marked.

    Raises
    ------
    UsageError
        If there is no such gene, or no prediction for it.

    Examples
    --------
    >>> from polytene import genome
    >>> from polytene.testing.annotation import write_annotation
    >>> made = write_annotation()
    >>> inputs = genome.annotation_inputs(
    ...     made.gff3, genome=made.fasta, predictions=made.predictions
    ... )
    >>> genome.gene_svg("gene1", inputs)[:4]
    '<svg'
    """
    gene = _found(gene_id, inputs)
    rows = rows_of(inputs)
    if rows is None or gene.seqid not in rows.strands or gene.strand not in ("+", "-"):
        raise UsageError(f"there are no predictions along gene {printable(gene_id)!r}")
    strands = rows.strands[gene.seqid]
    beside = int(MARGIN * (gene.end - gene.start)) + 1
    low, high = max(0, gene.start - beside), min(strands.length, gene.end + beside)
    return _svg(gene, _along(inputs, strands, gene.strand, low, high), low, high, threshold)


def _found(gene_id: str, inputs: Inputs) -> Gene:
    text = GffText(inputs["genes"][0])
    for piece in text.pieces(entry.spans for entry in index_of(inputs).entries):
        for gene in read_genes(read_lines(piece)[0]) if gene_id.encode() in piece else ():
            if gene.id == gene_id:
                return gene
    raise UsageError(f"there is no gene {printable(gene_id)!r} in {printable(inputs['genes'][0])}")


def _along(inputs: Inputs, strands: Strands, strand: str, low: int, high: int) -> Any:
    """Return the probabilities from ``low`` to ``high`` along the sequence."""
    with closing(predictions_of(inputs)) as predictions:
        block = predictions.block
        track, edge = predictions.track(strands, strand, low // block, (high - 1) // block)
    found = track[low - edge : high - edge] if strand == "+" else track[edge - high : edge - low]
    found = found.astype(np.float32)
    return found if strand == "+" else found[::-1]


def _svg(gene: Gene, p: Any, low: int, high: int, threshold: float) -> str:
    scale = WIDTH / (high - low)
    parts = [f"<text x='{LEFT}' y='14' font-weight='bold'>{html.escape(gene.id)}</text>"]
    where = f"{gene.seqid}:{gene.start + 1:,}-{gene.end:,} ({gene.strand})"
    parts.append(f"<text x='{LEFT + WIDTH}' y='14' text-anchor='end'>{html.escape(where)}</text>")
    parts += _areas(p)
    y = TOP + TRACK
    parts += [_label("1", TOP + 9), _label("0", y)]
    unsure = _unsure(p.max(axis=1), threshold)
    for start, end in unsure:
        parts.append(_rect(LEFT + start * scale, y + 8, (end - start) * scale, 5, "#b3261e"))
    if unsure:
        parts.append(_label("unsure", y + 14))
    for transcript in gene.transcripts:
        y += 30
        a, b = ((x - low) * scale + LEFT for x in (transcript.exons[0][0], transcript.exons[-1][1]))
        parts.append(f"<path d='M{a:.1f} {y}H{b:.1f}' stroke='#334'/>")
        parts += _boxes(transcript.exons, low, scale, y, 6, COLORS[1])
        parts += _boxes(transcript.cds, low, scale, y, 12, COLORS[2])
    y += 30
    for i, name in enumerate(CLASSES):
        x = LEFT + 110 * i
        parts.append(_rect(x, y - 9, 10, 10, COLORS[i]))
        parts.append(f"<text x='{x + 15}' y='{y}'>{name}</text>")
    return (
        f"<svg xmlns='http://www.w3.org/2000/svg' width='{LEFT + WIDTH + 10}' height='{y + 10}' "
        f"font-family='sans-serif' font-size='12' fill='#223'>{''.join(parts)}</svg>"
    )


def _areas(p: Any) -> Iterator[str]:
    """Yield the probabilities, one on top of the other."""
    edges = np.linspace(0, len(p), min(len(p), MOST_COLUMNS) + 1).astype(np.int64)
    means = np.add.reduceat(p, edges[:-1], axis=0) / np.diff(edges)[:, None]
    tops = np.cumsum(means[:, ::-1], axis=1)  # intron lowest, intergenic on top
    xs = LEFT + WIDTH * edges / len(p)
    below = np.zeros(len(means))
    for k, color in enumerate(COLORS[::-1]):
        up, down = (TOP + TRACK * (1 - np.minimum(v, 1)) for v in (tops[:, k], below))
        steps = [f"{x:.1f} {y:.1f}H{z:.1f}" for x, z, y in zip(xs, xs[1:], up, strict=False)]
        back = [f"{z:.1f} {y:.1f}H{x:.1f}" for x, z, y in zip(xs, xs[1:], down, strict=False)]
        yield f"<path d='M{'L'.join([*steps, *back[::-1]])}Z' fill='{color}'/>"
        below = tops[:, k]


def _unsure(best: Any, threshold: float) -> list[Interval]:
    """Return the runs below the threshold."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], best < threshold, [0]])))
    return [(int(a), int(b)) for a, b in edges.reshape(-1, 2)]


def _boxes(
    places: tuple[Interval, ...], low: int, scale: float, y: int, height: int, color: str
) -> Iterator[str]:
    for start, end in places:
        x = LEFT + (start - low) * scale
        yield _rect(x, y - height / 2, (end - start) * scale, height, color)


def _rect(x: float, y: float, width: float, height: float, color: str) -> str:
    size = f"width='{max(width, 1):.1f}' height='{height:.1f}'"
    return f"<rect x='{x:.1f}' y='{y:.1f}' {size} fill='{color}'/>"


def _label(text: str, y: int) -> str:
    return f"<text x='{LEFT - 6}' y='{y}' text-anchor='end' fill='#556'>{text}</text>"
