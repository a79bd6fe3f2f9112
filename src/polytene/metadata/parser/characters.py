"""Bytes of XML one by one: characters and references, and copying them; numba."""

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


def fixed(array: Array) -> Array:
    """Return an input as the kernels know it: none can be written to, so each is compiled once."""
    view = array.view()
    view.flags.writeable = False
    return view


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
