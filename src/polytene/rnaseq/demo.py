"""The room's part of ``polytene demo``: generated reads from an archive on loopback."""

from __future__ import annotations

import html
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
from polytene.testing.times import keeping_times
from polytene.watch.progress import progress
from polytene.watch.tables import show

RUNS = 8
READS = 2000


def demo(folder: Path, client: Any) -> str:
    """Stream generated runs from loopback into kallisto, and merge them.

    Without kallisto it says what to install.
    """
    try:
        tool = find_quantifier()
    except PreflightError as error:
        click.echo(f"rnaseq: left out: {error}")
        return f"<h3>rnaseq</h3><p>Left out: {html.escape(str(error))}</p>"
    click.echo(f"rnaseq: {RUNS} generated runs, streamed from loopback into {tool.name}")
    folder.mkdir(parents=True, exist_ok=True)
    with keeping_times(folder):
        fasta = write_transcripts(folder / "transcripts.fa", 40)
        runs = write_reads(folder / "archive", fasta, runs=RUNS, reads=READS)
    index = rnaseq.index(fasta, folder / "transcripts.idx")
    with Archive(folder / "archive", dict.fromkeys(runs, READS)) as archive:
        plan = rnaseq.plan(runs, index=index.path, out=folder / "work", ena_url=archive.url)
        click.echo(plan.describe())
        with progress() as on_event:
            outcome = rnaseq.run(plan, client=client, on_event=on_event, on_change="rerun")
    matrix = rnaseq.merge(folder / "work", client=client)
    click.echo(f"\n{outcome.summary()}\n")
    table = summary_table(write_report(plan, outcome))
    show(summary(table))
    sizes = matrix.sizes
    click.echo(
        f"\n{sizes['target_id']} transcripts x {sizes['run']} runs: {folder / 'work/merged'}"
    )
    title = f"rnaseq: {RUNS} generated runs, streamed into {tool.name}"
    return f"<h3>{title}</h3>{table.to_pandas().to_html(index=False, border=0)}"
