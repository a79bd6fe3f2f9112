"""Scores of many genes: each row of the predictions is inflated once, a kernel does the rest."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from polytene.formats.helixer import Strands
from polytene.formats.helixer_rows import Predictions
from polytene.genome.annotation import kernels
from polytene.genome.annotation.columns import Columns, Ints

MOST_BYTES = 4 << 20
BASE_BYTES = 8


@dataclass(frozen=True, eq=False)
class Scores:
    """What the predictions say of genes.

    Parameters
    ----------
    values
        float64 ``(gene, 7)``, as :func:`polytene.genome.annotation.kernels.score` fills them; NaN
        for genes that were not scored.
    low_genes, low_places, low_means
        Gene (int64), place (int64, ``(run, 2)``, 0-based and half-open) and mean of each run of
        unsure bases, sorted by gene and place.
    """

    values: Any
    low_genes: Ints
    low_places: Ints
    low_means: Any


def score(
    genes: Columns,
    scored: Any,
    predictions: Predictions,
    strands: Mapping[str, Strands],
    *,
    threshold: float,
    window: int,
    compat: bool,
) -> Scores:
    """Score genes by the probabilities on their strand.

    Parameters
    ----------
    genes
        The genes.
    scored
        Which of them, bool; they have a strand and predictions.
    predictions, strands
        The probabilities, and where those of each sequence lie.
    threshold, window, compat
        As for :func:`polytene.genome.confidence`.
    """
    values = np.full((len(genes), 7), np.nan)
    runs = []
    for strand, seqid, rows in _groups(genes, scored):
        place = strands[seqid]
        for batch, first, last in _batches(genes, rows, predictions.block):
            track, edge = predictions.track(place, strand, first, last)
            found = _score_batch(genes, batch, strand, track, edge, threshold, window, compat)
            values[batch] = found[0]
            runs.append(found[1])
    low = np.concatenate(runs) if runs else np.empty((0, 4))
    low = low[np.lexsort((low[:, 1], low[:, 0]))]
    places = low[:, 1:3].astype(np.int64)
    sizes = places[:, 1] - places[:, 0]
    return Scores(values, low[:, 0].astype(np.int64), places, low[:, 3] / sizes)


def _groups(genes: Columns, scored: Any) -> Iterator[tuple[str, str, Ints]]:
    """Yield strand, sequence and genes in order of their start."""
    names = {seqid: i for i, seqid in enumerate(dict.fromkeys(genes.seqids))}
    seqs = np.array([names[s] for s in genes.seqids], np.int64)
    order = np.lexsort((genes.starts, genes.strands, seqs))
    order = order[scored[order]]
    keys = 256 * seqs[order] + genes.strands[order]
    for rows in np.split(order, np.flatnonzero(np.diff(keys)) + 1):
        if rows.size:
            yield chr(genes.strands[rows[0]]), genes.seqids[rows[0]], rows


def _batches(genes: Columns, rows: Ints, block: int) -> Iterator[tuple[Ints, int, int]]:
    """Yield genes with the blocks that hold them: no gap between, and no more than memory has."""
    most = max(1, MOST_BYTES // (block * BASE_BYTES))
    firsts, lasts = genes.starts[rows] // block, (genes.ends[rows] - 1) // block
    begin, first, last = 0, int(firsts[0]), int(lasts[0])
    for i, (one, two) in enumerate(zip(firsts.tolist(), lasts.tolist(), strict=True)):
        if one > last + 1 or (two > last and two - first >= most):
            yield rows[begin:i], first, last
            begin, first, last = i, one, two
        last = max(last, two)
    yield rows[begin:], first, last


def _score_batch(
    genes: Columns,
    batch: Ints,
    strand: str,
    track: Any,
    edge: int,
    threshold: float,
    window: int,
    compat: bool,
) -> tuple[Any, Any]:
    """Return the values of genes, and their runs in places of the sequence."""

    def turned(places: Any) -> Any:
        return edge - places[:, ::-1] if strand == "-" else places - edge

    places = turned(np.stack([genes.starts[batch], genes.ends[batch]], axis=1))
    parts = []
    for of, bounds in ((genes.exons, genes.exon_bounds), (genes.cds, genes.cds_bounds)):
        rows, own = _taken(bounds, batch)
        parts += [turned(of[rows]), own]
    sizes = places[:, 1] - places[:, 0]
    values = np.empty((len(batch), 7))
    runs = np.empty((int((sizes // kernels.SHORTEST_RUN + 1).sum()), 4))
    n = kernels.score(
        track.view(np.uint16), places, *parts, _inner(sizes, window, strand, compat), window // 2,
        strand == "-", compat, threshold, values, runs,
    )  # fmt: skip
    runs = runs[:n]
    runs[:, 0] = batch[runs[:, 0].astype(np.int64)]
    runs[:, 1:3] = turned(runs[:, 1:3])
    return values, runs


def _taken(bounds: Ints, batch: Ints) -> tuple[Ints, Ints]:
    """Return the rows of the parts of some genes, and their bounds."""
    begins, counts = bounds[batch], bounds[batch + 1] - bounds[batch]
    own = np.concatenate([[0], np.cumsum(counts)])
    return np.arange(own[-1]) + np.repeat(begins - own[:-1], counts), own


def _inner(sizes: Ints, window: int, strand: str, compat: bool) -> Ints:
    """Return where boundaries are looked at; HelixForge leaves out the last place of its array."""
    low, high = np.full_like(sizes, window), sizes - window
    if compat:
        if strand == "-":
            low += 1
        else:
            high -= 1
        high[sizes < 2 * window] = -1
    return np.stack([low, high], axis=1)
