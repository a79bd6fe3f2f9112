"""Annotation's part of ``polytene demo``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from polytene.genome.annotation.inputs import annotation_inputs
from polytene.genome.annotation.run import annotation_plan, annotation_run
from polytene.genome.annotation.tables import counts
from polytene.genome.annotation.view import gene_svg
from polytene.genome.planning.plan import plan_chunks
from polytene.testing.annotation import write_annotation
from polytene.testing.times import keeping_times
from polytene.watch.progress import progress

GENES, ERRORS, CHUNKS = 60, 0.2, 8


def demo(folder: Path, client: Any) -> str:
    """Judge and mend the genes of a generated genome with planted errors; return a picture."""
    with keeping_times(folder):
        made = write_annotation(folder, genes=GENES, errors=ERRORS, silent=0.1, spacing=1000)
    planted = made.world.planted
    click.echo(
        f"\nannotation: {len(made.world.genes)} genes, {len(planted)} of them with an error that "
        f"was planted; Helixer's files and RNA-seq of {len(made.bams)} samples, all generated\n"
    )
    inputs = annotation_inputs(
        made.gff3, genome=made.fasta, predictions=made.predictions, bams=made.bams
    )
    chunks = plan_chunks(made.fasta, made.gff3, n_chunks=CHUNKS)
    with progress() as on_event:
        outcome = annotation_run(
            annotation_plan("refine", chunks, inputs),
            run_dir=folder / "refine.run",
            client=client,
            on_event=on_event,
        )
    made_of = outcome.result
    made_of.write("gff3", folder / "refined.gff3")
    made_of.write("refine", folder / "report.tsv")
    rows = made_of.table.to_pylist()
    changed = {row["gene_id"] for row in rows if row["changes"]}
    kinds = ", ".join(f"{n} {kind}" for kind, n in counts(planted.values()).items())
    click.echo(f"\n{outcome.summary()}\nplanted: {kinds}")
    click.echo(f"changed: {len(changed)} genes, {len(changed & planted.keys())} of them planted")
    before, after = (sum(r[k] == "valid" for r in rows) for k in ("orf_before", "orf_after"))
    click.echo(f"valid ORFs: {before} before, {after} after; {folder / 'refined.gff3'}")
    after_inputs = annotation_inputs(
        folder / "refined.gff3", genome=made.fasta, predictions=made.predictions
    )
    name = next((r["gene_id"] for r in rows if r["splice_corrections"]), made.world.genes[0].id)
    pictures = (gene_svg(name, inputs), gene_svg(name, after_inputs))
    return "<p><b>A gene before and after</b></p>" + "<br>".join(pictures)
