"""The options that the commands of annotation share, and what they say."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from polytene.exceptions import BadInput, UsageError
from polytene.formats.text import decode, printable, read_blocks, read_lines, unix_newlines
from polytene.genome.annotation.select import OWNED, Where
from polytene.genome.chunks import ChunkPlan
from polytene.genome.genome import Genome
from polytene.genome.planning.plan import plan_chunks

PATH = click.Path(path_type=Path)
POSITIVE = click.IntRange(1)
NOT_NEGATIVE = click.IntRange(0)
BASES_PER_CHUNK, MOST_CHUNKS = 5_000_000, 512

_WHERE = (
    click.option("--region", "regions", multiple=True, metavar="SEQID:START-END",
                 help="Only genes of this region, 1-based and inclusive; repeatable."),
    click.option("--scaffold", "scaffolds", multiple=True, metavar="SEQID",
                 help="Only genes of this sequence; repeatable."),
    click.option("--chunk-plan", type=PATH,
                 help="Plan of `polytene genome plan`: all its chunks, or that of --chunk-id."),
    click.option("--chunk-id", metavar="ID",
                 help="Only this chunk of --chunk-plan; without a plan, a name for messages."),
    click.option("--owned", type=click.Choice(OWNED), default="start", show_default=True,
                 help="start: a gene belongs to the region that holds its first base, so that it "
                 "is in exactly one; overlap: to each that it touches; contained: to one that "
                 "holds it whole."),
)  # fmt: skip

_RNASEQ = (
    click.option("--junctions-bed", metavar="A,B",
                 help="Junctions: STAR's SJ.out.tab or BED, one per sample."),
    click.option("--junctions-list", type=PATH, help="File with one path of junctions per line."),
    click.option("--min-reads", type=POSITIVE, default=3, show_default=True, metavar="N",
                 help="Reads that support a junction: of all samples together, or of each of "
                 "--min-tissues."),
    click.option("--min-tissues", type=POSITIVE, default=1, show_default=True, metavar="N",
                 help="Samples that have to show a junction, each with --min-reads."),
    click.option("--min-coverage", type=POSITIVE, default=5, show_default=True, metavar="N",
                 help="Median reads over an expressed exon; reads over a supported end."),
    click.option("--boundary-tolerance", type=NOT_NEGATIVE, default=10, show_default=True,
                 metavar="BP", help="Bases by which both ends of a junction may be off."),
    click.option("--no-coverage", is_flag=True, help="Judge by junctions alone."),
)  # fmt: skip

_HELIXER = (
    click.option("--input-h5", type=PATH,
                 help="Helixer's input file.  [default: the one that the predictions name, or a "
                 "sibling; none where the number of rows leaves no doubt]"),
    click.option("--padding", type=click.Choice(["auto", "end", "start"]), default="auto",
                 show_default=True,
                 help="Where the last row of a reverse strand is filled up; auto: as agrees with "
                 "the genes."),
    click.option("--threshold", type=click.FloatRange(0, 1), default=0.7, show_default=True,
                 metavar="P", help="Bases below it are unsure."),
    click.option("--window-size", type=click.IntRange(2), default=20, show_default=True,
                 metavar="BP", help="Bases in which a boundary should show."),
)  # fmt: skip


def _with(options: tuple[Any, ...]) -> Callable[[Any], Any]:
    def add(command: Any) -> Any:
        for option in reversed(options):
            command = option(command)
        return command

    return add


where_options, rnaseq_options, helixer_options = map(_with, (_WHERE, _RNASEQ, _HELIXER))


@dataclass(frozen=True)
class Chosen:
    """What a command is applied to.

    Parameters
    ----------
    where
        Chunks, or regions; None for everything.
    here
        Whether the work is small, and done in this process.
    """

    where: Where
    here: bool


def chosen(
    regions: tuple[str, ...],
    scaffolds: tuple[str, ...],
    chunk_plan: Path | None,
    chunk_id: str | None,
    genome: Path | None,
    genes: Path,
) -> Chosen:
    """Return what the options of a command select."""
    if (regions or scaffolds) and chunk_plan:
        raise UsageError("--chunk-plan and --region or --scaffold: give one of them")
    if regions or scaffolds:
        return Chosen([*regions, *scaffolds], True)  # type: ignore[list-item]
    if chunk_plan:
        plan = ChunkPlan.load(chunk_plan)
        if chunk_id is not None:
            return Chosen(plan.get_chunk(chunk_id), True)
        return Chosen(plan, False)
    if genome is None:
        return Chosen(None, True)
    opened = Genome(genome)
    n_chunks = min(MOST_CHUNKS, opened.total_bases // BASES_PER_CHUNK)
    if n_chunks < 2:
        return Chosen(None, True)
    try:
        return Chosen(plan_chunks(opened, genes, n_chunks=n_chunks), False)
    except BadInput as error:
        if error.reason != "no-features":
            raise
        return Chosen(None, True)


def files_of(*given: str | None) -> list[Path]:
    """Return the paths of comma lists."""
    return [Path(p.strip()) for text in given if text for p in text.split(",") if p.strip()]


def listed(path: Path | None) -> list[Path]:
    """Return the paths of a file with one per line, as they are, or beside that file.

    Raises
    ------
    UsageError
        If it holds none.
    """
    if path is None:
        return []
    lines = read_lines(unix_newlines(read_blocks(path)), printable(path))
    names = [decode(line.strip()) for line in lines]
    found = [Path(n.split("\t")[0]) for n in names if n and not n.startswith("#")]
    if not found:
        raise UsageError(f"{printable(path)} names no files: one path per line")
    return [p if p.exists() or p.is_absolute() else path.parent / p for p in found]
