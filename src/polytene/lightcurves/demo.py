"""The room's part of ``polytene demo``."""

from __future__ import annotations

import html
from pathlib import Path
from typing import Any

import click

from polytene.lightcurves.curve import stitch
from polytene.lightcurves.picture import vet
from polytene.lightcurves.read import read
from polytene.lightcurves.run import extract
from polytene.lightcurves.sources import LocalFiles
from polytene.testing.stars import file_name, stars, write_stars
from polytene.testing.times import keeping_times
from polytene.watch.progress import progress
from polytene.watch.tables import show

STARS = 12


def demo(folder: Path, client: Any) -> str:
    """Search generated stars for the transits that were planted; return a table as HTML."""
    click.echo(f"lightcurves: {STARS} stars, one target without files -> features, one row each")
    with keeping_times(folder / "sky"):
        sky = write_stars(folder / "sky", n=STARS)
    with progress() as on_event:
        outcome = extract(sky / "targets.csv", folder / "run", LocalFiles(sky), 4, client=client,
                          on_event=on_event)  # fmt: skip
    click.echo(f"\n{outcome.summary()}\nWhat was planted, and what was found:\n")
    rows = _rows(outcome.result.to_pylist())
    show(_table(rows))
    first = next(stars(1))
    picture = folder / "vetting.html"
    vet(stitch([read(sky / file_name(first))]), picture)
    click.echo(f"\nVetting page of {first.target_id}: {picture}")
    head = "".join(f"<th>{html.escape(name)}</th>" for name in rows[0])
    body = "".join(
        "<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in row.values()) + "</tr>"
        for row in rows
    )
    title = f"lightcurves: transits in {STARS} generated light curves"
    return f"<h3>{title}</h3><table><tr>{head}</tr>{body}</table>"


def _rows(found: list[dict[str, Any]]) -> list[dict[str, str]]:
    planted = {s.target_id: s for s in stars(STARS)}
    out = []
    for row in found:
        star = planted.get(row["target_id"])
        periodic = star is not None and star.depth > 0
        out.append(
            {
                "target": row["target_id"],
                "planted": star.kind.replace("_", " ") if star else "nothing",
                "period [d]": f"{star.period:.4f}" if star and periodic else "",
                "status": row["status"],
                "flags": row["flags"],
                "found [d]": "" if row["flags"] == "no_signal" else _number(row["bls_period"], 4),
                "depth": "" if row["flags"] == "no_signal" else _number(row["bls_depth"], 4),
                "SNR": _number(row["snr_red"], 1),
            }
        )
    return out


def _number(value: float, digits: int) -> str:
    return "" if value != value else f"{value:.{digits}f}"  # NaN


def _table(rows: list[dict[str, str]]) -> Any:
    from rich.table import Table

    table = Table(box=None)
    for name in rows[0]:
        table.add_column(name)
    for row in rows:
        table.add_row(*row.values())
    return table
