"""Packing sequences to four bases a byte and back: arrays in, arrays out.

A base is two bits, T 0, C 1, A 2, G 3, the first base of a byte in its lowest bits. Whatever two
bits cannot say lies beside them in runs of bases: other letters, and lower case.
"""

from __future__ import annotations

from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from polytene.codons.kernels import Bytes, Int64s, _bytes, _check_inside, _kernel
from polytene.exceptions import BadInput, UsageError

Bools: TypeAlias = NDArray[np.bool_]
LONGEST = 2**34  # bases of one sequence; as many pairs of codons fit the counters of 32 bits
_BLOCK = 4096
_SCAN = 512
_UNPACKED = np.array(
    [
        [sum(letters[byte >> 2 * i & 3] << 8 * i for i in range(4)) for byte in range(256)]
        for letters in (b"TCAG", b"UCAG")
    ],
    np.uint32,
)


def _letter_classes() -> NDArray[np.int16]:
    """Return, for DNA and RNA, 0 for a base that two bits hold and else 1 + its upper case."""
    upper = np.array([ord(chr(b).upper()) if b < 128 else b for b in range(256)])
    bases = [np.isin(upper, list(letters)) for letters in (b"ACGT", b"ACGU")]
    return np.where(bases, 0, upper + 1).astype(np.int16)


_LETTERS = _letter_classes()
_LOWER = np.array([[chr(b).islower() and b < 128 for b in range(256)]] * 2, np.int16)


class Runs(NamedTuple):
    """Runs of bases of a batch of sequences, sorted by place and apart in each sequence.

    Parameters
    ----------
    first
        Sequence ``i`` has the runs ``first[i]`` to ``first[i + 1]`` (not included), int64 of shape
        ``(sequence + 1,)``.
    starts, stops
        Half-open, in bp from the start of the sequence, 0-based, int64 of shape ``(run,)``.
    """

    first: Int64s
    starts: Int64s
    stops: Int64s


class Packed(NamedTuple):
    """A batch of packed sequences.

    Parameters
    ----------
    data
        Four bases a byte, uint8 of shape ``(byte,)``.
    starts
        Sequence ``i`` begins with byte ``starts[i]`` of `data`, int64 of shape ``(sequence,)``.
    lengths
        In bp, int64 of shape ``(sequence,)``.
    rna
        Whether the bits of T stand for U, bool of shape ``(sequence,)``.
    other
        Where the bits, which are 0 there, do not tell the letter.
    letters
        The letter of each run of `other`, in upper case, uint8 of shape ``(run,)``.
    lower
        Where letters are lower-case.
    """

    data: Bytes
    starts: Int64s
    lengths: Int64s
    rna: Bools
    other: Runs
    letters: Bytes
    lower: Runs


@_kernel
def _encode(bases: Bytes, codes: Bytes) -> np.int64:
    """Write 0-3 for T or U, C, A, G and 0 for others; return 1 if there is a T, 2 if a U, or 3."""
    seen = np.uint8(0)
    for i in range(bases.size):
        letter = np.uint8(bases[i] & np.uint8(0xDF))
        t, u = letter == 84, letter == 85
        known = t | u | (letter == 65) | (letter == 67) | (letter == 71)
        low = np.uint8((letter >> 1) & 1)
        high = np.uint8(~((letter >> 1) ^ (letter >> 2)) & 1)
        codes[i] = np.uint8((high << 1) | low) if known else np.uint8(0)
        seen |= np.uint8(t) | np.uint8(np.uint8(u) << 1)
    return np.int64(seen)


@_kernel
def _pack_row(bases: Bytes, words: NDArray[np.uint32], packed: Bytes) -> np.int64:
    codes = words.view(np.uint8)
    seen = np.int64(0)
    for start in range(0, bases.size, _BLOCK):
        n = min(_BLOCK, bases.size - start)
        size = (n + 3) // 4
        codes[n : 4 * size] = 0
        seen |= _encode(bases[start : start + n], codes[:n])
        block = packed[start // 4 : start // 4 + size]
        for i in range(size):
            word = words[i]
            block[i] = np.uint8(word | (word >> 6) | (word >> 12) | (word >> 18))
    return seen


@_kernel
def _pack(data: Bytes, starts: Int64s, stops: Int64s, offsets: Int64s, packed: Bytes) -> Bools:
    words = np.zeros(_BLOCK // 4, np.uint32)
    rna = np.zeros(starts.size, np.bool_)
    for i in range(starts.size):
        row = packed[offsets[i] : offsets[i + 1]]
        rna[i] = _pack_row(data[starts[i] : max(starts[i], stops[i])], words, row) == 2
    return rna


@_kernel
def _is_plain(bases: Bytes, t: np.uint8) -> bool:
    """Return whether all bases are upper-case A, C, G or `t`."""
    other = False
    for i in range(bases.size):
        base = bases[i]
        other |= (base != 65) & (base != 67) & (base != 71) & (base != t)
    return not other


@_kernel
def _row_runs(
    bases: Bytes,
    classes: NDArray[np.int16],
    t: np.uint8,
    starts: list[np.int64],
    stops: list[np.int64],
    kinds: list[np.int64],
) -> None:
    """Append the longest stretches of one class other than 0."""
    kind = np.int16(0)
    for start in range(0, bases.size, _SCAN):
        block = bases[start : start + _SCAN]
        if kind == 0 and _is_plain(block, t):
            continue
        for i in range(block.size):
            here = classes[block[i]]
            if here == kind:
                continue
            if kind != 0:
                stops.append(np.int64(start + i))
            if here != 0:
                starts.append(np.int64(start + i))
                kinds.append(np.int64(here))
            kind = here
    if kind != 0:
        stops.append(np.int64(bases.size))


@_kernel
def _find_runs(
    data: Bytes,
    starts: Int64s,
    stops: Int64s,
    rna: Bools,
    classes: NDArray[np.int16],
) -> tuple[Int64s, Int64s, Int64s, Int64s]:
    first = np.zeros(starts.size + 1, np.int64)
    # A list without elements has no type; the first ones are dropped again.
    run_starts, run_stops, kinds = [np.int64(0)], [np.int64(0)], [np.int64(0)]
    for i in range(starts.size):
        bases = data[starts[i] : max(starts[i], stops[i])]
        t = np.uint8(85 if rna[i] else 84)
        _row_runs(bases, classes[np.int64(rna[i])], t, run_starts, run_stops, kinds)
        first[i + 1] = len(run_starts) - 1
    return first, np.array(run_starts)[1:], np.array(run_stops)[1:], np.array(kinds)[1:]


@_kernel
def _unpack_row(
    packed: Bytes, table: NDArray[np.uint32], words: NDArray[np.uint32], text: Bytes
) -> None:
    letters = words.view(np.uint8)
    for start in range(0, text.size, _BLOCK):
        n = min(_BLOCK, text.size - start)
        block = packed[start // 4 : start // 4 + (n + 3) // 4]
        for i in range(block.size):
            words[i] = table[block[i]]
        text[start : start + n] = letters[:n]


@_kernel
def _lower(text: Bytes) -> None:
    for i in range(text.size):
        letter = (text[i] >= 65) & (text[i] <= 90)
        text[i] |= np.uint8(np.uint8(letter) << 5)


@_kernel
def _unpack(rows: Packed, offsets: Int64s, text: Bytes) -> None:
    words = np.zeros(_BLOCK // 4, np.uint32)
    for i in range(rows.lengths.size):
        row = text[offsets[i] : offsets[i + 1]]
        _unpack_row(rows.data[rows.starts[i] :], _UNPACKED[np.int64(rows.rna[i])], words, row)
        for j in range(rows.other.first[i], rows.other.first[i + 1]):
            row[rows.other.starts[j] : rows.other.stops[j]] = rows.letters[j]
        for j in range(rows.lower.first[i], rows.lower.first[i + 1]):
            _lower(row[rows.lower.starts[j] : rows.lower.stops[j]])


@_kernel
def _misplaced(runs: Runs, lengths: Int64s) -> int:
    """Return the first row with a run that is empty, out of order or out of its row, or -1."""
    for row in range(lengths.size):
        end = np.int64(0)
        for i in range(runs.first[row], runs.first[row + 1]):
            if runs.starts[i] < end or runs.stops[i] <= runs.starts[i]:
                return row
            end = runs.stops[i]
        if end > lengths[row]:
            return row
    return -1


@_kernel
def _mislettered(rows: Packed) -> int:
    """Return the first row with a run of a letter that bits should say, or of U not on T, or -1."""
    for row in range(rows.lengths.size):
        zero = 4 * rows.starts[row]
        for i in range(rows.other.first[row], rows.other.first[row + 1]):
            letter = rows.letters[i]
            if letter in (65, 67, 71, 84) or 97 <= letter <= 122:
                return row
            if letter == 85:
                if rows.rna[row]:
                    return row
                for base in range(zero + rows.other.starts[i], zero + rows.other.stops[i]):
                    if (rows.data[base >> 2] >> (2 * (base & 3))) & 3:
                        return row
    return -1


def int64s(values: Int64s) -> Int64s:
    """A view of `values` of the one type that the kernels are compiled for."""
    view = np.ascontiguousarray(values, np.int64).view()
    view.flags.writeable = False
    return view


def _runs(runs: Runs) -> Runs:
    return Runs(*map(int64s, runs))


def _check_runs(runs: Runs, lengths: Int64s, name: str) -> None:
    first, starts, stops = runs
    if first.size != lengths.size + 1 or first[0] != 0 or first[-1] != starts.size:
        raise UsageError(f"the runs of {name} must be those of {lengths.size} sequences")
    if (np.diff(first) < 0).any() or starts.shape != stops.shape:
        raise UsageError(f"{name}: first must rise, and starts be as many as stops")
    row = _misplaced(runs, lengths)
    if row >= 0:
        what = "is empty, out of order or leaves the sequence"
        detail = f"row {row}: a run of {name} {what} of {lengths[row]} bases"
        raise BadInput("damaged-packed", detail)


def checked(rows: Packed) -> Packed:
    """Return `rows` as the kernels take them; raise unless no kernel can leave its arrays."""
    lengths, starts = int64s(rows.lengths), int64s(rows.starts)
    if not rows.rna.shape == starts.shape == lengths.shape:
        raise UsageError("starts, lengths and rna must be equally long")
    wrong = np.flatnonzero((lengths < 0) | (lengths > LONGEST))
    if wrong.size:
        detail = f"row {wrong[0]}: a length of {lengths[wrong[0]]} is not in 0 to {LONGEST}"
        raise BadInput("damaged-packed", detail)
    if ((starts < 0) | (starts > rows.data.size - (lengths + 3) // 4)).any():
        raise UsageError(f"a sequence leaves the {rows.data.size} bytes of data")
    other, lower = _runs(rows.other), _runs(rows.lower)
    _check_runs(other, lengths, "letters")
    _check_runs(lower, lengths, "lower case")
    if rows.letters.size != other.starts.size:
        raise UsageError(f"{rows.letters.size} letters of {other.starts.size} runs")
    rna = np.array(rows.rna, np.bool_)
    rows = Packed(_bytes(rows.data), starts, lengths, rna, other, _bytes(rows.letters), lower)
    row = _mislettered(rows)
    if row >= 0:
        detail = f"row {row}: a run of letters contradicts the bases below it"
        raise BadInput("damaged-packed", detail)
    return rows


def pack_spans(data: Bytes, starts: Int64s, stops: Int64s) -> Packed:
    """Pack spans of a byte array; nothing of any byte is lost.

    Parameters
    ----------
    data
        Letters, uint8 of shape ``(byte,)``; may be read-only and is not copied.
    starts, stops
        Half-open spans of `data` in bp, 0-based, int64 of shape ``(span,)``; one whose stop is not
        after its start is an empty sequence.

    Returns
    -------
    Packed
        The sequences one after another, each from a byte of its own. Unused bits are 0.

    Raises
    ------
    UsageError
        If a span leaves `data` or the shapes differ.

    Examples
    --------
    >>> packed = pack_spans(np.frombuffer(b"TCAGNNaa", np.uint8), np.array([0]), np.array([8]))
    >>> packed.data.tolist(), packed.other.starts.tolist(), packed.lower.starts.tolist()
    ([228, 160], [4], [6])
    """
    data, starts, stops = _bytes(data), int64s(starts), int64s(stops)
    _check_inside(data, starts, stops)
    lengths = np.maximum(stops - starts, 0)
    offsets = np.concatenate(([0], np.cumsum((lengths + 3) // 4)))
    packed = np.empty(offsets[-1], np.uint8)
    rna = _pack(data, starts, stops, offsets, packed)
    *other, kinds = _find_runs(data, starts, stops, rna, _LETTERS)
    *lower, _ = _find_runs(data, starts, stops, rna, _LOWER)
    letters = (kinds - 1).astype(np.uint8)
    return Packed(packed, offsets[:-1], lengths, rna, Runs(*other), letters, Runs(*lower))


def unpack_rows(rows: Packed) -> tuple[Bytes, Int64s]:
    """Write packed sequences out as letters, one after another.

    Returns
    -------
    text
        uint8 of shape ``(byte,)``.
    offsets
        Sequence ``i`` is ``text[offsets[i]:offsets[i + 1]]``, int64 of shape ``(sequence + 1,)``.

    Raises
    ------
    BadInput
        Reason ``damaged-packed``, if a run leaves its sequence or contradicts it.
    UsageError
        If the shapes differ or a sequence leaves the data.

    Examples
    --------
    >>> text = np.frombuffer(b"GATTACa-nnnAUG", np.uint8)
    >>> text, offsets = unpack_rows(pack_spans(text, np.array([0, 11]), np.array([11, 14])))
    >>> text.tobytes(), offsets.tolist()
    (b'GATTACa-nnnAUG', [0, 11, 14])
    """
    rows = checked(rows)
    offsets = np.concatenate(([0], np.cumsum(rows.lengths)))
    text = np.empty(offsets[-1], np.uint8)
    _unpack(rows, offsets, text)
    return text, offsets
