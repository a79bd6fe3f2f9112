"""``polytene demo``: each room's main job on generated data, and a report to look at."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import xarray as xr

from polytene import codons, testing
from polytene.clusters import cluster
from polytene.codons.picture import usage_map
from polytene.codons.show import long_table
from polytene.core.files import write_bytes
from polytene.genome.demo import demo as genome_demo
from polytene.lightcurves.demo import demo as lightcurves_demo
from polytene.metadata.demo import demo as metadata_demo
from polytene.rnaseq.demo import demo as rnaseq_demo
from polytene.testing.times import keeping_times
from polytene.watch.progress import progress
from polytene.watch.tables import show

GENOMES = 60
ROOMS = {
    "genome": genome_demo,
    "metadata": metadata_demo,
    "rnaseq": rnaseq_demo,
    "lightcurves": lightcurves_demo,
}


def demo(folder: Path, workers: int) -> Path:
    """Run every room on generated data in ``folder``; return the report."""
    folder.mkdir(parents=True, exist_ok=True)
    click.echo("All data of this demo are generated; they stand for nothing in nature.\n")
    with cluster("local", workers=workers) as client:
        click.echo(f"Dask dashboard, while this runs: {client.dashboard_link}\n")
        usage = _codons(folder / "codons", client)
        others = [room(folder / name, client) for name, room in ROOMS.items()]
    page = usage_map(usage, "polytene demo: generated organelle genomes")
    rest = "".join(f"<hr>{part}" for part in others)
    page = page.replace("</body>", f'<div style="font: 14px sans-serif">{rest}</div></body>')
    report = folder / "report.html"
    write_bytes(report, page.encode())
    click.echo(f"\nReport: {report.absolute()}")
    return report


def _codons(folder: Path, client: Any) -> xr.Dataset:
    click.echo(f"codons: {GENOMES} genomes as GenBank files -> Parquet set -> codon usage")
    folder.mkdir(exist_ok=True)
    each = GENOMES // 3
    with keeping_times(folder):
        files = [
            testing.write_genbank(folder / f"genomes_{i}.gb", each, first=1 + i * each)
            for i in range(3)
        ]
    with progress() as on_event:
        engine = {"client": client, "on_event": on_event}
        codons.ingest(files, folder / "set", **engine)
        click.echo("the first count compiles its kernels: about ten seconds, once")
        outcome = codons.count(
            folder / "set",
            mode="cds",
            by="organism",
            run_dir=folder / "usage.run",
            **engine,
        )
        by_code = codons.count(
            folder / "set",
            mode="cds",
            by="transl_table",
            run_dir=folder / "by_code.run",
            **engine,
        )
    usage: xr.Dataset = outcome.result
    codons.write(codons.to_wide(usage, with_rscu=True), folder / "usage.parquet", usage.attrs)
    click.echo(f"\n{outcome.summary()}\nThe five most frequent codons under each genetic code:\n")
    show(long_table(codons.to_long(by_code.result, with_rscu=True, top=5)))
    click.echo(f"\nThe whole table: {folder / 'usage.parquet'}")
    return usage
