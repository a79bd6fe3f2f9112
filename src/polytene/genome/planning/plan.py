"""Plan chunks: from a genome and its genes to a :class:`ChunkPlan`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from dask.system import CPU_COUNT
from dask.utils import parse_bytes

from polytene.exceptions import UsageError
from polytene.formats.gff3 import Features
from polytene.genome.chunks import ChunkPlan, ChunkStrategy
from polytene.genome.genome import Genome
from polytene.genome.planning import strategies
from polytene.genome.planning.assemble import Chunks
from polytene.genome.planning.atoms import Axis, distinct
from polytene.genome.planning.costs import Cost, cost_model
from polytene.genome.planning.genes import Genes, axis_offsets, read_genes
from polytene.genome.planning.partition import partition, parts_needed, too_few
from polytene.genome.planning.prefer import preference
from polytene.genome.planning.quality import measure

Ints = np.ndarray[Any, np.dtype[np.int64]]
Cut = Literal["safe", "owned"]
CHUNKS_PER_WORKER = 12
BYTES_PER_BASE = 20

_MEANT_FOR = {
    "chunk_size": ("size", "genes"),
    "min_chunk_size": ("size", "adaptive", "balanced"),
    "max_chunk_size": ("scaffold", "balanced"),
    "target_chunks": ("adaptive", "balanced"),
    "n_chunks": ("balanced",),
    "workers": ("balanced",),
    "max_bp": ("balanced",),
    "memory_per_worker": ("balanced",),
}


@dataclass(frozen=True)
class _Wish:
    """The parameters of a plan, as they were given."""

    strategy: ChunkStrategy
    n_chunks: int | None
    workers: int | None
    chunks_per_worker: int
    chunk_size: int | None
    min_chunk_size: int | None
    max_chunk_size: int | None
    target_chunks: int | None
    max_bp: int | None
    memory_per_worker: int | str | None
    bytes_per_base: int
    slack: float

    def check(self) -> None:
        """Refuse what cannot be, and what the strategy does not read."""
        for name in (*_MEANT_FOR, "chunks_per_worker", "bytes_per_base"):
            value = getattr(self, name)
            if value is None:
                continue
            if isinstance(value, int) and value < (0 if name == "min_chunk_size" else 1):
                raise UsageError(f"{name} is {value}: at least 1")
            if self.strategy not in _MEANT_FOR.get(name, (self.strategy,)):
                meant = " or ".join(_MEANT_FOR[name])
                raise UsageError(f"{name} is for the strategy {meant}, not {self.strategy.value}")
        if not 0 <= self.slack <= 1:
            raise UsageError(f"slack is {self.slack}: a share between 0 and 1")
        if sum(v is not None for v in (self.n_chunks, self.workers, self.target_chunks)) > 1:
            raise UsageError("n_chunks, workers and target_chunks all say how many: give one")

    @property
    def most_bases(self) -> int:
        """Most bases of a chunk; 0: any number."""
        limits = [v for v in (self.max_bp, self.max_chunk_size) if v is not None]
        if self.memory_per_worker is not None:
            limits.append(max(1, _bytes(self.memory_per_worker) // self.bytes_per_base))
        return min(limits, default=0)


def _bytes(size: int | str) -> int:
    try:
        return int(parse_bytes(size))
    except ValueError:
        raise UsageError(f"memory_per_worker is {size!r}: give a size such as '8GiB'") from None


def plan_chunks(
    genome: Genome | str | Path,
    genes: str | Path | Features | None = None,
    strategy: ChunkStrategy | str = ChunkStrategy.BALANCED,
    *,
    n_chunks: int | None = None,
    workers: int | None = None,
    chunks_per_worker: int = CHUNKS_PER_WORKER,
    chunk_size: int | None = None,
    min_chunk_size: int | None = None,
    max_chunk_size: int | None = None,
    target_chunks: int | None = None,
    cost: Cost | None = None,
    cut: Cut | None = None,
    flank: int = 0,
    halo: int = 0,
    max_bp: int | None = None,
    memory_per_worker: int | str | None = None,
    bytes_per_base: int = BYTES_PER_BASE,
    slack: float = 0.0,
    gene_types: Sequence[str] | None = None,
    with_gene_ids: bool = False,
) -> ChunkPlan:
    """Cut a genome into chunks that cost the same, cover it, and own each gene exactly once.

    Parameters
    ----------
    genome
        The genome, or its FASTA file.
    genes
        GFF3 file of its genes.
    strategy
        ``"balanced"``: as many chunks as asked for, over the ends of sequences where that helps,
        and the dearest of them as cheap as can be. As HelixForge cuts: ``"scaffold"``, a chunk
        per sequence; ``"size"``, windows of ``chunk_size`` bases; ``"genes"``, ``chunk_size``
        genes each; ``"adaptive"``, windows that are shorter where genes are denser.
    n_chunks
        Chunks of a balanced plan: exactly so many.
    workers, chunks_per_worker
        Else: so many for each worker, or fewer in a very small genome. Without either, the
        processors of this machine count as workers.
    chunk_size
        Bases (``size``, 10 Mb) or genes (``genes``, 100) of a chunk.
    min_chunk_size
        ``size``, ``adaptive``: sequences and rests shorter than this are not cut off (100 kb);
        ``balanced``: mean bases of a chunk, at least.
    max_chunk_size
        ``scaffold``: cut longer sequences; ``balanced``: the same as ``max_bp``.
    target_chunks
        About so many chunks.
    cost
        What is evened out; see :func:`polytene.genome.planning.costs.cost_model`.
    cut
        ``"safe"``: never through a gene; ``"owned"``: anywhere, and a gene belongs to the chunk
        that holds its first base. None: ``"owned"`` for ``scaffold`` and ``size``, else ``"safe"``.
    flank
        Bases beside each gene that must not be cut off from it.
    halo
        Bases that are read on both sides of what a chunk owns.
    max_bp
        Most bases of a chunk.
    memory_per_worker, bytes_per_base
        Memory of a worker, such as ``"8GiB"``, and what a base of a chunk takes there; together
        they are a ``max_bp``.
    slack
        Share by which the dearest chunk may cost more than the least possible, so that more
        cuts find a run of N or a wide gap near by: 0.01 for one hundredth.
    gene_types
        Types of features that are genes; None: those that end in ``gene``, or else transcripts.
    with_gene_ids
        Write down the ids of each chunk's genes.

    Raises
    ------
    UsageError
        If parameters contradict each other, or cannot be met: more chunks than places to cut,
        genes longer than ``max_bp``.
    BadInput
        If the genome or its genes cannot be read or do not fit together.

    Examples
    --------
    >>> from polytene.testing.assembly import write_assembly
    >>> made = write_assembly()
    >>> plan = plan_chunks(made.fasta, made.gff3, n_chunks=6)
    >>> len(plan), plan.quality()["split"], plan.quality()["certificate"]["optimal"]
    (6, 0, True)
    """
    if not isinstance(genome, Genome):
        genome = Genome(genome)
    if not genome.total_bases:
        raise UsageError("the genome has no bases")
    kind = _strategy(strategy)
    if kind is ChunkStrategy.BY_GENES and genes is None:
        raise UsageError("the strategy genes cuts by genes: give a GFF3 file")
    sizes = (chunk_size, min_chunk_size, max_chunk_size, target_chunks)
    wish = _Wish(kind, n_chunks, workers, chunks_per_worker, *sizes, max_bp, memory_per_worker,
                 bytes_per_base, slack)  # fmt: skip
    wish.check()
    if min(flank, halo) < 0:
        raise UsageError("flank and halo are numbers of bases: at least 0")
    cut = _cut(cut, kind)
    found = None
    if genes is not None:
        found = read_genes(genome, genes, gene_types, with_ids=with_gene_ids)
    offsets = axis_offsets(genome)
    model = cost_model(cost, genome, found)
    axis = model.axis(genome, found, cut, flank)
    cuts, least, chosen = _cuts(genome, offsets, axis, found, wish, cut)
    measures = measure(axis, cuts, offsets, found, model, wish.most_bases, least)
    costs = [model.real(c) for c in np.diff(axis.cost_at(cuts)).tolist()]
    given = {"cut": cut, "flank": flank, "halo": halo, **chosen}
    return ChunkPlan(
        kind.value,
        Chunks(genome, offsets, cuts, costs, found, halo),
        genome.total_bases,
        None if found is None else len(found),
        {k: v for k, v in given.items() if v is not None},
        genome.facts,
        model.terms,
        measures,
    )


def _strategy(strategy: ChunkStrategy | str) -> ChunkStrategy:
    try:
        return ChunkStrategy(strategy)
    except ValueError:
        known = ", ".join(s.value for s in ChunkStrategy)
        raise UsageError(f"strategy is {strategy!r}: one of {known}") from None


def _cut(cut: str | None, kind: ChunkStrategy) -> Cut:
    if cut is None:
        fixed = (ChunkStrategy.BY_SCAFFOLD, ChunkStrategy.BY_SIZE)
        return "owned" if kind in fixed else "safe"
    if cut == "safe":
        return "safe"
    if cut == "owned":
        return "owned"
    raise UsageError(f"cut is {cut!r}: 'safe' or 'owned'")


def _cuts(
    genome: Genome, offsets: Ints, axis: Axis, genes: Genes | None, wish: _Wish, cut: Cut
) -> tuple[Ints, int | None, dict[str, Any]]:
    """Return the cuts, the least possible cost if known, and the parameters that were read."""
    if wish.strategy is ChunkStrategy.BALANCED:
        n = _count(axis, wish)
        chosen = {"n_chunks": n, "max_bp": wish.most_bases or None,
                  "slack": wish.slack or None}  # fmt: skip
        prefer = preference(genome, offsets, axis, n, cut)
        best = partition(axis, n, wish.most_bases, prefer, wish.slack)
        return best.cuts, best.least, chosen
    cuts, chosen = _guide_cuts(offsets, axis, genes, wish)
    moved = strategies.whole(axis, cuts) if cut == "safe" else cuts
    return distinct(moved), None, chosen


def _guide_cuts(
    offsets: Ints, axis: Axis, genes: Genes | None, wish: _Wish
) -> tuple[Ints, dict[str, Any]]:
    if wish.strategy is ChunkStrategy.BY_SCAFFOLD:
        most = wish.max_chunk_size
        return strategies.by_scaffold(offsets, most), {"max_chunk_size": most}
    if wish.strategy is ChunkStrategy.BY_SIZE:
        size = wish.chunk_size or strategies.CHUNK_SIZE
        least = _least(wish, min(size, strategies.MIN_CHUNK_SIZE))
        return strategies.by_size(offsets, size, least), {
            "chunk_size": size,
            "min_chunk_size": least,
        }
    if wish.strategy is ChunkStrategy.BY_GENES:
        assert genes is not None
        n = wish.chunk_size or strategies.GENES
        return strategies.by_genes(offsets, genes, n), {"chunk_size": n}
    total = int(offsets[-1])
    target = wish.target_chunks or max(1, total // strategies.BASES_PER_CHUNK)
    least = _least(wish, strategies.MIN_CHUNK_SIZE)
    chosen = {"target_chunks": target, "min_chunk_size": least}
    return strategies.adaptive(offsets, genes, target, least, axis), chosen


def _least(wish: _Wish, default: int) -> int:
    return default if wish.min_chunk_size is None else wish.min_chunk_size


def _count(axis: Axis, wish: _Wish) -> int:
    """Return how many chunks a balanced plan gets."""
    if wish.n_chunks is not None:
        return wish.n_chunks
    n = wish.target_chunks or (wish.workers or CPU_COUNT) * wish.chunks_per_worker
    if wish.min_chunk_size:
        n = min(n, max(1, axis.bases // wish.min_chunk_size))
    if wish.most_bases:
        if axis.longest > wish.most_bases:
            raise too_few(axis, n, wish.most_bases)
        n = max(n, parts_needed(axis, axis.total, wish.most_bases, axis.bases))
    return min(n, int(axis.ranks[-1]))


class GenomeChunker:
    """Plans for one genome, by the names of HelixForge.

    Parameters
    ----------
    genome
        The genome, or its FASTA file.
    gff
        GFF3 file of its genes.

    Examples
    --------
    >>> from polytene.testing.assembly import write_assembly
    >>> made = write_assembly()
    >>> GenomeChunker(made.fasta).create_plan(ChunkStrategy.BY_SCAFFOLD)
    <ChunkPlan scaffold: 8 chunks, 60,000 bp>
    """

    def __init__(
        self, genome: Genome | str | Path, gff: str | Path | Features | None = None
    ) -> None:
        self.genome = genome if isinstance(genome, Genome) else Genome(genome)
        self.gff = gff

    def create_plan(
        self, strategy: ChunkStrategy | str = ChunkStrategy.BY_SCAFFOLD, **parameters: Any
    ) -> ChunkPlan:
        """Return a plan; parameters are those of :func:`plan_chunks`."""
        return plan_chunks(self.genome, self.gff, strategy, **parameters)
