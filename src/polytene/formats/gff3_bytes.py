"""Bytes of GFF3 in kernels: ends of lines and columns, numbers, types."""

from __future__ import annotations

from typing import Any

import numba
import numpy as np

TAB, LF, CR, SPACE, HASH_SIGN, COMMA, SEMICOLON, GREATER = 9, 10, 13, 32, 35, 44, 59, 62
_NEWLINES, _ONES, _HIGH = (np.uint64(int(byte * 8, 16)) for byte in ("0A", "01", "80"))


@numba.njit(nogil=True, cache=True, error_model="numpy")  # type: ignore[untyped-decorator, unused-ignore]
def matches(b: Any, start: int, end: int, types: Any, bounds: Any, suffix: Any) -> Any:
    """Whether some bytes are one of some types, or end as those do that are suffixes."""
    for k in range(suffix.size):
        size = bounds[k + 1] - bounds[k]
        if end - start < size or (end - start > size and not suffix[k]):
            continue
        i = 0
        while i < size and b[end - size + i] == types[bounds[k] + i]:
            i += 1
        if i == size:
            return True
    return False


@numba.njit(nogil=True, cache=True, error_model="numpy")  # type: ignore[untyped-decorator, unused-ignore]
def number(b: Any, start: int, end: int) -> Any:
    """Return a number that is written in digits; -1 if it is none."""
    value = np.int64(0)
    if end <= start or end - start > 15:
        return np.int64(-1)
    for i in range(start, end):
        digit = np.int64(b[i]) - 48
        if digit < 0 or digit > 9:
            return np.int64(-1)
        value = 10 * value + digit
    return value


@numba.njit(nogil=True, cache=True, error_model="numpy")  # type: ignore[untyped-decorator, unused-ignore]
def line_end(b: Any, words: Any, at: Any) -> Any:
    """Return the next newline, eight bytes at a time; there is one at the end of the bytes."""
    while at & 7:
        if b[at] == LF:
            return at
        at += 1
    i = at >> 3
    while i < words.size:
        x = words[i] ^ _NEWLINES
        if (x - _ONES) & ~x & _HIGH:
            break
        i += 1
    at = i << 3
    while b[at] != LF:
        at += 1
    return at


@numba.njit(nogil=True, cache=True, error_model="numpy")  # type: ignore[untyped-decorator, unused-ignore]
def tab_after(b: Any, at: Any) -> Any:
    """Return the next tab, or the newline if that comes first."""
    while b[at] != TAB and b[at] != LF:
        at += 1
    return at


@numba.njit(nogil=True, cache=True, error_model="numpy")  # type: ignore[untyped-decorator, unused-ignore]
def same(b: Any, one: Any, two: Any, size: Any) -> Any:
    """Whether the bytes at two places are equal."""
    i = size - 1
    while i >= 0 and b[one + i] == b[two + i]:
        i -= 1
    return i < 0
