"""``polytene metadata plan|build|update``: what makes a knowledge base."""

from __future__ import annotations

import json
import shutil
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from polytene import metadata
from polytene.command import RunOptions, execute, finish, output_of, run_options, say
from polytene.core.outcome import Outcome
from polytene.exceptions import UsageError
from polytene.metadata.kb.export import statistics
from polytene.metadata.overview import BuildPlan
from polytene.metadata.query_cli import COMMANDS
from polytene.watch.progress import printable

FILE = click.Path(path_type=Path)


@click.group("metadata")
def group() -> None:
    """SRA metadata: a dump to a knowledge base, counts, cross-tabs, sample lists."""


for _command in COMMANDS:
    group.add_command(_command)

_sources = click.argument("source", nargs=-1, required=True, type=FILE)
_kb = click.option(
    "-o",
    "--output",
    "kb",
    required=True,
    type=FILE,
    help="Folder of the knowledge base; the same command again resumes.",
)
_shard_bytes = click.option(
    "--shard-bytes",
    default="64MiB",
    show_default=True,
    metavar="SIZE",
    help="Size of what one task parses, about; the answer does not depend on it.",
)
_accessions = click.option(
    "--accessions",
    multiple=True,
    type=FILE,
    help="SRA_Accessions or SRA_Run_Members, where it is not part of the source; may repeat.",
)
_engine = click.option(
    "--engine",
    type=click.Choice(["auto", "numba", "python"]),
    default="auto",
    show_default=True,
    help="python: the standard library's parser alone; the answer does not depend on it.",
)
_salvage = click.option(
    "--salvage", is_flag=True, help="Keep the complete records of documents that break off."
)


@group.command()
@_sources
@_accessions
@_shard_bytes
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def plan(
    source: tuple[Path, ...], accessions: tuple[Path, ...], shard_bytes: str, as_json: bool
) -> None:
    """Say what a build would read, and into how many shards it would cut it."""
    found = metadata.plan(source, accessions=accessions, shard_bytes=shard_bytes)
    if as_json:
        units = [{"path": u.path, "form": u.form, "entries": u.entries, "bytes": u.nbytes,
                  "shards": u.shards} for u in found]  # fmt: skip
        click.echo(json.dumps({**found.params, "sources": units}))
    else:
        click.echo(printable(found.describe(), keep="\n"))


@group.command()
@_sources
@_kb
@_accessions
@_shard_bytes
@_engine
@_salvage
@run_options
def build(
    options: RunOptions,
    source: tuple[Path, ...],
    kb: Path,
    accessions: tuple[Path, ...],
    shard_bytes: str,
    **how: Any,
) -> None:
    """Parse a dump into a knowledge base.

    SOURCE is a folder of submissions, a .tar.gz of one, meta_*_set.xml.gz, a package set or a
    document, told by content; one or many. A document that cannot be used goes to quarantine,
    alone. The same command again resumes.
    """
    planned = metadata.plan(source, accessions=accessions, shard_bytes=shard_bytes)

    def runner(plan: BuildPlan, run_dir: Path, **engine: Any) -> Outcome:
        about: dict[str, Any] = {
            "accessions": accessions,
            "shard_bytes": shard_bytes,
            "limit": plan.limit,
        }
        return metadata.build(source, run_dir, **about, **how, **engine)

    _run(options, planned, runner, kb)


@group.command()
@_sources
@_kb
@_shard_bytes
@_engine
@_salvage
@click.option(
    "--complete",
    is_flag=True,
    help="The source is the whole dump: submissions that it lacks are removed.",
)
@run_options
def update(
    options: RunOptions, source: tuple[Path, ...], kb: Path, shard_bytes: str, **how: Any
) -> None:
    """Parse what is new or changed, and join everything again.

    SOURCE is the same folder as before, a newer archive, or a daily increment. A submission that
    changed replaces all of what it was.
    """
    if options.fresh:
        raise UsageError("--fresh: an update goes on from a knowledge base; use build")
    planned = metadata.plan(source, shard_bytes=shard_bytes)

    def runner(plan: BuildPlan, run_dir: Path, **engine: Any) -> Outcome:
        if plan.limit:
            raise UsageError("--limit: an update takes all that changed")
        return metadata.update(kb, source, shard_bytes=shard_bytes, **how, **engine)

    _run(options, planned, runner, kb)


def _run(options: RunOptions, planned: BuildPlan, runner: Any, kb: Path) -> None:
    if options.run_dir:
        raise UsageError("--run-dir: the knowledge base holds its own runs, leave it out")
    made = output_of(options, planned, kb, folder=True)
    if options.fresh and not options.dry_run:
        remove(made)
    begin = time.perf_counter()
    outcome = execute(replace(options, fresh=False), planned, runner, kb)
    if outcome is None:
        return
    kb = made
    seconds = time.perf_counter() - begin
    found = statistics(metadata.open(kb))
    found["files_per_second"] = round(outcome.items / seconds) if outcome.computed else 0
    say(options, summary(kb, found, outcome, seconds))
    finish(options, outcome, **found, kb=str(kb))


def summary(kb: Path, found: dict[str, int], outcome: Outcome, seconds: float) -> str:
    """Return what a build came to, for people."""
    lines = [
        f"{kb}: {found['total_files']:,} files; {found['total_experiments']:,} experiments, "
        f"{found['total_samples']:,} samples, {found['total_runs']:,} runs, "
        f"{found['total_studies']:,} studies",
        f"{found['unique_organisms']:,} organisms, {found['unique_strategies']:,} strategies; "
        f"{found['missing_fields']:,} missing fields, {found['parse_errors']:,} parse errors",
    ]
    if outcome.computed:
        lines.append(f"{seconds:.1f} s, {found['files_per_second']:,} files/s")
    return "\n".join(lines)


def remove(kb: Path) -> None:
    """Remove a knowledge base, finished or not, and nothing else.

    Raises
    ------
    UsageError
        If the folder holds something else.
    """
    if not kb.is_dir() or not any(kb.iterdir()):
        return
    if not (kb / "work" / "g0000").is_dir():
        raise UsageError(f"{kb} is no knowledge base: --fresh does not remove it")
    from polytene.core.lock import Lock

    with Lock(kb / "work"):
        pass
    doomed = kb.with_name(f".{kb.name}.removed")
    shutil.rmtree(doomed, ignore_errors=True)
    kb.rename(doomed)
    shutil.rmtree(doomed)
