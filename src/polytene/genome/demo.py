"""The genome room's part of ``polytene demo``."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import click

from polytene.genome.composition.compose import composition
from polytene.genome.composition.files import write_composition
from polytene.genome.planning.plan import plan_chunks
from polytene.genome.view import to_html
from polytene.testing.assembly import write_assembly
from polytene.testing.times import keeping_times
from polytene.watch.progress import progress

BASES, GENES, CHUNKS = 4_000_000, 900, 24


def demo(folder: Path, client: Any) -> str:
    """Plan the chunks of a generated assembly and count its bases; return the plan as HTML."""
    click.echo(f"genome: {BASES / 1e6:g} Mb in 30 sequences, {GENES} genes -> {CHUNKS} chunks\n")
    with keeping_times(folder):
        made = write_assembly(folder, bases=BASES, chromosomes=5, scaffolds=25, genes=GENES)
    plan = plan_chunks(made.fasta, made.gff3, n_chunks=CHUNKS)
    plan.save(folder / "chunks.json")
    click.echo(plan.describe())
    click.echo("\nits composition by windows of 50 kb; the first count compiles its kernels")
    with progress() as on_event:
        outcome = composition(plan, window=50_000, run_dir=folder / "composition.run",
                              client=client, on_event=on_event)  # fmt: skip
    write_composition(outcome.result, folder / "composition.parquet")
    gc = outcome.result["gc"]
    click.echo(
        f"\n{outcome.summary()}\n{gc.size} windows, GC {float(gc.min()):.3f} to "
        f"{float(gc.max()):.3f}: {folder / 'composition.parquet'}"
    )
    return to_html(plan) + _annotation(folder / "annotation", client)


def _annotation(folder: Path, client: Any) -> str:
    """Judge and mend genes where the extra is installed; return a picture of one."""
    if find_spec("h5py") is None or find_spec("pysam") is None:
        click.echo('\nannotation: left out; it needs pip install "polytene[annotation]"')
        return ""
    from polytene.genome.annotation.demo import demo as annotation_demo

    return annotation_demo(folder, client)
