"""Words of XML: names that are known, equal ones, the declaration; numba."""

from __future__ import annotations

import numpy as np

from polytene.metadata.parser.characters import inline, is_space, njit, word

XSI_URI = np.frombuffer(b"http://www.w3.org/2001/XMLSchema-instance", np.uint8).copy()
XMLNS_XSI = np.frombuffer(b"xmlns:xsi", np.uint8).copy()
XMLNS = np.frombuffer(b"xmlns", np.uint8).copy()


@inline
def find(buf, s, e, slots, names, ends):  # type: ignore[no-untyped-def]
    """Return the number of the name ``buf[s:e]``; 0 if it is none of ours."""
    size = e - s
    j = size * 7 + buf[s] * 31 + buf[s + (size >> 1)] * 131 + buf[e - 1] * 557
    j &= slots.size - 1
    while True:
        number = slots[j]
        if number == 0:
            return 0
        o = ends[number - 1]
        if ends[number] - o == e - s:
            fits = True
            for k in range(e - s):
                if names[o + k] != buf[s + k]:
                    fits = False
                    break
            if fits:
                return number
        j = (j + 1) & (slots.size - 1)


@njit
def same(buf, a, b, size):  # type: ignore[no-untyped-def]
    """Return whether the bytes at two places are the same."""
    k = 0
    while k + 8 <= size:
        if word(buf, a + k) != word(buf, b + k):
            return False
        k += 8
    while k < size:
        if buf[a + k] != buf[b + k]:
            return False
        k += 1
    return True


@njit
def equal(buf, s, e, what):  # type: ignore[no-untyped-def]
    """Return whether ``buf[s:e]`` is ``what``."""
    if e - s != what.size:
        return False
    for k in range(what.size):  # noqa: SIM110 - numba has no all()
        if buf[s + k] != what[k]:
            return False
    return True


@njit
def starts_with(buf, i, end, what):  # type: ignore[no-untyped-def]
    """Return whether ``what`` stands at ``i``."""
    return end - i >= what.size and equal(buf, i, i + what.size, what)


_VERSION = np.frombuffer(b"version", np.uint8).copy()
_ENCODING = np.frombuffer(b"encoding", np.uint8).copy()
_ONE = np.frombuffer(b"1.0", np.uint8).copy()
XML = np.frombuffer(b"<?xml", np.uint8).copy()
_UTF8 = np.frombuffer(b"utf-8", np.uint8).copy()


@njit
def literal(buf, i, end, name):  # type: ignore[no-untyped-def]
    """Read ``name = "value"``; return where the value begins and ends, and -1 otherwise."""
    if not starts_with(buf, i, end, name):
        return -1, -1
    i += name.size
    while i < end and is_space(buf[i]):
        i += 1
    if i >= end or buf[i] != 61:
        return -1, -1
    i += 1
    while i < end and is_space(buf[i]):
        i += 1
    if i >= end or (buf[i] != 34 and buf[i] != 39):
        return -1, -1
    quote = buf[i]
    s = i + 1
    i = s
    while i < end and i - s < 12 and buf[i] != quote:
        i += 1
    return (s, i) if i < end and buf[i] == quote else (-1, -1)


@njit
def declaration(buf, i, end):  # type: ignore[no-untyped-def]
    """Return where the XML declaration at ``i`` ends; -1 if it is not a plain one of UTF-8."""
    i += 5
    spaces = i
    while i < end and is_space(buf[i]):
        i += 1
    s, e = literal(buf, i, end, _VERSION)
    if i == spaces or s < 0 or not equal(buf, s, e, _ONE):
        return -1
    i = spaces = e + 1
    while i < end and is_space(buf[i]):
        i += 1
    if i < end and buf[i] == 101:
        s, e = literal(buf, i, end, _ENCODING)
        if i == spaces or s < 0 or e - s != 5:
            return -1
        for k in range(5):
            c = buf[s + k]
            if (c | 32 if c >= 65 else c) != _UTF8[k]:
                return -1
        i = e + 1
        while i < end and is_space(buf[i]):
            i += 1
    if i + 1 >= end or buf[i] != 63 or buf[i + 1] != 62:
        return -1
    return i + 2
