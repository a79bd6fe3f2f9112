"""How sure Helixer was of genes: scores to classes and flags, and the table of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from polytene.formats.helixer import Strands
from polytene.formats.helixer_rows import Predictions
from polytene.genome.annotation.columns import Columns
from polytene.genome.annotation.kernels import BOUNDARY, CODING, ENTROPY, MEAN, MIN, WORST
from polytene.genome.annotation.scores import Scores, score

THRESHOLD, WINDOW = 0.7, 20
WEIGHTS = ((MEAN, 0.30), (MIN, 0.20), (BOUNDARY, 0.20), (CODING, 0.15), (WORST, 0.15))
NEUTRAL = 0.5
REASONS = ("no_predictions", "gene_outside", "no_strand", "no_exons", "bad_predictions")


@dataclass(frozen=True, eq=False)
class Confidence:
    """Scores of genes; NaN where there is nothing to measure.

    Parameters
    ----------
    scores
        What the kernels found.
    overall
        float64, 0 to 1.
    classes
        ``high``, ``medium`` or ``low``; ``none`` for a gene that cannot be scored.
    flags
        With commas between; of a gene that cannot be scored, why.
    """

    scores: Scores
    overall: Any
    classes: list[str]
    flags: list[str]


def confidence_of(
    genes: Columns,
    predictions: Predictions,
    strands: Mapping[str, Strands],
    *,
    threshold: float = THRESHOLD,
    window: int = WINDOW,
    compat: bool = False,
) -> Confidence:
    """Score genes by the probabilities on their strand.

    Parameters
    ----------
    genes
        The genes; their first transcript says what is exon and what is coding.
    predictions, strands
        The probabilities, and where those of each sequence lie.
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
    why = _cannot(genes, strands, compat)
    found = score(
        genes, why < 0, predictions, strands, threshold=threshold, window=window, compat=compat
    )
    values = found.values
    why[(why < 0) & np.isnan(values[:, MEAN])] = REASONS.index("bad_predictions")
    if compat:
        for column, instead in ((BOUNDARY, NEUTRAL), (CODING, NEUTRAL), (WORST, values[:, MEAN])):
            unknown = np.isnan(values[:, column]) & (why < 0)
            values[unknown, column] = np.broadcast_to(instead, len(values))[unknown]
    overall = _overall(values)
    classes, flags = _classified(genes, found, overall)
    for i in np.flatnonzero(why >= 0).tolist():
        classes[i], flags[i] = "none", REASONS[why[i]]
    return Confidence(found, overall, classes, flags)


def _cannot(genes: Columns, strands: Mapping[str, Strands], compat: bool) -> Any:
    """Return for each gene why it cannot be scored, -1 if it can."""
    lengths = np.array([strands[s].length if s in strands else -1 for s in genes.seqids])
    tests = (
        lengths < 0,
        genes.ends > lengths,
        ~np.isin(genes.strands, (ord("+"), ord("-"))),
        (genes.n_exons < 0) & (not compat),
    )
    return np.select(tests, range(len(tests)), -1)


def _overall(values: Any) -> Any:
    """Return the weighted mean of what is known."""
    total, weight = np.zeros(len(values)), np.zeros(len(values))
    for column, share in WEIGHTS:
        known = ~np.isnan(values[:, column])
        total[known] += share * values[known, column]
        weight[known] += share
    whole = ~np.isnan(values[:, [c for c, _ in WEIGHTS]]).any(axis=1)
    weight[whole] = 1.0
    with np.errstate(invalid="ignore"):
        return total / weight


def _classified(genes: Columns, found: Scores, overall: Any) -> tuple[list[str], list[str]]:
    """Return the class of each gene, and its flags."""
    mean, least, entropy, boundary, worst = (
        found.values[:, c] for c in (MEAN, MIN, ENTROPY, BOUNDARY, WORST)
    )
    n_low = np.bincount(found.low_genes, minlength=len(genes))
    never = np.zeros(len(genes), bool)
    tests = (
        ("weak_exon", worst < 0.6, worst < 0.6),
        ("uncertain_boundary", boundary < 0.7, boundary < 0.5),
        ("high_entropy", entropy > 1.0, entropy > 1.5),
        ("very_low_min_prob", least < 0.3, least < 0.3),
        ("low_min_prob", (least >= 0.3) & (least < 0.5), never),
        ("short_low_conf", (genes.ends - genes.starts < 300) & (mean < 0.7), never),
        ("many_low_conf_regions", n_low > 3, n_low > 3),
        ("has_low_conf_regions", (n_low > 0) & (n_low <= 3), never),
    )
    flags = [""] * len(genes)
    flagged = np.logical_or.reduce([seen for _, seen, _ in tests])
    for i in np.flatnonzero(flagged).tolist():
        flags[i] = ",".join(name for name, seen, _ in tests if seen[i])
    low = (overall < 0.70) | np.logical_or.reduce([critical for *_, critical in tests])
    classes = np.select([low, (overall >= 0.85) & ~flagged], ["low", "high"], "medium")
    return classes.tolist(), flags
