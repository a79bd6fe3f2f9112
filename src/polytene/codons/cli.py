"""``polytene codons``: ingest and count."""

from __future__ import annotations

import functools
import os
import shutil
from pathlib import Path
from typing import Any

import click
import pyarrow as pa
import xarray as xr

from polytene import codons
from polytene.codons.measures.cli import COMMANDS
from polytene.codons.options import CODE, batch_options
from polytene.codons.pairs.cli import pairs
from polytene.codons.result import check_ending
from polytene.codons.run import count_plan
from polytene.codons.sets.cli import ingest, rechunk
from polytene.codons.show import long_table
from polytene.command import RunOptions, execute, finish, output_of, run_dir_of, run_options, say
from polytene.core.device import Wanted
from polytene.core.outcome import Outcome
from polytene.core.plan import Plan
from polytene.exceptions import UsageError
from polytene.watch.rates import counted
from polytene.watch.tables import show

LONGEST_NAME = 220


class GeneticCode(click.ParamType[Any]):
    """An NCBI genetic code, or ``auto``."""

    name = "N|auto"

    def convert(self, value: Any, param: Any, ctx: Any) -> Any:
        """Return the number or ``auto``."""
        return "auto" if value == "auto" else CODE.convert(value, param, ctx)


@click.group("codons")
def group() -> None:
    """Codon usage over sequence sets of any size."""


for _command in (ingest, rechunk, *COMMANDS, pairs):
    group.add_command(_command)


@group.command()
@click.argument("inputs", nargs=-1, required=True, type=click.Path(), metavar="SET_OR_GLOB...")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    help="Parquet file; .csv and .tsv write text. Without it the table is printed.",
)
@click.option(
    "--mode",
    type=click.Choice(["frame", "cds", "six-frame"]),
    default="frame",
    show_default=True,
    help="frame: in-frame trinucleotides of whole sequences; six-frame: those of all frames of "
    "both strands; cds: codons of coding sequences.",
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
    metavar="none|seq_id|source|COLUMN",
    help="Column whose values are the groups.",
)
@click.option(
    "--genetic-code",
    type=GeneticCode(),
    default="auto",
    show_default=True,
    help="NCBI code; auto: what the set says, never a silent 1.",
)
@batch_options
@click.option(
    "--device",
    type=click.Choice(["cpu", "cuda", "auto"]),
    default="cpu",
    show_default=True,
    help="cuda: on workers that own a GPU, equal and no faster; auto: if there are some.",
)
@click.option("--rscu", "with_rscu", is_flag=True, help="Add relative synonymous codon usage.")
@click.option(
    "--min-count",
    type=click.IntRange(0),
    default=0,
    metavar="N",
    help="Hide codons rarer than N; sums and frequencies stay as they are.",
)
@click.option(
    "--skip-stops", is_flag=True, help="Hide stop codons; sums and frequencies stay as they are."
)
@click.option(
    "--top",
    type=click.IntRange(1),
    metavar="N",
    help="Show the N most frequent codons of each group.",
)
@click.option(
    "--format",
    "layout",
    type=click.Choice(["wide", "long"]),
    help="wide: a row per group; long: a row per group and codon.  [default: wide, printed long]",
)
@run_options
def count(
    options: RunOptions,
    inputs: tuple[str, ...],
    output: Path | None,
    with_rscu: bool,
    min_count: int,
    skip_stops: bool,
    top: int | None,
    layout: str | None,
    device: Wanted,
    **chosen: Any,
) -> None:
    """Count the codons of a set of any size, in bounded memory.

    SET_OR_GLOB is a folder made by `polytene codons ingest`, or Parquet files with a column
    `sequence`. Every run checks that codons and ambiguous codons add up to the lengths of the
    sequences, and that every row was seen. The same command again resumes.
    """
    hiding = {"min_count": min_count, "skip_stops": skip_stops, "top": top}
    layout = layout or ("wide" if output else "long")
    if layout == "wide" and any(hiding.values()):
        raise UsageError("--min-count, --skip-stops and --top hide rows: add --format long")
    if output is not None:
        check_output(output, longest=LONGEST_NAME)
    plan = codons.plan(inputs, **chosen)
    say(options, _summary(plan, chosen))
    with_dir = run_dir_of(options, output)
    runner = functools.partial(count_plan, device=device)
    outcome = execute(options, plan, runner, with_dir)
    if outcome is not None:
        table = _table(outcome.result, layout, with_rscu, hiding)
    if output is None and options.run_dir is None and (outcome is None or outcome.complete):
        shutil.rmtree(with_dir, ignore_errors=True)  # else messages point at it
    if outcome is not None:
        where = output and output_of(options, plan, output)
        _deliver(options, outcome, table, where, layout)


def check_output(path: Path, longest: int) -> None:
    """Refuse, before any work, a file that could not be written after it.

    Raises
    ------
    UsageError
        If the path is a folder or lies below a file, or its name is too long or of another format.
    """
    above = next(p for p in path.absolute().parents if p.exists())
    if path.is_dir() or not above.is_dir():
        raise UsageError(f"{path}: {'is a folder' if path.is_dir() else f'{above} is a file'}")
    check_ending(path)
    if len(os.fsencode(path.name)) > longest:
        raise UsageError(f"{path}: its name is too long: at most {longest} bytes")


def _summary(plan: Plan[Any], chosen: dict[str, Any]) -> str:
    rows = sum(b.rows for b in plan)
    mode = {
        "frame": f"in-frame trinucleotides from base {chosen['frame'] + 1} of whole sequences",
        "cds": "codons of coding sequences",
        "six-frame": "trinucleotides of whole sequences, in all six reading frames",
    }[chosen["mode"]]
    bare = len({b.path for b in plan if b.cds is None and b.stop}) if chosen["mode"] == "cds" else 0
    lines = [
        f"count {mode}, by {chosen['by']}, genetic code {chosen['genetic_code']}, "
        f"softmask {chosen['softmask']}",
        f"{counted(len({b.path for b in plan}), 'file')}, {counted(rows, 'row')}, "
        f"{counted(len(plan), 'batch')} of at most "
        f"{chosen['batch_size']:,} rows or {chosen['batch_bytes']}",
    ]
    if chosen["sample"]:
        lines.append(f"only a sample of {chosen['sample']:,} sequences, by the hash of seq_id")
    if bare:
        without = counted(bare, "file")
        lines.append(f"{without} without annotation: each sequence there is taken as one CDS")
    return "\n".join(lines)


def _table(result: xr.Dataset, layout: str, with_rscu: bool, hiding: dict[str, Any]) -> pa.Table:
    if layout == "wide":
        return codons.to_wide(result, with_rscu=with_rscu)
    return codons.to_long(result, with_rscu=with_rscu, **hiding)


def _deliver(
    options: RunOptions, outcome: Outcome, table: pa.Table, output: Path | None, layout: str
) -> None:
    result = outcome.result
    if output is not None:
        codons.write(table, output, result.attrs)
    elif not options.as_json:
        show(long_table(table))
    groups = int((result["n_seq"].values > 1).sum()) if result.attrs["by"] == "seq_id" else 0
    if groups and result.attrs["mode"] != "cds":
        say(options, f"{groups:,} ids stand for more than one sequence; each is one group")
    n_codons, n_ambiguous = int(result["n_codons"].sum()), int(result["n_ambiguous"].sum())
    where = f"; {output}" if output else ""
    say(options, f"{outcome.items:,} rows, {n_codons:,} codons, {n_ambiguous:,} ambiguous{where}")
    totals = {"rows": outcome.items, "n_codons": n_codons, "n_ambiguous": n_ambiguous}
    data = {"table": table.to_pylist()} if output is None else {"output": str(output)}
    finish(options, outcome, **totals, **data)
