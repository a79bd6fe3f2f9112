"""Other places for the introns of a transcript: where reads say so, or the bases do."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from polytene.genome.annotation.evidence import Criteria, Lookup, distance
from polytene.genome.annotation.models import Interval
from polytene.genome.annotation.motifs import acceptor_score, donor_score, is_canonical

RESCUE = 5
MOST_OPTIONS, MOST_CHOICES = 3, 256
SHORTEST_INTRON = 10


@dataclass(frozen=True)
class Option:
    """Another place for an intron, in the direction of the gene.

    Parameters
    ----------
    intron
        The place.
    reads
        Reads of all samples that say so; 0 where the motif alone does.
    """

    intron: Interval
    reads: int


def options_of(
    intron: Interval,
    genomic: Interval,
    to_sense: Callable[[Interval], Interval],
    text: str,
    lookup: Lookup,
    criteria: Criteria,
    max_shift: int,
) -> list[Option]:
    """Return other places for an intron, the best first; none where reads support it as it is.

    Parameters
    ----------
    intron, genomic
        Its place in the direction of the gene, and in the genome.
    to_sense
        Turns the second kind of place into the first.
    text
        Bases in the direction of the gene.
    lookup
        Junctions of the gene's strand.
    criteria
        What counts as support.
    max_shift
        Bases by which an end may move.
    """
    near = [s for s in lookup.near(genomic, max_shift) if criteria.supported(s.reads)]
    if any((s.start, s.end) == genomic for s in near):
        return []
    if near:

        def rank(seen: Option, apart: int) -> tuple[float, ...]:
            return -round(math.log(seen.reads), 6), apart, -_motifs(text, seen.intron)

        found = [(Option(to_sense((s.start, s.end)), s.total), distance(s, genomic)) for s in near]
        found.sort(key=lambda f: (*rank(*f), f[0].intron))
        return [option for option, _ in found[:MOST_OPTIONS]]
    return [] if is_canonical(text, *intron) else _rescues(intron, text)


def _rescues(intron: Interval, text: str) -> list[Option]:
    """Return canonical introns a few bases away both ends of which look like splice sites."""
    start, end = intron
    shifts = range(-RESCUE, RESCUE + 1)
    found = []
    for a, b in itertools.product(shifts, shifts):
        place = (start + a, end + b)
        if place[1] - place[0] < SHORTEST_INTRON or place[0] < 0 or place[1] > len(text):
            continue
        if (text[place[0] : place[0] + 2], text[place[1] - 2 : place[1]]) != ("GT", "AG"):
            continue
        donor, acceptor = donor_score(text, place[0]), acceptor_score(text, place[1])
        if donor > 0 and acceptor > 0:
            found.append((-(donor + acceptor), abs(a) + abs(b), place))
    return [Option(place, 0) for *_, place in sorted(found)[:MOST_OPTIONS]]


def _motifs(text: str, intron: Interval) -> float:
    return donor_score(text, intron[0]) + acceptor_score(text, intron[1])


Choice = tuple[Option | None, ...]


def choices(options: Sequence[Sequence[Option]]) -> Iterator[Choice]:
    """Yield what can be chosen for the introns: to stay, or one of the options, for each.

    Where there are too many ways, only the best option of each intron counts; where there are
    still too many, all of them, each alone, and all but each.
    """
    ways: list[list[Option | None]] = [[None, *found] for found in options]
    if math.prod(map(len, ways)) > MOST_CHOICES:
        ways = [way[:2] for way in ways]
    if math.prod(map(len, ways)) <= MOST_CHOICES:
        yield from itertools.product(*ways)
        return
    stay: list[Option | None] = [None] * len(ways)
    best = [way[-1] for way in ways]
    yield tuple(stay)
    yield tuple(best)
    for i in range(len(ways)):
        if best[i] is not None:
            yield (*stay[:i], best[i], *stay[i + 1 :])
            yield (*best[:i], None, *best[i + 1 :])


def moved(exons: Sequence[Interval], choice: Choice) -> tuple[Interval, ...] | None:
    """Return exons with introns as chosen; None if they cannot be so."""
    out = list(exons)
    for i, option in enumerate(choice):
        if option is not None:
            out[i] = (out[i][0], option.intron[0])
            out[i + 1] = (option.intron[1], out[i + 1][1])
    if any(a >= b for a, b in out):
        return None
    gaps = itertools.pairwise(out)
    return tuple(out) if all(y[0] - x[1] >= 1 for x, y in gaps) else None
