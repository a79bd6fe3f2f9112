"""Status, quarantine and explanations as tables that people read."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from dask.utils import format_bytes
from rich.console import Console
from rich.table import Table
from rich.text import Text

from polytene.core.failure import Failure
from polytene.watch.explain import Explanation, LegState
from polytene.watch.progress import printable
from polytene.watch.rates import counted, plural
from polytene.watch.status import Status, damaged_lines

WHAT_NOW = {
    "planned": "nothing has been computed yet",
    "running": "",
    "finished": "",
    "stopped": "the same command goes on from here",
    "died": "its driver is gone; the same command goes on from here",
}
SHOWN = 20


def status_table(status: Status) -> Table:
    """Return how far a run is."""
    rows = [
        ("run", f"{status.kind} in {status.directory}"),
        ("state", " - ".join(filter(None, [status.state, WHAT_NOW[status.state]]))),
        ("driver" if status.state == "running" else "last driver", _driver(status)),
        (plural(status.noun), f"{status.units:,}: {status.done:,} done, {status.left:,} left, "
                              f"{status.quarantined:,} quarantined"),
        ("items", f"{status.items:,} seen, {status.rejected:,} rejected"),
        ("bytes", format_bytes(status.nbytes)),
    ]  # fmt: skip
    rows += [(f"  {reason}", f"{n:,}") for reason, n in status.reasons.items()]
    if status.damaged_lines:
        rows.append(("ledger", damaged_lines(status.damaged_lines)))
    return _pairs(rows)


def _driver(status: Status) -> str:
    if not status.driver:
        return "none"
    return "process {pid} on {host}, since {since}".format_map(status.driver)


def _pairs(rows: Iterable[tuple[str, str]]) -> Table:
    table = Table(show_header=False, box=None, pad_edge=False)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in rows:
        table.add_row(Text(printable(name), style="bold"), Text(printable(value)))
    return table


def failures_table(failures: Sequence[Failure], noun: str) -> Table:
    """Return the quarantine list."""
    table = Table(box=None, pad_edge=False)
    for head in (noun, "item", "stage", "category", "reason", "detail"):
        table.add_column(head, overflow="fold")
    for f in failures:
        cells = (f.key, f.item or "", f.stage, f.category, f.reason, f.detail)
        table.add_row(*(Text(printable(c)) for c in cells))
    return table


def explanation_table(found: Explanation) -> Table:
    """Return what became of a unit."""
    rows = [
        (found.noun, found.key),
        ("run", f"{found.kind} in {found.directory}"),
        ("state", found.state),
        ("block", f"{found.block}, {found.noun} {found.place + 1} of it"),
    ]
    given = {k: v for k, v in found.fields.items() if k != "key" and v is not None}
    rows += [(f"  {name}", str(value)) for name, value in given.items()]
    for leg in found.legs:
        rows += _leg_rows(leg, found.noun)
    rows += [("rejected", _item(f)) for f in found.rejected[:SHOWN]]
    if (more := len(found.rejected) - SHOWN) > 0:
        rows.append(("", f"and {counted(more, 'item')} more: polytene quarantine"))
    return _pairs(rows)


def _leg_rows(leg: LegState, noun: str) -> Iterable[tuple[str, str]]:
    yield leg.name, leg.state
    if leg.failure:
        yield "  reason", f"{leg.failure.reason} ({leg.failure.category}) in {leg.failure.stage}"
        yield "  detail", leg.failure.detail
    if leg.again:
        yield "  again", leg.again
    if leg.state == "done":
        yield "  seen", f"{counted(leg.items, 'item')}, {format_bytes(leg.read)} read"
    if leg.part:
        what = f"{format_bytes(leg.nbytes)} for {counted(leg.units, noun)}"
        yield "  part", f"{leg.part} ({what})"
        times = f"run {leg.epoch} of this folder, {counted(leg.attempts, 'attempt')} in it"
        yield "  made by", times
        yield "  digest", leg.digest


def _item(failure: Failure) -> str:
    return f"{failure.item}: {failure.reason}: {failure.detail}"


def show(table: Table) -> None:
    """Print a table, as wide as its text where nobody looks."""
    console = Console()
    Console(width=None if console.is_terminal else 200).print(table)
