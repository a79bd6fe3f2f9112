"""Bytes of XML one by one: characters, references, names, the declaration; numba."""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

Array = np.ndarray[Any, Any]

njit = numba.njit(nogil=True, cache=True, error_model="numpy")
inline = numba.njit(nogil=True, cache=True, error_model="numpy", inline="always")

PLAIN, MARKUP, REFERENCE, WIDE, BRACKET, RETURN, BAD = 0, 1, 2, 3, 4, 5, 6


def _classes() -> Array:
    out = np.zeros(256, np.uint8)
    out[:32] = BAD
    out[[9, 10]] = PLAIN
    out[13] = RETURN
    out[ord("<")] = MARKUP
    out[ord("&")] = REFERENCE
    out[ord(">")] = BRACKET
    out[128:] = WIDE
    return out


def _name_bytes() -> Array:
    """Return 2 for bytes that may begin a name, 1 for those that may go on in it."""
    out = np.zeros(256, np.uint8)
    out[[*b"-.0123456789"]] = 1
    out[[*b"ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz"]] = 2
    return out


CLASS = _classes()
NAME = _name_bytes()
XSI_URI = np.frombuffer(b"http://www.w3.org/2001/XMLSchema-instance", np.uint8).copy()
XMLNS_XSI = np.frombuffer(b"xmlns:xsi", np.uint8).copy()
XMLNS = np.frombuffer(b"xmlns", np.uint8).copy()


@intrinsic
def copy_bytes(context, target, at, source, start, size):  # type: ignore[no-untyped-def]
    """Copy ``source[start:start + size]`` to ``target[at:]``, at the speed of memcpy."""

    def generate(context, builder, signature, args):  # type: ignore[no-untyped-def]
        target, at, source, start, size = args
        to = context.make_array(signature.args[0])(context, builder, target)
        out_of = context.make_array(signature.args[2])(context, builder, source)
        places = builder.gep(to.data, [at]), builder.gep(out_of.data, [start])
        cgutils.raw_memcpy(builder, *places, size, 1)
        return context.get_dummy_value()

    return types.void(target, types.int64, source, types.int64, types.int64), generate


@intrinsic
def word(context, source, at):  # type: ignore[no-untyped-def]
    """Return the eight bytes at a place as one number."""

    def generate(context, builder, signature, args):  # type: ignore[no-untyped-def]
        source, at = args
        data = context.make_array(signature.args[0])(context, builder, source).data
        wide = ir.IntType(64)
        place = builder.bitcast(builder.gep(data, [at]), wide.as_pointer())
        return builder.load(place, align=1)

    return types.uint64(source, types.int64), generate


ONES = np.uint64(0x0101010101010101)
TOPS = np.uint64(0x8080808080808080)
SPACES = np.uint64(0x2020202020202020)


@inline
def is_plain(eight):  # type: ignore[no-untyped-def]
    """Return whether eight bytes are printable ASCII without ``<``, ``>`` and ``&``."""
    angles = (eight & ~(ONES << np.uint64(1))) ^ (ONES * np.uint64(0x3C))  # < and >
    reference = eight ^ (ONES * np.uint64(0x26))
    found = (angles - ONES) & ~angles
    found |= (reference - ONES) & ~reference
    found |= eight - SPACES  # control characters
    return (found | eight) & TOPS == 0


@inline
def is_space(c):  # type: ignore[no-untyped-def]
    """Return whether a byte is a blank of XML."""
    return c == 32 or c == 10 or c == 9 or c == 13


@njit
def wide(buf, i, end):  # type: ignore[no-untyped-def]
    """Return the length of the UTF-8 sequence at ``i``; 0 where expat would refuse it."""
    a = buf[i]
    left = end - i
    if 0xC2 <= a <= 0xDF:
        return 2 if left > 1 and (buf[i + 1] & 0xC0) == 0x80 else 0
    if 0xE0 <= a <= 0xEF:
        if left < 3 or (buf[i + 1] & 0xC0) != 0x80 or (buf[i + 2] & 0xC0) != 0x80:
            return 0
        b = buf[i + 1]
        if (a == 0xE0 and b < 0xA0) or (a == 0xED and b > 0x9F):
            return 0
        return 0 if a == 0xEF and b == 0xBF and buf[i + 2] > 0xBD else 3
    if 0xF0 <= a <= 0xF4:
        if left < 4:
            return 0
        for k in range(1, 4):
            if (buf[i + k] & 0xC0) != 0x80:
                return 0
        b = buf[i + 1]
        return 0 if (a == 0xF0 and b < 0x90) or (a == 0xF4 and b > 0x8F) else 4
    return 0


@njit
def reference(buf, i, end):  # type: ignore[no-untyped-def]
    """Return the code point of the reference at ``i`` and where it ends; -1 for any other."""
    j = i + 1
    while j < end and j - i < 12 and buf[j] != 59:
        j += 1
    if j >= end or buf[j] != 59:
        return -1, i
    n = j - i - 1
    a = buf[i + 1]
    if a == 35:
        code = 0
        if n > 2 and buf[i + 2] == 120:
            for k in range(i + 3, j):
                c = buf[k] | 32
                if 48 <= buf[k] <= 57:
                    code = code * 16 + buf[k] - 48
                elif 97 <= c <= 102:
                    code = code * 16 + c - 87
                else:
                    return -1, i
        elif n > 1:
            for k in range(i + 2, j):
                if not 48 <= buf[k] <= 57:
                    return -1, i
                code = code * 10 + buf[k] - 48
        else:
            return -1, i
        low = code < 32 and code != 9 and code != 10 and code != 13
        if low or 0xD800 <= code <= 0xDFFF or code > 0x10FFFF or 0xFFFE <= code <= 0xFFFF:
            return -1, i
        return code, j + 1
    if n == 3 and a == 97 and buf[i + 2] == 109 and buf[i + 3] == 112:
        return 38, j + 1
    if n == 2 and buf[i + 2] == 116:
        if a == 108:
            return 60, j + 1
        if a == 103:
            return 62, j + 1
    if n == 4:
        b, c, d = buf[i + 2], buf[i + 3], buf[i + 4]
        if a == 113 and b == 117 and c == 111 and d == 116:
            return 34, j + 1
        if a == 97 and b == 112 and c == 111 and d == 115:
            return 39, j + 1
    return -1, i


@njit
def put(code, text, t):  # type: ignore[no-untyped-def]
    """Write a code point as UTF-8; return where it ends."""
    if code < 0x80:
        text[t] = code
        return t + 1
    if code < 0x800:
        text[t] = 0xC0 | (code >> 6)
        text[t + 1] = 0x80 | (code & 63)
        return t + 2
    if code < 0x10000:
        text[t] = 0xE0 | (code >> 12)
        text[t + 1] = 0x80 | ((code >> 6) & 63)
        text[t + 2] = 0x80 | (code & 63)
        return t + 3
    text[t] = 0xF0 | (code >> 18)
    text[t + 1] = 0x80 | ((code >> 12) & 63)
    text[t + 2] = 0x80 | ((code >> 6) & 63)
    text[t + 3] = 0x80 | (code & 63)
    return t + 4


@njit
def copy(buf, s, e, careful, attribute, text, t):  # type: ignore[no-untyped-def]
    """Copy a value without the blanks around it; return where it ends in ``text``."""
    start = t
    if not careful:
        while s < e and is_space(buf[s]):
            s += 1
        while e > s and is_space(buf[e - 1]):
            e -= 1
        copy_bytes(text, t, buf, s, e - s)
        return t + e - s
    i = s
    while i < e:
        c = buf[i]
        if c == 38:
            code, i = reference(buf, i, e)
            if t > start or not is_space(code):
                t = put(code, text, t)
            continue
        i += 1
        if c == 13:
            if i < e and buf[i] == 10:
                continue
            c = np.uint8(10)
        if attribute and (c == 10 or c == 9):
            c = np.uint8(32)
        if t > start or not is_space(c):
            text[t] = c
            t += 1
    while t > start and is_space(text[t - 1]):
        t -= 1
    return t


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
