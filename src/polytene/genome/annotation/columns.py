"""Genes as columns: the first transcript of each, read without an object per line."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from polytene.formats.gff3_lines import BEGIN, END, SEQ_END, START, STRAND, read_lines
from polytene.genome.annotation import models, plain_genes
from polytene.genome.annotation.models import Gene, Interval
from polytene.genome.annotation.plain_genes import (
    GENE_LINE,
    HIGH,
    LOW,
    N_CDS,
    N_EXONS,
    NO_TRANSCRIPT,
)

STRANDS = ("+", "-", ".", "?")
Ints = np.ndarray[Any, np.dtype[np.int64]]


@dataclass(frozen=True, eq=False)
class Columns:
    """Genes; all places are 0-based and half-open, int64.

    Parameters
    ----------
    ids, seqids
        Names.
    strands
        Byte of the strand, 0 if it is none of + - . ?
    starts, ends
        Places of the genes.
    lows, highs
        What they cover with all that belongs to them: their place in tables.
    n_exons
        Exons of the first transcript; -1 for a gene without any transcript.
    exons, exon_bounds
        ``(exon, 2)`` in genome order, and where those of each gene begin, ``(gene + 1,)``.
    cds, cds_bounds
        The same of the coding sequence.
    """

    ids: list[str]
    seqids: list[str]
    strands: Any
    starts: Ints
    ends: Ints
    lows: Ints
    highs: Ints
    n_exons: Ints
    exons: Ints
    exon_bounds: Ints
    cds: Ints
    cds_bounds: Ints

    def __len__(self) -> int:
        return len(self.ids)


Placed = tuple[Gene, int, int]


def columns_of(genes: Sequence[Placed]) -> Columns:
    """Return genes, each with the extent of all that belongs to it, as columns."""
    firsts = [gene.transcripts[0] if gene.transcripts else None for gene, _, _ in genes]
    exons, exon_bounds = _ragged([t.exons if t else () for t in firsts])
    cds, cds_bounds = _ragged([t.cds if t else () for t in firsts])
    strands = [ord(g.strand) if g.strand in STRANDS else 0 for g, _, _ in genes]
    return Columns(
        ids=[gene.id for gene, _, _ in genes],
        seqids=[gene.seqid for gene, _, _ in genes],
        strands=np.array(strands, np.uint8),
        starts=_ints(gene.start for gene, _, _ in genes),
        ends=_ints(gene.end for gene, _, _ in genes),
        lows=_ints(low for _, low, _ in genes),
        highs=_ints(high for _, _, high in genes),
        n_exons=_ints(len(t.exons) if t else NO_TRANSCRIPT for t in firsts),
        exons=exons,
        exon_bounds=exon_bounds,
        cds=cds,
        cds_bounds=cds_bounds,
    )


def _ints(values: Iterable[int]) -> Ints:
    return np.array(list(values), np.int64)


def _ragged(parts: Sequence[Sequence[Interval]]) -> tuple[Ints, Ints]:
    flat = [place for found in parts for place in found]
    return np.array(flat, np.int64).reshape(-1, 2), np.cumsum([0, *map(len, parts)])


def joined(parts: Sequence[Columns]) -> Columns:
    """Return columns as one."""
    names = ("strands", "starts", "ends", "lows", "highs", "n_exons", "exons", "cds")
    arrays = {name: np.concatenate([getattr(p, name) for p in parts]) for name in names}
    for name in ("exon_bounds", "cds_bounds"):
        counts = np.concatenate([np.diff(getattr(p, name)) for p in parts])
        arrays[name] = np.concatenate([[0], np.cumsum(counts)])
    ids, seqids = ([x for p in parts for x in getattr(p, name)] for name in ("ids", "seqids"))
    return Columns(ids=ids, seqids=seqids, **arrays)


def read_columns(pieces: Iterable[bytes]) -> Columns:
    """Return the genes of pieces of GFF3, each of which is a gene with all its parts.

    Most are a gene, its transcripts and their parts, with one parent each: a kernel reads them.
    The others, which come last, are read as :func:`polytene.genome.annotation.models.read_genes`
    does; that is what all mean.
    """
    texts = list(pieces)
    text = b"".join(texts)
    found = read_lines(text)
    ends = np.cumsum([len(t) for t in texts], dtype=np.int64)
    bounds = np.concatenate([[0], np.searchsorted(found.lines[:, BEGIN], ends)])
    kinds = np.empty(len(found.lines), np.int64)
    plain_genes.classify(found.text, found.lines, kinds)
    n = len(texts)
    exons, cds = (np.empty((len(found.lines), 2), np.int64) for _ in range(2))
    about, own = np.empty((n, 5), np.int64), np.empty((n, 2), np.int64)
    plain_genes.resolve(found.text, found.lines, found.names, kinds, bounds, exons, cds, about, own)
    simple = about[:, GENE_LINE] >= 0
    complex_ones: list[Placed] = []
    for i in np.flatnonzero(~simple).tolist():
        lines, _ = models.read_lines(texts[i])
        low, high = min(x.start for x in lines), max(x.end for x in lines)
        complex_ones += [(gene, low, high) for gene in models.read_genes(lines)]
    about, own = about[simple], own[simple]
    kernel_read = _columns(text, found.lines[about[:, GENE_LINE]], about, own, exons, cds)
    return joined([kernel_read, columns_of(complex_ones)]) if complex_ones else kernel_read


def _columns(text: bytes, rows: Ints, about: Ints, own: Ints, exons: Ints, cds: Ints) -> Columns:
    counts = np.maximum(about[:, N_EXONS], 0)
    exon_bounds, cds_bounds = (
        np.concatenate([[0], np.cumsum(c)]) for c in (counts, about[:, N_CDS])
    )
    known: dict[bytes, str] = {}
    seqids, ids = [], []
    places = zip(rows[:, [BEGIN, SEQ_END, START, END]].tolist(), own.tolist(), strict=True)
    for (begin, stop, start, end), (first, last) in places:
        raw = text[begin:stop]
        if raw not in known:
            known[raw] = models.unescaped(raw)
        seqid = known[raw]
        seqids.append(seqid)
        name = models.unescaped(text[first:last]) if last > first else f"{seqid}:{start + 1}-{end}"
        ids.append(name)
    strands = rows[:, STRAND].astype(np.uint8)
    strands[~np.isin(strands, list(map(ord, STRANDS)))] = 0
    return Columns(
        ids=ids,
        seqids=seqids,
        strands=strands,
        starts=rows[:, START],
        ends=rows[:, END],
        lows=about[:, LOW],
        highs=about[:, HIGH],
        n_exons=about[:, N_EXONS],
        exons=exons[: exon_bounds[-1]],
        exon_bounds=exon_bounds,
        cds=cds[: cds_bounds[-1]],
        cds_bounds=cds_bounds,
    )
