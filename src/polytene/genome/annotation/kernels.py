"""What Helixer's probabilities say of genes: one pass over the bases of each."""

from __future__ import annotations

from typing import Any

import numba
import numpy as np

CDS = 2
SHORTEST_RUN = 10
MEAN, MIN, MEDIAN, ENTROPY, BOUNDARY, CODING, WORST = range(7)
LEAST, ONE = 0x3400, 0x3C00  # bits of 1/4 and 1: the greatest of four probabilities lies between
INFINITE = 0x7C00


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
    places: Any,
    exons: Any,
    exon_bounds: Any,
    cds: Any,
    cds_bounds: Any,
    inner: Any,
    half: int,
    backward: bool,
    compat: bool,
    threshold: float,
    out: Any,
    runs: Any,
) -> Any:
    """Score genes by the probabilities of their bases; return the number of runs.

    Parameters
    ----------
    raw
        Bits of float16, uint16 ``(base, class)``, in the direction of the genes.
    places
        int64 ``(gene, 2)``, places in ``raw``.
    exons, cds
        int64 ``(part, 2)``, places in ``raw``.
    exon_bounds, cds_bounds
        int64 ``(gene + 1,)``: the parts of each gene.
    inner
        int64 ``(gene, 2)``: least and greatest place in the gene of a boundary that is looked at.
    half
        Bases on each side of a boundary that are looked at.
    backward
        Whether the parts of a gene are listed against its direction.
    compat
        Look for boundaries in the greatest probability, else in that of exon against all else.
    threshold
        Bases below it are unsure.
    out
        float64 ``(gene, 7)``: receives mean, minimum, median, entropy in bits, sharpness of
        boundaries, consistency of the coding sequence, and the worst exon's mean; NaN where
        there is nothing to measure, and all of them where a value is no probability.
    runs
        float64 ``(run, 4)``: receives gene, start and end in ``raw``, and sum of the greatest
        probability of each run of at least 10 unsure bases.
    """
    longest = 1
    for g in range(places.shape[0]):
        longest = max(longest, places[g, 1] - places[g, 0])
    best = np.empty(longest, np.float32)
    codes = np.empty(longest, np.uint16)
    counts = np.zeros(ONE - LEAST + 1, np.int64)
    n_runs = 0
    for g in range(places.shape[0]):
        start, end = places[g, 0], places[g, 1]
        values = out[g]
        if not _bases(raw[start:end], best, codes, values):
            values[:] = np.nan
            continue
        n = end - start
        values[MEDIAN] = _median(codes[:n], best[:n], counts)
        a, b = exon_bounds[g], exon_bounds[g + 1]
        own = exons[a:b][::-1] if backward else exons[a:b]
        low, high = start + inner[g, 0], start + inner[g, 1]
        values[BOUNDARY] = _sharpness(raw, best, start, own, half, low, high, compat)
        values[WORST] = _worst(best, own, start, n)
        a, b = cds_bounds[g], cds_bounds[g + 1]
        own = cds[a:b][::-1] if backward else cds[a:b]
        values[CODING] = _consistency(raw, own, start, end)
        if values[MIN] < threshold:
            n_runs = _low_runs(best[:n], threshold, g, start, runs, n_runs)
    return n_runs


@numba.njit(nogil=True, cache=True, error_model="numpy")  # type: ignore[untyped-decorator, unused-ignore]
def _bases(raw: Any, best: Any, codes: Any, values: Any) -> Any:
    """Fill the greatest probability of each base, and what adds up; False if one is none."""
    n = raw.shape[0]
    total = bits = 0.0
    least = np.uint16(0xFFFF)
    most = np.uint16(0)
    for i in range(n):
        a, b, c, d = raw[i, 0], raw[i, 1], raw[i, 2], raw[i, 3]
        top = max(max(a, b), max(c, d))
        bits += BITS[a] + BITS[b] + BITS[c] + BITS[d]
        value = VALUES[top]
        codes[i], best[i] = top, value
        total += value
        least, most = min(least, top), max(most, top)
    values[MEAN], values[MIN], values[ENTROPY] = total / n, VALUES[least], bits / n
    return most < INFINITE


@numba.njit(nogil=True, cache=True, error_model="numpy")  # type: ignore[untyped-decorator, unused-ignore]
def _median(codes: Any, best: Any, counts: Any) -> Any:
    """Return the median by counting; bits of float16 are in the order of the numbers."""
    n = codes.size
    for code in codes:
        if code < LEAST or code > ONE:
            return np.median(best)
    counts[:] = 0
    for code in codes:
        counts[code - LEAST] += 1
    upper, lower = n // 2 + 1, (n + 1) // 2  # how many are at least as small
    seen = n
    code = ONE - LEAST
    while seen - counts[code] >= upper:
        seen -= counts[code]
        code -= 1
    high = VALUES[code + LEAST]
    while seen - counts[code] >= lower:
        seen -= counts[code]
        code -= 1
    return (np.float64(high) + np.float64(VALUES[code + LEAST])) / 2


@numba.njit(nogil=True, cache=True, error_model="numpy")  # type: ignore[untyped-decorator, unused-ignore]
def _sharpness(
    raw: Any, best: Any, start: Any, exons: Any, half: Any, low: Any, high: Any, compat: Any
) -> Any:
    """Return how steep a probability is where exons begin and end; at most 1."""
    total, n = 0.0, 0
    for k in range(exons.shape[0]):
        for side in range(2):
            at = exons[k, side]
            if at < low or at > high:
                continue
            steepest = np.float32(0)
            for i in range(at - half, at + half - 1):
                if compat:
                    step = best[i + 1 - start] - best[i - start]
                else:
                    step = (VALUES[raw[i + 1, 1]] + VALUES[raw[i + 1, 2]]) - (
                        VALUES[raw[i, 1]] + VALUES[raw[i, 2]]
                    )
                steepest = max(steepest, abs(step))
            total += 1.0 if steepest >= 0.5 else 2.0 * np.float64(steepest)
            n += 1
    return total / n if n else np.nan


@numba.njit(nogil=True, cache=True, error_model="numpy")  # type: ignore[untyped-decorator, unused-ignore]
def _worst(best: Any, exons: Any, start: Any, n: Any) -> Any:
    """Return the least mean of the exons."""
    worst = np.inf
    for k in range(exons.shape[0]):
        a, b = max(exons[k, 0] - start, 0), min(exons[k, 1] - start, n)
        if b > a:
            total = 0.0
            for i in range(a, b):
                total += best[i]
            worst = min(worst, total / (b - a))
    return worst if worst < np.inf else np.nan


@numba.njit(nogil=True, cache=True, error_model="numpy")  # type: ignore[untyped-decorator, unused-ignore]
def _consistency(raw: Any, cds: Any, start: Any, end: Any) -> Any:
    """Return how evenly the coding sequence is seen as such, from 0 to 1."""
    total, n = 0.0, 0
    for k in range(cds.shape[0]):
        a, b = max(cds[k, 0], start), min(cds[k, 1], end)
        if b <= a:
            continue
        called = 0
        sums = squares = 0.0
        for i in range(a, b):
            code = raw[i, CDS]
            value = np.float64(VALUES[code])
            called += code > raw[i, 0] and code > raw[i, 1] and code >= raw[i, 3]
            sums += value
            squares += value * value
        size = b - a
        mean = sums / size
        variance = max(squares / size - mean * mean, 0.0)
        total += (called / size + mean + 1.0 - min(1.0, 4.0 * variance)) / 3.0
        n += 1
    return total / n if n else np.nan


@numba.njit(nogil=True, cache=True, error_model="numpy")  # type: ignore[untyped-decorator, unused-ignore]
def _low_runs(best: Any, threshold: Any, g: Any, start: Any, runs: Any, n: Any) -> Any:
    """Add the runs of a gene below a threshold."""
    begin = -1
    total = 0.0
    for i in range(best.size + 1):
        if i < best.size and best[i] < threshold:
            if begin < 0:
                begin = i
            total += best[i]
        elif begin >= 0:
            if i - begin >= SHORTEST_RUN:
                runs[n, 0], runs[n, 1], runs[n, 2], runs[n, 3] = g, start + begin, start + i, total
                n += 1
            begin, total = -1, 0.0
    return n


def warm() -> None:
    """Compile the kernels ahead.

    Examples
    --------
    >>> warm()
    """
    raw = np.full((64, 4), 0.25, np.float16).view(np.uint16)
    one, bounds = np.array([[0, 64]]), np.array([0, 1])
    score(raw, one, one, bounds, one, bounds, one, 10, False, False, 0.7,
          np.empty((1, 7)), np.empty((7, 4)))  # fmt: skip
