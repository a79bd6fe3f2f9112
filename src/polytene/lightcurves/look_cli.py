"""``polytene lightcurves`` status, merge, export, bls, plot and report: what is there already."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import click

from polytene import lightcurves as lc
from polytene.lightcurves.rows import STATUSES


def summary(table: Any) -> dict[str, dict[str, int]]:
    """Return how many rows have each status, reason and flag."""
    status = Counter(table.column("status").to_pylist())
    reasons = Counter(r for r in table.column("reason").to_pylist() if r)
    flags = Counter(f for cell in table.column("flags").to_pylist() for f in cell.split(";") if f)
    return {
        "status": {s: status[s] for s in STATUSES if status[s]},
        "reason": dict(sorted(reasons.items())),
        "flags": dict(sorted(flags.items())),
    }


def said(counts: dict[str, int]) -> str:
    """Return counts as people read them."""
    return ", ".join(f"{n:,} {status}" for status, n in counts.items())


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def status(run: Path, as_json: bool) -> None:
    """Say how far an extraction is, and how its rows stand."""
    from polytene.watch.status import status as look
    from polytene.watch.tables import show, status_table

    found = look(run)
    done = (run / "features.parquet").exists()
    counts = summary(lc.read_features(run)) if done else {}
    if as_json:
        about = {"state": found.state, "planned": found.units, **counts}
        click.echo(json.dumps(about))
        return
    show(status_table(found))
    for what, numbers in counts.items():
        if numbers:
            click.echo(f"{what}: {said(numbers)}")


@click.command()
@click.argument("runs", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="RUN...")
@click.option(
    "-o",
    "--output",
    required=True,
    type=click.Path(path_type=Path),
    help=".csv, .tsv, .parquet or .nc.",
)
def merge(runs: tuple[Path, ...], output: Path) -> None:
    """Write the tables of several runs as one; of a target's rows the last run's stays."""
    table = lc.merge([lc.read_features(run) for run in runs])
    lc.write(table, output)
    click.echo(f"{output}: {table.num_rows:,} rows")


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.option(
    "-o",
    "--output",
    required=True,
    type=click.Path(path_type=Path),
    help=".csv, .tsv, .parquet or .nc.",
)
@click.option(
    "--status", "only", multiple=True, type=click.Choice(STATUSES), help="Only such rows."
)
def export(run: Path, output: Path, only: tuple[str, ...]) -> None:
    """Write the table of a run in another format."""
    import pyarrow as pa
    import pyarrow.compute as pc

    table = lc.read_features(run)
    if only:
        table = table.filter(pc.is_in(table.column("status"), value_set=pa.array(list(only))))
    lc.write(table, output)
    click.echo(f"{output}: {table.num_rows:,} rows")


@click.command()
@click.argument("path", type=click.Path(path_type=Path), metavar="FILE...", nargs=-1, required=True)
@click.option("--min-period", type=float, default=0.5, show_default=True, metavar="DAYS")
@click.option("--max-period", type=float, metavar="DAYS", help="[default: half of the baseline]")
@click.option("--method", type=click.Choice(["auto", "exact"]), default="auto", show_default=True)
@click.option(
    "--objective", type=click.Choice(["likelihood", "snr"]), default="likelihood", show_default=True
)
@click.option("--window", type=float, default=1.0, show_default=True, metavar="DAYS")
@click.option("--top", type=click.IntRange(1), default=3, show_default=True, metavar="N")
@click.option("--device", type=click.Choice(["cpu", "cuda"]), default="cpu", show_default=True)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def bls(
    path: tuple[Path, ...],
    min_period: float,
    max_period: float | None,
    method: Any,
    objective: Any,
    window: float,
    top: int,
    device: Any,
    as_json: bool,
) -> None:
    """Search one target's files for transits."""
    curve = lc.stitch([lc.read(p) for p in path]).flatten(window)
    periods = lc.optimal_periods(curve.baseline, min_period, max_period)
    found = lc.bls(curve, periods, objective=objective, method=method, device=device)
    rows = [_peak(p) for p in found.top(top)]
    if as_json:
        click.echo(json.dumps({"n_points": len(curve), "n_periods": len(periods), "peaks": rows}))
        return
    click.echo(f"{len(curve):,} points over {curve.baseline:.2f} d, {len(periods):,} periods")
    click.echo(f"{'period_d':>12}{'t0_d':>14}{'duration_d':>12}{'depth':>10}{'snr':>9}")
    for r in rows:
        click.echo(
            f"{r['period']:12.6f}{r['t0']:14.5f}{r['duration']:12.3f}{r['depth']:10.6f}{r['snr']:9.2f}"
        )
    click.echo(f"SDE {found.sde:.2f}, {found.n_transits} transits")


def _peak(peak: Any) -> dict[str, float]:
    names = ("period", "t0", "duration", "depth", "depth_err", "snr", "power")
    return {name: getattr(peak, name) for name in names}


@click.command()
@click.argument("path", type=click.Path(path_type=Path), metavar="FILE...", nargs=-1, required=True)
@click.option(
    "-o",
    "--output",
    required=True,
    type=click.Path(path_type=Path),
    help=".html (Bokeh) or .png (needs matplotlib).",
)
@click.option("--window", type=float, default=1.0, show_default=True, metavar="DAYS")
def plot(path: tuple[Path, ...], output: Path, window: float) -> None:
    """Draw a vetting page: light curve, periodogram and folded transit."""
    from polytene.lightcurves.picture import vet

    curve = lc.stitch([lc.read(p) for p in path])
    found = vet(curve, output, window=window)
    click.echo(f"{output}: period {found.period:.5f} d, depth {found.depth:.6f}")


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), help="HTML file.")
@click.option(
    "--top", type=click.IntRange(1), default=20, show_default=True, metavar="N",
    help="Targets on the page, strongest first.",
)  # fmt: skip
def report(run: Path, output: Path, top: int) -> None:
    """Draw the strongest signals of an extraction on one page, to be judged by eye."""
    from polytene.lightcurves.vetting import vet_run

    n = vet_run(run, output, top=top)
    click.echo(f"{output}: {n} targets")


COMMANDS = (status, merge, export, bls, plot, report)
