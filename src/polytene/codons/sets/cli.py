"""``polytene codons ingest`` and ``rechunk``: the commands that make sets."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from polytene import codons
from polytene.codons.options import CODE
from polytene.codons.sets.ingest import ingest_planned
from polytene.codons.sets.rechunk import rechunk_plan, rechunk_planned
from polytene.command import RunOptions, execute, finish, output_of, run_options, say
from polytene.core.outcome import Outcome
from polytene.core.plan import Plan
from polytene.exceptions import UsageError
from polytene.watch.rates import counted

set_option = click.option(
    "-o",
    "--output",
    required=True,
    type=click.Path(path_type=Path),
    help="Folder of the set; also the run directory.",
)
row_group_option = click.option(
    "--row-group-mb",
    type=click.FloatRange(min=0, min_open=True),
    default=48.0,
    show_default=True,
    help="Uncompressed size of a row group.",
)


@click.command()
@click.argument("inputs", nargs=-1, required=True, type=click.Path())
@set_option
@row_group_option
@click.option(
    "--genetic-code", type=CODE, metavar="N", help="NCBI code of sequences whose file names none."
)
@click.option(
    "--pack",
    is_flag=True,
    help="Pack the bases, four to a byte: nothing is lost, and counts read far fewer bytes.",
)
@run_options
def ingest(
    options: RunOptions,
    inputs: tuple[str, ...],
    output: Path,
    row_group_mb: float,
    genetic_code: int | None,
    pack: bool,
) -> None:
    """Turn FASTA and GenBank files (plain, .gz or .bgz) into a Parquet set.

    A CDS without /transl_table takes the code of its record; both are counted. A CDS that does
    not translate to its /translation is kept, counted and marked. The same command again resumes.
    """
    _check_run_dir(options)
    plan = codons.ingest_plan(
        inputs, row_group_mb=row_group_mb, genetic_code=genetic_code, pack=pack
    )
    outcome = _made(options, plan, ingest_planned, output)
    if outcome is not None:
        output = output_of(options, plan, output, folder=True)
        totals = outcome.result["totals"]
        say(options, _ingested(totals, output) if totals else f"{output}: nothing was ingested")
        finish(options, outcome, totals=totals, output=str(output))


@click.command()
@click.argument("inputs", nargs=-1, required=True, type=click.Path(), metavar="SET_OR_GLOB...")
@set_option
@row_group_option
@click.option(
    "--pack/--text", help="Pack the bases, four to a byte, or write them as text, as by default."
)
@run_options
def rechunk(
    options: RunOptions, inputs: tuple[str, ...], output: Path, row_group_mb: float, pack: bool
) -> None:
    """Write Parquet files anew: small row groups, long sequences cut, packed or as text.

    SET_OR_GLOB is a set, or Parquet files with a column `sequence`. All columns and each byte of
    each sequence stay. Memory is bounded by the longest sequence of the input.
    """
    _check_run_dir(options)
    plan = rechunk_plan(inputs, row_group_mb=row_group_mb, pack=pack)
    outcome = _made(options, plan, rechunk_planned, output)
    if outcome is not None:
        output = output_of(options, plan, output, folder=True)
        totals = outcome.result["totals"] or {"rows": 0, "bases": 0}
        found = [counted(totals["rows"], "row"), counted(totals["bases"], "base")]
        say(options, f"{output}: {', '.join(found)}")
        finish(options, outcome, totals=totals, output=str(output))


def _check_run_dir(options: RunOptions) -> None:
    if options.run_dir:
        raise UsageError("--run-dir: the set is its own run directory, leave it out")


def _made(
    options: RunOptions, plan: Plan[Any], verb: Callable[..., Outcome], output: Path
) -> Outcome | None:
    """Run a verb whose run directory is the set that it makes."""
    return execute(options, plan, lambda plan, run_dir, **how: verb(plan, run_dir, **how), output)


def _ingested(totals: dict[str, int], output: Path) -> str:
    """Return what an ingest found; what it did not find is not mentioned."""
    lines = [f"{output}: {totals['sequences']:,} sequences, {totals['bases']:,} bases"]
    said = [
        (totals["cds"], "coding sequences"),
        (totals["record_code"], "of them took their record's genetic code"),
        (totals["no_code"], "of them have no genetic code that is known"),
        (totals["pseudo"], "pseudogenes left out"),
    ]
    if text := ", ".join(f"{n:,} {what}" for n, what in said if n):
        lines.append(text)
    if totals["translated"]:
        lines.append(
            f"{totals['disagree']:,} of {totals['translated']:,} do not translate to the "
            "/translation of their record (column translation_agrees)"
        )
    return "\n".join(lines)
