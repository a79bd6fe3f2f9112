"""The verbs that every run directory knows: look at it, try again, stop it, clean it."""

from __future__ import annotations

import json
import os
import shlex
import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from polytene.exceptions import UsageError

RUN = click.argument("run", type=click.Path(path_type=Path, file_okay=False))
LINES = 3


def _json(what: str) -> Callable[..., Any]:
    return click.option("--json", "as_json", is_flag=True, help=f"Print {what}.")


@click.command()
@RUN
@click.option("--watch", is_flag=True, help="Show it again every two seconds until the run ends.")
@_json("JSON")
def status(run: Path, watch: bool, as_json: bool) -> None:
    """Say how far a run is: alive or dead, from any machine."""
    from polytene.watch.status import status as look
    from polytene.watch.tables import show, status_table

    while True:
        found = look(run)
        if as_json:
            click.echo(json.dumps(asdict(found)))
        else:
            show(status_table(found))
        if not watch or found.state != "running":
            return
        time.sleep(2)


@click.command()
@RUN
@click.option("--deep", is_flag=True, help="Read every byte again.")
def verify(run: Path, deep: bool) -> None:
    """Check that the files of a run are those that were committed."""
    from polytene.watch.progress import printable
    from polytene.watch.rates import counted
    from polytene.watch.status import verify as check

    checked, problems = check(run, deep=deep)
    for problem in problems:
        click.echo(printable(problem))
    how = "read" if deep else "looked at; --deep reads every byte"
    click.echo(f"{counted(checked, 'part')} {how}; {counted(len(problems), 'problem')}")
    sys.exit(1 if problems else 0)


@click.command()
@RUN
@_json("JSON lines")
def quarantine(run: Path, as_json: bool) -> None:
    """List what failed, why, and how to try it alone."""
    from polytene.core.recorded import recorded, reproduce_line
    from polytene.watch.status import quarantine as bad
    from polytene.watch.status import status as look
    from polytene.watch.tables import failures_table, show

    failures, command = bad(run), recorded(run)
    if as_json:
        for failure in failures:
            line = reproduce_line(command, failure.key)
            click.echo(json.dumps({**asdict(failure), "reproduce": line}))
    elif failures:
        show(failures_table(failures, look(run).noun))
        _say_how(run, command, list(dict.fromkeys(f.key for f in failures)))
    else:
        click.echo("nothing is quarantined")


def _say_how(run: Path, command: Any, keys: list[str]) -> None:
    """Say how to try units alone, and what else there is to do."""
    from polytene.core.recorded import reproduce_line

    if command is None:
        click.echo("\nOne alone, in the script that made the run:")
    else:
        click.echo("\nOne alone, with its whole traceback:")
    for key in keys[:LINES]:
        click.echo(f"  {reproduce_line(command, key)}")
    where = shlex.quote(str(run))
    if len(keys) > LINES:
        click.echo(f"Another one: polytene explain {where} KEY")
    if command is not None:
        click.echo(f"All again: polytene retry {where}")


@click.command()
@RUN
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    help="The HTML file.  [default: RUN/report.html]",
)
def report(run: Path, output: Path | None) -> None:
    """Write all there is to say of a run into one HTML file.

    At any moment, also of a run that works or was killed; the file loads nothing from elsewhere.
    """
    from polytene.watch.report import report as write

    click.echo(f"report: {write(run, output)}")


@click.command()
@RUN
@click.argument("key")
@_json("JSON")
def explain(run: Path, key: str, as_json: bool) -> None:
    """Say what became of one unit.

    Its fields, and for each stage the part that holds what came of it, or why it failed, whether
    it is tried again, and a line that tries this unit alone.
    """
    from polytene.watch.explain import explain as look
    from polytene.watch.tables import explanation_table, show

    found = look(run, key)
    if as_json:
        click.echo(json.dumps(asdict(found)))
        return
    show(explanation_table(found))
    click.echo(f"\nAlone: {found.reproduce}")


@click.command()
@RUN
def retry(run: Path) -> None:
    """Give a run's command again, with --retry-quarantined.

    It runs in the folder where it was given, and its exit code is passed on.
    """
    from polytene.core.recorded import command_of

    command = command_of(run)
    argv = command.again("--retry-quarantined")
    click.echo(f"$ {command.line('--retry-quarantined')}", err=True)
    try:
        os.chdir(command.cwd)
    except OSError as error:
        raise UsageError(
            f"{command.cwd}, where the command was given, cannot be entered: {error.strerror}"
        ) from None
    sys.stdout.flush()
    os.execv(sys.executable, [sys.executable, "-m", "polytene", *argv])


@click.command()
@RUN
@click.option("--now", is_flag=True, help="End what runs, too, and leave at once.")
@click.option("--wait/--no-wait", default=True, show_default=True, help="Wait for its end.")
def stop(run: Path, now: bool, wait: bool) -> None:
    """Ask a run's driver, on any host, to stop in good order.

    It starts nothing new and settles what runs, as after SIGTERM, and leaves with exit code 75;
    the same command goes on from there.
    """
    from polytene.core.lock import holder, is_held
    from polytene.core.stopping import ask_to_stop, withdraw

    if not (run / "plan.json").exists() and not (run / "lock").exists():
        raise UsageError(f"{run} is not a run directory: it has no plan.json")
    who = holder(run)
    if not is_held(run):
        click.echo(f"nobody works on {run}")
        return
    try:
        ask_to_stop(run, str(who["id"]), now=now)
    except OSError as error:
        raise UsageError(f"{run}: no request can be left there: {error.strerror}") from None
    end = "to leave at once" if now else "to finish what runs, and stop"
    click.echo(f"process {who['pid']} on {who['host']} is asked {end}")
    if wait:
        _wait(run, str(who["id"]))
        withdraw(run)


def _wait(run: Path, who: str) -> None:
    """Wait until a driver has left; say once in a while how far it is."""
    from polytene.core.lock import holder, is_held
    from polytene.watch.status import status as look

    start = said = time.monotonic()
    while holder(run).get("id") == who and is_held(run):
        if time.monotonic() - said > 10:
            said = time.monotonic()
            click.echo(f"waiting for what runs, {said - start:.0f} s; sooner: stop --now", err=True)
        time.sleep(0.2)
    found = look(run)
    click.echo(
        f"it has left: {found.state}, {found.done:,} of {found.units:,} done, {found.left:,} left"
    )


@click.command()
@RUN
@click.option("--dry-run", is_flag=True, help="Say what there is, and remove nothing.")
def clean(run: Path, dry_run: bool) -> None:
    """Free disk space that no result needs.

    Removes scratch, drafts, and parts of former parameters, units and attempts. Afterwards the
    same command goes on as it would have before.
    """
    from dask.utils import format_bytes

    from polytene.core.cleaning import KINDS
    from polytene.core.cleaning import clean as remove

    cleaned = remove(run, dry_run=dry_run)
    for kind in KINDS:
        if n := cleaned.found[kind]:
            click.echo(f"{kind:13}{n:>9,}  {format_bytes(cleaned.nbytes[kind])}")
    freed = format_bytes(cleaned.nbytes.total())
    click.echo(f"{freed} {'could be freed' if dry_run else 'freed'}")


COMMANDS = (status, verify, quarantine, explain, report, retry, stop, clean)
