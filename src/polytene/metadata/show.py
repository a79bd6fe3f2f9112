"""Tables for people."""

from __future__ import annotations

import json
from pathlib import Path

import click
import pyarrow as pa
import pyarrow.csv as pcsv
import pyarrow.parquet as pq
from rich.table import Table
from rich.text import Text

from polytene.exceptions import UsageError
from polytene.watch.progress import printable
from polytene.watch.tables import show

MOST = 200


def deliver(table: pa.Table, output: Path | None, as_json: bool) -> None:
    """Write a table to a file, or print it: as a list of JSON objects, or for people."""
    if output is not None:
        write(table, output)
        click.echo(f"{output}: {table.num_rows:,} rows", err=as_json)
    if as_json:
        click.echo(json.dumps(table.to_pylist(), default=str))
    elif output is None:
        show(as_rich(table))


def write(table: pa.Table, path: Path) -> None:
    """Write Parquet, or text where the name ends with ``.csv`` or ``.tsv``.

    Raises
    ------
    UsageError
        If the file cannot be written.
    """
    delimiters = {".csv": ",", ".tsv": "\t"}
    try:
        if path.suffix in delimiters:
            options = pcsv.WriteOptions(delimiter=delimiters[path.suffix])
            pcsv.write_csv(_flat(table), path, options)
        else:
            pq.write_table(table, path, compression="zstd")
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror or error}") from None


def _flat(table: pa.Table) -> pa.Table:
    """Return a table whose lists are texts joined by semicolons."""
    for i, field in enumerate(table.schema):
        if pa.types.is_list(field.type):
            texts = [
                None if v is None else ";".join(map(str, v)) for v in table.column(i).to_pylist()
            ]
            table = table.set_column(i, field.name, pa.array(texts, pa.string()))
    return table


def as_rich(table: pa.Table, most: int = MOST) -> Table:
    """Return a table as it is printed; a long one is cut, and says so."""
    out = Table(box=None, pad_edge=False)
    for field in table.schema:
        number = pa.types.is_integer(field.type) or pa.types.is_floating(field.type)
        out.add_column(field.name, justify="right" if number else "left", overflow="fold")
    for row in table.slice(0, most).to_pylist():
        out.add_row(*(Text(printable(_cell(n, v))) for n, v in row.items()))
    if table.num_rows > most:
        out.caption = f"{most:,} of {table.num_rows:,} rows; give -o FILE for all of them"
        out.caption_justify = "left"
    return out


def _cell(name: str, value: object) -> str:
    if value is None:
        return "-"
    return f"{value:,}" if isinstance(value, int) and name != "taxid" else str(value)
