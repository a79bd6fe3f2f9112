"""The outputs of chunks to one result that does not depend on the chunks."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from polytene.exceptions import UsageError
from polytene.formats.text import printable
from polytene.genome.chunks import ChunkPlan
from polytene.genome.merging.bed import merge_bed
from polytene.genome.merging.files import Merged, Part
from polytene.genome.merging.gff import OnCollision, merge_gff
from polytene.genome.merging.outputs import PLAN_COPY, check_complete, find_files, look
from polytene.genome.merging.parquet import merge_parquet
from polytene.genome.merging.ranks import Ranks
from polytene.genome.merging.tables import concat, merge_tsv

TYPES = ("merge_tsv", "merge_gff", "merge_bed", "concat", "parquet")


@dataclass(frozen=True)
class Aggregated:
    """What an aggregation has read and written.

    Parameters
    ----------
    output
        The file.
    files
        Parts that were read.
    records
        Rows, lines or features in it; None for ``concat``.
    missing
        Ids of chunks and tasks that have no output, and were allowed to have none.
    checked
        Whether a plan said which chunks there have to be.
    notes
        What a reader should know of: one sentence each.
    """

    output: Path
    files: int
    records: int | None
    missing: list[str]
    checked: bool
    notes: list[str]


def aggregate(
    input_dir: str | Path,
    pattern: str,
    output: str | Path,
    merge_type: str = "merge_tsv",
    *,
    chunk_plan: ChunkPlan | str | Path | None = None,
    allow_missing: Iterable[str] = (),
    on_collision: OnCollision = "error",
) -> Aggregated:
    r"""Merge the outputs of the chunks of a plan; refuse if one is missing.

    Files are matched with chunks by the chunk id in their names and merged in plan order. The
    result is there whole or not at all.

    Parameters
    ----------
    input_dir, pattern
        Folder of the outputs, and a glob pattern below it, such as ``*.tsv``.
    output
        File to write, as BGZF if its name ends with ``.gz``.
    merge_type
        ``merge_tsv``, ``merge_gff``, ``merge_bed``, ``concat`` or ``parquet``.
    chunk_plan
        The plan, or its file; None: the copy that `tasks --output-dir` left in ``input_dir``.
        Without any, all files are merged and nothing says whether one is missing.
    allow_missing
        Ids of chunks that may be missing; ``["all"]``: any.
    on_collision
        For GFF3: what to do where two parts have an ID for different features.

    Raises
    ------
    UsageError
        If there is no file, or one that belongs to no chunk of the plan.
    IncompleteRun
        If a chunk has no output.
    BadInput
        If a part is damaged, or cannot be merged with the others.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> folder = pathlib.Path(tempfile.mkdtemp())
    >>> _ = (folder / "chunk_0000.tsv").write_text("gene\tscore\na\t1\n")
    >>> _ = (folder / "chunk_0001.tsv").write_text("gene\tscore\nb\t2\n")
    >>> done = aggregate(folder, "*.tsv", folder / "all.tsv")
    >>> done.files, done.records, done.output.read_text()
    (2, 2, 'gene\tscore\na\t1\nb\t2\n')
    """
    output = Path(output)
    if output.is_dir():
        raise UsageError(f"{printable(output)} is a folder: name a file")
    plan = plan_of(input_dir, chunk_plan)
    merge = _merger(merge_type, plan, on_collision)
    files = find_files(input_dir, pattern, without=[output])
    missing: list[str] = []
    if plan is None:
        parts = [Part(path, path.name.partition(".")[0]) for path in files]
    else:
        standing = look(plan, input_dir, files)
        missing = check_complete(plan, standing, allow_missing)
        parts = standing.parts
    if not parts:
        raise UsageError(f"no file in {printable(str(input_dir))} is like {printable(pattern)!r}")
    output.parent.mkdir(parents=True, exist_ok=True)
    merged = merge(parts, output)
    return Aggregated(output, merged.files, merged.records, missing, plan is not None, merged.notes)


def plan_of(folder: str | Path, given: ChunkPlan | str | Path | None) -> ChunkPlan | None:
    """Return the plan that is given, else the copy in the folder; None if there is none.

    Raises
    ------
    UsageError
        If there are both and they differ.
    """
    copy = Path(folder) / PLAN_COPY
    kept = ChunkPlan.load(copy) if copy.is_file() else None
    if given is None:
        return kept
    plan = given if isinstance(given, ChunkPlan) else ChunkPlan.load(given)
    if kept is not None and not same_chunks(plan, kept):
        raise UsageError(
            f"{printable(copy)} is another plan than the one given: the outputs beside it are of "
            "other chunks"
        )
    return plan


def same_chunks(one: ChunkPlan, two: ChunkPlan) -> bool:
    """Whether two plans have the same chunks, by id and intervals."""
    pairs = ([(c.chunk_id, c.intervals) for c in plan] for plan in (one, two))
    return next(pairs) == next(pairs)


def _merger(
    merge_type: str, plan: ChunkPlan | None, on_collision: OnCollision
) -> Callable[[Sequence[Part], Path], Merged]:
    if merge_type not in TYPES:
        raise UsageError(f"no type {merge_type!r} of aggregation: one of {', '.join(TYPES)}")
    ranks = Ranks.of_plan(plan)
    mergers: dict[str, Callable[[Sequence[Part], Path], Merged]] = {
        "merge_tsv": merge_tsv,
        "merge_gff": partial(merge_gff, ranks=ranks, on_collision=on_collision),
        "merge_bed": partial(merge_bed, ranks=ranks),
        "concat": concat,
        "parquet": merge_parquet,
    }
    return mergers[merge_type]
