"""What a plan should look like, from the size of a genome and of a machine."""

from __future__ import annotations

from typing import Any

from polytene.exceptions import UsageError
from polytene.genome.planning.plan import BYTES_PER_BASE, CHUNKS_PER_WORKER
from polytene.genome.planning.strategies import MIN_CHUNK_SIZE

GB = 1 << 30


def suggest_chunk_parameters(
    genome_size: int,
    n_genes: int | None = None,
    available_memory_gb: float = 8.0,
    n_workers: int = 4,
    *,
    bytes_per_base: int = BYTES_PER_BASE,
) -> dict[str, Any]:
    """Suggest how to cut a genome.

    Parameters
    ----------
    genome_size
        Bases.
    n_genes
        Genes, if they are known.
    available_memory_gb
        Memory of all workers together, in GiB.
    n_workers
        Workers.
    bytes_per_base
        What a base of a chunk takes in memory.

    Returns
    -------
    dict
        ``strategy``, always ``"balanced"``; ``chunk_size``, mean bases of a chunk; ``n_chunks``;
        ``max_bp``, what fits into a worker; ``cost``; ``rationale``, why.

    Examples
    --------
    >>> found = suggest_chunk_parameters(2_300_000_000, 40_000, 64, 16)
    >>> found["strategy"], found["n_chunks"], found["chunk_size"]
    ('balanced', 192, 11979167)
    """
    if min(genome_size, n_workers, bytes_per_base) < 1 or available_memory_gb <= 0:
        raise UsageError("genome size, memory and workers have to be above 0")
    fits = max(1, int(available_memory_gb * GB / n_workers / bytes_per_base))
    wanted = n_workers * CHUNKS_PER_WORKER
    n = max(1, min(wanted, genome_size // MIN_CHUNK_SIZE))
    why = [f"{CHUNKS_PER_WORKER} chunks for each of {n_workers} workers even out misjudged costs"]
    if n < wanted:
        why = [f"{n} chunks, so that none is far below {MIN_CHUNK_SIZE:,} bases"]
    if -(-genome_size // n) > fits:
        n = -(-genome_size // fits)
        why = [f"{n} chunks, so that each fits into the memory of a worker"]
    size = -(-genome_size // n)
    why.append(f"a chunk of {size:,} bases takes about {size * bytes_per_base / GB:.2f} GiB "
               f"({bytes_per_base} bytes per base)")  # fmt: skip
    cost = "bp+genes" if n_genes else "bp"
    why.append("bases and genes are evened out together, and no gene is cut" if n_genes
               else "bases are evened out; give genes to even them out, too")  # fmt: skip
    return {
        "strategy": "balanced",
        "chunk_size": size,
        "n_chunks": n,
        "max_bp": fits,
        "cost": cost,
        "rationale": "; ".join(why),
    }
