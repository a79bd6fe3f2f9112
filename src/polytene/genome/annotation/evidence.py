"""How far RNA-seq supports a transcript: its introns, its exons, its ends."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from polytene.genome.annotation.alignments import Ints, Stretch
from polytene.genome.annotation.models import Interval, Transcript

CODON = 3
JUNCTION_WEIGHT, EXON_WEIGHT, ENDS_WEIGHT = 0.5, 0.3, 0.2


@dataclass(frozen=True)
class Criteria:
    """What counts as support.

    Parameters
    ----------
    min_reads
        Reads over a junction; of all samples together, or of each where ``min_tissues`` > 1.
    min_coverage
        Median reads over an exon; and reads over each base of the start and the stop codon (of
        the first and last exon where nothing is coding).
    boundary_tolerance
        Bases by which both ends of a junction may be off.
    min_tissues
        Samples that have to show a junction.
    coverage
        Whether coverage is looked at.
    """

    min_reads: int = 3
    min_coverage: int = 5
    boundary_tolerance: int = 10
    min_tissues: int = 1
    coverage: bool = True

    def supported(self, reads: Ints) -> bool:
        """Whether the reads of the samples over a junction are enough."""
        if self.min_tissues > 1:
            return int(np.count_nonzero(reads >= self.min_reads)) >= self.min_tissues
        return int(reads.sum()) >= self.min_reads


@dataclass(frozen=True)
class Seen:
    """A junction; reads of each sample."""

    start: int
    end: int
    reads: Ints

    @property
    def total(self) -> int:
        """Reads of all samples."""
        return int(self.reads.sum())


class Lookup:
    """The junctions of a stretch that a gene of one strand may have, by start."""

    def __init__(self, stretch: Stretch, strand: str) -> None:
        found: dict[Interval, Ints] = {}
        for (start, end, of), reads in stretch.junctions.items():
            if of in (strand, "."):
                before = found.get((start, end))
                found[start, end] = reads if before is None else before + reads
        self._seen = [Seen(*place, reads) for place, reads in sorted(found.items())]
        self._starts = [s.start for s in self._seen]
        self._strand = strand

    def near(self, intron: Interval, tolerance: int) -> list[Seen]:
        """Return junctions both ends of which are near those of an intron."""
        low = bisect_left(self._starts, intron[0] - tolerance)
        high = bisect_right(self._starts, intron[0] + tolerance)
        return [s for s in self._seen[low:high] if abs(s.end - intron[1]) <= tolerance]

    def order(self, seen: Seen) -> Interval:
        """Return what decides between equals: the first in the direction of the strand."""
        return (-seen.end, -seen.start) if self._strand == "-" else (seen.start, seen.end)


@dataclass
class IntronSupport:
    """The junction that supports an intron best, if any does."""

    intron: Interval
    seen: Seen | None
    supported: bool

    @property
    def exact(self) -> bool:
        """Whether a supported junction has the very ends of the intron."""
        return self.supported and self.seen is not None and _place(self.seen) == self.intron


@dataclass
class ExonSupport:
    """Coverage of an exon, of all samples together."""

    exon: Interval
    mean: float
    median: float
    least: int
    expressed: bool


@dataclass
class Evidence:
    """Support of a transcript; None where nothing can be said.

    Parameters
    ----------
    junction_support_ratio
        Share of its introns that are supported.
    exon_coverage_ratio
        Share of its exons that are expressed.
    aed
        Annotation edit distance, 0 for full support to 1 for none.
    evidence_level
        ``full``, ``partial``, ``minimal``, ``none``; ``unknown`` where nothing can be said.
    """

    introns: list[IntronSupport]
    exons: list[ExonSupport] | None
    junction_support_ratio: float | None
    exon_coverage_ratio: float | None
    mean_exon_coverage: float | None
    start_supported: bool | None
    stop_supported: bool | None
    strand_consistent: bool
    aed: float | None
    evidence_level: str
    flags: list[str] = field(default_factory=list)

    @property
    def n_supported(self) -> int:
        """Introns that are supported."""
        return sum(i.supported for i in self.introns)


def judge(
    transcript: Transcript, stretch: Stretch, lookups: dict[str, Lookup], criteria: Criteria
) -> Evidence:
    """Judge a transcript by the reads over its stretch.

    Parameters
    ----------
    transcript
        With strand ``+`` or ``-``, and exons.
    stretch
        The reads; it holds the transcript and the tolerance beside it.
    lookups
        Junctions by strand.
    criteria
        What counts as support.

    Notes
    -----
    AED = 0.5 (1 - junction ratio) + 0.3 (1 - exon ratio) + 0.2 (1 - share of supported ends).
    What a transcript does not have, or nobody looked at, is left out and the rest is weighted up
    to 1: a gene without introns is judged by its coverage alone. (AED as a measure: Eilbeck et
    al. 2009, doi:10.1186/1471-2105-10-67; the weights are HelixForge's.)
    """
    own, other = lookups[transcript.strand], lookups["-" if transcript.strand == "+" else "+"]
    introns = [_intron(i, own, criteria) for i in transcript.introns]
    consistent = all(
        i.supported or not _intron(i.intron, other, criteria).supported for i in introns
    )
    exons = None
    if criteria.coverage and stretch.coverage is not None:
        exons = [_exon(e, stretch, criteria.min_coverage) for e in transcript.exons]
    junction = sum(i.supported for i in introns) / len(introns) if introns else None
    exon = sum(e.expressed for e in exons) / len(exons) if exons else None
    start = stop = mean = None
    if exons:
        left, right = (_end(e, stretch, criteria) for e in _ends(transcript))
        start, stop = (left, right) if transcript.strand == "+" else (right, left)
        sizes = [b - a for a, b in transcript.exons]
        mean = sum(e.mean * n for e, n in zip(exons, sizes, strict=True)) / sum(sizes)
    aed = _aed(junction, exon, start, stop)
    level = _level(junction, exon)
    found = Evidence(introns, exons, junction, exon, mean, start, stop, consistent, aed, level)
    found.flags = _flags(found)
    return found


def _ends(transcript: Transcript) -> tuple[Interval, Interval]:
    """Return the first and the last codon, or the outer exons where nothing is coding."""
    if not transcript.cds:
        return transcript.exons[0], transcript.exons[-1]
    (a, b), (c, d) = transcript.cds[0], transcript.cds[-1]
    return (a, min(a + CODON, b)), (max(d - CODON, c), d)


def _end(place: Interval, stretch: Stretch, criteria: Criteria) -> bool:
    return int(stretch.covered(*place).min()) >= criteria.min_coverage


def _intron(intron: Interval, lookup: Lookup, criteria: Criteria) -> IntronSupport:
    near = lookup.near(intron, criteria.boundary_tolerance)
    if not near:
        return IntronSupport(intron, None, False)

    def rank(seen: Seen) -> tuple[Any, ...]:
        good = criteria.supported(seen.reads)
        return not good, distance(seen, intron), -seen.total, lookup.order(seen)

    best = min(near, key=rank)
    return IntronSupport(intron, best, criteria.supported(best.reads))


def distance(seen: Seen, intron: Interval) -> int:
    """Return how many bases the ends of a junction and an intron lie apart, both together."""
    return abs(seen.start - intron[0]) + abs(seen.end - intron[1])


def _place(seen: Seen) -> Interval:
    return seen.start, seen.end


def _exon(exon: Interval, stretch: Stretch, min_coverage: int) -> ExonSupport:
    covered = stretch.covered(*exon)
    median = float(np.median(covered))
    mean = int(covered.sum(dtype=np.int64)) / len(covered)
    return ExonSupport(exon, mean, median, int(covered.min()), median >= min_coverage)


def _aed(
    junction: float | None, exon: float | None, start: bool | None, stop: bool | None
) -> float | None:
    ends = None if start is None or stop is None else (start + stop) / 2
    parts = ((JUNCTION_WEIGHT, junction), (EXON_WEIGHT, exon), (ENDS_WEIGHT, ends))
    known = [(weight, ratio) for weight, ratio in parts if ratio is not None]
    if not known:
        return None
    total = sum(weight for weight, _ in known)
    return min(1.0, max(0.0, sum(weight * (1 - ratio) for weight, ratio in known) / total))


def _level(junction: float | None, exon: float | None) -> str:
    known = [r for r in (junction, exon) if r is not None]
    if not known:
        return "unknown"
    if junction is None or exon is None:
        full = 0.8 if junction is None else 1.0
        return _grade(known[0] >= full, known[0] >= 0.5, known[0] > 0)
    partial = junction >= 0.8 or (junction >= 0.5 and exon >= 0.5)
    return _grade(junction == 1 and exon >= 0.8, partial, junction > 0 or exon > 0)


def _grade(full: bool, partial: bool, minimal: bool) -> str:
    if full:
        return "full"
    if partial:
        return "partial"
    return "minimal" if minimal else "none"


def _flags(found: Evidence) -> list[str]:
    tests = (
        ("UNSUPPORTED_JUNCTIONS", found.n_supported < len(found.introns)),
        ("STRAND_CONFLICT", not found.strand_consistent),
        ("START_UNSUPPORTED", found.start_supported is False),
        ("STOP_UNSUPPORTED", found.stop_supported is False),
        ("NO_COVERAGE", found.mean_exon_coverage == 0),
    )
    return [name for name, seen in tests if seen]
