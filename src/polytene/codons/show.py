"""Codon tables for people."""

from __future__ import annotations

import pyarrow as pa
from rich.table import Table
from rich.text import Text

from polytene.watch.progress import printable

MOST = 640


def long_table(table: pa.Table) -> Table:
    """Return a table of counts as it is printed; very long ones are cut, and say so."""
    shown = table.slice(0, MOST)
    out = Table(box=None, pad_edge=False)
    for name in table.column_names:
        number = pa.types.is_integer(table.schema.field(name).type) or name in ("freq", "rscu")
        out.add_column(name, justify="right" if number else "left", no_wrap=True)
    for row in shown.to_pylist():
        out.add_row(*(Text(printable(_cell(name, value))) for name, value in row.items()))
    if table.num_rows > MOST:
        out.caption = f"{MOST:,} of {table.num_rows:,} rows; give -o FILE for all of them"
        out.caption_justify = "left"
    return out


def _cell(name: str, value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:.4f}"
    return f"{value:,}" if isinstance(value, int) and name != "transl_table" else str(value)
