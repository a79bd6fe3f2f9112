"""``evidence`` over the genes of a chunk: the tables, and the features with their support."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from polytene.genome.annotation.alignments import Reads
from polytene.genome.annotation.evidence import Criteria, Evidence, judge
from polytene.genome.annotation.inputs import Inputs, genome_of
from polytene.genome.annotation.models import Gene, Interval, Transcript
from polytene.genome.annotation.rewrite import plain, with_attributes
from polytene.genome.annotation.select import GenesUnit
from polytene.genome.annotation.stretches import Reading, together
from polytene.genome.annotation.tables import EVIDENCE, Rows, table_of
from polytene.genome.annotation.work import Given, Graph, Sheets, graphs_of, rejected

STRANDS = ("+", "-")


def evidence_of_unit(unit: GenesUnit, inputs: Inputs, given: Given) -> Sheets:
    """Judge the transcripts of a unit by RNA-seq."""
    criteria = Criteria(**given)
    rows: dict[str, Rows] = {"evidence": [], "junctions": [], "exons": []}
    out = Sheets({}, [])
    reads = Reads(inputs, genome_of(inputs), criteria.coverage)
    try:
        graphs = list(graphs_of(unit, inputs))
        for reading in together(graphs, reads, criteria.boundary_tolerance + 1):
            for graph in reading.graphs:
                _graph(graph, reading, criteria, rows, out)
    finally:
        reads.close()
    out.tables = {name: table_of(name, found) for name, found in rows.items()}
    return out


def _graph(
    graph: Graph, reading: Reading, criteria: Criteria, rows: dict[str, Rows], out: Sheets
) -> None:
    found: dict[int, dict[str, object]] = {}
    for gene in graph.genes:
        out.genes += 1
        if why := cannot(gene):
            out.rejected.append(rejected(gene.id, gene.place, why))
            rows["evidence"].append(unjudged(gene, why) | graph.place)
            continue
        assert reading.stretch is not None
        best: Evidence | None = None
        for transcript in gene.transcripts:
            one = judge(transcript, reading.stretch, reading.lookups, criteria)
            add_rows(rows, gene, transcript, one, graph)
            found[transcript.line.place] = attributes(one)
            if best is None or _rank(one) < _rank(best):
                best = one
        if best is not None:
            found.setdefault(gene.line.place, attributes(best))
    assert out.gff3 is not None
    out.gff3 += graph.comments
    for line in graph.lines:
        new = found.get(line.place)
        out.gff3.append(plain(line) if new is None else with_attributes(line, new))


def _rank(found: Evidence) -> float:
    return 2.0 if found.aed is None else found.aed


def cannot(gene: Gene) -> str | None:
    """Return why a gene cannot be judged, if it cannot."""
    if not gene.transcripts or not all(t.exons for t in gene.transcripts):
        return "no_exons"
    if any(t.strand not in STRANDS for t in gene.transcripts):
        return "no_strand"
    return None


def unjudged(gene: Gene, why: str) -> dict[str, Any]:
    """Return the row of a gene that cannot be judged: what is not known is null."""
    row: dict[str, Any] = dict.fromkeys(EVIDENCE)
    about = {"gene_id": gene.id, "seqid": gene.seqid, "strand": gene.strand}
    return row | about | {"evidence_level": "unknown", "flags": why.upper()}


def attributes(found: Evidence) -> dict[str, object]:
    """Return the support of a transcript as attributes of GFF3."""
    out: dict[str, object] = {"evidence_level": found.evidence_level}
    if found.aed is not None:
        out["aed"] = f"{found.aed:.4f}"
    if found.introns:
        out["junction_support"] = f"{found.n_supported}/{len(found.introns)}"
    if found.mean_exon_coverage is not None:
        out["mean_coverage"] = f"{found.mean_exon_coverage:.2f}"
    return out


def add_rows(
    tables: dict[str, Rows], gene: Gene, transcript: Transcript, found: Evidence, graph: Graph
) -> None:
    """Add the rows of a transcript to the tables."""
    about: dict[str, Any] = {
        "gene_id": gene.id,
        "transcript_id": transcript.id,
        "seqid": gene.seqid,
    }
    about |= {"strand": transcript.strand} | graph.place
    names = ("junction_support_ratio", "mean_exon_coverage", "exon_coverage_ratio")
    ends = ("start_supported", "stop_supported", "strand_consistent", "evidence_level", "aed")
    row = {name: getattr(found, name) for name in (*names, *ends)}
    counted = {
        "n_introns": len(found.introns),
        "n_introns_supported": found.n_supported,
        "n_introns_exact": sum(i.exact for i in found.introns),
        "n_exons": len(transcript.exons),
        "n_exons_expressed": sum(e.expressed for e in found.exons) if found.exons else None,
    }
    if "evidence" in tables:
        tables["evidence"].append(about | row | counted | {"flags": ",".join(found.flags)})
    for number, i in _numbered(found.introns, transcript.strand):
        places = _places(i.intron) | {"intron": number, "supported": i.supported}
        seen: dict[str, Any] = dict.fromkeys(("junction_start", "junction_end", "sample_reads"))
        seen |= {"reads": 0, "samples": 0, "exact": i.exact}
        if i.seen is not None:
            seen |= {"junction_start": i.seen.start + 1, "junction_end": i.seen.end}
            seen |= {"reads": i.seen.total, "samples": int((i.seen.reads > 0).sum())}
            seen |= {"sample_reads": ",".join(map(str, i.seen.reads.tolist()))}
        tables["junctions"].append(about | places | seen)
    for number, e in _numbered(found.exons or [], transcript.strand):
        covered = {"mean_coverage": e.mean, "median_coverage": e.median, "min_coverage": e.least}
        numbered = {"exon": number, "expressed": e.expressed}
        tables["exons"].append(about | _places(e.exon) | covered | numbered)


def _places(interval: Interval) -> dict[str, int]:
    return {"start": interval[0] + 1, "end": interval[1]}


def _numbered(items: Sequence[Any], strand: str) -> list[tuple[int, Any]]:
    """Number what lies along a strand from 1, in its direction."""
    return list(enumerate(items if strand == "+" else items[::-1], 1))
