"""The room's part of ``polytene demo``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from polytene.metadata.build import build
from polytene.metadata.kb.base import open as open_base
from polytene.metadata.show import as_rich
from polytene.testing.dump import write_dump
from polytene.testing.times import keeping_times
from polytene.watch.progress import progress
from polytene.watch.tables import show

SUBMISSIONS = 200


def demo(folder: Path, client: Any) -> str:
    """Build a knowledge base of generated submissions and ask it; return a table as HTML."""
    folder.mkdir(parents=True, exist_ok=True)
    click.echo(f"metadata: {SUBMISSIONS} submissions, two documents damaged -> knowledge base")
    with keeping_times(folder / "dump"):
        dump = write_dump(folder / "dump", submissions=SUBMISSIONS)
        for name in ("SRA900007/SRA900007.run.xml", "SRA900011/SRA900011.sample.xml"):
            (dump / name).write_bytes((dump / name).read_bytes()[:-30])
    with progress() as on_event:
        outcome = build(dump, folder / "kb", client=client, on_event=on_event)
    kb = open_base(folder / "kb")
    click.echo(f"\n{outcome.summary()}\nExperiments of each organism and strategy, the largest:\n")
    table = kb.crosstab("organism", "strategy").slice(0, 8)
    show(as_rich(table))
    samples = folder / "samples.tsv"
    n = kb.runs(strategy="RNA-Seq", layout="PAIRED").sample_list(samples)
    click.echo(f"\n{n:,} paired RNA-Seq runs as a list of samples: {samples}")
    title = f"metadata: experiments of {SUBMISSIONS} generated submissions"
    return f"<h3>{title}</h3>{table.to_pandas().to_html(index=False, border=0)}"
