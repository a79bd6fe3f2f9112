"""A verb over the genes of a chunk, on a worker: tables and GFF3 into a folder."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from polytene.core.scratch import Folder, scratch
from polytene.core.stage import Partial, Stage
from polytene.exceptions import Rejected
from polytene.formats.gff3_text import GffText
from polytene.formats.helixer import Strands
from polytene.formats.helixer_rows import Predictions
from polytene.genome.annotation.inputs import Inputs, check_unchanged
from polytene.genome.annotation.models import Gene, Line, read_genes, read_lines
from polytene.genome.annotation.select import GenesUnit

GFF3 = "genes.gff3"
VERBS = ("confidence", "evidence", "refine")
Given = Mapping[str, Any]
Place = tuple[str, int, int]


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
        By name.
    gff3
        Lines of the features, if the verb writes any.
    rejected
        Genes that could not be judged.
    genes
        Genes that were looked at.
    """

    tables: dict[str, pa.Table]
    gff3: list[bytes] | None = None
    rejected: list[Rejected] = field(default_factory=list)
    genes: int = 0


def graphs_of(unit: GenesUnit, inputs: Inputs) -> Iterator[Graph]:
    """Yield the genes of a unit, each read from its place in the file."""
    for text in GffText(inputs["genes"][0]).pieces(unit.spans):
        lines, comments = read_lines(text)
        start, end = min(x.start for x in lines), max(x.end for x in lines)
        yield Graph(lines, comments, read_genes(lines), start, end)


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
    for name, table in found.tables.items():
        pq.write_table(table, folder / f"{name}.parquet", compression="zstd")
    if found.gff3 is not None:
        head = [b"##gff-version 3", *(line.encode("latin-1") for line in unit.head), b"###"]
        with open(folder / GFF3, "wb") as out:
            out.write(b"\n".join([*head, *found.gff3]) + b"\n")
            if unit.sequences:
                text = GffText(inputs["genes"][0])
                out.write(b"##FASTA\n")
                out.writelines(text.pieces([span] for span in unit.sequences))
    return Partial(Folder(folder, {}), items=found.genes, rejected=found.rejected)


def _function(verb: str) -> Callable[[GenesUnit, Inputs, Given], Sheets]:
    if verb == "evidence":
        from polytene.genome.annotation.evidence_work import evidence_of_unit

        return evidence_of_unit
    if verb == "refine":
        from polytene.genome.annotation.refine_work import refine_unit

        return refine_unit
    from polytene.genome.annotation.confidence_work import confidence_of_unit

    return confidence_of_unit


def stage_of(verb: str, inputs: Inputs, given: Given) -> Stage:
    """Return the stage of a run."""
    return Stage(functools.partial(judge, verb=verb, inputs=inputs, given=dict(given)))


def predictions_of(inputs: Inputs) -> Predictions:
    """Open the predictions."""
    return Predictions(inputs["predictions"][0], inputs["block"], inputs["padding"])


def strands_of(unit: GenesUnit) -> dict[str, Strands]:
    """Return where the predictions of each sequence of a unit lie."""
    return {seqid: Strands(*place) for seqid, place in unit.strands.items()}


WHY = {
    "no_exons": "it has neither exons nor CDS",
    "no_strand": "it has no strand",
    "gene_outside": "it ends after its sequence: is it the annotation of this genome?",
    "no_predictions": "Helixer predicted nothing for its sequence",
    "bad_predictions": "its predictions hold values that are no probabilities: predict anew",
}


def rejected(name: str, place: Place, why: str) -> Rejected:
    """Return a gene that cannot be judged, with its place and the reason."""
    seqid, start, end = place
    where = f"{seqid}:{start + 1}-{end}"
    return Rejected(name, why.replace("_", "-"), f"{where}: {WHY[why]}")
