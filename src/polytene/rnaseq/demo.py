"""The room's part of ``polytene demo``: generated reads from an archive on loopback."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from polytene import rnaseq
from polytene.exceptions import PreflightError
from polytene.rnaseq.quantifier import find_quantifier
from polytene.rnaseq.report import summary_table, write_report
from polytene.rnaseq.show import summary
from polytene.testing.archive import Archive
from polytene.testing.reads import write_reads, write_transcripts
from polytene.watch.tables import show

RUNS = 8
READS = 2000


def demo(folder: Path, client: Any, on_event: Any = None) -> None:
    """Stream generated runs from loopback into kallisto, and merge them.

    Without kallisto it says what to install.
    """
    try:
        tool = find_quantifier()
    except PreflightError as error:
        click.echo(f"rnaseq: left out: {error}")
        return
    click.echo(f"rnaseq: {RUNS} generated runs, streamed from loopback into {tool.name}")
    folder.mkdir(parents=True, exist_ok=True)
    fasta = write_transcripts(folder / "transcripts.fa", 40)
    index = rnaseq.index(fasta, folder / "transcripts.idx")
    runs = write_reads(folder / "archive", fasta, runs=RUNS, reads=READS)
    with Archive(folder / "archive", dict.fromkeys(runs, READS)) as archive:
        plan = rnaseq.plan(runs, index=index.path, out=folder / "work", ena_url=archive.url)
        click.echo(plan.describe())
        outcome = rnaseq.run(plan, client=client, on_event=on_event, on_change="rerun")
    matrix = rnaseq.merge(folder / "work", client=client)
    click.echo(f"\n{outcome.summary()}\n")
    show(summary(summary_table(write_report(plan, outcome))))
    sizes = matrix.sizes
    click.echo(
        f"\n{sizes['target_id']} transcripts x {sizes['run']} runs: {folder / 'work/merged'}"
    )
