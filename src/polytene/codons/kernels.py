"""Codon counting and string hashing on flat byte arrays.

Arrays in, arrays out: no files, no Arrow, no Dask. Every kernel releases the GIL.

Counting works on blocks that fit the L1 cache, in three passes: each base to its two-bit code,
each position to the codon that starts there (both vectorised by LLVM), and one increment per
codon, spread over four histograms so that runs of the same codon do not wait for each other.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, TypeAlias, TypeVar, cast

import numba
import numpy as np
from numpy.typing import NDArray

from polytene.exceptions import UsageError

Softmask: TypeAlias = Literal["count", "skip"]
Bytes: TypeAlias = NDArray[np.uint8]
Int64s: TypeAlias = NDArray[np.int64]
_F = TypeVar("_F", bound=Callable[..., Any])

AMBIGUOUS = 64
_BLOCK = 3072
_FOLD = {"count": np.uint8(0xDF), "skip": np.uint8(0xFF)}
_COMPLEMENT = np.frombuffer(
    bytes.maketrans(b"ACGTURYKMBDHVacgturykmbdhv", b"TGCAAYRMKVHDBtgcaayrmkvhdb"), np.uint8
)


def _kernel(function: _F) -> _F:
    return cast(_F, numba.njit(nogil=True, cache=True, error_model="numpy")(function))


@_kernel
def _encode(bases: Bytes, fold: np.uint8, codes: Bytes) -> None:
    """Write 0-3 for T, C, A, G, and 4 for a base that is not counted."""
    for i in range(bases.size):
        base = bases[i]
        letter = np.uint8(base & fold)
        known = (letter == 65) | (letter == 67) | (letter == 71) | (letter == 84) | (letter == 85)
        low = np.uint8((base >> 1) & 1)
        high = np.uint8(~((base >> 1) ^ (base >> 2)) & 1)
        codes[i] = np.uint8((high << 1) | low) if known else np.uint8(4)


@_kernel
def _index(codes: Bytes, codons: Bytes) -> None:
    """Write the codon that starts at each position, or 64 if one of its bases is not counted."""
    # Slices of one length, not codes[i + 1]: LLVM vectorises only the former.
    n = codons.size
    first, second, third = codes[:n], codes[1 : n + 1], codes[2 : n + 2]
    for i in range(n):
        codon = np.uint8((first[i] << 4) | (second[i] << 2) | third[i])
        bad = np.uint8((first[i] | second[i] | third[i]) & 4)
        codons[i] = codon if bad == 0 else np.uint8(64)


@_kernel
def _tally(codons: Bytes, histograms: Int64s) -> None:
    n = codons.size
    h0, h1, h2, h3 = histograms[0], histograms[1], histograms[2], histograms[3]
    for i in range(n // 12):
        h0[codons[12 * i]] += 1
        h1[codons[12 * i + 3]] += 1
        h2[codons[12 * i + 6]] += 1
        h3[codons[12 * i + 9]] += 1
    for i in range(n // 12 * 12, n, 3):
        h0[codons[i]] += 1


@_kernel
def _count_run(
    bases: Bytes, fold: np.uint8, codes: Bytes, codons: Bytes, histograms: Int64s, row: Int64s
) -> None:
    """Write to `row` the codons of `bases`, read from its first base."""
    histograms[:] = 0
    whole = bases.size // 3 * 3
    for start in range(0, whole, _BLOCK):
        n = min(_BLOCK, whole - start)
        _encode(bases[start : start + n], fold, codes)
        _index(codes, codons[:n])
        _tally(codons[:n], histograms)
    h0, h1, h2, h3 = histograms[0], histograms[1], histograms[2], histograms[3]
    for codon in range(row.size):
        row[codon] = h0[codon] + h1[codon] + h2[codon] + h3[codon]


@_kernel
def _scratch() -> tuple[Bytes, Bytes, Int64s]:
    # `_index` reads two codes past the last base; they only reach positions that are not tallied.
    return (
        np.zeros(_BLOCK + 2, np.uint8),
        np.zeros(_BLOCK, np.uint8),
        np.zeros((4, 65), np.int64),
    )


@_kernel
def _count_spans(data: Bytes, starts: Int64s, stops: Int64s, fold: np.uint8) -> Int64s:
    counts = np.zeros((starts.size, 65), np.int64)
    codes, codons, histograms = _scratch()
    for i in range(starts.size):
        if stops[i] - starts[i] >= 3:
            _count_run(data[starts[i] : stops[i]], fold, codes, codons, histograms, counts[i])
    return counts


@_kernel
def _splice(data: Bytes, starts: Int64s, stops: Int64s, strands: Int64s, buffer: Bytes) -> int:
    """Write the joined pieces to `buffer` and return how many bases they have."""
    end = 0
    for i in range(starts.size):
        piece = data[starts[i] : max(starts[i], stops[i])]
        joined = buffer[end : end + piece.size]
        if strands[i] > 0:
            joined[:] = piece
        else:
            for j in range(piece.size):
                joined[j] = _COMPLEMENT[piece[piece.size - 1 - j]]
        end += piece.size
    return end


@_kernel
def _count_pieces(
    data: Bytes,
    starts: Int64s,
    stops: Int64s,
    strands: Int64s,
    first_piece: Int64s,
    skip: Int64s,
    buffer: Bytes,
    fold: np.uint8,
) -> Int64s:
    counts = np.zeros((skip.size, 65), np.int64)
    codes, codons, histograms = _scratch()
    for i in range(skip.size):
        a, b = first_piece[i], first_piece[i + 1]
        size = _splice(data, starts[a:b], stops[a:b], strands[a:b], buffer)
        if size - skip[i] >= 3:
            _count_run(buffer[skip[i] : size], fold, codes, codons, histograms, counts[i])
    return counts


@_kernel
def _hash_strings(data: Bytes, offsets: Int64s) -> NDArray[np.uint64]:
    hashes = np.empty(offsets.size - 1, np.uint64)
    for i in range(hashes.size):
        h = np.uint64(0xCBF29CE484222325)
        for byte in data[offsets[i] : offsets[i + 1]]:
            h = (h ^ np.uint64(byte)) * np.uint64(0x100000001B3)
        h = (h ^ (h >> np.uint64(33))) * np.uint64(0xFF51AFD7ED558CCD)
        h = (h ^ (h >> np.uint64(33))) * np.uint64(0xC4CEB9FE1A85EC53)
        hashes[i] = h ^ (h >> np.uint64(33))
    return hashes


def _bytes(data: Bytes) -> Bytes:
    """A flat view of `data` of the one type that the kernels are compiled for."""
    if data.dtype != np.uint8 or data.ndim != 1:
        raise UsageError(f"data must be a flat array of uint8, not {data.dtype} {data.shape}")
    view = np.ascontiguousarray(data).view()
    view.flags.writeable = False
    return view


def _int64s(values: Int64s) -> Int64s:
    return np.ascontiguousarray(values, np.int64)


def _check_inside(data: Bytes, starts: Int64s, stops: Int64s) -> None:
    if starts.shape != stops.shape:
        raise UsageError(f"{starts.size} starts but {stops.size} stops")
    used = stops > starts
    if used.any() and (starts[used].min() < 0 or stops[used].max() > data.size):
        raise UsageError(
            f"spans reach from {starts[used].min()} to {stops[used].max()}, "
            f"but data has {data.size} bytes"
        )


def _check_offsets(offsets: Int64s, size: int, name: str) -> None:
    if not offsets.size or offsets[0] < 0 or offsets[-1] > size or (np.diff(offsets) < 0).any():
        raise UsageError(f"{name} must rise from 0 or more to at most {size}")


def _fold_of(softmask: Softmask) -> np.uint8:
    if softmask not in _FOLD:
        raise UsageError(f"softmask must be 'count' or 'skip', not {softmask!r}")
    return _FOLD[softmask]


def count_spans(
    data: Bytes, starts: Int64s, stops: Int64s, *, softmask: Softmask = "count"
) -> Int64s:
    """Count the codons of spans of a byte array, each read from its first base.

    Parameters
    ----------
    data
        ASCII bases, uint8 of shape ``(byte,)``; may be read-only and is not copied.
    starts, stops
        Half-open spans of `data` in bp, 0-based, int64 of shape ``(span,)``. Spans may overlap; one
        whose stop is not after its start counts nothing.
    softmask
        ``"count"`` reads lower-case bases like upper-case ones; ``"skip"`` makes every codon that
        has one ambiguous.

    Returns
    -------
    numpy.ndarray
        int64 of shape ``(span, 65)``: the 64 codons in the order of `polytene.codons.code.CODONS`,
        then the ambiguous ones, which hold a base other than A, C, G, T or U. The last one or two
        bases of a span that fill no codon are not counted.

    Raises
    ------
    UsageError
        If a span leaves `data`, the shapes differ or `softmask` is unknown.

    Examples
    --------
    >>> data = np.frombuffer(b"ATGATGNAA", np.uint8)
    >>> counts = count_spans(data, np.array([0, 1]), np.array([9, 9]))
    >>> counts[:, [35, 64]].tolist(), counts.sum(axis=1).tolist()
    ([[2, 1], [0, 1]], [3, 2])
    """
    starts, stops, data = _int64s(starts), _int64s(stops), _bytes(data)
    _check_inside(data, starts, stops)
    return _count_spans(data, starts, stops, _fold_of(softmask))


def count_pieces(
    data: Bytes,
    starts: Int64s,
    stops: Int64s,
    strands: Int64s,
    first_piece: Int64s,
    skip: Int64s,
    *,
    softmask: Softmask = "count",
) -> Int64s:
    """Count the codons of spliced coding sequences; a codon may cross from piece to piece.

    Parameters
    ----------
    data
        ASCII bases, uint8 of shape ``(byte,)``; may be read-only and is not copied.
    starts, stops
        Half-open pieces of `data` in bp, 0-based, int64 of shape ``(piece,)``, the pieces of one
        coding sequence next to each other and in the order of translation.
    strands
        1 for a piece that is read as it stands, -1 for one that is reverse-complemented, shape
        ``(piece,)``.
    first_piece
        Coding sequence ``i`` has the pieces ``first_piece[i]`` to ``first_piece[i + 1]`` (not
        included), int64 of shape ``(cds + 1,)``.
    skip
        Bases to leave out before the first codon, as ``codon_start - 1`` of GenBank, int64 of shape
        ``(cds,)``.
    softmask
        As in `count_spans`.

    Returns
    -------
    numpy.ndarray
        int64 of shape ``(cds, 65)``, as in `count_spans`.

    Raises
    ------
    UsageError
        If a piece leaves `data`, a strand is not 1 or -1, a skip is negative or the shapes differ.

    Examples
    --------
    >>> data = np.frombuffer(b"ATGCCTTA", np.uint8)  # join(1..2,complement(5..8)) = AT TAAG
    >>> counts = count_pieces(
    ...     data,
    ...     np.array([0, 4]),
    ...     np.array([2, 8]),
    ...     np.array([1, -1]),
    ...     np.array([0, 2]),
    ...     np.array([0]),
    ... )
    >>> np.flatnonzero(counts[0]).tolist()  # ATT, AAG
    [32, 43]
    """
    data, strands = _bytes(data), _int64s(strands)
    starts, stops = _int64s(starts), _int64s(stops)
    first_piece, skip = _int64s(first_piece), _int64s(skip)
    _check_inside(data, starts, stops)
    _check_offsets(first_piece, starts.size, "first_piece")
    if strands.shape != starts.shape or skip.size != first_piece.size - 1:
        raise UsageError("strands must be as long as starts, and skip one shorter than first_piece")
    if not np.isin(strands, (-1, 1)).all() or (skip < 0).any():
        raise UsageError("each strand must be 1 or -1, and each skip 0 or more")
    ends = np.concatenate(([0], np.cumsum(np.maximum(stops - starts, 0))))
    longest = int(np.diff(ends[first_piece]).max(initial=0))
    buffer = np.empty(longest, np.uint8)
    fold = _fold_of(softmask)
    return _count_pieces(data, starts, stops, strands, first_piece, skip, buffer, fold)


def hash_strings(data: Bytes, offsets: Int64s) -> NDArray[np.uint64]:
    """Hash byte strings to 64 bits; the values are part of the API and never change.

    The hash is FNV-1a (64 bits) followed by the ``fmix64`` finaliser of MurmurHash3, which spreads
    the differences of similar names over all bits: ``hash < fraction * 2**64`` is a fair sample.

    Parameters
    ----------
    data
        uint8 of shape ``(byte,)``.
    offsets
        String ``i`` is ``data[offsets[i]:offsets[i + 1]]``, int64 of shape ``(string + 1,)``.

    Returns
    -------
    numpy.ndarray
        uint64 of shape ``(string,)``.

    Raises
    ------
    UsageError
        If the offsets fall or leave `data`.

    References
    ----------
    Fowler, Noll and Vo, RFC 9923; Appleby, MurmurHash3, https://github.com/aappleby/smhasher.

    Examples
    --------
    >>> hashes = hash_strings(np.frombuffer(b"chr1chr2", np.uint8), np.array([0, 4, 8]))
    >>> [f"{value:016x}" for value in hashes.tolist()]
    ['9bb028869c2ac2af', '9322781380c11a73']
    """
    data, offsets = _bytes(data), _int64s(offsets)
    _check_offsets(offsets, data.size, "offsets")
    return _hash_strings(data, offsets)


def warm() -> None:
    """Compile every kernel, or load it from numba's cache, so that no worker pays for it later.

    Examples
    --------
    >>> warm()
    """
    data = np.frombuffer(b"ATG", np.uint8)
    zero, three, one = np.array([0]), np.array([3]), np.array([1])
    count_spans(data, zero, three)
    count_pieces(data, zero, three, one, np.array([0, 1]), zero)
    hash_strings(data, np.array([0, 3]))
