"""``confidence`` over the genes of a chunk: the tables of scores and of unsure stretches."""

from __future__ import annotations

from contextlib import closing

import numpy as np
import pyarrow as pa

from polytene.formats.gff3_text import GffText
from polytene.genome.annotation.columns import Columns, read_columns
from polytene.genome.annotation.confidence import Confidence, confidence_of
from polytene.genome.annotation.inputs import Inputs
from polytene.genome.annotation.select import GenesUnit
from polytene.genome.annotation.tables import of_columns
from polytene.genome.annotation.work import Given, Sheets, predictions_of, rejected, strands_of

NAMES = (
    "mean_prob",
    "min_prob",
    "median_prob",
    "entropy",
    "boundary_sharpness",
    "coding_consistency",
    "worst_exon_score",
)


def confidence_of_unit(unit: GenesUnit, inputs: Inputs, given: Given) -> Sheets:
    """Score the genes of a unit by Helixer's probabilities."""
    genes = read_columns(GffText(inputs["genes"][0]).pieces(unit.spans))
    with closing(predictions_of(inputs)) as predictions:
        found = confidence_of(genes, predictions, strands_of(unit), **given)
    lost = [
        rejected(genes.ids[i], (genes.seqids[i], genes.starts[i], genes.ends[i]), found.flags[i])
        for i, kind in enumerate(found.classes)
        if kind == "none"
    ]
    return Sheets(_tables(genes, found, given["compat"]), None, lost, len(genes))


def _tables(genes: Columns, found: Confidence, compat: bool) -> dict[str, pa.Table]:
    """Return the tables of genes and of their unsure stretches."""
    base = 0 if compat else 1
    low, values = found.scores, found.scores.values
    about = {
        "gene_id": genes.ids,
        "seqid": genes.seqids,
        "strand": [chr(s) if s else "" for s in genes.strands.tolist()],
        "_start": genes.lows.tolist(),
        "_end": genes.highs.tolist(),
    }
    table = about | {
        "start": genes.starts + base,
        "end": genes.ends,
        **{name: values[:, column] for column, name in enumerate(NAMES)},
        "overall_score": found.overall,
        "confidence_class": found.classes,
        "flags": found.flags,
        "n_low_conf_regions": np.bincount(low.low_genes, minlength=len(genes)),
        "n_exons": np.maximum(genes.n_exons, 0),
    }
    of = low.low_genes.tolist()
    runs = {name: [column[i] for i in of] for name, column in about.items()} | {
        "start": low.low_places[:, 0],
        "end": low.low_places[:, 1],
        "score": low.low_means,
    }
    return {name: of_columns(name, columns) for name, columns in
            (("confidence", table), ("low_regions", runs))}  # fmt: skip
