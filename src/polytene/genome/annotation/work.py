"""A verb over the genes of a chunk, on a worker: tables and GFF3 into a folder."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

import pyarrow.parquet as pq

from polytene.core.scratch import Folder, scratch
from polytene.core.stage import Partial, Stage
from polytene.exceptions import Rejected
from polytene.formats.gff3_index import GffText
from polytene.formats.helixer import Predictions, Strands
from polytene.genome.annotation.inputs import Inputs, check_unchanged
from polytene.genome.annotation.models import Gene, Line, read_genes, read_lines
from polytene.genome.annotation.select import GenesUnit
from polytene.genome.annotation.tables import Rows, table_of

GFF3 = "genes.gff3"
VERBS = ("confidence", "evidence", "refine")
Given = Mapping[str, Any]


@dataclass
class Graph:
    """A gene, or another feature, with all its lines."""

    lines: list[Line]
    comments: list[bytes]
    genes: list[Gene]
    start: int
    end: int

    @property
    def place(self) -> dict[str, int]:
        """Where it is in its sequence, for the order of tables."""
        return {"_start": self.start, "_end": self.end}


@dataclass
class Sheets:
    """What a verb makes of the genes of a chunk.

    Parameters
    ----------
    tables
        Rows by the name of their table.
    gff3
        Lines of the features, if the verb writes any.
    rejected
        Genes that could not be judged.
    genes
        Genes that were looked at.
    """

    tables: dict[str, Rows]
    gff3: list[bytes] | None = None
    rejected: list[Rejected] = field(default_factory=list)
    genes: int = 0


def graphs_of(unit: GenesUnit, inputs: Inputs) -> Iterator[Graph]:
    """Yield the genes of a unit, each read from its place in the file."""
    text = GffText(inputs["genes"][0])
    for spans in unit.spans:
        lines, comments = read_lines(b"".join(_whole(text.read(*span)) for span in spans))
        start, end = min(x.start for x in lines), max(x.end for x in lines)
        yield Graph(lines, comments, read_genes(lines), start, end)


def _whole(piece: bytes) -> bytes:
    return piece if piece.endswith(b"\n") else piece + b"\n"


def judge(unit: GenesUnit, *, verb: str, inputs: Inputs, given: Given) -> Partial:
    """Apply a verb to the genes of a unit.

    Returns
    -------
    Partial
        A folder with one Parquet file per table, and ``genes.gff3`` where the verb writes
        features; genes that could not be judged are rejected.

    Raises
    ------
    BadInput
        ``input-changed``, or whatever reading the inputs raises.
    """
    check_unchanged(inputs)
    found = _function(verb)(unit, inputs, given)
    folder = scratch()
    for name, rows in found.tables.items():
        pq.write_table(table_of(name, rows), folder / f"{name}.parquet", compression="zstd")
    if found.gff3 is not None:
        head = [b"##gff-version 3", *(line.encode("latin-1") for line in unit.head)]
        with open(folder / GFF3, "wb") as out:
            out.write(b"\n".join([*head, *found.gff3]) + b"\n")
            if unit.sequences:
                text = GffText(inputs["genes"][0])
                out.write(b"##FASTA\n")
                out.writelines(_whole(text.read(*span)) for span in unit.sequences)
    return Partial(Folder(folder, {}), items=found.genes, rejected=found.rejected)


def _function(verb: str) -> Callable[[GenesUnit, Inputs, Given], Sheets]:
    if verb == "evidence":
        from polytene.genome.annotation.evidence_work import evidence_of_unit

        return evidence_of_unit
    if verb == "refine":
        from polytene.genome.annotation.refine_work import refine_unit

        return refine_unit
    return confidence_of_unit


def stage_of(verb: str, inputs: Inputs, given: Given) -> Stage:
    """Return the stage of a run."""
    return Stage(functools.partial(judge, verb=verb, inputs=inputs, given=dict(given)))


def confidence_of_unit(unit: GenesUnit, inputs: Inputs, given: Given) -> Sheets:
    """Score the genes of a unit by Helixer's probabilities."""
    from polytene.genome.annotation.confidence import score_gene

    out = Sheets({"confidence": [], "low_regions": []})
    base = 0 if given["compat"] else 1
    with ExitStack() as stack:
        predictions = Predictions(inputs["predictions"][0], inputs["block"], inputs["padding"])
        stack.callback(predictions.close)
        for graph in graphs_of(unit, inputs):
            for gene in graph.genes:
                strands = strands_of(unit, gene.seqid)
                found = score_gene(gene, predictions, strands, **given)
                out.genes += 1
                row = vars(found) | {"flags": ",".join(found.flags)}
                low = row.pop("low_regions")
                n_exons = len(gene.transcripts[0].exons) if gene.transcripts else 0
                about: dict[str, Any] = {
                    "gene_id": gene.id,
                    "seqid": gene.seqid,
                    "strand": gene.strand,
                }
                about |= graph.place
                places = {"start": gene.start + base, "end": gene.end}
                counted = {"n_low_conf_regions": len(low), "n_exons": n_exons}
                out.tables["confidence"].append(about | places | row | counted)
                out.tables["low_regions"] += [
                    about | {"start": a, "end": b, "score": mean} for a, b, mean in low
                ]
                if found.confidence_class == "none":
                    out.rejected.append(rejected(gene, found.flags[0]))
    return out


def strands_of(unit: GenesUnit, seqid: str) -> Strands | None:
    """Return where the predictions of a sequence lie."""
    return Strands(*unit.strands[seqid]) if seqid in unit.strands else None


WHY = {
    "no_exons": "it has neither exons nor CDS",
    "no_strand": "it has no strand",
    "gene_outside": "it ends after its sequence: is it the annotation of this genome?",
    "no_predictions": "Helixer predicted nothing for its sequence",
}


def rejected(gene: Gene, why: str) -> Rejected:
    """Return a gene that cannot be judged, with the reason."""
    where = f"{gene.seqid}:{gene.start + 1}-{gene.end}"
    return Rejected(gene.id, why.replace("_", "-"), f"{where}: {WHY[why]}")
