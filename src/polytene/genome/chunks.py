"""Chunks of a genome, and the plan that holds them."""

from __future__ import annotations

import json
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING, Any

from polytene.exceptions import UsageError
from polytene.formats.regions import Region
from polytene.formats.text import printable
from polytene.genome.reader import Bytes, Layout, Reader, bases, open_text

if TYPE_CHECKING:
    from collections.abc import Callable

    from dask.bag import Bag
    from dask.delayed import Delayed

    from polytene.core.outcome import Outcome
    from polytene.core.reduce import Reduction


class ChunkStrategy(StrEnum):
    """How a genome is cut into chunks."""

    BY_SCAFFOLD = "scaffold"
    BY_SIZE = "size"
    BY_GENES = "genes"
    ADAPTIVE = "adaptive"
    BALANCED = "balanced"


@dataclass(frozen=True)
class GenomeFacts:
    """The genome that a plan was made for.

    Parameters
    ----------
    path
        Its FASTA file, absolute.
    size
        Bytes of that file.
    n_sequences, total_bases
        What it holds.
    fingerprint
        Digest of names, lengths and line layout of all sequences.
    """

    path: str
    size: int
    n_sequences: int
    total_bases: int
    fingerprint: str


@dataclass(frozen=True)
class GenomicChunk:
    """Intervals of a genome that are worked on together.

    Parameters
    ----------
    chunk_id
        ``chunk_0000`` and so on, with as many digits as the plan needs and four at least.
    intervals
        What the chunk owns, 0-based and half-open, in genome order. The chunks of a plan cover
        the genome without overlap; a feature belongs to the chunk that holds its first base.
    index
        0-based place in the plan.
    cost
        Relative work.
    n_genes
        Genes that it owns; None where no genes were given.
    gene_ids
        Their ids, where the plan was asked for them.
    reads
        The intervals with their halo, and up to the end of each gene that the chunk owns: what
        to look at for an answer that does not depend on the cuts.
    layouts
        Where the sequence of each interval lies in the file: a worker opens no index.
    fasta
        The file.

    Examples
    --------
    >>> chunk = GenomicChunk("chunk_0000", (Region("chr1", 0, 500),))
    >>> chunk.seqid, chunk.start, chunk.end, chunk.size
    ('chr1', 0, 500, 500)
    """

    chunk_id: str
    intervals: tuple[Region, ...]
    index: int = 0
    cost: float = 0
    n_genes: int | None = None
    gene_ids: tuple[str, ...] | None = None
    reads: tuple[Region, ...] = ()
    layouts: tuple[Layout, ...] = ()
    fasta: str | None = field(default=None, compare=False)

    def __post_init__(self) -> None:
        if not self.intervals:
            raise UsageError(f"{self.chunk_id} has no intervals")
        if not self.reads:
            object.__setattr__(self, "reads", self.intervals)

    @property
    def _only(self) -> Region:
        if len(self.intervals) > 1:
            raise UsageError(
                f"{self.chunk_id} pools {len(self.intervals):,} intervals and has no one seqid, "
                "start and end: use .intervals"
            )
        return self.intervals[0]

    @property
    def seqid(self) -> str:
        """The sequence of a chunk of one interval; others raise UsageError."""
        return self._only.seqid

    @property
    def start(self) -> int:
        """First base of a chunk of one interval, 0-based."""
        return self._only.start

    @property
    def end(self) -> int:
        """End of a chunk of one interval, 0-based, not included."""
        return self._only.end

    @property
    def size(self) -> int:
        """Bases that it owns."""
        return sum(r.size for r in self.intervals)

    def sequences(
        self, *, halo: bool = False, reader: Reader = "memmap"
    ) -> Iterator[tuple[Region, Bytes]]:
        """Yield each interval with its bases, uint8; with ``halo``, each of :attr:`reads`.

        Raises
        ------
        UsageError
            If the plan was made without a FASTA file.
        BadInput
            If the file cannot be read, or is not the one that was planned.
        """
        if not self.fasta or not self.layouts:
            raise UsageError(f"{self.chunk_id} knows no FASTA file: plan a Genome that has one")
        text = open_text(self.fasta, reader)
        wanted = self.reads if halo else self.intervals
        for region, layout in zip(wanted, self.layouts, strict=True):
            yield region, bases(text, layout, region.start, region.end)

    def owns(self, seqid: str, position: int) -> bool:
        """Whether a 0-based position lies in one of the intervals."""
        return any(r.seqid == seqid and r.start <= position < r.end for r in self.intervals)


def chunk_ids(n: int) -> list[str]:
    """Return the ids of ``n`` chunks; they sort as they are numbered."""
    width = max(4, len(str(n - 1)))
    return [f"chunk_{i:0{width}d}" for i in range(n)]


@dataclass(frozen=True)
class ChunkPlan:
    """A genome cut into chunks, in genome order.

    Parameters
    ----------
    strategy
        How it was cut: a value of :class:`ChunkStrategy`.
    chunks
        The chunks.
    total_bases, total_genes
        What they own together; ``total_genes`` is None where no genes were given.
    parameters
        What the plan was made with.
    genome
        The genome; None in a plan that another program wrote.
    cost_terms
        Cost of a base, of a gene and so on.
    measures
        What :meth:`quality` returns.

    Examples
    --------
    >>> chunks = [
    ...     GenomicChunk(f"chunk_000{i}", (Region("chr1", 100 * i, 100 * i + 100),), i)
    ...     for i in range(3)
    ... ]
    >>> plan = ChunkPlan("size", chunks, 300)
    >>> len(plan), plan.owner_of("chr1", 250).chunk_id
    (3, 'chunk_0002')
    """

    strategy: str
    chunks: Sequence[GenomicChunk]
    total_bases: int
    total_genes: int | None = None
    parameters: Mapping[str, Any] = field(default_factory=dict)
    genome: GenomeFacts | None = None
    cost_terms: Mapping[str, Any] = field(default_factory=dict)
    measures: Mapping[str, Any] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.chunks)

    def __iter__(self) -> Iterator[GenomicChunk]:
        return iter(self.chunks)

    def __getitem__(self, index: int) -> GenomicChunk:
        return self.chunks[index]

    @property
    def n_chunks(self) -> int:
        """Number of chunks."""
        return len(self.chunks)

    def get_chunk(self, chunk_id: str) -> GenomicChunk:
        """Return the chunk of this id; raise UsageError if there is none."""
        try:
            return self.chunks[self._by_id[chunk_id]]
        except KeyError:
            raise UsageError(
                f"the plan has no chunk {printable(chunk_id)!r}: its {len(self):,} chunks are "
                f"{self.chunks[0].chunk_id} to {self.chunks[-1].chunk_id}"
            ) from None

    def get_chunk_by_index(self, index: int) -> GenomicChunk:
        """Return a chunk by its 0-based index; raise UsageError if there is none."""
        if not 0 <= index < len(self):
            raise UsageError(f"the plan has no chunk of index {index}: 0 to {len(self) - 1}")
        return self.chunks[index]

    def find_chunk_for_region(self, seqid: str, start: int, end: int) -> GenomicChunk | None:
        """Return the chunk that holds a whole region, 0-based and half-open; None if none does."""
        if not 0 <= start < end:
            raise UsageError(f"region {start} to {end} of {printable(seqid)!r}: 0 <= start < end")
        return self._holder(seqid, start, end)

    def owner_of(self, seqid: str, position: int) -> GenomicChunk:
        """Return the chunk that owns a 0-based position, such as the first base of a feature.

        Raises
        ------
        UsageError
            If the sequence is not in the plan, or the position in no chunk.
        """
        if seqid not in self._places:
            raise UsageError(f"the plan holds no sequence {printable(seqid)!r}")
        found = self._holder(seqid, position, position + 1)
        if found is None:
            raise UsageError(f"no chunk holds base {position + 1:,} of {printable(seqid)!r}")
        return found

    def _holder(self, seqid: str, start: int, end: int) -> GenomicChunk | None:
        if seqid not in self._places:
            return None
        starts, ends, furthest, chunks = self._places[seqid]
        i = bisect_right(starts, start) - 1
        while i >= 0 and furthest[i] >= end:
            if ends[i] >= end:
                return self.chunks[chunks[i]]
            i -= 1
        return None

    @cached_property
    def _by_id(self) -> dict[str, int]:
        return {c.chunk_id: i for i, c in enumerate(self.chunks)}

    @cached_property
    def _places(self) -> dict[str, tuple[list[int], list[int], list[int], list[int]]]:
        """By sequence: starts of the intervals, ends, furthest end so far, indices of chunks."""
        found: dict[str, list[tuple[int, int, int]]] = {}
        for i, chunk in enumerate(self.chunks):
            for seqid, start, end in chunk.intervals:
                found.setdefault(seqid, []).append((start, end, i))
        out = {}
        for seqid, rows in found.items():
            starts, ends, chunks = (list(c) for c in zip(*sorted(rows), strict=True))
            out[seqid] = (starts, ends, list(accumulate(ends, max)), chunks)
        return out

    def save(self, path: str | Path) -> None:
        """Write the plan as JSON, whole or not at all."""
        from polytene.core.files import write_bytes
        from polytene.genome.plan_json import to_json

        Path(path).parent.mkdir(parents=True, exist_ok=True)
        write_bytes(Path(path), to_json(self).encode())

    @classmethod
    def load(cls, path: str | Path) -> ChunkPlan:
        """Read a plan that :meth:`save` wrote, or HelixForge.

        Raises
        ------
        UsageError
            If the file cannot be read or is no chunk plan.
        """
        from polytene.genome.plan_json import from_json

        try:
            return from_json(json.loads(Path(path).read_bytes()), printable(str(path)))
        except OSError as error:
            raise UsageError(f"{printable(str(path))}: {error.strerror}") from None
        except ValueError as error:
            if isinstance(error, UsageError):
                raise
            raise UsageError(f"{printable(str(path))} is no JSON: {error}") from None

    def quality(self) -> dict[str, Any]:
        """Return how good the plan is.

        ``max_cost``, ``mean_cost`` and ``max_over_mean``; ``lower_bound``, the cost below which
        no plan of so many chunks can have its largest; ``certificate``, why no plan is better;
        ``split``, genes that are cut; ``uncovered``, bases in no chunk; ``atom_bound``, whether
        the largest chunk is one group of genes that must not be cut.
        """
        from polytene.genome.planning.quality import measures_of

        return dict(self.measures) or measures_of(self)

    def describe(self) -> str:
        """Return the plan as a few lines of text."""
        from polytene.genome.view import describe

        return describe(self)

    def _repr_html_(self) -> str:
        from polytene.genome.view import to_html

        return to_html(self)

    def __repr__(self) -> str:
        return f"<ChunkPlan {self.strategy}: {len(self):,} chunks, {self.total_bases:,} bp>"

    def map(
        self,
        func: Callable[..., Any],
        reduction: Reduction | None = None,
        *,
        run_dir: str | Path,
        **engine: Any,
    ) -> Outcome:
        """Run ``func(chunk)`` on each chunk and fold the values, durably.

        Parameters
        ----------
        func
            Takes a chunk; parameters come through :func:`functools.partial`.
        reduction
            How the values become one result; None: a list of them, in plan order.
        run_dir
            Where the run keeps its plan, parts and ledger; the same call again resumes.
        **engine
            As for :func:`polytene.run`.
        """
        from polytene.genome.run import map_plan

        return map_plan(self, func, reduction, run_dir=run_dir, **engine)

    def to_delayed(self, func: Callable[..., Any]) -> list[Delayed]:
        """Return ``func(chunk)`` of each chunk as a ``dask.delayed`` value, in plan order."""
        from polytene.genome.run import to_delayed

        return to_delayed(self, func)

    def to_bag(self, partition_size: int = 1) -> Bag:
        """Return the chunks as a ``dask.bag``, in plan order."""
        from polytene.genome.run import to_bag

        return to_bag(self, partition_size)
