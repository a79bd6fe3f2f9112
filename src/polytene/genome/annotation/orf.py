"""Open reading frames of a transcript: whether one is valid, and where it could be."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from polytene.genome.annotation.models import Interval
from polytene.genome.annotation.motifs import start_score

START, STOPS = "ATG", ("TAA", "TAG", "TGA")
VALID = "valid"


@dataclass(frozen=True)
class Draft:
    """A transcript in the direction of its gene; places count from the first base looked at.

    Parameters
    ----------
    exons
        In order.
    cds
        First base of the start and end of the stop codon.
    """

    exons: tuple[Interval, ...]
    cds: Interval

    @property
    def coding(self) -> list[tuple[int, Interval]]:
        """Number of the exon, and place, of each piece of the coding sequence."""
        low, high = self.cds
        pieces = [(i, (max(a, low), min(b, high))) for i, (a, b) in enumerate(self.exons)]
        return [(i, piece) for i, piece in pieces if piece[0] < piece[1]]


def problems(coding: str) -> str:
    """Return ``valid`` for a whole ORF, or what is wrong with it.

    Examples
    --------
    >>> problems("ATGAAATAA"), problems("CTGTAAAA")
    ('valid', 'no_start,frame,internal_stop,no_stop')
    """
    codons = [coding[i : i + 3] for i in range(0, len(coding), 3)]
    tests = (
        ("no_start", coding[:3] != START),
        ("frame", len(coding) % 3 != 0),
        ("internal_stop", any(c in STOPS for c in codons[:-1])),
        ("no_stop", not codons or codons[-1] not in STOPS),
    )
    return ",".join(name for name, wrong in tests if wrong) or VALID


def state(draft: Draft, text: str) -> str:
    """Return ``valid``, or what is wrong with the ORF of a draft."""
    coding = draft.coding
    inside = [a < b for a, b in draft.exons]
    low, high = draft.cds
    ends = any(a <= low < b for a, b in draft.exons) and any(a < high <= b for a, b in draft.exons)
    if not all(inside) or not coding or not ends:
        return "no_start,no_stop"
    return problems("".join(text[a:b] for _, (a, b) in coding))


@dataclass(frozen=True)
class Found:
    """An ORF near the one of a draft: the draft with it, ends that moved, and its score."""

    draft: Draft
    moved: int
    score: float


def nearby(draft: Draft, text: str, window: int) -> Iterator[Found]:
    """Yield valid ORFs whose start and stop lie at most ``window`` bases of mRNA from the draft's.

    The outer exons may grow by as much. A start scores 0.6 by its bases and 0.4 by its nearness.
    """
    (first, a), (b, last) = draft.exons[0], draft.exons[-1]
    exons = list(draft.exons)
    exons[0] = (max(0, first - window), a)
    low = exons[-1][0] if len(exons) == 1 else b
    exons[-1] = (low, min(len(text), last + window))
    places = [i for x, y in exons for i in range(x, y)]
    mrna = "".join(text[x:y] for x, y in exons)
    begin, end = _index(places, draft.cds[0]), _index(places, draft.cds[1] - 1) + 1
    for at in range(max(0, begin - window), min(begin + window, len(mrna) - 3) + 1):
        if mrna[at : at + 3] != START:
            continue
        stop = _stop(mrna, at)
        if stop is None or abs(stop - end) > window:
            continue
        score = 0.6 * start_score(mrna, at) + 0.4 * (1 - abs(at - begin) / (2 * window or 1))
        cds = (places[at], places[stop - 1] + 1)
        yield Found(_grown(draft, cds), (at != begin) + (stop != end), score)


def _index(places: Sequence[int], place: int) -> int:
    """Return the index of a place in mRNA, or of the next one."""
    for i, one in enumerate(places):
        if one >= place:
            return i
    return len(places) - 1


def _stop(mrna: str, at: int) -> int | None:
    """Return where the first stop codon in frame ends."""
    for i in range(at, len(mrna) - 2, 3):
        if mrna[i : i + 3] in STOPS:
            return i + 3
    return None


def _grown(draft: Draft, cds: Interval) -> Draft:
    """Return a draft with another coding sequence, its outer exons long enough for it."""
    exons = list(draft.exons)
    exons[0] = (min(exons[0][0], cds[0]), exons[0][1])
    exons[-1] = (exons[-1][0], max(exons[-1][1], cds[1]))
    return Draft(tuple(exons), cds)
