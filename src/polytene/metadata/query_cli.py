"""``polytene metadata counts|crosstab|runs|export|quarantine|verify|diff|sql``: what asks one."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any, get_args

import click

from polytene.exceptions import UsageError
from polytene.metadata.kb.base import open as open_base
from polytene.metadata.kb.export import FORMATS
from polytene.metadata.kb.fields import UnitName
from polytene.metadata.kb.lists import Format
from polytene.metadata.show import deliver

FILE = click.Path(path_type=Path)
SHOWN = ["run", "organism", "strategy", "layout", "total_bases", "study", "experiment_title"]

_kb = click.argument("kb", type=FILE)
_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
_output = click.option("-o", "--output", type=FILE, help="Parquet file; .csv and .tsv write text.")
_unit = click.option(
    "--unit",
    type=click.Choice(get_args(UnitName)),
    default="experiment",
    show_default=True,
    help="What is counted; bases: the sum over runs.",
)
_top = click.option("--top", type=click.IntRange(1), metavar="N", help="Only the N largest.")


@click.command()
@_kb
@click.argument("field")
@_unit
@_top
@_output
@_json
def counts(
    kb: Path, field: str, unit: UnitName, top: int | None, output: Path | None, as_json: bool
) -> None:
    """Count the values of a field, such as organism, strategy, layout or instrument."""
    table = open_base(kb).counts(field, unit=unit)
    deliver(table.slice(0, top), output, as_json)


@click.command()
@_kb
@click.argument("fields", nargs=-1, required=True)
@_unit
@_top
@_output
@_json
def crosstab(
    kb: Path,
    fields: tuple[str, ...],
    unit: UnitName,
    top: int | None,
    output: Path | None,
    as_json: bool,
) -> None:
    """Count the combinations of values of several fields that occur."""
    table = open_base(kb).crosstab(*fields, unit=unit)
    deliver(table.slice(0, top), output, as_json)


_CHOICES = (
    ("--organism", "Scientific name."),
    ("--taxid", "NCBI number of the organism."),
    ("--strategy", "Such as RNA-Seq; case, blanks and hyphens do not matter."),
    ("--source", "Such as TRANSCRIPTOMIC."),
    ("--selection", "Such as cDNA."),
    ("--layout", "PAIRED or SINGLE."),
    ("--platform", "Such as ILLUMINA."),
    ("--status", "Such as live, as the archive's own table says."),
)


def _choices(command: Any) -> Any:
    for name, text in reversed(_CHOICES):
        kind = int if name == "--taxid" else str
        command = click.option(name, multiple=True, type=kind, help=f"{text} May repeat.")(command)
    return command


@click.command()
@_kb
@_choices
@click.option(
    "--attribute",
    "attributes",
    multiple=True,
    metavar="TAG[=VALUE]",
    help="Run, experiment or sample has it. May repeat: all have to hold.",
)
@click.option("--where", metavar="SQL", help='Such as "nominal_length < 400 AND taxid = 9606".')
@click.option("--count", "only_count", is_flag=True, help="Print how many there are.")
@click.option(
    "--format",
    "form",
    type=click.Choice([*get_args(Format), "table"]),
    default="polytene",
    show_default=True,
    help="Of -o: a list of samples, or all columns as a table.",
)
@click.option("-o", "--output", type=FILE, help="File of the list.")
@_json
def runs(
    kb: Path,
    attributes: tuple[str, ...],
    where: str | None,
    only_count: bool,
    form: Any,
    output: Path | None,
    as_json: bool,
    **chosen: tuple[Any, ...],
) -> None:
    """Find runs, and write them as a list of samples."""
    values: dict[str, Any] = {name: list(given) or None for name, given in chosen.items()}
    tags: dict[str, list[str] | None] = {}
    for text in attributes:
        tag, equals, value = text.partition("=")
        if not tag:
            raise UsageError(f"--attribute {text!r}: give TAG or TAG=VALUE")
        tags[tag] = [*(tags.get(tag) or []), value] if equals else None
    found = open_base(kb).runs(**values, attributes=tags, where=where)
    if only_count:
        n = found.count()
        click.echo(json.dumps({"count": n}) if as_json else f"{n:,}")
    elif output is not None and form != "table":
        n = found.sample_list(output, format=form)
        text = f"{output}: {n:,} runs"
        click.echo(json.dumps({"runs": n, "output": str(output)}) if as_json else text)
    else:
        columns = None if output or as_json else SHOWN
        deliver(found.to_arrow(columns), output, as_json)


@click.command()
@_kb
@click.option("-o", "--output", required=True, type=FILE, help="JSON file.")
@click.option(
    "--format",
    "form",
    type=click.Choice(FORMATS),
    default="stage1",
    show_default=True,
    help="stage1: indices with submissions; kb: counts alone.",
)
@_json
def export(kb: Path, output: Path, form: str, as_json: bool) -> None:
    """Write organisms, strategies, sources, selections and attributes as JSON, all of them."""
    open_base(kb).export(output, form)
    click.echo(json.dumps({"output": str(output)}) if as_json else str(output))


@click.command()
@_kb
@_output
@_json
def quarantine(kb: Path, output: Path | None, as_json: bool) -> None:
    """List the documents that could not be used, and why."""
    table = open_base(kb).quarantine()
    if not table.num_rows and output is None and not as_json:
        click.echo("nothing is quarantined")
        return
    shown = table if output or as_json else table.select(["path", "offset", "reason", "detail"])
    deliver(shown, output, as_json)


@click.command()
@_kb
@_json
def verify(kb: Path, as_json: bool) -> None:
    """Read every file of a knowledge base again, and compare it with its checksum."""
    base = open_base(kb)
    found = base.verify()
    if as_json:
        click.echo(json.dumps({"files": len(base.manifest["files"]), "problems": found}))
    else:
        for problem in found:
            click.echo(problem)
        click.echo(f"{len(base.manifest['files']):,} files read; {len(found)} problems")
    sys.exit(1 if found else 0)


@click.command()
@_kb
@click.argument("older", type=FILE)
@_output
@_json
def diff(kb: Path, older: Path, output: Path | None, as_json: bool) -> None:
    """List the records that were added, removed or changed since an OLDER knowledge base."""
    deliver(open_base(kb).diff(older), output, as_json)


@click.command()
@_kb
@click.argument("query")
@_output
@_json
def sql(kb: Path, query: str, output: Path | None, as_json: bool) -> None:
    """Ask with SQL: the views run_flat and so on, the tables, the catalogs (extra `sql`)."""
    connection = open_base(kb).duckdb()
    try:
        table = connection.sql(query).to_arrow_table()
    except Exception as error:
        raise UsageError(f"sql: {error}") from None
    deliver(table, output, as_json)


COMMANDS = (counts, crosstab, runs, export, quarantine, verify, diff, sql)
