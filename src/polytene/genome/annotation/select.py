"""Which genes belong to which region or chunk, and the units of a run."""

from __future__ import annotations

import itertools
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal

from polytene.core.keys import safe_key
from polytene.core.plan import Unit
from polytene.exceptions import UsageError
from polytene.formats.gff3_index import Entry
from polytene.formats.regions import Region, close_names
from polytene.formats.text import printable
from polytene.genome.annotation.inputs import Inputs, index_of, rows_of, sequence_order
from polytene.genome.chunks import ChunkPlan, GenomicChunk

Owned = Literal["start", "overlap", "contained"]
OWNED = ("start", "overlap", "contained")
Where = ChunkPlan | GenomicChunk | Region | str | Sequence[Region] | None


@dataclass(frozen=True)
class GenesUnit(Unit):
    """Genes that are judged together.

    Parameters
    ----------
    chunk_id, index
        As in :class:`polytene.genome.GenomicChunk`.
    spans
        Where their lines lie in the text of the GFF3 file: for each gene, first byte and size of
        each piece.
    head
        Directives, extents of sequences, and comments that belong above them.
    sequences
        FASTA records behind the features, as first byte and size.
    strands
        Length, first row forward and last row backward of each sequence, in the predictions.
    """

    chunk_id: str
    index: int
    spans: list[list[list[int]]]
    head: list[str] = field(default_factory=list)
    sequences: list[list[int]] = field(default_factory=list)
    strands: dict[str, list[int]] = field(default_factory=dict)


class Owners:
    """Finds the genes of a region.

    Parameters
    ----------
    inputs
        Made by :func:`polytene.genome.annotation_inputs`.
    owned
        ``start``: genes whose first base lies in it, so that each gene has exactly one owner;
        ``overlap``: genes of which any base does; ``contained``: genes that lie in it whole.
    """

    def __init__(self, inputs: Inputs, owned: Owned = "start") -> None:
        if owned not in OWNED:
            raise UsageError(f"owned is {owned!r}: one of {', '.join(OWNED)}")
        self.index, self.owned = index_of(inputs), owned
        self.order = sequence_order(inputs)
        self.rows = rows_of(inputs)
        self._entries: dict[str, list[Entry]] = {}
        for entry in self.index.entries:
            self._entries.setdefault(entry.seqid, []).append(entry)
        for entries in self._entries.values():
            entries.sort(key=lambda e: (e.start, -e.end, e.spans))
        self._starts = {s: [e.start for e in found] for s, found in self._entries.items()}

    def entries(self, regions: Iterable[Region]) -> list[Entry]:
        """Return the genes of some regions, each once, in the order of the regions."""
        found: dict[tuple[tuple[int, int], ...], Entry] = {}
        for region in regions:
            for entry in self._of(region):
                found.setdefault(entry.spans, entry)
        return list(found.values())

    def _of(self, region: Region) -> list[Entry]:
        entries = self._entries.get(region.seqid, [])
        starts = self._starts.get(region.seqid, [])
        last = bisect_left(starts, region.end)
        if self.owned == "overlap":
            return [e for e in entries[:last] if e.end > region.start]
        inside = entries[bisect_left(starts, region.start) : last]
        return [e for e in inside if self.owned == "start" or e.end <= region.end]

    def whole(self) -> list[Region]:
        """Return all sequences, each whole."""
        ends = {s: max(e.end for e in found) for s, found in self._entries.items()}
        some = ends.keys() | self.index.regions.keys() | self.index.sequences.keys()
        known = [s for i, s in enumerate(self.order) if s in some or i == 0]
        return [Region(s, 0, ends.get(s, 1)) for s in known]

    def _with_sequence(self, begun: Iterable[str]) -> list[str]:
        """Return whose FASTA records go along; strangers go with the first of all sequences."""
        names = list(begun)
        if self.order and self.order[0] in names:
            known = set(self.order)
            names += [s for s in self.index.sequences if s not in known]
        return names

    def unit(self, chunk_id: str, index: int, regions: Sequence[Region]) -> GenesUnit:
        """Return the genes of some regions as a unit of a run."""
        entries = self.entries(regions)
        begun = dict.fromkeys(r.seqid for r in regions if r.start == 0)
        names = dict.fromkeys([*begun, *(e.seqid for e in entries)])
        head = [*self.index.directives, *self.index.comments]
        head += [self.index.regions[s] for s in names if s in self.index.regions]
        fasta = self.index.sequences
        strands = self.rows.strands if self.rows else {}
        places = {s: strands[s] for s in names if s in strands}
        return GenesUnit(
            safe_key(chunk_id),
            chunk_id,
            index,
            [[list(span) for span in e.spans] for e in entries],
            [line.decode("latin-1") for line in head],
            [list(fasta[s]) for s in self._with_sequence(begun) if s in fasta],
            {s: [p.length, p.plus, p.minus] for s, p in places.items()},
            cost=1.0 + sum(e.end - e.start for e in entries),
        )


def units_of(where: Where, inputs: Inputs, owned: Owned) -> list[GenesUnit]:
    """Return the units of a plan, or the one unit of a chunk, of regions, or of everything.

    Raises
    ------
    UsageError
        If chunks overlap, so that a gene would have two owners, or a region is not in the genome.
    """
    owners = Owners(inputs, owned)
    if isinstance(where, ChunkPlan):
        if owned == "start":
            check_disjoint(where)
        units = [owners.unit(c.chunk_id, c.index, c.intervals) for c in where]
        if owned == "start":
            _check_all(units, owners)
        return units
    if isinstance(where, GenomicChunk):
        return [owners.unit(where.chunk_id, where.index, where.intervals)]
    if where is None:
        return [owners.unit("genome", 0, owners.whole())]
    regions = [where] if isinstance(where, str | Region) else list(where)
    return [owners.unit("region", 0, [as_region(r, owners, inputs) for r in regions])]


def _check_all(units: Sequence[GenesUnit], owners: Owners) -> None:
    have = {tuple(map(tuple, spans)) for unit in units for spans in unit.spans}
    lost = [e for e in owners.index.entries if e.spans not in have]
    if lost:
        raise UsageError(
            f"{len(lost):,} features begin in no chunk of the plan, such as one at "
            f"{printable(lost[0].seqid)}:{lost[0].start + 1:,}: plan the genome of this annotation"
        )


def as_region(where: str | Region, owners: Owners, inputs: Inputs) -> Region:
    """Return a region of the genome, or of the genes where no genome is given."""
    from polytene.formats.regions import parse_region
    from polytene.genome.annotation.inputs import genome_of

    genome = genome_of(inputs)
    if genome is not None:
        return genome.region(where)
    ends = {r.seqid: r.end for r in owners.whole()}
    if isinstance(where, Region):
        found = where
    elif where in ends:
        found = Region(where, 0, ends[where])
    else:
        found = parse_region(where)
    if found.seqid not in ends and found.seqid not in owners.order:
        near = close_names(found.seqid, owners.order)
        hint = f"; did you mean {', '.join(near)}?" if near else ""
        raise UsageError(f"there is no sequence {printable(found.seqid)!r}{hint}")
    return found


def check_disjoint(plan: ChunkPlan) -> None:
    """Refuse a plan whose chunks overlap: their genes would be in the result twice."""
    rows = sorted((r.seqid, r.start, r.end, c.chunk_id) for c in plan for r in c.intervals)
    for one, two in itertools.pairwise(rows):
        if one[0] == two[0] and two[1] < one[2]:
            raise UsageError(
                f"{one[3]} and {two[3]} overlap at {printable(two[0])}:{two[1] + 1:,}: a gene "
                "there would have two owners; plan anew, with another strategy"
            )
