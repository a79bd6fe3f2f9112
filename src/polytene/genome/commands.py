"""A command line over the chunks of a plan, as a durable run: ``polytene genome run``."""

from __future__ import annotations

import functools
import os
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from polytene.core.files import link_or_copy, write_bytes
from polytene.core.outcome import Outcome
from polytene.core.plan import Plan
from polytene.core.reduce import Reduction
from polytene.core.run import run
from polytene.core.scratch import Folder, scratch
from polytene.core.stage import Stage
from polytene.core.tools import run_tool
from polytene.exceptions import BadInput, UsageError
from polytene.formats.text import printable
from polytene.genome.chunks import ChunkPlan, GenomicChunk
from polytene.genome.merging.outputs import PLAN_COPY
from polytene.genome.tasks.files import prepare_outputs
from polytene.genome.tasks.lines import write_bed
from polytene.genome.tasks.templates import (
    check_template,
    each_interval,
    format_command,
    placeholders,
    takes_one_interval,
)
from polytene.genome.units import ChunkUnit, chunk_of, unit_plan

OUTPUT, SIDE, SHOWN = "output", "side", ".shown"


def command_plan(
    plan: ChunkPlan,
    command: str,
    *,
    chunk_plan_path: str | Path | None = None,
    inputs: Sequence[str | Path] = (),
) -> Plan[ChunkUnit]:
    """Plan the run of a command template on each chunk.

    Parameters
    ----------
    plan
        The chunks.
    command
        A shell command as for :func:`polytene.genome.format_command`. What it makes it has to
        write below ``{output_dir}``, under names with ``{chunk_id}`` in them.
    chunk_plan_path
        File that ``{plan}`` stands for.
    inputs
        Files that the command reads beside the genome: a change of one is seen.

    Raises
    ------
    UsageError
        If the template cannot be used, or an input is not there.
    """
    check_template(command)
    used = placeholders(command)
    if "output_dir" not in used:
        raise UsageError(
            "the command does not name {output_dir}, where its outputs are looked at before they "
            "are shown: write for example  -o {output_dir}/{chunk_id}.tsv"
        )
    if used & {"plan", "chunk_plan"} and chunk_plan_path is None:
        raise UsageError("the command names {plan}: give the file of the chunk plan")
    named = None if chunk_plan_path is None else str(Path(chunk_plan_path).absolute())
    seen = [_identity(Path(p).absolute()) for p in inputs]
    params = {"command": command, "plan": named, "cwd": str(Path.cwd()), "inputs": seen}
    return unit_plan(plan, "genome-run", params)


def _identity(path: Path) -> list[Any]:
    try:
        about = os.stat(path)
    except OSError as error:
        raise UsageError(f"{printable(str(path))}: {error.strerror}") from None
    return [str(path), about.st_size, about.st_mtime_ns]


def run_command(unit: ChunkUnit, *, command: str, plan: str | None, cwd: str) -> Folder:
    """Run the command for one chunk in a private folder; return what it wrote.

    Raises
    ------
    BadInput
        ``no-output``, ``output-name``.
    ToolFailed
        If it ends with another code than 0.
    """
    folder = scratch()
    output, side = folder / OUTPUT, folder / SIDE
    output.mkdir()
    side.mkdir()
    chunk = chunk_of(unit)
    for part in each_interval(chunk) if takes_one_interval(command) else (chunk,):
        _run_one(part, command, plan, Path(cwd), output, side)
    names = sorted(p.name for p in output.iterdir())
    _check_names(chunk, names)
    shutil.rmtree(side)
    return Folder(output, {"files": names})


def _run_one(
    chunk: GenomicChunk, command: str, plan: str | None, cwd: Path, output: Path, side: Path
) -> None:
    bed = write_bed(chunk, side) if "bed" in placeholders(command) else None
    line = format_command(command, chunk, plan, output, bed=bed)
    log = side / f"{chunk.chunk_id}.log"
    run_tool(["bash", "-o", "pipefail", "-c", line], log=log, cwd=cwd)


def _check_names(chunk: GenomicChunk, names: list[str]) -> None:
    if not names:
        raise BadInput(
            "no-output",
            f"{chunk.chunk_id}: the command ended well and wrote nothing below {{output_dir}}",
        )
    for name in names:
        if chunk.chunk_id not in name:
            raise BadInput(
                "output-name",
                f"{chunk.chunk_id}: the command wrote {printable(name)!r}, which another chunk "
                "would write, too: put {chunk_id} into the name",
            )


def command_stages(
    plan: Plan[ChunkUnit], *, timeout: float | None = None, memory: float | None = None
) -> list[Stage]:
    """Return the stage of a run of commands."""
    given = {k: plan.params[k] for k in ("command", "plan", "cwd")}
    return [Stage(functools.partial(run_command, **given), timeout=timeout, memory=memory)]


def run_commands(
    plan: Plan[ChunkUnit],
    chunks: ChunkPlan,
    output_dir: str | Path,
    *,
    run_dir: str | Path,
    timeout: float | None = None,
    memory: float | None = None,
    **engine: Any,
) -> Outcome:
    """Run a plan of commands; outputs appear in a folder once all of them are there.

    Parameters
    ----------
    plan
        Made by :func:`command_plan` of ``chunks``.
    chunks
        The chunk plan; a copy of it is left beside the outputs, for the aggregation.
    output_dir
        Where the outputs are shown: links to the files of the run directory, or copies.
    run_dir
        Where the run keeps its parts; the same call again resumes.
    timeout
        Seconds that the commands of a chunk may take.
    memory
        Bytes that they need; compared with the limits of the workers before anything starts.
    **engine
        As for :func:`polytene.run`.

    Returns
    -------
    Outcome
        ``.result`` is the list of the files, in plan order.
    """
    place = prepare_outputs(Path(output_dir).absolute(), chunks)
    shown = functools.partial(_publish, place=place)
    stages = command_stages(plan, timeout=timeout, memory=memory)
    return run(plan, stages, Reduction(None, shown), run_dir=run_dir, **engine)


def _publish(values: Iterable[tuple[Any, Folder]], plan: Any, failures: Any, *, place: Path) -> Any:
    kept = place / SHOWN
    before = kept.read_bytes().decode(errors="surrogateescape") if kept.is_file() else ""
    shown = []
    for _, value in values:
        for name in value.info["files"]:
            _show(value.path / name, place / name)
            shown.append(name)
    write_bytes(kept, ("\n".join(shown) + "\n").encode(errors="surrogateescape"))
    for name in set(before.split("\n")) - set(shown) - {"", PLAN_COPY}:
        _remove(place / name)
    return [str(place / name) for name in shown]


def _remove(path: Path) -> None:
    """Remove what an earlier run has shown and this one has not made."""
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _show(source: Path, target: Path) -> None:
    """Put a file or a folder of a part in its place, by links where the disk allows."""
    if source.is_dir():
        target.mkdir(exist_ok=True)
        for inner in source.iterdir():
            _show(inner, target / inner.name)
        return
    link_or_copy(source, target)
