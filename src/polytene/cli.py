"""The command line: one group per room, the verbs of run directories, and setting up."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Any

import click

from polytene import cluster_cli, runs_cli, setup_cli
from polytene.core.recorded import ARGV
from polytene.exceptions import PolyteneError

ROOMS = {
    "codons": "Codon usage over sequence sets of any size.",
    "genome": "Cut a genome into even chunks, run anything over them, put the pieces together.",
    "lightcurves": "Transit search and features over lists of targets of any size.",
    "metadata": "SRA metadata: a dump to a knowledge base, counts, cross-tabs, sample lists.",
    "rnaseq": "SRA sample lists to an expression matrix.",
}


class Rooms(click.Group):
    """Loads a room only when it is asked for, so that ``--help`` is quick."""

    def make_context(
        self,
        info_name: str | None,
        args: list[str],
        parent: click.Context | None = None,
        **more: Any,
    ) -> click.Context:
        """Keep the arguments as they were given, for the run directory."""
        given = list(args)
        context = super().make_context(info_name, args, parent, **more)
        context.meta[ARGV] = given
        return context

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the rooms, then the other commands."""
        return [*ROOMS, *super().list_commands(ctx)]

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        """Return a room's group or a verb."""
        if name not in ROOMS:
            return super().get_command(ctx, name)
        group: click.Command = importlib.import_module(f"polytene.{name}.cli").group
        return group

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List rooms, verbs and setting up apart, without importing the rooms."""
        with formatter.section("Rooms"):
            formatter.write_dl(list(ROOMS.items()))
        verbs = {c.name for c in runs_cli.COMMANDS}
        for title, wanted in (("Run directories", True), ("Setting up", False)):
            rows = [
                (name, command.get_short_help_str(80))
                for name, command in self.commands.items()
                if (name in verbs) == wanted
            ]
            with formatter.section(title):
                formatter.write_dl(rows)

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


for _command in (*runs_cli.COMMANDS, *cluster_cli.COMMANDS, *setup_cli.COMMANDS):
    polytene.add_command(_command)
