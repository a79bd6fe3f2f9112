"""Command templates: placeholders such as ``{seqid}``, filled in for one chunk."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from polytene.exceptions import UsageError
from polytene.formats.regions import Region
from polytene.genome.chunks import GenomicChunk
from polytene.genome.tasks.shell import check_value, is_plain, quoted, quoting

OF_ONE_INTERVAL = ("seqid", "start", "end", "start_0", "end_0")
OF_CHUNK = ("chunk_id", "size", "regions")
OF_FILES = {
    "bed": "a BED file of the chunk, which `tasks` writes",
    "plan": "the chunk plan",
    "chunk_plan": "the chunk plan",
    "output_dir": "--output-dir",
}
PLACEHOLDERS = (*OF_CHUNK, *OF_ONE_INTERVAL, *OF_FILES)

_BRACES = re.compile(r"(\$?)(\{+)([a-z_][a-z0-9_]*)(\}+)")


def placeholders(template: str) -> set[str]:
    """Return the names of the placeholders in a template.

    Examples
    --------
    >>> sorted(placeholders("awk '{print}}' ${home} {{kept}} {seqid}:{start}"))
    ['print', 'seqid', 'start']
    """
    return {m[3] for m in _BRACES.finditer(template) if not m[1] and _depth(m) % 2}


def _depth(match: re.Match[str]) -> int:
    return min(len(match[2]), len(match[4]))


def takes_one_interval(template: str) -> bool:
    """Whether a template names a place that only a chunk of one interval has."""
    return not placeholders(template).isdisjoint(OF_ONE_INTERVAL)


def each_interval(chunk: GenomicChunk) -> Iterator[GenomicChunk]:
    """Yield a chunk for each interval: itself if it has one, else ``chunk_0007.1`` and so on."""
    if len(chunk.intervals) == 1:
        yield chunk
        return
    for i, interval in enumerate(chunk.intervals, 1):
        yield replace(
            chunk,
            chunk_id=f"{chunk.chunk_id}.{i}",
            intervals=(interval,),
            reads=(interval,),
            layouts=chunk.layouts[i - 1 : i],
            cost=chunk.cost * interval.size / chunk.size,
            n_genes=None,
            gene_ids=None,
        )


def format_command(
    template: str,
    chunk: GenomicChunk,
    chunk_plan_path: str | Path | None = None,
    output_dir: str | Path | None = None,
    extra_vars: Mapping[str, object] | None = None,
    *,
    bed: str | Path | None = None,
) -> str:
    """Return the command of a template for one chunk.

    Every value is quoted for the shell where it needs to be, or refused. ``{word}`` in lower case
    is a placeholder; ``${word}`` is the shell's, and ``{{word}}`` writes ``{word}``. All other
    braces stay as they are, so that awk programs need no care.

    Parameters
    ----------
    template
        The command, with ``{chunk_id}``, ``{seqid}``, ``{start}`` and ``{end}`` (1-based,
        inclusive), ``{start_0}`` and ``{end_0}`` (0-based, half-open), ``{size}`` in bp,
        ``{regions}`` (``seqid:start-end`` of each interval, 1-based, with spaces between),
        ``{bed}``, ``{plan}`` (also ``{chunk_plan}``) and ``{output_dir}``.
    chunk
        The chunk. One that pools intervals has no ``{seqid}``, ``{start}`` and ``{end}``.
    chunk_plan_path, output_dir, bed
        Paths for the placeholders of these names.
    extra_vars
        Further placeholders and their values.

    Raises
    ------
    UsageError
        If a placeholder is not known or has no value here, or a value cannot be made safe.

    Examples
    --------
    >>> from polytene.formats.regions import Region
    >>> chunk = GenomicChunk("chunk_0000", (Region("chr1", 999, 2000),))
    >>> format_command("annotate {seqid}:{start}-{end} | awk '{print $1}'", chunk)
    "annotate chr1:1000-2000 | awk '{print $1}'"
    >>> chunk = GenomicChunk("chunk_0001", (Region("gi|1; rm x", 0, 10),))
    >>> format_command("annotate --seq {seqid}", chunk)
    "annotate --seq 'gi|1; rm x'"
    """
    paths = {"plan": chunk_plan_path, "chunk_plan": chunk_plan_path}
    paths |= {"output_dir": output_dir, "bed": bed}
    given = {name: str(path) for name, path in paths.items() if path is not None}
    given |= {name: str(value) for name, value in (extra_vars or {}).items()}
    states = quoting(template)

    def fill(match: re.Match[str]) -> str:
        dollar, opened, name, closed = match.groups()
        depth = _depth(match)
        if dollar:
            return match[0]
        around = depth // 2
        before = opened[: len(opened) - depth + around]
        after = closed[: len(closed) - depth + around]
        if depth % 2 == 0:
            return before + name + after
        if states[match.start()] != "'" and not before:
            _check_no_variable(name, template[: match.start()])
        return before + _value(name, chunk, given, template, match.start(), states) + after

    return _BRACES.sub(fill, template)


def _check_no_variable(name: str, before: str) -> None:
    """Refuse a value that the shell would take for the rest of a variable's name."""
    if found := re.search(r"(?<!\\)(?:\\\\)*\$([A-Za-z_]\w*)$", before):
        raise UsageError(
            f"${found[1]}{{{name}}}: the shell would take the value for a part of the variable's "
            f"name: write ${{{found[1]}}}{{{name}}}"
        )


def _value(
    name: str,
    chunk: GenomicChunk,
    given: Mapping[str, str],
    template: str,
    at: int,
    states: Sequence[str],
) -> str:
    if name == "regions":
        regions = map(_region_text, chunk.intervals)
        return " ".join(quoted(name, text, template, at, states[at]) for text in regions)
    if name in given:
        return quoted(name, given[name], template, at, states[at])
    if name in OF_FILES:
        raise UsageError(f"{{{name}}} has no value here: give {OF_FILES[name]}")
    if name not in PLACEHOLDERS:
        raise _unknown(name, given)
    if name in OF_ONE_INTERVAL:
        _check_one_interval(name, chunk)
    return quoted(name, _OF_CHUNK[name](chunk), template, at, states[at])


_OF_CHUNK: dict[str, Callable[[GenomicChunk], str]] = {
    "chunk_id": lambda chunk: chunk.chunk_id,
    "size": lambda chunk: str(chunk.size),
    "seqid": lambda chunk: chunk.seqid,
    "start": lambda chunk: str(chunk.start + 1),
    "end": lambda chunk: str(chunk.end),
    "start_0": lambda chunk: str(chunk.start),
    "end_0": lambda chunk: str(chunk.end),
}


def _region_text(region: Region) -> str:
    return str(region)


def _check_one_interval(name: str, chunk: GenomicChunk) -> None:
    if len(chunk.intervals) > 1:
        raise UsageError(
            f"{chunk.chunk_id} pools {len(chunk.intervals):,} intervals and has no one {{{name}}}: "
            "use {regions} or {bed}, or one command per interval"
        )


def _unknown(name: str, given: Mapping[str, str]) -> UsageError:
    known = [*PLACEHOLDERS, *(n for n in given if n not in PLACEHOLDERS)]
    near = difflib.get_close_matches(name, known, 1)
    hint = f"did you mean {{{near[0]}}}? " if near else ""
    return UsageError(
        f"{{{name}}} is no placeholder: {hint}There are "
        f"{', '.join(f'{{{n}}}' for n in known)}. Write {{{{{name}}}}} for the text {{{name}}} "
        "itself"
    )


def check_template(template: str, extra_vars: Mapping[str, object] | None = None) -> None:
    """Refuse a template that is empty, of several lines, or has a placeholder that is not known.

    Raises
    ------
    UsageError
        With what is wrong.
    """
    if not template.strip():
        raise UsageError("the command is empty")
    if "\n" in template.strip() or "\r" in template.strip():
        raise UsageError("the command has several lines, and a task is one: use a wrapper script")
    given = {name: str(value) for name, value in (extra_vars or {}).items()}
    for name in sorted(placeholders(template)):
        if name not in PLACEHOLDERS and name not in given:
            raise _unknown(name, given)
    if not is_plain(template):
        check_value("command", template.strip().replace("\t", " "))
