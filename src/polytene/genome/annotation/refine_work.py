"""``refine`` over the genes of a chunk: mended features, and a report of each change."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from typing import Any

from polytene.formats.helixer import Strands
from polytene.formats.helixer_rows import Predictions
from polytene.formats.regions import Region
from polytene.genome.annotation.alignments import Reads
from polytene.genome.annotation.columns import columns_of
from polytene.genome.annotation.confidence import confidence_of
from polytene.genome.annotation.evidence import Criteria, Evidence, judge
from polytene.genome.annotation.evidence_work import add_rows, attributes, cannot
from polytene.genome.annotation.inputs import Inputs, genome_of
from polytene.genome.annotation.models import Gene, Transcript
from polytene.genome.annotation.orf import VALID
from polytene.genome.annotation.refine import Frame, Limits, Refined, refine_transcript
from polytene.genome.annotation.rewrite import (
    can_rewrite,
    in_file_order,
    plain,
    rewritten,
    with_attributes,
)
from polytene.genome.annotation.select import GenesUnit
from polytene.genome.annotation.stretches import Reading, together
from polytene.genome.annotation.tables import REFINED, Rows, table_of
from polytene.genome.annotation.work import (
    Given,
    Graph,
    Sheets,
    graphs_of,
    predictions_of,
    rejected,
    strands_of,
)
from polytene.genome.genome import Genome

MARGIN = 20
Score = tuple[float | None, list[str]]


@dataclass
class Workshop:
    """What mending needs beside the gene."""

    strands: dict[str, Strands]
    genome: Genome
    predictions: Predictions | None
    criteria: Criteria
    limits: Limits
    scoring: dict[str, Any]

    @property
    def margin(self) -> int:
        """Bases beside a gene that are looked at."""
        moves = (self.limits.max_shift, self.limits.boundary_window)
        return max(*moves, self.criteria.boundary_tolerance) + MARGIN


def refine_unit(unit: GenesUnit, inputs: Inputs, given: Given) -> Sheets:
    """Mend the transcripts of a unit."""
    rest = dict(given)
    scoring = {name: rest.pop(name) for name in ("threshold", "window")}
    window = rest.pop("boundary_window")
    limits = Limits(rest.pop("max_shift"), window if rest.pop("adjust_boundaries") else 0)
    criteria = Criteria(**rest)
    rows: dict[str, Rows] = {"refine": [], "junctions": [], "exons": []}
    out = Sheets({}, [])
    genome = genome_of(inputs)
    assert genome is not None
    with ExitStack() as stack:
        predictions = None
        if "predictions" in inputs:
            predictions = stack.enter_context(closing(predictions_of(inputs)))
        reads = stack.enter_context(closing(Reads(inputs, genome, criteria.coverage)))
        shop = Workshop(strands_of(unit), genome, predictions, criteria, limits, scoring)
        for reading in together(list(graphs_of(unit, inputs)), reads, shop.margin):
            _reading(reading, shop, rows, out)
    out.tables = {name: table_of(name, found) for name, found in rows.items()}
    return out


@dataclass
class _Mended:
    """A gene with its transcripts mended and judged; none where it cannot be judged."""

    gene: Gene
    found: list[Refined]
    seen: list[Evidence]
    why: str | None = None


def _reading(reading: Reading, shop: Workshop, rows: dict[str, Rows], out: Sheets) -> None:
    """Mend the genes that are read together, score all of them at once, and write them."""
    mended = [[_gene(gene, reading, shop, out) for gene in g.genes] for g in reading.graphs]
    everything = [(m.gene, one.transcript) for ms in mended for m in ms for one in m.found]
    scores = _scores(everything, shop)
    for graph, genes in zip(reading.graphs, mended, strict=True):
        _graph(graph, genes, scores, rows, out)


def _gene(gene: Gene, reading: Reading, shop: Workshop, out: Sheets) -> _Mended:
    out.genes += 1
    why = cannot(gene)
    if why is None and gene.end > shop.genome.lengths[gene.seqid]:
        why = "gene_outside"
    if why:
        out.rejected.append(rejected(gene.id, gene.place, why))
        return _Mended(gene, [], [], why)
    assert reading.stretch is not None
    found = [_mend(t, gene, reading, shop) for t in gene.transcripts]
    seen = [judge(m.transcript, reading.stretch, reading.lookups, shop.criteria) for m in found]
    return _Mended(gene, found, seen)


def _scores(wanted: list[tuple[Gene, Transcript]], shop: Workshop) -> Iterator[Score]:
    """Yield overall score and flags of each transcript."""
    if shop.predictions is None:
        yield from ((None, []) for _ in wanted)
        return
    alone = [
        (replace(gene, start=t.exons[0][0], end=t.exons[-1][1], strand=t.strand, transcripts=[t]))
        for gene, t in wanted
    ]
    genes = columns_of([(gene, gene.start, gene.end) for gene in alone])
    found = confidence_of(genes, shop.predictions, shop.strands, **shop.scoring)
    for overall, flags in zip(found.overall.tolist(), found.flags, strict=True):
        yield None if math.isnan(overall) else overall, flags.split(",") if flags else []


def _graph(
    graph: Graph,
    genes: list[_Mended],
    scores: Iterator[Score],
    rows: dict[str, Rows],
    out: Sheets,
) -> None:
    lines = graph.lines
    added: dict[int, dict[str, object]] = {}
    for mended in genes:
        gene = mended.gene
        if mended.why:
            row = dict.fromkeys(REFINED) | {"gene_id": gene.id, "seqid": gene.seqid}
            places = {"start": gene.start + 1, "end": gene.end, "strand": gene.strand}
            rows["refine"].append(row | places | {"flags": mended.why.upper()} | graph.place)
            continue
        pairs = [
            (old, new.transcript)
            for old, new in zip(gene.transcripts, mended.found, strict=True)
            if new.changes
        ]
        if pairs:
            lines = list(in_file_order(lines, rewritten(gene, pairs, graph.lines)))
        added |= _report(mended, scores, graph, rows)
    assert out.gff3 is not None
    out.gff3 += graph.comments
    for line in lines:
        new = added.get(line.place) if line.type != b"CDS" else None
        out.gff3.append(plain(line) if new is None else with_attributes(line, new))


def _mend(transcript: Transcript, gene: Gene, reading: Reading, shop: Workshop) -> Refined:
    length = shop.genome.lengths[gene.seqid]
    low = max(0, transcript.exons[0][0] - shop.margin)
    high = min(length, transcript.exons[-1][1] + shop.margin)
    text = shop.genome.fetch(Region(gene.seqid, low, high), strand=transcript.strand).upper()
    frame = Frame(transcript.strand, low, high)
    lookup = reading.lookups[transcript.strand]
    why = can_rewrite(transcript)
    limits = shop.limits if why is None else Limits(0, 0)
    found = refine_transcript(transcript, text, frame, lookup, shop.criteria, limits)
    if why is None:
        return found
    before = found.before
    return Refined(transcript, before, before, note=why)


def _report(
    mended: _Mended, scores: Iterator[Score], graph: Graph, rows: dict[str, Rows]
) -> dict[int, dict[str, object]]:
    """Add the rows of a gene; return the attributes of its transcripts and of itself."""
    gene = mended.gene
    added: dict[int, dict[str, object]] = {}
    best: tuple[float, dict[str, object]] | None = None
    for one, seen in zip(mended.found, mended.seen, strict=True):
        t = one.transcript
        add_rows(rows, gene, t, seen, graph)
        about, about_gff = _row(gene, one, seen, next(scores))
        rows["refine"].append(about | graph.place)
        added[t.line.place] = about_gff
        aed = 2.0 if seen.aed is None else seen.aed
        if best is None or aed < best[0]:
            best = aed, about_gff
    if best is not None:
        added.setdefault(gene.line.place, best[1])
    return added


def _row(
    gene: Gene, one: Refined, seen: Evidence, scored: Score
) -> tuple[dict[str, Any], dict[str, object]]:
    t = one.transcript
    start, end = t.exons[0][0], t.exons[-1][1]
    score, unsure = scored
    flags = [*([one.note] if one.note else []), *unsure, *seen.flags]
    if one.after not in (VALID, "none", "irregular"):
        flags.append("INVALID_ORF")
    support = f"{seen.n_supported}/{len(seen.introns)}"
    row = {
        "gene_id": gene.id, "transcript_id": t.id, "seqid": gene.seqid, "start": start + 1,
        "end": end, "strand": t.strand, "n_exons": len(t.exons), "confidence_score": score,
        "evidence_score": None if seen.aed is None else 1 - seen.aed, "aed": seen.aed,
        "junction_support": support, "mean_coverage": seen.mean_exon_coverage,
        "splice_corrections": one.splice, "boundary_adjusted": one.ends > 0,
        "flags": ",".join(flags), "orf_before": one.before, "orf_after": one.after,
        "changes": "; ".join(one.changes),
    }  # fmt: skip
    new: dict[str, object] = {}
    if score is not None:
        new["confidence_score"] = f"{score:.4f}"
    if seen.aed is not None:
        new["evidence_score"] = f"{1 - seen.aed:.4f}"
    new |= attributes(seen) | {"splice_corrections": one.splice}
    new["boundary_adjusted"] = "yes" if one.ends else "no"
    if flags:
        new["flags"] = "|".join(flags)
    return row, new
