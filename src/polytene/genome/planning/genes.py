"""Genes on the axis of a genome: all its sequences laid end to end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from polytene.exceptions import BadInput
from polytene.formats.gff3 import Features, read_features
from polytene.formats.regions import close_names
from polytene.formats.text import printable
from polytene.genome.genome import Genome

Ints = np.ndarray[Any, np.dtype[np.int64]]
SHOWN = 3


@dataclass(frozen=True, eq=False)
class Genes:
    """Genes of a genome, ordered by first base and end.

    Parameters
    ----------
    starts, ends
        Places on the axis of the genome, 0-based and half-open, int64.
    ids
        Their IDs, where they were asked for.
    """

    starts: Ints
    ends: Ints
    ids: list[str] | None = None

    def __len__(self) -> int:
        return len(self.starts)

    def loci(self, flank: int, offsets: Ints) -> tuple[Ints, Ints, Ints]:
        """Return starts, ends and numbers of genes of what must not be cut.

        Genes that overlap, once each has grown by ``flank`` inside its sequence, are one locus.
        """
        seq = np.searchsorted(offsets, self.starts, side="right") - 1
        starts = np.maximum(self.starts - flank, offsets[seq])
        ends = np.minimum(self.ends + flank, offsets[seq + 1])
        if flank:
            order = np.argsort(starts, kind="stable")
            starts, ends = starts[order], ends[order]
        furthest = np.maximum.accumulate(ends)
        first = np.flatnonzero(np.concatenate([[True], starts[1:] >= furthest[:-1]]))
        counts = np.diff(np.append(first, len(starts)))
        return starts[first], np.maximum.reduceat(ends, first), counts

    @cached_property
    def furthest(self) -> Ints:
        """Furthest end of the genes up to each."""
        return np.maximum.accumulate(self.ends)


def axis_offsets(genome: Genome) -> Ints:
    """Return where each sequence begins on the axis, and where the last ends; int64."""
    return np.concatenate([[0], np.cumsum(genome.index.lengths)])


def read_genes(
    genome: Genome,
    source: str | Path | Features,
    types: Sequence[str] | None = None,
    *,
    with_ids: bool = False,
) -> Genes:
    """Return the genes of a GFF3 file as places in a genome.

    Parameters
    ----------
    genome
        Where they lie.
    source
        The file, or what :func:`polytene.formats.gff3.read_features` made of it.
    types
        Types of features to take; None: those that end in ``gene``, or else transcripts.
    with_ids
        Also keep their IDs.

    Raises
    ------
    BadInput
        ``other-genome`` if the genome lacks sequences, ``gene-outside`` if a gene ends after its
        sequence, and what :func:`polytene.formats.gff3.read_features` raises.
    """
    if isinstance(source, Features):
        found, name = source, "the genes"
    else:
        found, name = read_features(source, types, with_ids=with_ids), printable(str(source))
    used = np.flatnonzero(np.bincount(found.seq, minlength=1)).tolist()
    places = np.full(len(found.seqids), -1, np.int64)
    for i in used:
        places[i] = genome.index.places.get(found.seqids[i], -1)
    if unknown := [found.seqids[i] for i in used if places[i] < 0]:
        raise _other_genome(genome, name, unknown, len(used))
    seq = places[found.seq]
    beyond = np.flatnonzero(found.ends > genome.index.lengths[seq])
    if beyond.size:
        raise _outside(genome, name, found, int(beyond[0]), beyond.size)
    offset = axis_offsets(genome)[seq]
    starts, ends = found.starts + offset, found.ends + offset
    order = np.lexsort((ends, starts))
    ids = [found.ids[i] for i in order.tolist()] if found.ids is not None else None
    return Genes(starts[order], ends[order], ids)


def _other_genome(genome: Genome, name: str, unknown: list[str], used: int) -> BadInput:
    shown = ", ".join(repr(printable(n)) for n in unknown[:SHOWN])
    near = close_names(unknown[0], genome.names)
    hint = f"; {printable(unknown[0])!r} may be {near[0]!r}" if near else ""
    return BadInput(
        "other-genome",
        f"{name}: {len(unknown):,} of its {used:,} sequences are not in {genome!r}: {shown}"
        f"{', ...' if len(unknown) > SHOWN else ''}{hint}; give the annotation of this genome",
    )


def _outside(genome: Genome, name: str, found: Features, i: int, n: int) -> BadInput:
    seqid = found.seqids[int(found.seq[i])]
    return BadInput(
        "gene-outside",
        f"{name}: line {int(found.lines[i]):,}: a gene ends at {int(found.ends[i]):,} of "
        f"{printable(seqid)!r}, which has {genome.lengths[seqid]:,} bases ({n:,} such genes); give "
        "the annotation of this genome",
    )
