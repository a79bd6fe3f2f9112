"""How sure Helixer was of a gene."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from polytene.formats.helixer import Predictions, Strands
from polytene.genome.annotation import kernels
from polytene.genome.annotation.models import Gene, Interval, sense

THRESHOLD, WINDOW = 0.7, 20
WEIGHTS = {"mean": 0.30, "min": 0.20, "boundary": 0.20, "coding": 0.15, "worst": 0.15}
NEUTRAL = 0.5
STRANDS = ("+", "-")


@dataclass
class Confidence:
    """Scores of a gene; None where there is nothing to measure.

    Parameters
    ----------
    mean_prob, min_prob, median_prob
        Of the greatest of the four class probabilities of each base.
    entropy
        Mean over the bases, in bits.
    boundary_sharpness, coding_consistency, worst_exon_score, overall_score
        0 to 1.
    confidence_class
        ``high``, ``medium`` or ``low``; ``none`` for a gene that cannot be scored.
    low_regions
        Start, end (0-based, half-open) and mean of stretches below the threshold.
    """

    mean_prob: float | None = None
    min_prob: float | None = None
    median_prob: float | None = None
    entropy: float | None = None
    boundary_sharpness: float | None = None
    coding_consistency: float | None = None
    worst_exon_score: float | None = None
    overall_score: float | None = None
    confidence_class: str = "none"
    flags: list[str] = field(default_factory=list)
    low_regions: list[tuple[int, int, float]] = field(default_factory=list)


def score_gene(
    gene: Gene,
    predictions: Predictions,
    strands: Strands | None,
    *,
    threshold: float = THRESHOLD,
    window: int = WINDOW,
    compat: bool = False,
) -> Confidence:
    """Score a gene by the probabilities on its strand.

    Parameters
    ----------
    gene
        The gene; its first transcript says what is exon and what is coding.
    predictions, strands
        The probabilities, and where those of its sequence lie; None if there are none.
    threshold
        Bases below it are seen as unsure.
    window
        Bases around a boundary, half of them on each side, in which it should show.
    compat
        Score as HelixForge 0.1 does: boundaries are sought in the greatest probability, which
        does not change where one certain class follows another; and a gene without inner
        boundaries or coding sequence gets 0.5 for them, instead of the mean of the other scores.

    Notes
    -----
    With m the greatest probability of each base: overall = 0.30 mean(m) + 0.20 min(m) + 0.20
    boundary + 0.15 coding + 0.15 worst exon. The boundary score is the mean, over starts and
    ends of exons at least ``window`` bases inside the gene, of min(1, 2 max abs diff e), where e
    is the probability of exon, UTR or CDS (``compat``: m); the coding score the mean over CDS of
    (share called CDS + mean p(CDS) + 1 - min(1, 4 var)) / 3.
    """
    if strands is None:
        return Confidence(flags=["no_predictions"])
    if gene.end > strands.length:
        return Confidence(flags=["gene_outside"])
    if gene.strand not in STRANDS:
        return Confidence(flags=["no_strand"])
    transcript = gene.transcripts[0] if gene.transcripts else None
    if transcript is None and not compat:
        return Confidence(flags=["no_exons"])
    p = predictions.sense(strands, gene.strand, gene.start, gene.end)
    place = (gene.strand, gene.start, gene.end)
    exons = _array(sense(transcript.exons, *place) if transcript else [])
    cds = _array(sense(transcript.cds, *place) if transcript else [])
    low, high = _inner(len(p), window, gene.strand, compat)
    values, best = np.empty(7), np.empty(len(p), np.float32)
    kernels.score(p.view(np.uint16), exons, cds, window // 2, low, high, compat, values, best)
    runs = kernels.low_runs(best, threshold).tolist()
    found = _named(values, gene, compat)
    found.low_regions = sorted(_place(run, gene) for run in runs)
    found.confidence_class = _classify(found, gene.end - gene.start)
    return found


def _array(places: list[Interval]) -> Any:
    return np.array(places, np.int64).reshape(-1, 2)


def _inner(n: int, window: int, strand: str, compat: bool) -> tuple[int, int]:
    """Return where boundaries are looked at; HelixForge leaves out the last place of its array."""
    if not compat:
        return window, n - window
    if n < 2 * window:
        return 1, 0
    return (window + 1, n - window) if strand == "-" else (window, n - window - 1)


def _named(values: Any, gene: Gene, compat: bool) -> Confidence:
    mean, least, median, entropy, *rest = values.tolist()
    boundary, coding, worst = (None if math.isnan(v) else v for v in rest)
    if compat:
        boundary = NEUTRAL if boundary is None else boundary
        coding = NEUTRAL if coding is None else coding
        worst = mean if worst is None else worst
    parts = {"mean": mean, "min": least, "boundary": boundary, "coding": coding, "worst": worst}
    known = {name: value for name, value in parts.items() if value is not None}
    weight = sum(WEIGHTS[name] for name in known) if len(known) < len(parts) else 1.0
    overall = sum(WEIGHTS[name] * value for name, value in known.items()) / weight
    return Confidence(mean, least, median, entropy, boundary, coding, worst, overall)


def _place(run: list[float], gene: Gene) -> tuple[int, int, float]:
    start, end, total = int(run[0]), int(run[1]), run[2]
    mean = total / (end - start)
    if gene.strand == "-":
        return gene.end - end, gene.end - start, mean
    return gene.start + start, gene.start + end, mean


def _classify(found: Confidence, length: int) -> str:
    """Set the flags of a gene and return its class."""
    mean, least, entropy = found.mean_prob, found.min_prob, found.entropy
    assert mean is not None
    assert least is not None
    assert entropy is not None
    assert found.overall_score is not None
    boundary, n_low = found.boundary_sharpness, len(found.low_regions)
    weak = found.worst_exon_score is not None and found.worst_exon_score < 0.6
    tests = (
        ("weak_exon", weak, True),
        ("uncertain_boundary", boundary is not None and boundary < 0.7,
         boundary is not None and boundary < 0.5),
        ("high_entropy", entropy > 1.0, entropy > 1.5),
        ("very_low_min_prob", least < 0.3, True),
        ("low_min_prob", 0.3 <= least < 0.5, False),
        ("short_low_conf", length < 300 and mean < 0.7, False),
        ("many_low_conf_regions", n_low > 3, True),
        ("has_low_conf_regions", 0 < n_low <= 3, False),
    )  # fmt: skip
    found.flags = [name for name, seen, _ in tests if seen]
    if found.overall_score < 0.70 or any(seen and critical for _, seen, critical in tests):
        return "low"
    return "high" if found.overall_score >= 0.85 and not found.flags else "medium"
