"""Lists of samples for what comes after: our rnaseq room, amalgkit, nf-core/fetchngs."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Literal, get_args

import pyarrow as pa
import pyarrow.compute as pc

from polytene.core.files import write_bytes
from polytene.exceptions import UsageError
from polytene.metadata.kb.details import attributes_of, texts_of

Format = Literal["polytene", "accessions", "amalgkit", "fetchngs"]

POLYTENE = (
    "run",
    "experiment",
    "sample",
    "study",
    "bioproject",
    "biosample",
    "organism",
    "taxid",
    "library_strategy",
    "library_source",
    "library_selection",
    "library_layout",
    "platform",
    "instrument",
    "nominal_length",
    "nominal_sdev",
    "spot_length",
    "total_spots",
    "total_bases",
    "size",
    "published",
    "status",
    "experiment_title",
    "sample_title",
)
"""Columns of our own list; it begins with ``run``, and what is missing is empty."""

AMALGKIT = {
    "scientific_name": "organism",
    "sample_group": "",
    "tissue": "@tissue",
    "genotype": "@genotype",
    "sex": "@sex",
    "age": "@age",
    "treatment": "@treatment",
    "source_name": "@source_name",
    "is_sampled": "=yes",
    "is_qualified": "=yes",
    "exclusion": "=no",
    "protocol": "experiment.library_construction_protocol",
    "bioproject": "bioproject",
    "biosample": "biosample",
    "experiment": "experiment",
    "run": "run",
    "sra_primary": "submission",
    "sra_sample": "sample",
    "sra_study": "study",
    "study_title": "study_title",
    "exp_title": "experiment_title",
    "design": "experiment.design",
    "sample_title": "sample_title",
    "sample_description": "sample.description",
    "lib_name": "library_name",
    "lib_layout": "library_layout",
    "lib_strategy": "library_strategy",
    "lib_source": "library_source",
    "lib_selection": "library_selection",
    "platform": "platform",
    "instrument": "instrument",
    "total_spots": "total_spots",
    "total_bases": "total_bases",
    "size": "size",
    "nominal_length": "nominal_length",
    "nominal_sdev": "nominal_sdev",
    "spot_length": "spot_length",
    "read_index": "",
    "read_class": "",
    "read_type": "",
    "base_coord": "",
    "center": "center_name",
    "submitter_id": "",
    "pubmed_id": "study.pubmed",
    "taxid": "taxid",
    "published_date": "published",
}
"""Columns of amalgkit's metadata table (0.16), and where they come from: a column of the view,
``kind.column`` of a table, ``@tag`` of the sample's attributes, or ``=value``; those without are
for its user to fill, or not kept."""


def write_sample_list(runs: pa.Table, tables: Path, path: Path, format: str) -> int:  # noqa: A002
    """Write rows of the view ``run_flat`` as a list; return how many have an accession.

    Parameters
    ----------
    tables
        The folder of the tables, which know more of a run than the view.

    Raises
    ------
    UsageError
        If there is no such format, or nothing to list.
    """
    if format not in get_args(Format):
        raise UsageError(f"format is {format!r}: one of {', '.join(get_args(Format))}")
    runs = runs.filter(pc.is_valid(runs.column("run")))
    if not runs.num_rows:
        raise UsageError(f"{path}: no run fits, so that there is nothing to list")
    if format in ("accessions", "fetchngs"):
        text = "".join(f"{run}\n" for run in runs.column("run").to_pylist())
    elif format == "polytene":
        text = _tsv({name: runs.column(name).to_pylist() for name in POLYTENE})
    else:
        text = _tsv(_amalgkit(runs, tables))
    write_bytes(path, text.encode())
    return int(runs.num_rows)


def _amalgkit(runs: pa.Table, tables: Path) -> dict[str, list[object]]:
    names = {kind: runs.column(kind).to_pylist() for kind in ("experiment", "sample", "study")}
    wanted = {kind: pc.unique(runs.column(kind)).drop_null() for kind in names}
    tags = [source[1:] for source in AMALGKIT.values() if source.startswith("@")]
    of_tags = dict(zip(tags, attributes_of(tables, "sample", tags, wanted["sample"]), strict=True))

    def column(source: str) -> list[object]:
        if source.startswith("@"):
            return [of_tags[source[1:]].get(name) for name in names["sample"]]
        if source.startswith("=") or not source:
            return [source[1:] or None] * runs.num_rows
        if "." in source:
            kind, _, field = source.partition(".")
            texts = texts_of(tables, kind, field, wanted[kind])
            return [texts.get(name) for name in names[kind]]
        found = runs.column(source)
        return list((pc.utf8_lower(found) if source == "library_layout" else found).to_pylist())

    return {name: column(source) for name, source in AMALGKIT.items()}


def _tsv(columns: dict[str, list[object]]) -> str:
    out = io.StringIO()
    writer = csv.writer(out, delimiter="\t", lineterminator="\n", quoting=csv.QUOTE_MINIMAL)
    writer.writerow(columns)
    for row in zip(*columns.values(), strict=True):
        writer.writerow("" if v is None else _one_line(v) for v in row)
    return out.getvalue()


def _one_line(value: object) -> str:
    return " ".join(str(value).split())
