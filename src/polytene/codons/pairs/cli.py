"""``polytene codons pairs``: pairs of neighbouring codons."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import click
import numpy as np
import pyarrow as pa
import xarray as xr

from polytene.codons.measures.cli import code_option, output_option
from polytene.codons.options import batch_options
from polytene.codons.pairs.run import pairs_plan, pairs_planned
from polytene.codons.pairs.scores import to_table
from polytene.codons.result import write
from polytene.codons.show import long_table
from polytene.command import RunOptions, execute, finish, output_of, run_dir_of, run_options, say
from polytene.core.outcome import Outcome
from polytene.exceptions import UsageError
from polytene.watch.tables import show

TOP = 20


@click.command()
@click.argument("inputs", nargs=-1, required=True, type=click.Path(), metavar="SET_OR_GLOB...")
@output_option
@click.option(
    "--mode",
    type=click.Choice(["cds", "frame"]),
    default="cds",
    show_default=True,
    help="cds: of coding sequences; frame: in-frame trinucleotides of whole sequences.",
)
@click.option(
    "--frame",
    type=click.IntRange(0, 2),
    default=0,
    show_default=True,
    help="Bases left out at each start, in frame mode.",
)
@click.option(
    "--by",
    default="none",
    show_default=True,
    metavar="none|source|COLUMN",
    help="Column whose values are the groups, 1,024 at most.",
)
@code_option
@batch_options
@click.option(
    "--top",
    type=click.IntRange(1),
    default=TOP,
    show_default=True,
    metavar="N",
    help="Print the N most frequent pairs of each group.",
)
@run_options
def pairs(
    options: RunOptions,
    inputs: tuple[str, ...],
    output: Path | None,
    genetic_code: int | None,
    top: int,
    **chosen: Any,
) -> None:
    """Count pairs of neighbouring codons, and score them (CPS, Coleman et al. 2008).

    SET_OR_GLOB is a folder made by `polytene codons ingest`, or Parquet files with a column
    `sequence`. The table has a row per group and pair that occurs. The same command again
    resumes, and with another --genetic-code only scores anew.
    """
    plan = pairs_plan(inputs, genetic_code=genetic_code or "auto", **chosen)
    run_dir = run_dir_of(options, output)
    outcome = execute(
        options,
        plan,
        lambda plan, **engine: pairs_planned(plan, genetic_code or "auto", **engine),
        run_dir,
    )
    if output is None and options.run_dir is None and (outcome is None or outcome.complete):
        shutil.rmtree(run_dir, ignore_errors=True)  # else messages point at it
    if outcome is not None:
        _check_codes(outcome.result, kept=bool(output or options.run_dir))
        _deliver(options, outcome, output and output_of(options, plan, output), top)


def _check_codes(result: xr.Dataset, kept: bool) -> None:
    """Refuse to give empty scores for an answer."""
    unknown = int((result["transl_table"].values == 0).sum())
    if not unknown:
        return
    again = "; the pairs are counted, so that the same command then only scores them"
    raise UsageError(
        f"scores need the genetic code, and that of {unknown} of {result.sizes['group']} groups is "
        "not known, or mixed: give --genetic-code N, such as 1 (standard), 2 (vertebrate "
        f"mitochondria), 11 (bacteria, plastids){again if kept else ''}"
    )


def _deliver(options: RunOptions, outcome: Outcome, output: Path | None, top: int) -> None:
    result = outcome.result
    table = to_table(result)
    if output is not None:
        write(table, output, result.attrs)
    elif not options.as_json:
        show(long_table(_most_frequent(result, table, top)))
    n_pairs, n_ambiguous = int(result["n_pairs"].sum()), int(result["n_ambiguous"].sum())
    where = f"; {output}" if output else ""
    say(options, f"{outcome.items:,} rows, {n_pairs:,} pairs, {n_ambiguous:,} ambiguous{where}")
    totals = {"rows": outcome.items, "n_pairs": n_pairs, "n_ambiguous": n_ambiguous}
    data = {"table": table.to_pylist()} if output is None else {"output": str(output)}
    finish(options, outcome, **totals, **data)


def _most_frequent(result: xr.Dataset, table: pa.Table, top: int) -> pa.Table:
    group = np.nonzero(result["count"].values)[0]
    order = np.lexsort((-table.column("count").to_numpy(), group))
    rank = np.arange(len(order)) - np.searchsorted(group[order], group[order])
    return table.take(pa.array(order[rank < top]))
