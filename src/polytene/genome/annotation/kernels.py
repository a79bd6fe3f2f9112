"""What Helixer's probabilities say of a gene: one pass over its bases."""

from __future__ import annotations

from typing import Any

import numba
import numpy as np

CDS, INTRON = 2, 3
SHORTEST_RUN = 10
MEAN, MIN, MEDIAN, ENTROPY, BOUNDARY, CODING, WORST = range(7)


def _tables() -> tuple[Any, Any]:
    """Return value and -p log2 p, of p in 1e-10 to 1, of each float16 by its bits."""
    with np.errstate(invalid="ignore"):
        values = np.arange(1 << 16, dtype=np.uint16).view(np.float16).astype(np.float32)
        p = np.clip(values.astype(np.float64), 1e-10, 1.0)
        return values, -p * np.log2(p)


VALUES, BITS = _tables()


@numba.njit(nogil=True, cache=True, error_model="numpy")  # type: ignore[untyped-decorator, unused-ignore]
def score(
    raw: Any,
    exons: Any,
    cds: Any,
    half: int,
    low: int,
    high: int,
    compat: bool,
    out: Any,
    best: Any,
) -> Any:
    """Score a gene by the probabilities of its bases.

    Parameters
    ----------
    raw
        Bits of float16, uint16 ``(base, class)``, in the direction of the gene.
    exons, cds
        int64 ``(n, 2)``, places in ``raw``; in the same direction.
    half
        Bases on each side of a boundary that are looked at.
    low, high
        Least and greatest place of a boundary that is looked at.
    compat
        Look for boundaries in the greatest probability, else in that of exon against all else.
    out
        float64 ``(7,)``: receives mean, minimum, median, entropy in bits, sharpness of
        boundaries, consistency of the coding sequence, and the worst exon's mean; NaN where
        there is nothing to measure.
    best
        float32 ``(base,)``: receives the greatest probability of each base.
    """
    n = raw.shape[0]
    p = np.empty((n, 4), np.float32)
    total = bits = 0.0
    least = np.inf
    for i in range(n):
        most = VALUES[raw[i, 0]]
        for k in range(4):
            code = raw[i, k]
            p[i, k] = VALUES[code]
            most = max(most, VALUES[code])
            bits += BITS[code]
        best[i] = most
        total += most
        least = min(least, most)
    out[MEAN], out[MIN], out[MEDIAN] = total / n, least, np.median(best)
    out[ENTROPY] = bits / n
    exonic = best if compat else p[:, 1] + p[:, 2]
    out[BOUNDARY] = _sharpness(exonic, exons, half, low, high)
    out[CODING] = _consistency(p, cds)
    worst = np.inf
    for k in range(exons.shape[0]):
        a, b = max(exons[k, 0], 0), min(exons[k, 1], n)
        if b > a:
            worst = min(worst, best[a:b].astype(np.float64).mean())
    out[WORST] = worst if worst < np.inf else np.nan


@numba.njit(nogil=True, cache=True, error_model="numpy")  # type: ignore[untyped-decorator, unused-ignore]
def _sharpness(seen: Any, exons: Any, half: int, low: int, high: int) -> Any:
    """Return how steep a probability is where exons begin and end; at most 1."""
    total, n = 0.0, 0
    for k in range(exons.shape[0]):
        for side in range(2):
            at = exons[k, side]
            if at < low or at > high:
                continue
            steepest = np.float32(0)
            for i in range(at - half, at + half - 1):
                steepest = max(steepest, abs(seen[i + 1] - seen[i]))
            total += 1.0 if steepest >= 0.5 else 2.0 * np.float64(steepest)
            n += 1
    return total / n if n else np.nan


@numba.njit(nogil=True, cache=True, error_model="numpy")  # type: ignore[untyped-decorator, unused-ignore]
def _consistency(p: Any, cds: Any) -> Any:
    """Return how evenly the coding sequence is seen as such, from 0 to 1."""
    total, n = 0.0, 0
    for k in range(cds.shape[0]):
        a, b = max(cds[k, 0], 0), min(cds[k, 1], p.shape[0])
        if b <= a:
            continue
        called = 0
        sums = squares = 0.0
        for i in range(a, b):
            value = np.float64(p[i, CDS])
            first = 0
            for c in range(1, 4):
                if p[i, c] > p[i, first]:
                    first = c
            called += first == CDS
            sums += value
            squares += value * value
        size = b - a
        mean = sums / size
        variance = max(squares / size - mean * mean, 0.0)
        total += (called / size + mean + 1.0 - min(1.0, 4.0 * variance)) / 3.0
        n += 1
    return total / n if n else np.nan


@numba.njit(nogil=True, cache=True, error_model="numpy")  # type: ignore[untyped-decorator, unused-ignore]
def low_runs(best: Any, threshold: Any) -> Any:
    """Return start, end and sum of each run of at least 10 bases below a threshold, float64."""
    out = np.empty((best.size // SHORTEST_RUN + 1, 3))
    n = 0
    begin = -1
    total = 0.0
    for i in range(best.size + 1):
        if i < best.size and best[i] < threshold:
            if begin < 0:
                begin = i
            total += best[i]
        elif begin >= 0:
            if i - begin >= SHORTEST_RUN:
                out[n, 0], out[n, 1], out[n, 2] = begin, i, total
                n += 1
            begin, total = -1, 0.0
    return out[:n]
