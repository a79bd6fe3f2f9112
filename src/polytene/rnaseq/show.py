"""The summary of a run for people."""

from __future__ import annotations

import pyarrow as pa
from rich.table import Table
from rich.text import Text

from polytene.watch.progress import printable

MOST = 100
NUMBERS = ("reads", "% aligned", "expressed", "MB/s")


def summary(table: pa.Table) -> Table:
    """Return the summary as it is printed; a very long one is cut, and says so."""
    out = Table(box=None, pad_edge=False)
    for name in table.column_names:
        out.add_column(name, justify="right" if name in NUMBERS else "left", no_wrap=True)
    for row in table.slice(0, MOST).to_pylist():
        out.add_row(*(Text(printable(_cell(value))) for value in row.values()))
    if table.num_rows > MOST:
        out.caption = f"{MOST:,} of {table.num_rows:,} runs; all of them: report.json"
        out.caption_justify = "left"
    return out


def _cell(value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:.1f}" if value >= 1 or not value else f"{value:.2g}"
    return f"{value:,}" if isinstance(value, int) else str(value)
