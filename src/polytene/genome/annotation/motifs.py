"""Motifs of splice sites and of starts, scored in the direction of the gene."""

from __future__ import annotations

import math

FLOOR = 0.01
BACKGROUND = {"A": 0.27, "C": 0.23, "G": 0.23, "T": 0.27}
CANONICAL = {("GT", "AG"), ("GC", "AG"), ("AT", "AC")}

# Frequencies of A, C, G, T at junctions of Arabidopsis, rice and maize, as in HelixForge (MIT),
# after Brown et al. 1996, Zhu et al. 2003, and Wang and Brendel 2006.
DONOR = (
    (0.35, 0.35, 0.15, 0.15), (0.60, 0.10, 0.20, 0.10), (0.10, 0.05, 0.80, 0.05),
    (0.00, 0.00, 1.00, 0.00), (0.00, 0.00, 0.00, 1.00), (0.55, 0.05, 0.25, 0.15),
    (0.65, 0.05, 0.15, 0.15), (0.15, 0.05, 0.60, 0.20), (0.20, 0.10, 0.20, 0.50),
)  # fmt: skip
ACCEPTOR = (
    *[(0.15, 0.35, 0.15, 0.35)] * 7, *[(0.12, 0.38, 0.12, 0.38)] * 3, (0.15, 0.40, 0.10, 0.35),
    (0.25, 0.25, 0.25, 0.25), (0.15, 0.60, 0.10, 0.15), (1.00, 0.00, 0.00, 0.00),
    (0.00, 0.00, 1.00, 0.00), (0.15, 0.15, 0.50, 0.20),
)  # fmt: skip
DONOR_BEFORE, ACCEPTOR_BEFORE = 3, 15
KOZAK = {
    -3: {"A": 0.5, "G": 0.3, "C": 0.1, "T": 0.1},
    -1: {"C": 0.4, "A": 0.3, "G": 0.2, "T": 0.1},
    3: {"G": 0.5, "A": 0.3, "C": 0.1, "T": 0.1},
}


def _log_ratios(rows: tuple[tuple[float, ...], ...]) -> list[dict[str, float]]:
    bases = "ACGT"
    return [
        {b: math.log2(max(f, FLOOR) / BACKGROUND[b]) for b, f in zip(bases, row, strict=True)}
        for row in rows
    ]


_DONOR, _ACCEPTOR = _log_ratios(DONOR), _log_ratios(ACCEPTOR)


def _score(text: str, ratios: list[dict[str, float]]) -> float:
    if len(text) != len(ratios):
        return -math.inf
    return sum(ratio.get(base, 0.0) for base, ratio in zip(text, ratios, strict=True))


def donor_score(text: str, at: int) -> float:
    """Return the log2 ratio of a donor site: an exon ends, not included, at ``at``.

    Examples
    --------
    >>> donor_score("CAAAGGTAAGTC", 5) < donor_score("CAAAGGTAAGTC", 6 - 1 + 1 - 0)
    True
    """
    return _score(text[max(at - DONOR_BEFORE, 0) : at + 6], _DONOR)


def acceptor_score(text: str, at: int) -> float:
    """Return the log2 ratio of an acceptor site: an exon begins at ``at``."""
    return _score(text[max(at - ACCEPTOR_BEFORE, 0) : at + 1], _ACCEPTOR)


def is_canonical(text: str, start: int, end: int) -> bool:
    """Whether an intron begins and ends as GT-AG, GC-AG or AT-AC."""
    return (text[start : start + 2], text[end - 2 : end]) in CANONICAL


def start_score(text: str, at: int) -> float:
    """Return how well the bases around an ATG fit a start of translation, 0 to 1.

    The mean of positions -3, -1 and +4 over their best base (after Kozak 1987).
    """
    found = []
    for place, shares in KOZAK.items():
        base = text[at + place : at + place + 1] if at + place >= 0 else ""
        found.append(shares.get(base, 0.0) / max(shares.values()))
    return sum(found) / len(found)
