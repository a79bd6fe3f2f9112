"""The lines of a piece of GFF3 as numbers: what each is, where it lies, which names it has."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numba
import numpy as np

from polytene.formats.gff3_bytes import (
    COMMA,
    CR,
    HASH_SIGN,
    SEMICOLON,
    SPACE,
    TAB,
    line_end,
    number,
    tab_after,
)

Ints = np.ndarray[Any, np.dtype[np.int64]]

BEGIN, STOP, KIND, SEQ_END, TYPE, TYPE_END, START, END, STRAND, NAMES = range(10)
LINE, FIRST, LAST, ROLE = range(4)
BLANK, FEATURE, COMMENT, DIRECTIVE, CLOSED = range(5)
COLUMNS, PLACE, GTF = -1, -2, -3
ID, PARENT, DERIVES = range(3)
_TAGS = np.frombuffer(b"ID=Parent=Derives_from=", np.uint8)
_TAG_ENDS = np.array([0, 3, 10, 23])


@dataclass(frozen=True, eq=False)
class Lines:
    """Lines of a text, in order.

    Parameters
    ----------
    text
        The bytes, uint8; they end with a newline.
    lines
        int64 ``(line, 10)``: first byte and first byte behind it, kind, end of column 1, first
        byte and end of column 3, place (0-based and half-open), byte of column 7 if it has one
        character, and the first of its names.
    names
        int64 ``(name, 4)``: line, first byte, end, and role of each ID, Parent and Derives_from.
    """

    text: Any
    lines: Ints
    names: Ints


def read_lines(text: bytes) -> Lines:
    r"""Return the lines of a text that ends with a newline; wrong ones have a negative kind.

    Examples
    --------
    >>> found = read_lines(b"#x\nchr1\t.\tgene\t11\t20\t.\t+\t.\tID=g\n")
    >>> found.lines[1, [KIND, START, END]].tolist(), found.names.tolist()
    ([1, 10, 20], [[1, 30, 31, 0]])
    """
    array = np.frombuffer(text, np.uint8)
    words = np.frombuffer(text, np.uint64, len(text) // 8)
    lines = np.empty((text.count(b"\n"), 10), np.int64)
    names = np.empty((text.count(b"=") + text.count(b","), 4), np.int64)
    return Lines(array, lines, names[: _scan(array, words, lines, names)])


@numba.njit(nogil=True, cache=True, error_model="numpy")  # type: ignore[untyped-decorator, unused-ignore]
def _scan(b: Any, words: Any, lines: Any, names: Any) -> Any:
    """Fill the tables; return the number of names."""
    m = 0
    at = np.int64(0)
    for n in range(lines.shape[0]):
        end = line_end(b, words, at)
        row = lines[n]
        row[BEGIN], row[STOP], row[NAMES] = at, end + 1, m
        first = at
        while first < end and (b[first] == SPACE or b[first] == TAB or b[first] == CR):
            first += 1
        if b[at] == HASH_SIGN:
            row[KIND] = _mark(b, at)
        elif first == end:
            row[KIND] = BLANK
        else:
            m = _feature(b, at, end, n, row, names, m)
        at = end + 1
    return m


@numba.njit(nogil=True, cache=True, error_model="numpy")  # type: ignore[untyped-decorator, unused-ignore]
def _mark(b: Any, at: Any) -> Any:
    if b[at + 1] != HASH_SIGN:
        return COMMENT
    return CLOSED if b[at + 2] == HASH_SIGN else DIRECTIVE


@numba.njit(nogil=True, cache=True, error_model="numpy")  # type: ignore[untyped-decorator, unused-ignore]
def _feature(b: Any, at: Any, end: Any, n: Any, row: Any, names: Any, m: Any) -> Any:
    """Fill the row of a feature, and the rows of its names; return the number of names."""
    row[KIND] = FEATURE
    row[SEQ_END] = tab_after(b, at)
    row[TYPE] = tab_after(b, min(row[SEQ_END] + 1, end)) + 1
    row[TYPE_END] = tab_after(b, min(row[TYPE], end))
    one = tab_after(b, min(row[TYPE_END] + 1, end))
    two = tab_after(b, min(one + 1, end))
    score = tab_after(b, min(two + 1, end))
    strand = tab_after(b, min(score + 1, end))
    phase = tab_after(b, min(strand + 1, end))
    if phase >= end or tab_after(b, phase + 1) < end:
        row[KIND] = COLUMNS
        return m
    row[START], row[END] = number(b, row[TYPE_END] + 1, one) - 1, number(b, one + 1, two)
    row[STRAND] = b[score + 1] if strand == score + 2 else 0
    if row[START] < 0 or row[END] <= row[START]:
        row[KIND] = PLACE
        return m
    stop = end
    while stop > phase and b[stop - 1] == CR:
        stop -= 1
    if _is_gtf(b, phase + 1, stop):
        row[KIND] = GTF
        return m
    return _names(b, phase + 1, stop, n, names, m)


@numba.njit(nogil=True, cache=True, error_model="numpy")  # type: ignore[untyped-decorator, unused-ignore]
def _is_gtf(b: Any, at: Any, stop: Any) -> Any:
    """Whether attributes begin with a word, a space and a quote."""
    while at < stop and b[at] == SPACE:
        at += 1
    begin = at
    while at < stop and (b[at] == 95 or 48 <= b[at] <= 57 or 65 <= (b[at] & 0xDF) <= 90):
        at += 1
    return at > begin and at + 1 < stop and b[at] == SPACE and b[at + 1] == 34


@numba.njit(nogil=True, cache=True, error_model="numpy")  # type: ignore[untyped-decorator, unused-ignore]
def _names(b: Any, at: Any, stop: Any, n: Any, names: Any, m: Any) -> Any:
    """Take the names of a column of attributes."""
    while at < stop:
        while at < stop and b[at] == SPACE:
            at += 1
        role = _role(b, at, stop)
        last = at
        while last < stop and b[last] != SEMICOLON:
            last += 1
        if role >= 0:
            at += _TAG_ENDS[role + 1] - _TAG_ENDS[role]
            while at <= last:
                next_at = last
                if role != ID:
                    next_at = at
                    while next_at < last and b[next_at] != COMMA:
                        next_at += 1
                first, end = at, next_at
                while first < end and b[first] == SPACE:
                    first += 1
                while end > first and b[end - 1] == SPACE:
                    end -= 1
                if end > first:
                    names[m, LINE], names[m, ROLE] = n, role
                    names[m, FIRST], names[m, LAST] = first, end
                    m += 1
                at = next_at + 1
        at = last + 1
    return m


@numba.njit(nogil=True, cache=True, error_model="numpy")  # type: ignore[untyped-decorator, unused-ignore]
def _role(b: Any, at: Any, stop: Any) -> Any:
    for role in range(3):
        begin, size = _TAG_ENDS[role], _TAG_ENDS[role + 1] - _TAG_ENDS[role]
        if at + size > stop:
            continue
        i = 0
        while i < size and b[at + i] == _TAGS[begin + i]:
            i += 1
        if i == size:
            return role
    return -1
