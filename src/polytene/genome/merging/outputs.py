"""Which file is the output of which chunk, and which chunks have none."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from polytene.exceptions import IncompleteRun, UsageError
from polytene.formats.text import printable
from polytene.genome.chunks import ChunkPlan
from polytene.genome.merging.files import Part

PLAN_COPY = "chunk_plan.json"
DONE = ".done"
SHOWN = 10

Key = tuple[int, int]
"""Index of a chunk, and of one of its intervals from 1; 0 for the chunk as a whole."""


def find_files(folder: str | Path, pattern: str, without: Iterable[Path] = ()) -> list[Path]:
    """Return the files below a folder that a glob pattern names; ``chunk_2`` before ``chunk_10``.

    Hidden files, the copy of the plan and those in ``without`` are left out.

    Raises
    ------
    UsageError
        If the folder is not there, or the pattern is no glob pattern.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise UsageError(f"{printable(folder)} is not a folder")
    left_out = {p.name: p.resolve() for p in without}
    try:
        found = list(folder.glob(pattern))
    except (ValueError, NotImplementedError) as error:
        raise UsageError(f"pattern {pattern!r}: {error}") from None
    files = [p for p in found if p.is_file() and not _is(p, left_out)]
    named = {p.relative_to(folder).as_posix(): p for p in files}
    wanted = [n for n in named if n != PLAN_COPY and not any(w[0] == "." for w in n.split("/"))]
    return [named[n] for n in sorted(wanted, key=_natural)]


def _is(path: Path, left_out: Mapping[str, Path]) -> bool:
    return path.name in left_out and path.resolve() == left_out[path.name]


def _natural(name: str) -> list[tuple[int, str]]:
    return [(int(w), "") if w.isdigit() else (-1, w) for w in re.split(r"([0-9]+)", name)]


class TaskNames:
    """Finds the task whose id stands in a file's name.

    Examples
    --------
    >>> from polytene.formats.regions import Region
    >>> from polytene.genome.chunks import GenomicChunk
    >>> two = (Region("chr1", 0, 9), Region("chr2", 0, 9))
    >>> names = TaskNames(ChunkPlan("scaffold", [GenomicChunk("chunk_0000", two)], 18))
    >>> names.find("chunk_0000.2_report.tsv"), names.task_id((0, 2)), names.find("chunk_00001.tsv")
    ((0, 2), 'chunk_0000.2', None)
    """

    def __init__(self, plan: ChunkPlan) -> None:
        self._plan = plan
        self._index = {chunk.chunk_id: i for i, chunk in enumerate(plan)}
        self._sizes = sorted({len(chunk_id) for chunk_id in self._index}, reverse=True)

    def find(self, name: str) -> Key | None:
        """Return the task that a relative path names last; None if it names none."""
        for start in range(len(name) - 1, -1, -1):
            if start and name[start - 1].isalnum():
                continue
            for size in self._sizes:
                index = self._index.get(name[start : start + size])
                if index is not None and not name[start + size : start + size + 1].isalnum():
                    return index, self._interval(index, name[start + size :])
        return None

    def _interval(self, index: int, rest: str) -> int:
        found = re.match(r"\.([1-9][0-9]*)(?![0-9A-Za-z])", rest)
        n = len(self._plan[index].intervals)
        return int(found[1]) if found and n > 1 and int(found[1]) <= n else 0

    def task_id(self, key: Key) -> str:
        """Return the id of a task."""
        index, interval = key
        chunk_id = self._plan[index].chunk_id
        return f"{chunk_id}.{interval}" if interval else chunk_id

    def missing(self, have: Iterable[Key]) -> list[Key]:
        """Return, in plan order, the tasks that are not there.

        A chunk that pools intervals may be there as a whole or interval by interval.
        """
        whole: set[Key] = set()
        parts: set[Key] = set()
        for key in have:
            (parts if key[1] else whole).add(key)
        begun = {index for index, _ in parts}
        out: list[Key] = []
        for index, chunk in enumerate(self._plan):
            if (index, 0) in whole:
                continue
            if index in begun:
                out += {(index, k) for k in range(1, len(chunk.intervals) + 1)} - parts
            else:
                out.append((index, 0))
        return sorted(out)


@dataclass(frozen=True)
class Standing:
    """What there is of a plan's outputs.

    Parameters
    ----------
    parts
        The files, in plan order.
    missing
        Ids of the tasks without output, in plan order.
    broken
        Those of them that have a file, though their command did not end well.
    """

    parts: list[Part]
    missing: list[str]
    broken: list[str]


def look(plan: ChunkPlan, folder: str | Path, files: Sequence[Path]) -> Standing:
    """Match files with the chunks of a plan.

    Where the task file's lines leave a mark when they end well, only marked files count.

    Raises
    ------
    UsageError
        If a file belongs to no chunk, or two to the same.
    """
    names = TaskNames(plan)
    done = _done(names, Path(folder))
    found: dict[Key, Path] = {}
    for path in files:
        key = names.find(path.relative_to(folder).as_posix())
        if key is None:
            raise UsageError(
                f"{printable(path)} has no chunk of the plan in its name ({plan[0].chunk_id}, "
                "...): narrow --pattern, or remove it"
            )
        if key in found:
            raise UsageError(
                f"{printable(found[key])} and {printable(path)} are both of "
                f"{names.task_id(key)}: narrow --pattern"
            )
        found[key] = path
    if twice := sorted({i for i, k in found if k} & {i for i, k in found if not k}):
        chunk_id = plan[twice[0]].chunk_id
        raise UsageError(f"there are outputs of {chunk_id} and of its intervals: remove one kind")
    good = found if done is None else {k: p for k, p in found.items() if _covers(done, k)}
    parts = [Part(good[key], names.task_id(key)) for key in sorted(good)]
    broken = [names.task_id(key) for key in sorted(found.keys() - good.keys())]
    return Standing(parts, [names.task_id(k) for k in names.missing(good)], broken)


def without_output(plan: ChunkPlan, folder: str | Path, files: Sequence[Path]) -> set[Key]:
    """Return the tasks of a plan that have no file, or only empty ones.

    Where the task file's lines leave a mark when they end well, only marked files count, and an
    empty one is as good as any.
    """
    names = TaskNames(plan)
    done = _done(names, Path(folder))
    have = set()
    for path in files:
        key = names.find(path.relative_to(folder).as_posix())
        if key and (path.stat().st_size if done is None else _covers(done, key)):
            have.add(key)
    return set(names.missing(have))


def _done(names: TaskNames, folder: Path) -> set[Key] | None:
    """Return the tasks that left a mark; None if this task file's lines leave none."""
    marks = folder / DONE
    if not marks.is_dir():
        return None
    return {key for mark in marks.iterdir() if (key := names.find(mark.name)) is not None}


def _covers(done: set[Key], key: Key) -> bool:
    return key in done or (key[0], 0) in done


def check_complete(plan: ChunkPlan, standing: Standing, allowed: Iterable[str]) -> list[str]:
    """Refuse a merge without some of its parts, unless each is allowed to be missing.

    Parameters
    ----------
    allowed
        Ids of chunks and tasks that may be missing; ``all``: any.

    Returns
    -------
    list of str
        The missing tasks.

    Raises
    ------
    UsageError
        If an id is not one of the plan.
    IncompleteRun
        If something else is missing; with a list.
    """
    names = TaskNames(plan)
    allowed = set(allowed)
    for one in sorted(allowed - {"all"}):
        key = names.find(one)
        if key is None or names.task_id(key) != one:
            raise UsageError(f"--allow-missing {printable(one)!r}: the plan has no such chunk")
    lost = [m for m in standing.missing if m not in allowed and _chunk_of(m) not in allowed]
    if not lost or "all" in allowed:
        return standing.missing
    shown = ", ".join(
        f"{m} (did not end well)" if m in standing.broken else m for m in lost[:SHOWN]
    )
    more = f" and {len(lost) - SHOWN:,} more" if len(lost) > SHOWN else ""
    raise IncompleteRun(
        f"{len(lost):,} of {len(plan):,} chunks have no output: {shown}{more}. Run them (`polytene "
        "genome tasks --missing` writes only those), or accept it with --allow-missing"
    )


def _chunk_of(task_id: str) -> str:
    head, dot, tail = task_id.rpartition(".")
    return head if dot and tail.isdigit() else task_id
