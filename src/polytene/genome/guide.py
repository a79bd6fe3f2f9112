"""What only readers of the guide look for: results of chunks that may overlap."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from polytene.exceptions import UsageError
from polytene.genome.chunks import GenomicChunk


@dataclass(frozen=True)
class _Copy:
    """A gene as one chunk has it."""

    gene: Any
    place: tuple[str, int, int]
    name: Any
    chunk_id: str
    owned: bool


def merge_overlapping_results(results: Iterable[tuple[GenomicChunk, Iterable[Any]]]) -> list[Any]:
    """Return the genes of chunks that may overlap, each once, in genome order.

    Of the copies that several chunks have of a gene the largest is kept, of equal ones that of the
    chunk that holds its first base: a copy that lies inside another of the same id is that gene,
    cut off at the end of its chunk. Other genes that share an id are all kept.

    Parameters
    ----------
    results
        Pairs of a chunk and its genes: objects or dicts with ``gene_id``, ``seqid``, ``start`` and
        ``end``, 0-based and half-open. Each chunk has each gene once.

    Raises
    ------
    UsageError
        If a gene has no place.

    Examples
    --------
    >>> from polytene.formats.regions import Region
    >>> one = GenomicChunk("chunk_0000", (Region("chr1", 0, 100),))
    >>> two = GenomicChunk("chunk_0001", (Region("chr1", 100, 200),))
    >>> a = {"gene_id": "a", "seqid": "chr1", "start": 90, "end": 120}
    >>> b = {"gene_id": "b", "seqid": "chr1", "start": 150, "end": 180}
    >>> [gene["gene_id"] for gene in merge_overlapping_results([(two, [b, a]), (one, [a])])]
    ['a', 'b']
    """
    pairs = [(chunk, list(genes)) for chunk, genes in results]
    copies = [_copy(gene, chunk) for chunk, genes in pairs for gene in genes]
    kept: dict[tuple[Any, str], list[_Copy]] = {}
    for copy in sorted(copies, key=lambda c: (c.place[1] - c.place[2], not c.owned)):
        same = kept.setdefault((copy.name, copy.place[0]), [])
        if not any(_inside(copy, other) for other in same):
            same.append(copy)
    order = _order(pairs)
    found = [copy for same in kept.values() for copy in same]
    found.sort(key=lambda c: (order[c.place[0]], c.place[1], -c.place[2], str(c.name)))
    return [copy.gene for copy in found]


def _copy(gene: Any, chunk: GenomicChunk) -> _Copy:
    try:
        seqid, start, end = (_field(gene, name) for name in ("seqid", "start", "end"))
    except (KeyError, AttributeError) as error:
        raise UsageError(
            f"a gene of {chunk.chunk_id} has no {error.args[0]}: genes need seqid, start and end"
        ) from None
    owned = chunk.owns(seqid, start)
    return _Copy(gene, (seqid, start, end), _name(gene), chunk.chunk_id, owned)


def _field(gene: Any, name: str) -> Any:
    return gene[name] if isinstance(gene, Mapping) else getattr(gene, name)


def _name(gene: Any) -> Any:
    return gene.get("gene_id") if isinstance(gene, Mapping) else getattr(gene, "gene_id", None)


def _inside(one: _Copy, two: _Copy) -> bool:
    """Whether a copy lies inside that of another chunk."""
    within = two.place[1] <= one.place[1] and one.place[2] <= two.place[2]
    return within and one.chunk_id != two.chunk_id


def _order(pairs: Sequence[tuple[GenomicChunk, list[Any]]]) -> dict[str, int]:
    """Return the place of each sequence: as in the chunks, then as in the genes."""
    chunks = sorted((chunk for chunk, _ in pairs), key=lambda c: (c.index, c.chunk_id))
    seqids = [region.seqid for chunk in chunks for region in chunk.intervals]
    seqids += [_field(gene, "seqid") for _, genes in pairs for gene in genes]
    return {seqid: i for i, seqid in enumerate(dict.fromkeys(seqids))}
