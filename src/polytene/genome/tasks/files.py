"""Task files: one command per line, for HyperShell, GNU Parallel, xargs and job arrays."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from polytene.core.files import write_bytes
from polytene.core.keys import check_key
from polytene.exceptions import UsageError
from polytene.formats.text import printable
from polytene.genome.chunks import ChunkPlan, GenomicChunk
from polytene.genome.merging.aggregate import same_chunks
from polytene.genome.merging.outputs import (
    DONE,
    PLAN_COPY,
    Key,
    TaskNames,
    find_files,
    without_output,
)
from polytene.genome.tasks.lines import BEDS, Lines
from polytene.genome.tasks.templates import (
    check_template,
    each_interval,
    format_command,
    placeholders,
    takes_one_interval,
)
from polytene.genome.tasks.wrapper import write_wrapper


@dataclass(frozen=True)
class TaskFile:
    """A task file that was written.

    Parameters
    ----------
    path
        The file.
    n_tasks
        Lines in it.
    chunk_plan_path
        Plan that its commands or its reader may look at; None if it was not written.
    command_template
        What the commands were made of.
    """

    path: Path
    n_tasks: int
    chunk_plan_path: Path | None
    command_template: str

    def preview(self, n: int = 5) -> list[str]:
        """Return the first ``n`` commands."""
        with open(self.path, encoding="utf-8", errors="surrogateescape") as lines:
            return [line.rstrip("\n") for line in islice(lines, n)]

    def read_all(self) -> list[str]:
        """Return all commands."""
        return self.preview(self.n_tasks)


class TaskGenerator:
    """Writes task files for the chunks of a plan.

    Parameters
    ----------
    chunk_plan
        The plan.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> from polytene.formats.regions import Region
    >>> chunks = [GenomicChunk(f"chunk_000{i}", (Region(f"chr{i}", 0, 500),), i) for i in (0, 1)]
    >>> plan = ChunkPlan("scaffold", chunks, 1000)
    >>> path = pathlib.Path(tempfile.mkdtemp(), "tasks.txt")
    >>> tasks = TaskGenerator(plan).generate("annotate {seqid}:{start}-{end}", path)
    >>> tasks.n_tasks, tasks.preview(1)
    (2, ['annotate chr0:1-500'])
    """

    def __init__(self, chunk_plan: ChunkPlan) -> None:
        self.chunk_plan = chunk_plan

    def generate(
        self,
        command_template: str,
        output_path: str | Path,
        chunk_plan_output: str | Path | None = None,
        output_dir: str | Path | None = None,
        include_logging: bool = False,
        log_dir: str | Path | None = None,
        extra_vars: Mapping[str, object] | None = None,
        *,
        chunk_plan_path: str | Path | None = None,
        mark_done: bool = False,
        missing: bool = False,
        pattern: str = "*",
    ) -> TaskFile:
        """Write one command per chunk.

        A chunk that pools intervals gives one command per interval, with the id
        ``chunk_0007.2``, where the template names ``{seqid}``, ``{start}`` or ``{end}``.

        Parameters
        ----------
        command_template
            As for :func:`polytene.genome.format_command`.
        output_path
            File to write.
        chunk_plan_output
            Where to write the plan.
        output_dir
            Folder of the outputs; made, with a copy of the plan in it.
        include_logging, log_dir
            Send what each task prints to ``log_dir/CHUNK.log``; by default below ``output_dir``.
        extra_vars
            Further placeholders and their values.
        chunk_plan_path
            Where the plan lies already.
        mark_done
            Let each command that ends well leave a mark in ``output_dir``; aggregation then takes
            only outputs of commands that did.
        missing, pattern
            Only the chunks that have no output of this glob pattern in ``output_dir``.

        Raises
        ------
        UsageError
            If the template cannot be used, a value cannot be made safe, or ``output_dir`` holds
            the outputs of another plan.
        """
        check_template(command_template, extra_vars)
        output_path = Path(output_path)
        place = None if output_dir is None else prepare_outputs(Path(output_dir), self.chunk_plan)
        plan_path = _save_plan(self.chunk_plan, chunk_plan_output, chunk_plan_path, place)
        if mark_done and place is None:
            raise UsageError("mark_done needs output_dir, where the marks go")
        with_bed = "bed" in placeholders(command_template)
        lines = Lines(
            command_template,
            plan_path,
            place,
            extra_vars,
            (place or output_path.parent) / BEDS if with_bed else None,
            _log_dir(log_dir, place) if include_logging else None,
            place / DONE if place and mark_done else None,
        )
        lines.make_folders()
        chosen = self._chosen(place, pattern) if missing else None
        chunks = self._chunks(takes_one_interval(command_template), chosen)
        return _write(output_path, map(lines.line, chunks), plan_path, command_template)

    def generate_with_wrapper(
        self,
        output_path: str | Path,
        wrapper_script: str | Path,
        chunk_plan_output: str | Path | None = None,
        *,
        chunk_plan_path: str | Path | None = None,
        output_dir: str | Path | None = None,
        missing: bool = False,
        pattern: str = "*",
    ) -> TaskFile:
        """Write ``bash wrapper.sh CHUNK`` for each chunk.

        Parameters
        ----------
        output_path
            File to write.
        wrapper_script
            Script that :meth:`generate_wrapper_script` wrote.
        chunk_plan_output
            Where to write the plan that the script reads.
        chunk_plan_path, output_dir, missing, pattern
            As for :meth:`generate`.
        """
        place = None if output_dir is None else prepare_outputs(Path(output_dir), self.chunk_plan)
        plan_path = _save_plan(self.chunk_plan, chunk_plan_output, chunk_plan_path, place)
        chunks = self._chunks(False, self._chosen(place, pattern) if missing else None)
        template = f"bash {shlex.quote(str(wrapper_script))} {{chunk_id}}"
        return _write(
            Path(output_path), (format_command(template, c) for c in chunks), plan_path, template
        )

    @staticmethod
    def generate_wrapper_script(
        output_path: str | Path,
        chunk_plan_path: str | Path,
        commands: Sequence[str],
        setup_commands: Sequence[str] = (),
        output_dir: str | Path | None = None,
    ) -> Path:
        """Write a script that runs commands for the chunk whose id it is given.

        Parameters
        ----------
        output_path
            File to write.
        chunk_plan_path
            The plan that it reads when it runs.
        commands
            Commands with ``${CHUNK_ID}``, ``${SEQID}``, ``${START}`` and ``${END}`` (1-based,
            inclusive), ``${START_0}`` and ``${END_0}`` (0-based, half-open), ``${SIZE}``,
            ``${REGIONS}``, ``${BED}`` and ``${OUTPUT_DIR}``; the script puts quotes around them
            where they are missing.
        setup_commands
            Commands that come first, such as ``module load``.
        output_dir
            Folder of the outputs; without it ``OUTPUT_DIR`` of the environment, else the folder
            it runs in.
        """
        return write_wrapper(output_path, chunk_plan_path, commands, setup_commands, output_dir)

    def _chunks(self, by_interval: bool, chosen: set[Key] | None) -> Iterator[GenomicChunk]:
        """Yield what each task works on: all of it, or what a task of ``chosen`` covers."""
        for index, chunk in enumerate(self.chunk_plan):
            check_key(chunk.chunk_id)
            tasks = list(each_interval(chunk)) if by_interval else [chunk]
            for number, task in enumerate(tasks, 1):
                interval = number if len(tasks) > 1 else 0
                if chosen is None or _is_chosen(chosen, index, interval):
                    yield task

    def _chosen(self, place: Path | None, pattern: str) -> set[Key]:
        if place is None:
            raise UsageError("missing needs output_dir, where the outputs are")
        return without_output(self.chunk_plan, place, find_files(place, pattern))


def _is_chosen(chosen: set[Key], index: int, interval: int) -> bool:
    if interval:
        return (index, interval) in chosen or (index, 0) in chosen
    return any(i == index for i, _ in chosen)


def prepare_outputs(place: Path, plan: ChunkPlan) -> Path:
    """Make the folder of the outputs and leave a copy of the plan in it.

    Raises
    ------
    UsageError
        If the folder holds outputs of another plan.
    """
    copy = place / PLAN_COPY
    if copy.is_file() and not same_chunks(plan, old := ChunkPlan.load(copy)):
        names = TaskNames(old)
        if found := [p for p in find_files(place, "*") if names.find(p.name)]:
            raise UsageError(
                f"{printable(found[0])} is of another plan, which {PLAN_COPY} beside it holds: "
                "give another --output-dir, or remove the outputs of that plan"
            )
    place.mkdir(parents=True, exist_ok=True)
    plan.save(copy)
    return place


def _save_plan(
    plan: ChunkPlan,
    output: str | Path | None,
    given: str | Path | None,
    place: Path | None,
) -> Path | None:
    if output is not None:
        plan.save(output)
        return Path(output)
    if given is not None:
        return Path(given)
    return None if place is None else place / PLAN_COPY


def _log_dir(log_dir: str | Path | None, place: Path | None) -> Path:
    if log_dir is not None:
        return Path(log_dir)
    if place is None:
        raise UsageError("include_logging needs log_dir or output_dir, where the logs go")
    return place / "logs"


def _write(path: Path, commands: Iterator[str], plan_path: Path | None, template: str) -> TaskFile:
    lines = list(commands)
    path.parent.mkdir(parents=True, exist_ok=True)
    text = "".join(f"{line}\n" for line in lines)
    write_bytes(path, text.encode(errors="surrogateescape"))
    return TaskFile(path, len(lines), plan_path, template)
