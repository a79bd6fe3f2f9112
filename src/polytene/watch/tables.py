"""Status and quarantine as tables that people read."""

from __future__ import annotations

from collections.abc import Sequence

from dask.utils import format_bytes
from rich.console import Console
from rich.table import Table
from rich.text import Text

from polytene.core.failure import Failure
from polytene.watch.progress import printable
from polytene.watch.rates import plural
from polytene.watch.status import Status

WHAT_NOW = {
    "planned": "nothing has been computed yet",
    "running": "",
    "finished": "",
    "stopped": "the same command goes on from here",
    "died": "its driver is gone; the same command goes on from here",
}


def status_table(status: Status) -> Table:
    """Return how far a run is."""
    table = Table(show_header=False, box=None, pad_edge=False)
    nouns = plural(status.noun)
    rows = [
        ("run", f"{status.kind} in {status.directory}"),
        ("state", " - ".join(filter(None, [status.state, WHAT_NOW[status.state]]))),
        ("driver", _driver(status)),
        (nouns, f"{status.units:,}: {status.done:,} done, {status.left:,} left, "
                f"{status.quarantined:,} quarantined"),
        ("items", f"{status.items:,} seen, {status.rejected:,} rejected"),
        ("bytes", format_bytes(status.nbytes)),
    ]  # fmt: skip
    rows += [(f"  {reason}", f"{n:,}") for reason, n in status.reasons.items()]
    if status.damaged_lines:
        rows.append(
            ("ledger", f"{status.damaged_lines} damaged lines; their parts are found again")
        )
    for name, value in rows:
        table.add_row(Text(printable(name), style="bold"), Text(printable(value)))
    return table


def _driver(status: Status) -> str:
    if not status.driver:
        return "none"
    return "process {pid} on {host}, since {since}".format_map(status.driver)


def failures_table(failures: Sequence[Failure], noun: str) -> Table:
    """Return the quarantine list."""
    table = Table(box=None, pad_edge=False)
    for head in (noun, "item", "stage", "category", "reason", "detail"):
        table.add_column(head, overflow="fold")
    for f in failures:
        cells = (f.key, f.item or "", f.stage, f.category, f.reason, f.detail)
        table.add_row(*(Text(printable(c)) for c in cells))
    return table


def show(table: Table) -> None:
    """Print a table, as wide as its text where nobody looks."""
    console = Console()
    Console(width=None if console.is_terminal else 200).print(table)
