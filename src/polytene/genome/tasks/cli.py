"""``polytene genome``: tasks, aggregate and example-sbatch."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from polytene.exceptions import UsageError
from polytene.genome.chunks import ChunkPlan
from polytene.genome.merging.aggregate import TYPES, Aggregated
from polytene.genome.merging.aggregate import aggregate as merge
from polytene.genome.tasks.files import TaskFile, TaskGenerator
from polytene.genome.tasks.launch import (
    generate_hypershell_command,
    generate_parallel_command,
    generate_xargs_command,
)
from polytene.genome.tasks.sbatch import EXECUTORS, write_example_sbatch
from polytene.watch.progress import printable

PATH = click.Path(path_type=Path)
SHOWN = 3


@click.command()
@click.option("--chunk-plan", required=True, type=PATH, help="Plan of `polytene genome plan`.")
@click.option(
    "--command",
    "commands",
    multiple=True,
    required=True,
    help="Command with placeholders such as {seqid}; with --wrapper one with ${SEQID}, and "
    "repeatable.",
)
@click.option("-o", "--output", required=True, type=PATH, help="Task file to write.")
@click.option(
    "--output-dir",
    type=PATH,
    help="Folder of the outputs: {output_dir}. It gets a copy of the plan.",
)
@click.option("--wrapper", type=PATH, help="Write this script, and tasks that call it.")
@click.option(
    "--wrapper-setup",
    multiple=True,
    metavar="COMMAND",
    help="Command that the script begins with, such as 'module load python'; repeatable.",
)
@click.option("--missing", is_flag=True, help="Only the chunks without output in --output-dir.")
@click.option(
    "--pattern",
    default="*",
    show_default=True,
    help="Files that --missing takes for outputs: a glob pattern.",
)
@click.option(
    "--mark-done",
    is_flag=True,
    help="Let commands that end well leave a mark; --missing and aggregate then go by the marks.",
)
@click.option("--logs", is_flag=True, help="Send what each task prints to OUTPUT_DIR/logs.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def tasks(
    chunk_plan: Path,
    commands: tuple[str, ...],
    output: Path,
    output_dir: Path | None,
    wrapper: Path | None,
    wrapper_setup: tuple[str, ...],
    missing: bool,
    pattern: str,
    mark_done: bool,
    logs: bool,
    as_json: bool,
) -> None:
    """Write a task file: one command per chunk, for HyperShell, GNU Parallel or xargs.

    Placeholders: {chunk_id} {seqid} {start} {end} (1-based, inclusive) {start_0} {end_0} (0-based,
    half-open) {size} {regions} {bed} {plan} {output_dir}. Values are quoted for the shell. Other
    braces stay as they are; {{word}} writes {word}. A chunk that pools scaffolds gives one line
    for each where the command names {seqid}, {start} or {end}.
    """
    generator = TaskGenerator(ChunkPlan.load(chunk_plan))
    where: dict[str, Any] = {"chunk_plan_path": chunk_plan, "output_dir": output_dir}
    where |= {"missing": missing, "pattern": pattern}
    if wrapper is None:
        if len(commands) > 1 or wrapper_setup:
            raise UsageError("several commands, and --wrapper-setup, need --wrapper: a task is one")
        where |= {"mark_done": mark_done, "include_logging": logs}
        made = generator.generate(commands[0], output, **where)
    elif mark_done or logs:
        raise UsageError(
            "--mark-done and --logs are for tasks without --wrapper, which marks itself"
        )
    else:
        TaskGenerator.generate_wrapper_script(
            wrapper, chunk_plan, commands, wrapper_setup, output_dir
        )
        made = generator.generate_with_wrapper(output, wrapper, **where)
    if as_json:
        click.echo(json.dumps({"output": str(made.path), "n_tasks": made.n_tasks}))
    else:
        click.echo(printable(_how_to_run(made), keep="\n"))


def _how_to_run(made: TaskFile) -> str:
    lines = [f"{made.path}: {made.n_tasks:,} tasks"]
    if not made.n_tasks:
        return f"{lines[0]}: every chunk has its output"
    lines += [f"  {line}" for line in made.preview(SHOWN)]
    lines += ["  ..."] if made.n_tasks > SHOWN else []
    lines += ["Run them with one of"]
    for command in (
        generate_hypershell_command(made.path),
        generate_parallel_command(made.path),
        generate_xargs_command(made.path),
    ):
        lines.append(f"  {command}")
    return "\n".join(lines)


@click.command()
@click.option("--input-dir", required=True, type=PATH, help="Folder of the outputs.")
@click.option("--pattern", required=True, help="Glob pattern of the files in it.")
@click.option(
    "-o", "--output", required=True, type=PATH, help="File to write; .gz compresses it (BGZF)."
)
@click.option(
    "--type", "merge_type", required=True, type=click.Choice(TYPES), help="How they are merged."
)
@click.option(
    "--chunk-plan",
    type=PATH,
    help="Plan that says which chunks there are.  [default: the copy in --input-dir]",
)
@click.option(
    "--allow-missing",
    multiple=True,
    metavar="CHUNK|all",
    help="Chunk that may have no output; repeatable.",
)
@click.option(
    "--on-collision",
    type=click.Choice(["error", "rename"]),
    default="error",
    show_default=True,
    help="For merge_gff, where two parts have an ID for different features: rename the later gene.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def aggregate(
    input_dir: Path,
    pattern: str,
    output: Path,
    merge_type: str,
    chunk_plan: Path | None,
    allow_missing: tuple[str, ...],
    on_collision: Any,
    as_json: bool,
) -> None:
    """Merge the outputs of the chunks into one file, and refuse if one is missing.

    merge_tsv: tables under one header. merge_gff: one valid, sorted GFF3. merge_bed: sorted by
    place. concat: text as it is. parquet: rows in plan order. What is written does not depend on
    how the genome was cut.
    """
    allowed = [name for given in allow_missing for name in given.split(",")]
    done = merge(
        input_dir,
        pattern,
        output,
        merge_type,
        chunk_plan=chunk_plan,
        allow_missing=allowed,
        on_collision=on_collision,
    )
    if as_json:
        click.echo(json.dumps({**vars(done), "output": str(done.output)}))
    else:
        click.echo(printable(_summary(done), keep="\n"))


def _summary(done: Aggregated) -> str:
    records = "" if done.records is None else f", {done.records:,} records"
    lines = [f"{done.output}: {done.files:,} files{records}", *done.notes]
    if done.missing:
        lines.append(f"without {len(done.missing):,} that are missing: {', '.join(done.missing)}")
    if not done.checked:
        lines.append("no chunk plan: whether a file is missing was not checked (--chunk-plan)")
    return "\n".join(lines)


@click.command("example-sbatch")
@click.option("-o", "--output", required=True, type=PATH, help="Script to write.")
@click.option(
    "--executor",
    type=click.Choice(EXECUTORS),
    default="hypershell",
    show_default=True,
    help="What runs the tasks.",
)
@click.option("--chunk-plan", type=PATH, help="Plan; a job array gets a task per chunk.")
@click.option("--tasks", type=PATH, default=Path("tasks.txt"), show_default=True, help="Task file.")
@click.option(
    "--wrapper",
    type=PATH,
    default=Path("wrapper.sh"),
    show_default=True,
    help="Script of `tasks --wrapper` that a job array calls.",
)
def example_sbatch(
    output: Path, executor: str, chunk_plan: Path | None, tasks: Path, wrapper: Path
) -> None:
    """Write an example SLURM script, to be changed and submitted."""
    options: dict[str, Any] = {"tasks": tasks, "wrapper": wrapper}
    if chunk_plan is not None:
        options |= {"chunk_plan": chunk_plan, "n_chunks": len(ChunkPlan.load(chunk_plan))}
    write_example_sbatch(output, executor, **options)
    click.echo(printable(f"{output}: change it to your cluster, then sbatch {output}"))


COMMANDS = (tasks, aggregate, example_sbatch)
