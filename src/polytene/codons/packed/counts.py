"""Counting the codons of packed sequences: arrays in, arrays out.

The packed bytes are read eight at a time and never unpacked. Runs that make codons ambiguous are
stepped over if they are long; the codons of short ones are counted and taken back. Long
rows are counted two codons at a time: half as many writes, to 4,096 counters.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from polytene.codons.kernels import Bytes, Int64s, Softmask, _fold_of, _kernel
from polytene.codons.packed.kernels import Packed, Runs, checked, int64s
from polytene.exceptions import UsageError

_FEW = 32  # codons that cost as much to take back as to stop and start again
_PAIRS_FROM = 16384  # codons of a row; splitting the pairs costs as much as 5,000 codons
_CODON = np.array([(v & 3) << 4 | (v >> 2 & 3) << 2 | v >> 4 for v in range(64)], np.uint64)


@_kernel
def _word(packed: Bytes, at: np.uint64) -> np.uint64:
    """Return the eight bytes from `at` on, the first one lowest; LLVM makes it one load."""
    word = np.uint64(0)
    for i in range(8):
        word |= np.uint64(packed[at + np.uint64(i)]) << np.uint64(8 * i)
    return word


@_kernel
def _words(packed: Bytes, at: int, codons: int) -> int:
    """Return how many words of eight codons can be read from `at` without leaving `packed`."""
    return max(0, min(codons // 8, (packed.size - at - 2) // 6))


@_kernel
def _codon(packed: Bytes, base: int) -> np.int64:
    # The byte after the last one is read instead of tested for: such a branch is never foreseen.
    at = base >> 2
    bits = np.int64(packed[at]) | (np.int64(packed[min(at + 1, packed.size - 1)]) << 8)
    return (bits >> (2 * (base & 3))) & 63


@_kernel
def _tally(packed: Bytes, base: int, codons: int, singles: Int64s) -> None:
    """Count `codons` codons from `base` on, spread over four histograms."""
    mask, shift = np.uint64(63), np.uint64(2 * (base & 3))
    at = base >> 2
    words = _words(packed, at, codons)
    for i in range(words):
        word = _word(packed, np.uint64(at + 6 * i)) >> shift
        for j in range(8):
            lane = np.uint64(64 * (j & 3))
            singles[lane | ((word >> np.uint64(6 * j)) & mask)] += 1
    for i in range(8 * words, codons):
        singles[_codon(packed, base + 3 * i)] += 1


@_kernel
def _tally_pairs(packed: Bytes, base: int, codons: int, pairs: NDArray[np.uint32]) -> int:
    """Count codons two by two from `base` on and return how many were reached, at most `codons`."""
    mask, shift = np.uint64(4095), np.uint64(2 * (base & 3))
    at = base >> 2
    words = _words(packed, at, codons)
    for i in range(words):
        word = _word(packed, np.uint64(at + 6 * i)) >> shift
        for j in range(4):
            lane = np.uint64(4096 * (j & 1))
            pairs[lane | ((word >> np.uint64(12 * j)) & mask)] += np.uint32(1)
    return 8 * words


@_kernel
def _split_pairs(pairs: NDArray[np.uint32], singles: Int64s) -> None:
    """Add the pairs to the histograms of their codons and clear them."""
    for second in range(64):
        for first in range(64):
            at = 64 * second + first
            n = np.int64(pairs[at]) + np.int64(pairs[4096 + at])
            singles[first] += n
            singles[64 + second] += n
    pairs[:] = 0


@_kernel
def _flush(singles: Int64s, codons: int, row: Int64s) -> None:
    """Write the histograms to `row`, the rest of `codons` as ambiguous, and clear them."""
    left = codons
    for v in range(64):
        n = singles[v] + singles[64 + v] + singles[128 + v] + singles[192 + v]
        row[_CODON[v]] = n
        left -= n
    row[64] = left
    singles[:] = 0


@_kernel
def _count_row(
    packed: Bytes,
    base: int,
    codons: int,
    skip: int,
    runs: tuple[int, int],
    starts: Int64s,
    stops: Int64s,
    singles: Int64s,
    pairs: NDArray[np.uint32],
) -> None:
    """Count the codons from `base` on that no run touches.

    Where a run touches a few codons they are counted and taken back, which is cheaper than to stop
    before it; a longer run is stepped over. `settled` is the codon after the last one that was
    taken back or stepped over, so that none is taken back twice.
    """
    long = codons >= _PAIRS_FROM
    counted = settled = 0
    for i in range(runs[0], runs[1] + 1):
        touched, after = codons, codons
        if i < runs[1]:
            touched = min(codons, max(settled, (starts[i] - skip) // 3))
            after = min(codons, (stops[i] - 1 - skip) // 3 + 1)
            if after - touched <= _FEW:
                for codon in range(touched, after):
                    singles[_codon(packed, base + 3 * codon)] -= 1
                settled = max(settled, after)
                continue
        if long:
            counted += _tally_pairs(packed, base + 3 * counted, touched - counted, pairs)
        _tally(packed, base + 3 * counted, touched - counted, singles)
        counted = settled = after
    if long:
        _split_pairs(pairs, singles)


@_kernel
def _count(rows: Packed, skip: Int64s, runs: Runs) -> Int64s:
    counts = np.zeros((rows.lengths.size, 65), np.int64)
    singles, pairs = np.zeros(4 * 64, np.int64), np.zeros(2 * 4096, np.uint32)
    packed, bytes_before, lengths = rows.data, rows.starts, rows.lengths
    first, starts, stops = runs.first, runs.starts, runs.stops
    for i in range(lengths.size):
        base, codons = 4 * bytes_before[i] + skip[i], max(0, (lengths[i] - skip[i]) // 3)
        here = first[i], first[i + 1]
        _count_row(packed, base, codons, skip[i], here, starts, stops, singles, pairs)
        _flush(singles, codons, counts[i])
    return counts


@_kernel
def _ambiguous(rows: Packed, with_lower: bool) -> Runs:
    """Return the runs that make codons ambiguous: not those of U, and lower case if asked for."""
    a, b = rows.other, rows.lower
    first = np.zeros(rows.lengths.size + 1, np.int64)
    most = a.starts.size + (b.starts.size if with_lower else 0)
    starts, stops = np.empty(most, np.int64), np.empty(most, np.int64)
    n = 0
    for row in range(rows.lengths.size):
        i, j = a.first[row], b.first[row]
        last_i, last_j = a.first[row + 1], b.first[row + 1] if with_lower else j
        while i < last_i or j < last_j:
            if j == last_j or (i < last_i and a.starts[i] <= b.starts[j]):
                starts[n], stops[n] = a.starts[i], a.stops[i]
                n += rows.letters[i] != 85
                i += 1
            else:
                starts[n], stops[n] = b.starts[j], b.stops[j]
                n += 1
                j += 1
        first[row + 1] = n
    return Runs(first, starts[:n], stops[:n])


def count_rows(rows: Packed, skip: Int64s, *, softmask: Softmask = "count") -> Int64s:
    """Count the codons of packed sequences without unpacking them.

    Parameters
    ----------
    rows
        The sequences.
    skip
        Bases to leave out at the start of each: 0, 1 or 2, int64 of shape ``(sequence,)``.
    softmask
        As in `polytene.codons.kernels.count_spans`.

    Returns
    -------
    numpy.ndarray
        int64 of shape ``(sequence, 65)``: what `polytene.codons.kernels.count_spans` counts in the
        letters.

    Raises
    ------
    BadInput
        Reason ``damaged-packed``, if a run leaves its sequence or contradicts it.
    UsageError
        If the shapes differ, a sequence leaves the data, or `skip` or `softmask` is unknown.

    Examples
    --------
    >>> from polytene.codons.packed.kernels import pack_spans
    >>> packed = pack_spans(np.frombuffer(b"ATGATGNAA", np.uint8), np.array([0]), np.array([9]))
    >>> count_rows(packed, np.array([0]))[0, [35, 64]].tolist()
    [2, 1]
    """
    _fold_of(softmask)
    rows, skip = checked(rows), int64s(skip)
    if skip.shape != rows.lengths.shape or ((skip < 0) | (skip > 2)).any():
        raise UsageError(f"skip must be 0, 1 or 2 for each of {rows.lengths.size} sequences")
    return _count(rows, skip, _ambiguous(rows, softmask == "skip"))
