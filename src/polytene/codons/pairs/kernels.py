"""Counting neighbouring codons on flat byte arrays: arrays in, arrays out.

They read codons as :mod:`polytene.codons.kernels` does. A pair is two codons that follow each
other in one reading frame of one sequence; a sequence of `n` codons has `n - 1`.
"""

from __future__ import annotations

import numpy as np

from polytene.codons.kernels import (
    _BLOCK,
    AMBIGUOUS,
    Bytes,
    Int64s,
    Softmask,
    _bytes,
    _check_inside,
    _check_offsets,
    _encode,
    _fold_of,
    _index,
    _int64s,
    _kernel,
    _scratch,
    _splice,
)
from polytene.exceptions import UsageError

PAIRS = 64 * 64
WIDTH = PAIRS + 1


@_kernel
def _tally_pairs(bases: Bytes, fold: np.uint8, codes: Bytes, codons: Bytes, row: Int64s) -> None:
    """Add to `row` the pairs of `bases`, read from its first base."""
    whole = bases.size // 3 * 3
    before = np.int64(-1)
    for start in range(0, whole, _BLOCK):
        n = min(_BLOCK, whole - start)
        _encode(bases[start : start + n], fold, codes)
        _index(codes, codons[:n])
        for i in range(n // 3):
            codon = np.int64(codons[3 * i])
            if before >= 0:
                known = before != AMBIGUOUS and codon != AMBIGUOUS
                row[before * 64 + codon if known else PAIRS] += 1
            before = codon


@_kernel
def _span_pairs(
    data: Bytes, starts: Int64s, stops: Int64s, group: Int64s, groups: int, fold: np.uint8
) -> Int64s:
    counts = np.zeros((groups, WIDTH), np.int64)
    codes, codons, _ = _scratch()
    for i in range(starts.size):
        if stops[i] - starts[i] >= 6:
            _tally_pairs(data[starts[i] : stops[i]], fold, codes, codons, counts[group[i]])
    return counts


@_kernel
def _piece_pairs(
    data: Bytes,
    starts: Int64s,
    stops: Int64s,
    strands: Int64s,
    first_piece: Int64s,
    skip: Int64s,
    buffer: Bytes,
    group: Int64s,
    groups: int,
    fold: np.uint8,
) -> Int64s:
    counts = np.zeros((groups, WIDTH), np.int64)
    codes, codons, _ = _scratch()
    for i in range(skip.size):
        a, b = first_piece[i], first_piece[i + 1]
        size = _splice(data, starts[a:b], stops[a:b], strands[a:b], buffer)
        if size - skip[i] >= 6:
            _tally_pairs(buffer[skip[i] : size], fold, codes, codons, counts[group[i]])
    return counts


def count_span_pairs(
    data: Bytes,
    starts: Int64s,
    stops: Int64s,
    group: Int64s,
    groups: int,
    *,
    softmask: Softmask = "count",
) -> Int64s:
    """Count the pairs of codons of spans of a byte array, each read from its first base.

    Parameters
    ----------
    data, starts, stops, softmask
        As in :func:`polytene.codons.kernels.count_spans`.
    group
        Row to which each span is added, int64 of shape ``(span,)``.
    groups
        Number of rows.

    Returns
    -------
    numpy.ndarray
        int64 of shape ``(groups, 4097)``: at ``64 * first + second`` the pairs of two codons in
        the order of `polytene.codons.code.CODONS`, and last the pairs with an ambiguous codon.

    Raises
    ------
    UsageError
        If a span leaves `data`, a group is not one of the rows or the shapes differ.

    Examples
    --------
    >>> data = np.frombuffer(b"TTTTTCTTTNNN", np.uint8)
    >>> pairs = count_span_pairs(data, np.array([0]), np.array([12]), np.array([0]), 1)
    >>> np.flatnonzero(pairs[0]).tolist()  # TTT TTC, TTC TTT, TTT NNN
    [1, 64, 4096]
    """
    starts, stops, data, group = _int64s(starts), _int64s(stops), _bytes(data), _int64s(group)
    _check_inside(data, starts, stops)
    _check_groups(group, groups, starts.size)
    return _span_pairs(data, starts, stops, group, groups, _fold_of(softmask))


def count_piece_pairs(
    data: Bytes,
    starts: Int64s,
    stops: Int64s,
    strands: Int64s,
    first_piece: Int64s,
    skip: Int64s,
    group: Int64s,
    groups: int,
    *,
    softmask: Softmask = "count",
) -> Int64s:
    """Count the pairs of codons of spliced coding sequences.

    Parameters
    ----------
    data, starts, stops, strands, first_piece, skip, softmask
        As in :func:`polytene.codons.kernels.count_pieces`.
    group
        Row to which each coding sequence is added, int64 of shape ``(cds,)``.
    groups
        Number of rows.

    Returns
    -------
    numpy.ndarray
        int64 of shape ``(groups, 4097)``, as in `count_span_pairs`.

    Raises
    ------
    UsageError
        If a piece leaves `data`, a strand is not 1 or -1, a skip is negative, a group is not one
        of the rows or the shapes differ.

    Examples
    --------
    >>> data = np.frombuffer(b"ATGCCTTA", np.uint8)  # join(1..2,complement(5..8)) = ATT AAG
    >>> place = np.array([0, 4]), np.array([2, 8]), np.array([1, -1]), np.array([0, 2])
    >>> pairs = count_piece_pairs(data, *place, np.array([0]), np.array([0]), 1)
    >>> np.flatnonzero(pairs[0]).tolist() == [32 * 64 + 43]
    True
    """
    data, strands = _bytes(data), _int64s(strands)
    starts, stops = _int64s(starts), _int64s(stops)
    first_piece, skip, group = _int64s(first_piece), _int64s(skip), _int64s(group)
    _check_inside(data, starts, stops)
    _check_offsets(first_piece, starts.size, "first_piece")
    if strands.shape != starts.shape or skip.size != first_piece.size - 1:
        raise UsageError("strands must be as long as starts, and skip one shorter than first_piece")
    if not np.isin(strands, (-1, 1)).all() or (skip < 0).any():
        raise UsageError("each strand must be 1 or -1, and each skip 0 or more")
    _check_groups(group, groups, skip.size)
    ends = np.concatenate(([0], np.cumsum(np.maximum(stops - starts, 0))))
    buffer = np.empty(int(np.diff(ends[first_piece]).max(initial=0)), np.uint8)
    pieces = (data, starts, stops, strands, first_piece, skip, buffer)
    return _piece_pairs(*pieces, group, groups, _fold_of(softmask))


def _check_groups(group: Int64s, groups: int, size: int) -> None:
    if group.shape != (size,):
        raise UsageError(f"group has {group.size} entries, expected {size}")
    if group.size and (group.min() < 0 or group.max() >= groups):
        raise UsageError(f"group reaches from {group.min()} to {group.max()}, of {groups} rows")


def warm() -> None:
    """Compile every kernel, or load it from numba's cache.

    Examples
    --------
    >>> warm()
    """
    data = np.frombuffer(b"ATGATG", np.uint8)
    zero, six, one = np.array([0]), np.array([6]), np.array([1])
    count_span_pairs(data, zero, six, zero, 1)
    count_piece_pairs(data, zero, six, one, np.array([0, 1]), zero, zero, 1)
