"""The command line: one group per room, and the verbs that every run directory knows."""

from __future__ import annotations

import importlib
import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from polytene.exceptions import PolyteneError

ROOMS = {
    "codons": "Codon usage over sequence sets of any size.",
    "lightcurves": "Transit search and features over lists of targets of any size.",
}


class Rooms(click.Group):
    """Loads a room only when it is asked for, so that ``--help`` is quick."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the rooms, then the verbs for run directories."""
        return [*ROOMS, *super().list_commands(ctx)]

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        """Return a room's group or a verb."""
        if name not in ROOMS:
            return super().get_command(ctx, name)
        group: click.Command = importlib.import_module(f"polytene.{name}.cli").group
        return group

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List rooms and verbs apart, without importing the rooms."""
        with formatter.section("Rooms"):
            formatter.write_dl(list(ROOMS.items()))
        verbs = [(n, c.get_short_help_str(70)) for n, c in sorted(self.commands.items())]
        with formatter.section("Commands"):
            formatter.write_dl(verbs)

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command; our own errors become one message and their exit code."""
        try:
            return super().invoke(ctx)
        except PolyteneError as error:
            from polytene.watch.progress import printable

            click.echo(printable(f"Error: {error}", keep="\n"), err=True)
            sys.exit(error.exit_code)


@click.group(
    cls=Rooms, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110}
)
@click.version_option(package_name="polytene")
def polytene() -> None:
    """Take lists of inputs to one reduced, labelled result, on Dask.

    Exit codes: 0 all done; 2 usage; 3 finished, some units or items quarantined; 4 configuration;
    5 no space; 6 the run directory is in use; 75 stopped, the same command goes on; 130, 143
    signals; 1 a bug.
    """


@polytene.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--watch", is_flag=True, help="Show it again every two seconds until the run ends.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def status(run: Path, watch: bool, as_json: bool) -> None:
    """Say how far a run is: alive or dead, from any machine."""
    import time

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


@polytene.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--deep", is_flag=True, help="Read every byte again.")
def verify(run: Path, deep: bool) -> None:
    """Check that the files of a run are those that were committed."""
    from polytene.watch.status import verify as check

    checked, problems = check(run, deep=deep)
    for problem in problems:
        click.echo(problem)
    how = "read" if deep else "looked at; --deep reads every byte"
    click.echo(f"{checked:,} parts {how}; {len(problems)} problems")
    sys.exit(1 if problems else 0)


@polytene.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print JSON lines.")
def quarantine(run: Path, as_json: bool) -> None:
    """List the units and items that failed, and why."""
    from polytene.watch.status import quarantine as bad
    from polytene.watch.status import status as look
    from polytene.watch.tables import failures_table, show

    failures = bad(run)
    if as_json:
        for failure in failures:
            click.echo(json.dumps(asdict(failure)))
    elif failures:
        show(failures_table(failures, look(run).noun))
    else:
        click.echo("nothing is quarantined")


@polytene.command()
def versions() -> None:
    """Print the versions of polytene and of what it computes with."""
    from polytene.core.versions import versions as found

    for name, version in found().items():
        click.echo(f"{name:16}{version}")


@polytene.command()
def warmup() -> None:
    """Compile the kernels ahead of the first run."""
    import time

    from polytene.codons import kernels, pair_kernels

    start = time.perf_counter()
    click.echo("compiling the kernels of codons ...", nl=False)
    kernels.warm()
    pair_kernels.warm()
    click.echo(f" done in {time.perf_counter() - start:.1f} s")


@polytene.command()
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    default=Path("demo"),
    show_default=True,
    help="Folder of its data, results and report.",
)
@click.option(
    "--workers", type=click.IntRange(1), default=2, show_default=True, help="Worker processes."
)
def demo(output: Path, workers: int) -> None:
    """Run each room's main job on generated data; a minute or two."""
    from polytene.demo import demo as play

    play(output, workers)
