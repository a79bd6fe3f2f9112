"""The flat views: one row per run, experiment, sample or study, with what belongs to it."""

from __future__ import annotations

import pyarrow as pa

from polytene.metadata.parser.schema import ARROW, SCHEMAS

_OFFICIAL = {
    "status": pa.string(),
    "updated": pa.timestamp("us"),
    "visibility": pa.string(),
    "duplicates": pa.int32(),
    "warnings": pa.string(),
}

PARENTS = {
    "sample": {
        "organism": "organism",
        "taxid": "taxid",
        "biosample": "biosample",
        "sample_title": "title",
    },
    "study": {"bioproject": "bioproject", "study_title": "title", "study_type": "study_type"},
}
"""What an experiment learns of its sample and its study: column of the view, and of the record."""

_EXPERIMENT = (
    "experiment",
    "experiment_title",
    "experiment_alias",
    "library_name",
    "library_strategy",
    "library_source",
    "library_selection",
    "library_layout",
    "library_strategy_norm",
    "library_source_norm",
    "library_selection_norm",
    "nominal_length",
    "nominal_sdev",
    "spot_length",
    "platform",
    "instrument",
    "sample",
    "biosample",
    "organism",
    "taxid",
    "sample_title",
    "study",
    "bioproject",
    "study_title",
    "study_type",
    "center_name",
    "submission",
)
_RUN = (
    "run",
    "run_title",
    "run_alias",
    "run_date",
    "run_center",
    "run_submission",
    "total_spots",
    "total_bases",
    "size",
    "published",
    "is_public",
)
_INTEGERS = ("taxid", "nominal_length", "spot_length", "total_spots", "total_bases", "size")
_TYPES = {
    **dict.fromkeys(_INTEGERS, pa.int64()),
    **dict.fromkeys(("run_date", "published"), ARROW["time"]),
    "nominal_sdev": ARROW["float"],
}


def _schema(names: tuple[str, ...], extra: dict[str, pa.DataType]) -> pa.Schema:
    fields = [pa.field(n, _TYPES.get(n, pa.string())) for n in names]
    return pa.schema([*fields, *(pa.field(n, t) for n, t in extra.items())])


def _flat(kind: str, bulky: tuple[str, ...]) -> pa.Schema:
    fields = [f for f in SCHEMAS[kind] if f.name not in (*bulky, "accession", "warnings")]
    extra = [pa.field(n, t) for n, t in _OFFICIAL.items()]
    return pa.schema([pa.field(kind, pa.string()), *fields, *extra])


VIEWS: dict[str, pa.Schema] = {
    "run": _schema((*_RUN, *_EXPERIMENT), _OFFICIAL | {"experiment_warnings": pa.string()}),
    "experiment": _schema(_EXPERIMENT, _OFFICIAL),
    "sample": _flat("sample", ("description",)),
    "study": _flat("study", ("abstract", "description")),
}

OWN_NAMES = {
    "run": {
        "accession": "run",
        "title": "run_title",
        "alias": "run_alias",
        "submission": "run_submission",
    },
    "experiment": {
        "accession": "experiment",
        "title": "experiment_title",
        "alias": "experiment_alias",
    },
    "sample": {"accession": "sample"},
    "study": {"accession": "study"},
}
"""How a record's own columns are called in its view, where they are called otherwise."""


def conform(table: pa.Table, schema: pa.Schema) -> pa.Table:
    """Return a table with exactly the columns of a schema; those that it lacks are null."""
    columns = [
        table.column(f.name).cast(f.type)
        if f.name in table.column_names
        else pa.nulls(table.num_rows, f.type)
        for f in schema
    ]
    return pa.table(columns, schema=schema)


def renamed(table: pa.Table, kind: str) -> pa.Table:
    """Return a record's rows under the names of its view."""
    names = OWN_NAMES[kind]
    return table.rename_columns([names.get(n, n) for n in table.column_names])
