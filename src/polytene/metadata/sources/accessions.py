"""The tables ``SRA_Accessions`` and ``SRA_Run_Members`` of the NCBI."""

from __future__ import annotations

import io

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv

from polytene.exceptions import BadInput

ACCESSION = pa.schema(
    [
        ("accession", pa.string()),
        ("submission", pa.string()),
        ("status", pa.string()),
        ("updated", pa.timestamp("us")),
        ("published", pa.timestamp("us")),
        ("received", pa.timestamp("us")),
        ("type", pa.string()),
        ("center", pa.string()),
        ("visibility", pa.string()),
        ("alias", pa.string()),
        ("experiment", pa.string()),
        ("sample", pa.string()),
        ("study", pa.string()),
        ("loaded", pa.string()),
        ("spots", pa.int64()),
        ("bases", pa.int64()),
        ("md5sum", pa.string()),
        ("biosample", pa.string()),
        ("bioproject", pa.string()),
        ("replaced_by", pa.string()),
    ]
)
RUN_MEMBER = pa.schema(
    [
        ("run", pa.string()),
        ("member_name", pa.string()),
        ("experiment", pa.string()),
        ("sample", pa.string()),
        ("study", pa.string()),
        ("spots", pa.int64()),
        ("bases", pa.int64()),
        ("status", pa.string()),
        ("biosample", pa.string()),
    ]
)
FORMS = {"SRA_Accessions": ("accession", ACCESSION), "SRA_Run_Members": ("run_member", RUN_MEMBER)}
_NULLS = ["", "-", "NULL", "N/A"]


def read_lines(form: str, data: bytes, name: str) -> pa.Table:
    """Return a piece of a table, with its head, as Arrow; ``-`` stands for nothing.

    Times are UTC. Columns that the piece lacks are null, unknown ones are left out.

    Raises
    ------
    BadInput
        ``not_xml`` if the lines are not those of the table.
    """
    _, schema = FORMS[form]
    try:
        found = csv.read_csv(
            io.BytesIO(data),
            parse_options=csv.ParseOptions(delimiter="\t", quote_char=False),
            convert_options=csv.ConvertOptions(
                strings_can_be_null=True,
                null_values=_NULLS,
                column_types={n: pa.string() for n in _names(data)},
            ),
        )
    except pa.ArrowInvalid as error:
        raise BadInput("not_xml", f"{name}: no table of {form}: {error}") from None
    found = found.rename_columns([_column(n) for n in found.column_names])
    columns = [_typed(found, field) for field in schema]
    return pa.table(columns, schema=schema).combine_chunks()


def _names(data: bytes) -> list[str]:
    return data.partition(b"\n")[0].decode("utf-8", "replace").rstrip("\r").split("\t")


def _column(name: str) -> str:
    return "replaced_by" if name == "ReplacedBy" else name.lower()


def _typed(table: pa.Table, field: pa.Field) -> pa.ChunkedArray:
    if field.name not in table.column_names:
        return pa.nulls(table.num_rows, field.type)
    column = table.column(field.name)
    if pa.types.is_timestamp(field.type):
        column = pc.replace_substring(column, "Z", "")
    try:
        return column.cast(field.type)
    except pa.ArrowInvalid:
        return pa.array([_one(v, field.type) for v in column.to_pylist()], field.type)


def _one(value: str | None, kind: pa.DataType) -> object:
    """Return a value of a column that as a whole cannot be read; null where it cannot be."""
    try:
        return None if value is None else pa.scalar(value).cast(kind).as_py()
    except pa.ArrowInvalid:
        return None
