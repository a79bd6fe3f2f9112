"""Is a plan one of this genome, is all of it covered, and does each gene have one owner."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from polytene.genome.chunks import ChunkPlan
from polytene.genome.genome import Genome
from polytene.genome.planning.genes import Genes, axis_offsets

Ints = np.ndarray[Any, np.dtype[np.int64]]


@dataclass(frozen=True)
class Check:
    """One thing that was looked at.

    Parameters
    ----------
    what
        What has to hold.
    problem
        What is wrong; empty if it holds.
    """

    what: str
    problem: str = ""


def check_plan(plan: ChunkPlan, genome: Genome, genes: Genes | None = None) -> list[Check]:
    """Check a plan against its genome and genes.

    Examples
    --------
    >>> from polytene.genome import plan_chunks
    >>> from polytene.testing.assembly import write_assembly
    >>> made = write_assembly()
    >>> genome = Genome(made.fasta)
    >>> [c.problem for c in check_plan(plan_chunks(genome, n_chunks=3), genome)]
    ['', '', '']
    """
    checks = [Check("it was made for this genome", _of_other(plan, genome))]
    starts, ends, problem = _on_axis(plan, genome)
    checks.append(Check("its intervals lie inside their sequences", problem))
    if problem:
        return checks
    checks.append(Check("each base is in exactly one chunk", _uncovered(starts, ends, genome)))
    if genes is not None:
        checks.append(Check("each gene has exactly one owner", _owners(starts, ends, genes)))
        counted = [c.n_genes for c in plan]
        if None not in counted:
            said = sum(n or 0 for n in counted)
            wrong = "" if said == len(genes) else f"it counts {said:,} genes, there are "
            checks.append(Check("it counts each gene", wrong and f"{wrong}{len(genes):,}"))
    return checks


def _of_other(plan: ChunkPlan, genome: Genome) -> str:
    if plan.genome is None:
        return ""
    if plan.genome.fingerprint == genome.facts.fingerprint:
        return ""
    then, now = plan.genome, genome.facts
    return (
        f"names, lengths or lines differ: {then.n_sequences:,} sequences with "
        f"{then.total_bases:,} bases then, {now.n_sequences:,} with {now.total_bases:,} now"
    )


def _on_axis(plan: ChunkPlan, genome: Genome) -> tuple[Ints, Ints, str]:
    offsets, lengths, places = axis_offsets(genome), genome.lengths, genome.index.places
    rows = []
    for chunk in plan:
        for region in chunk.intervals:
            if region.seqid not in places or region.end > lengths[region.seqid]:
                return offsets, offsets, f"{chunk.chunk_id}: {region} is not in {genome!r}"
            offset = int(offsets[places[region.seqid]])
            rows.append((offset + region.start, offset + region.end))
    starts, ends = np.array(sorted(rows), np.int64).T
    return starts, ends, ""


def _uncovered(starts: Ints, ends: Ints, genome: Genome) -> str:
    total = genome.total_bases
    reach = np.concatenate([[0], np.maximum.accumulate(ends)])
    gaps = int(np.maximum(np.append(starts, total) - reach, 0).sum())
    twice = int(np.maximum(np.minimum(reach[:-1], ends) - starts, 0).sum())
    said = [f"{gaps:,} bases are in no chunk"] if gaps else []
    said += [f"{twice:,} bases are in more than one"] if twice else []
    return ", ".join(said)


def _owners(starts: Ints, ends: Ints, genes: Genes) -> str:
    begun = np.searchsorted(starts, genes.starts, side="right")
    ended = np.searchsorted(np.sort(ends), genes.starts, side="right")
    owners = begun - ended
    none, many = int((owners == 0).sum()), int((owners > 1).sum())
    said = [f"{none:,} genes have no owner"] if none else []
    said += [f"{many:,} genes have more than one"] if many else []
    return ", ".join(said)
