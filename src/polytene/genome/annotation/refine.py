"""A transcript mended: the best of its possible forms that has a valid ORF, or itself."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from polytene.genome.annotation.evidence import Criteria, Lookup
from polytene.genome.annotation.models import Interval, Transcript, sense
from polytene.genome.annotation.motifs import is_canonical
from polytene.genome.annotation.orf import VALID, Draft, nearby, state
from polytene.genome.annotation.splice import Choice, Option, choices, moved, options_of


@dataclass(frozen=True)
class Frame:
    """Places in the direction of a gene, and in its genome.

    Parameters
    ----------
    strand
        ``+`` or ``-``.
    low, high
        The stretch of the genome that is looked at.
    """

    strand: str
    low: int
    high: int

    def to_sense(self, place: Interval) -> Interval:
        """Return a place in the direction of the gene."""
        return sense([place], self.strand, self.low, self.high)[0]

    def to_genome(self, place: Interval) -> Interval:
        """Return a place in the genome."""
        if self.strand == "-":
            return self.high - place[1], self.high - place[0]
        return place[0] + self.low, place[1] + self.low


@dataclass
class Refined:
    """A transcript, and what was changed in it.

    Parameters
    ----------
    transcript
        With its new exons and coding sequence.
    before, after
        ``valid``, or what is wrong with the ORF; ``none`` where nothing is coding.
    splice, ends
        Introns and ends of the coding sequence that moved.
    changes
        Each with its reason.
    note
        Why nothing was tried, if nothing was.
    """

    transcript: Transcript
    before: str
    after: str
    splice: int = 0
    ends: int = 0
    changes: list[str] = field(default_factory=list)
    note: str = ""


@dataclass(frozen=True)
class Limits:
    """How far things move: splice sites, and starts and stops (0: not at all), in bases."""

    max_shift: int = 15
    boundary_window: int = 30


@dataclass(frozen=True)
class _Form:
    """One possible form of a transcript; the least key is the best."""

    key: tuple[Any, ...]
    draft: Draft
    choice: Choice


def refine_transcript(
    transcript: Transcript,
    text: str,
    frame: Frame,
    lookup: Lookup,
    criteria: Criteria,
    limits: Limits,
) -> Refined:
    """Mend a transcript.

    Parameters
    ----------
    transcript
        With exons, on a strand.
    text
        Bases of the frame in the direction of the gene, upper case.
    frame
        What is looked at.
    lookup
        Junctions of its strand.
    criteria, limits
        What counts as support, and how far things move.

    Notes
    -----
    All forms are tried that move introns to supported junctions nearby (or, without any, from
    non-canonical to canonical sites), and the start and stop to an ORF nearby where the ORF is
    not valid. Of those with a valid ORF the one is taken with most supported introns, then most
    canonical introns, fewest ends moved, least distance, and best start. A gene whose ORF is
    valid keeps its start and stop. Without any valid form nothing is changed.
    """
    if not transcript.cds:
        return Refined(transcript, "none", "none", note="NON_CODING")
    exons = tuple(sense(transcript.exons, frame.strand, frame.low, frame.high))
    coding = sense(transcript.cds, frame.strand, frame.low, frame.high)
    draft = Draft(exons, (coding[0][0], coding[-1][1]))
    if [piece for _, piece in draft.coding] != coding:
        return Refined(transcript, "irregular", "irregular", note="IRREGULAR_CDS")
    before = state(draft, text)
    genomic = transcript.introns if frame.strand == "+" else transcript.introns[::-1]
    options = [
        options_of(frame.to_sense(i), i, frame.to_sense, text, lookup, criteria, limits.max_shift)
        for i in genomic
    ]
    exact = [_is_exact(i, lookup, criteria) for i in genomic]
    forms = _forms(draft, options, exact, text, before, limits)
    best = min(forms, key=lambda form: form.key, default=None)
    if best is None or best.draft == draft:
        return Refined(transcript, before, before)
    return _result(transcript, draft, best, before, text, frame)


def _is_exact(intron: Interval, lookup: Lookup, criteria: Criteria) -> bool:
    return any(criteria.supported(s.reads) for s in lookup.near(intron, 0))


def _forms(
    draft: Draft,
    options: list[list[Option]],
    exact: list[bool],
    text: str,
    before: str,
    limits: Limits,
) -> Iterator[_Form]:
    """Yield the forms of a transcript that have a valid ORF."""
    for choice in choices(options):
        exons = moved(draft.exons, choice)
        if exons is None:
            continue
        one = Draft(exons, draft.cds)
        backed = sum(e if c is None else c.reads > 0 for e, c in zip(exact, choice, strict=True))
        introns = list(itertools.pairwise(exons))
        canonical = sum(is_canonical(text, a[1], b[0]) for a, b in introns)
        apart = _apart(draft, one)
        if state(one, text) == VALID:
            yield _Form((-backed, -canonical, 0, apart, 0.0, exons, one.cds), one, choice)
        elif before != VALID and limits.boundary_window:
            for found in nearby(one, text, limits.boundary_window):
                if found.moved and state(found.draft, text) == VALID:
                    ends = _apart(one, found.draft)
                    key = (-backed, -canonical, found.moved, apart, -found.score, ends)
                    yield _Form((*key, exons, found.draft.cds), found.draft, choice)


def _apart(one: Draft, other: Draft) -> int:
    """Return by how many bases the exons and the coding sequence of two drafts differ."""
    pairs = zip((*one.exons, one.cds), (*other.exons, other.cds), strict=True)
    return sum(abs(a - c) + abs(b - d) for (a, b), (c, d) in pairs)


def _result(
    transcript: Transcript, old: Draft, best: _Form, before: str, text: str, frame: Frame
) -> Refined:
    new = best.draft
    changes = []
    for i, option in enumerate(best.choice):
        if option is None:
            continue
        was = frame.to_genome((old.exons[i][1], old.exons[i + 1][0]))
        now = frame.to_genome(option.intron)
        why = f"junction of {option.reads} reads" if option.reads else "canonical motif nearby"
        changes.append(f"intron {i + 1} {_shown(was)} to {_shown(now)} ({why})")
    ends = 0
    for name, k in (("start", 0), ("stop", 1)):
        if new.cds[k] != old.cds[k]:
            codon = [(d.cds[0], d.cds[0] + 3) if k == 0 else (d.cds[1] - 3, d.cds[1])
                     for d in (old, new)]  # fmt: skip
            was, now = (frame.to_genome(c) for c in codon)
            changes.append(f"{name} {_shown(was)} to {_shown(now)} (ORF was {before})")
            ends += 1
    exons = tuple(sorted(frame.to_genome(e) for e in new.exons))
    cds = tuple(sorted(frame.to_genome(piece) for _, piece in new.coding))
    mended = replace(transcript, exons=exons, cds=cds)
    splice = sum(o is not None for o in best.choice)
    return Refined(mended, before, state(new, text), splice, ends, changes)


def _shown(place: Interval) -> str:
    return f"{place[0] + 1}-{place[1]}"
