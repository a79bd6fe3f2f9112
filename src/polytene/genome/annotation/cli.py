"""``polytene genome confidence``, ``evidence`` and ``refine``."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from polytene.command import RunOptions, execute, finish, output_of, run_dir_of, run_options, say
from polytene.exceptions import UsageError
from polytene.genome.annotation.inputs import Inputs, annotation_inputs
from polytene.genome.annotation.options import (
    NOT_NEGATIVE,
    PATH,
    chosen,
    files_of,
    helixer_options,
    listed,
    rnaseq_options,
    where_options,
)
from polytene.genome.annotation.result import Annotation
from polytene.genome.annotation.run import annotate, annotation_plan, annotation_run

SHOWN = 10
Outputs = Mapping[str, Path | None]


@click.command()
@click.option("-p", "--predictions", required=True, type=PATH, help="Helixer's predictions.h5.")
@click.option("-g", "--gff", required=True, type=PATH, help="GFF3 file of the genes.")
@click.option("--genome", required=True, type=PATH, help="FASTA file.")
@click.option(
    "-o", "--output", required=True, type=PATH, help="Table of scores: .tsv, .csv or .parquet."
)
@click.option("--bed", type=PATH, help="BED file of the genes, coloured by class.")
@click.option("--low-conf-bed", type=PATH, help="BED file of stretches below --threshold.")
@click.option("--compat", is_flag=True, help="Scores, places and columns as HelixForge has them.")
@helixer_options
@where_options
@run_options
def confidence(
    options: RunOptions,
    predictions: Path,
    input_h5: Path | None,
    padding: str,
    gff: Path,
    genome: Path,
    output: Path,
    bed: Path | None,
    low_conf_bed: Path | None,
    threshold: float,
    window_size: int,
    compat: bool,
    **where: Any,
) -> None:
    """Score genes by how sure Helixer was of them.

    A gene belongs to the region that holds its first base. The same command again resumes.
    """
    inputs = annotation_inputs(
        gff, genome=genome, predictions=predictions, input_h5=input_h5, padding=padding
    )
    given = {"threshold": threshold, "window": window_size, "compat": compat}
    outputs = {"confidence": output, "bed": bed, "low_conf_bed": low_conf_bed}
    _do(options, "confidence", inputs, given, outputs, genome=genome, genes=gff, **where)


@click.command()
@click.option("-g", "--gff", required=True, type=PATH, help="GFF3 file of the genes.")
@click.option(
    "-b", "--bam", metavar="A.bam,B.bam", help="Indexed BAM or CRAM files, one per sample."
)
@click.option(
    "--rnaseq-bam-list", "--bam-list", type=PATH, help="File with one path of a BAM per line."
)
@click.option(
    "--genome", type=PATH, help="FASTA file: tells the strand of junctions that have none."
)
@click.option("-o", "--output", required=True, type=PATH, help="GFF3 file with the support.")
@click.option("-r", "--report", type=PATH, help="Table with a row per transcript.")
@click.option("--summary", type=PATH, help="Table with the number of transcripts of each level.")
@click.option("--junction-details", type=PATH, help="Table with a row per intron.")
@click.option("--exon-details", type=PATH, help="Table with a row per exon.")
@rnaseq_options
@where_options
@run_options
def evidence(
    options: RunOptions,
    gff: Path,
    bam: str | None,
    rnaseq_bam_list: Path | None,
    genome: Path | None,
    output: Path,
    report: Path | None,
    summary: Path | None,
    junction_details: Path | None,
    exon_details: Path | None,
    junctions_bed: str | None,
    junctions_list: Path | None,
    **rest: Any,
) -> None:
    """Judge transcripts by RNA-seq.

    A gene belongs to the region that holds its first base. The same command again resumes.
    """
    bams = files_of(bam) + listed(rnaseq_bam_list)
    junctions = files_of(junctions_bed) + listed(junctions_list)
    if not bams and not junctions:
        raise UsageError("give RNA-seq: --bam, --rnaseq-bam-list or --junctions-bed")
    inputs = annotation_inputs(gff, genome=genome, bams=bams, junctions=junctions)
    given = _criteria(rest)
    outputs = {"gff3": output, "evidence": report, "summary": summary}
    outputs |= {"junctions": junction_details, "exons": exon_details}
    _do(options, "evidence", inputs, given, outputs, genome=genome, genes=gff, **rest)


@click.command()
@click.option("-p", "--predictions", type=PATH, help="Helixer's predictions.h5.")
@click.option("-g", "--gff", required=True, type=PATH, help="GFF3 file of the genes.")
@click.option("--genome", required=True, type=PATH, help="FASTA file.")
@click.option(
    "--rnaseq-bam", metavar="A.bam,B.bam", help="Indexed BAM or CRAM files, one per sample."
)
@click.option("--rnaseq-bam-list", type=PATH, help="File with one path of a BAM per line.")
@click.option("-o", "--output", required=True, type=PATH, help="GFF3 file of the mended genes.")
@click.option("-r", "--report", type=PATH, help="Table with a row per transcript: what and why.")
@click.option("--summary", type=PATH, help="Table with the number of transcripts of each state.")
@click.option("--junction-details", type=PATH, help="Table with a row per intron of the result.")
@click.option("--exon-details", type=PATH, help="Table with a row per exon of the result.")
@click.option(
    "--max-shift",
    type=NOT_NEGATIVE,
    default=15,
    show_default=True,
    metavar="BP",
    help="Bases by which a splice site is moved at most.",
)
@click.option(
    "--boundary-window",
    type=NOT_NEGATIVE,
    default=30,
    show_default=True,
    metavar="BP",
    help="Bases by which a start or stop is moved at most.",
)
@click.option(
    "--adjust-boundaries/--no-adjust-boundaries",
    default=True,
    show_default=True,
    help="Whether starts and stops are moved.",
)
@rnaseq_options
@helixer_options
@where_options
@run_options
def refine(
    options: RunOptions,
    predictions: Path | None,
    input_h5: Path | None,
    padding: str,
    gff: Path,
    genome: Path,
    rnaseq_bam: str | None,
    rnaseq_bam_list: Path | None,
    output: Path,
    report: Path | None,
    summary: Path | None,
    junction_details: Path | None,
    exon_details: Path | None,
    junctions_bed: str | None,
    junctions_list: Path | None,
    max_shift: int,
    boundary_window: int,
    adjust_boundaries: bool,
    threshold: float,
    window_size: int,
    **rest: Any,
) -> None:
    """Mend splice sites, starts and stops; a change is made only if it leaves a valid ORF.

    A gene belongs to the region that holds its first base. The same command again resumes.
    """
    bams = files_of(rnaseq_bam) + listed(rnaseq_bam_list)
    junctions = files_of(junctions_bed) + listed(junctions_list)
    if not bams and not junctions:
        raise UsageError("give RNA-seq: --rnaseq-bam, --rnaseq-bam-list or --junctions-bed")
    inputs = annotation_inputs(
        gff,
        genome=genome,
        predictions=predictions,
        input_h5=input_h5,
        padding=padding,
        bams=bams,
        junctions=junctions,
    )
    given = _criteria(rest) | {"max_shift": max_shift, "boundary_window": boundary_window}
    given |= {"adjust_boundaries": adjust_boundaries}
    given |= {"threshold": threshold, "window": window_size}
    outputs = {"gff3": output, "refine": report, "summary": summary}
    outputs |= {"junctions": junction_details, "exons": exon_details}
    _do(options, "refine", inputs, given, outputs, genome=genome, genes=gff, **rest)


COMMANDS = (confidence, evidence, refine)


def _criteria(rest: dict[str, Any]) -> dict[str, Any]:
    """Take what counts as support out of the options."""
    names = ("min_reads", "min_coverage", "boundary_tolerance", "min_tissues")
    return {name: rest.pop(name) for name in names} | {"coverage": not rest.pop("no_coverage")}


def _do(
    options: RunOptions,
    verb: str,
    inputs: Inputs,
    given: dict[str, Any],
    outputs: Outputs,
    *,
    owned: str,
    **where: Any,
) -> None:
    """Apply a verb here or on the cluster, and write what was asked for."""
    selected = chosen(**where)
    about: dict[str, Any] = {**given, "owned": owned}
    here = selected.here and not (options.cluster or options.client or options.run_dir)
    main = next(path for path in outputs.values() if path)
    if here and not options.dry_run:
        made, lost = annotate(verb, selected.where, inputs, **about)
        _write(made, outputs)
        label = f"{where['chunk_id']}: " if where["chunk_id"] else ""
        say(options, f"{label}{made.table.num_rows:,} {_noun(verb)}; {main}")
        if options.as_json:
            rows = made.table.num_rows
            click.echo(json.dumps({"output": str(main), "rows": rows,
                                   "rejected": [r._asdict() for r in lost]}))  # fmt: skip
        for one in lost[:SHOWN]:
            click.echo(f"{one.item}: {one.reason}: {one.detail}", err=True)
        if lost:
            click.echo(f"{len(lost):,} genes could not be judged", err=True)
            sys.exit(3)
        return
    plan = annotation_plan(verb, selected.where, inputs, **about)
    outcome = execute(options, plan, annotation_run, run_dir_of(options, main))
    if outcome is not None:
        made = outcome.result
        main = output_of(options, plan, main)
        _write(made, {k: p and output_of(options, plan, p) for k, p in outputs.items()})
        rows = made.table.num_rows
        say(options, f"{outcome.summary()}\n{rows:,} {_noun(verb)}; {main}")
        finish(options, outcome, output=str(main), rows=rows)


def _noun(verb: str) -> str:
    return "genes" if verb == "confidence" else "transcripts"


def _write(made: Annotation, outputs: Outputs) -> None:
    for name, path in outputs.items():
        if path is not None:
            made.write(name, path)
