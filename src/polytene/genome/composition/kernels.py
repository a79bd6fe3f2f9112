"""Counting bases, CpG and k-mers in bytes as they are in a FASTA file."""

from __future__ import annotations

from typing import Any, TypeVar, cast

import numba
import numpy as np

_F = TypeVar("_F")
Ints = np.ndarray[Any, np.dtype[np.int64]]
Bytes = np.ndarray[Any, np.dtype[np.uint8]]

A, C, G, T, N, OTHER, MASKED = range(7)
SKIP, BAD = 9, 10


def _kernel(function: _F) -> _F:
    return cast(_F, numba.njit(nogil=True, cache=True, error_model="numpy")(function))


def _table() -> Bytes:
    """Return the class of each byte; line ends are skipped, what is no nucleotide is bad."""
    table = np.full(256, BAD, np.uint8)
    for letters, kind in (
        ("Aa", A), ("Cc", C), ("Gg", G), ("TtUu", T), ("Nn", N), ("RrYySsWwKkMmBbDdHhVvXx-.", OTHER)
    ):  # fmt: skip
        for letter in letters.encode():
            table[letter] = kind
    table[[10, 13]] = SKIP
    return table


CLASSES = _table()
CODES = np.where(CLASSES <= T, CLASSES, np.where(CLASSES == SKIP, 5, 4)).astype(np.uint8)


@_kernel
def _histogram(raw: Bytes, out: Ints) -> None:
    """Add the bytes to ``out``, int64 ``(256,)``; four counters, so that none waits for itself."""
    a = np.zeros(256, np.int32)
    b = np.zeros(256, np.int32)
    c = np.zeros(256, np.int32)
    d = np.zeros(256, np.int32)
    whole = raw.size // 4 * 4
    for i in range(0, whole, 4):
        a[raw[i]] += 1
        b[raw[i + 1]] += 1
        c[raw[i + 2]] += 1
        d[raw[i + 3]] += 1
    for i in range(whole, raw.size):
        a[raw[i]] += 1
    for letter in range(256):
        out[letter] += np.int64(a[letter]) + b[letter] + c[letter] + d[letter]


@_kernel
def count_letters(raw: Bytes, spans: Ints, out: Ints) -> None:
    """Count the bytes of spans.

    Parameters
    ----------
    raw
        Bytes as they are in the file, fewer than 2**31.
    spans
        First byte of each span and the byte after its last, int64 ``(span, 2)``.
    out
        Counts to add to, int64 ``(span, 256)``.
    """
    for i in range(spans.shape[0]):
        _histogram(raw[spans[i, 0] : spans[i, 1]], out[i])


@_kernel
def count_cpg(raw: Bytes, spans: Ints, out: Ints) -> None:
    """Add the number of C before G of each span to ``out``, int64 ``(span,)``."""
    for i in range(spans.shape[0]):
        found = 0
        before = np.uint8(0)
        for at in range(spans[i, 0], spans[i, 1]):
            byte = raw[at]
            if byte == 10 or byte == 13:
                continue
            letter = np.uint8(byte & np.uint8(0xDF))
            found += (before == 67) & (letter == 71)
            before = letter
        out[i] += found


@_kernel
def count_kmers(raw: Bytes, spans: Ints, k: int, codes: Bytes, out: Ints) -> None:
    """Count the k-mers of spans.

    Parameters
    ----------
    raw, spans
        As for :func:`count_letters`.
    k
        Length; at most 12.
    codes
        :data:`CODES`: 0 to 3 for A, C, G, T; 4 ends what was begun; 5 is skipped.
    out
        Counts to add to, int64 ``(span, 4 ** k)``; the first base counts most.
    """
    mask = np.uint64((1 << (2 * k)) - 1)
    for i in range(spans.shape[0]):
        code = np.uint64(0)
        known = 0
        row = out[i]
        for at in range(spans[i, 0], spans[i, 1]):
            two = codes[raw[at]]
            if two < 4:
                code = ((code << np.uint64(2)) | np.uint64(two)) & mask
                known += 1
                if known >= k:
                    row[code] += 1
            elif two == 4:
                known = 0


def fold(letters: Ints) -> Ints:
    """Return counts of letters as counts of classes.

    Parameters
    ----------
    letters
        int64 ``(span, 256)``.

    Returns
    -------
    numpy.ndarray
        int64 ``(span, 7)``: A, C, G, T, N, other letters, and lower-case ones again.
    """
    out = np.zeros((len(letters), MASKED + 1), np.int64)
    for kind in range(OTHER + 1):
        out[:, kind] = letters[:, kind == CLASSES].sum(axis=1)
    out[:, MASKED] = letters[:, 97:123].sum(axis=1)
    return out


def warm() -> None:
    """Compile the kernels."""
    raw, spans = np.frombuffer(b"ACGTN\n", np.uint8), np.array([[0, 6]])
    count_letters(raw, spans, np.zeros((1, 256), np.int64))
    count_cpg(raw, spans, np.zeros(1, np.int64))
    count_kmers(raw, spans, 2, CODES, np.zeros((1, 16), np.int64))
