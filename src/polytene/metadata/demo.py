"""The room's part of ``polytene demo``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from polytene.metadata.base import open as open_base
from polytene.metadata.build import build
from polytene.metadata.show import as_rich
from polytene.testing.dump import write_dump
from polytene.watch.progress import progress
from polytene.watch.tables import show

SUBMISSIONS = 200


def demo(folder: Path, client: Any) -> Path:
    """Build a knowledge base of generated submissions, ask it, and return a list of samples."""
    folder.mkdir(parents=True, exist_ok=True)
    click.echo(f"metadata: {SUBMISSIONS} submissions, two documents damaged -> knowledge base")
    dump = write_dump(folder / "dump", submissions=SUBMISSIONS)
    for name in ("SRA900007/SRA900007.run.xml", "SRA900011/SRA900011.sample.xml"):
        (dump / name).write_bytes((dump / name).read_bytes()[:-30])
    with progress() as on_event:
        outcome = build(dump, folder / "kb", client=client, on_event=on_event)
    kb = open_base(folder / "kb")
    click.echo(f"\n{outcome.summary()}\nExperiments of each organism and strategy, the largest:\n")
    show(as_rich(kb.crosstab("organism", "strategy").slice(0, 8)))
    samples = folder / "samples.tsv"
    n = kb.runs(strategy="RNA-Seq", layout="PAIRED").sample_list(samples)
    click.echo(f"\n{n:,} paired RNA-Seq runs as a list of samples: {samples}")
    return samples
