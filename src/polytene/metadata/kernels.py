"""The scanner: one pass over the bytes of many documents, numba.

It takes a strict subset of XML 1.0 and hands everything else over: comments, CDATA, processing
instructions, document types, other encodings, prefixes other than ``xsi``, names beyond ASCII,
elements inside text, whatever is not well-formed. What it takes, it takes as expat does.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np

from polytene.metadata.machine import ANY_KIND, DEAD, NO_ROOT, OUTSIDE, Tables, machine

Array = np.ndarray[Any, Any]

TAKEN, ODD, FULL = 0, 1, 2
DEEPEST, MOST_ATTRIBUTES = 96, 64

_njit = numba.njit(nogil=True, cache=True, error_model="numpy")
_inline = numba.njit(nogil=True, cache=True, error_model="numpy", inline="always")

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


@_inline
def _is_space(c):  # type: ignore[no-untyped-def]
    return c == 32 or c == 10 or c == 9 or c == 13


@_njit
def _wide(buf, i, end):  # type: ignore[no-untyped-def]
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


@_njit
def _reference(buf, i, end):  # type: ignore[no-untyped-def]
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


@_njit
def _put(code, text, t):  # type: ignore[no-untyped-def]
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


@_njit
def _copy(buf, s, e, careful, attribute, text, t):  # type: ignore[no-untyped-def]
    """Copy a value without the blanks around it; return where it ends in ``text``."""
    start = t
    if not careful:
        while s < e and _is_space(buf[s]):
            s += 1
        while e > s and _is_space(buf[e - 1]):
            e -= 1
        for i in range(s, e):
            text[t + i - s] = buf[i]
        return t + e - s
    i = s
    while i < e:
        c = buf[i]
        if c == 38:
            code, i = _reference(buf, i, e)
            if t > start or not _is_space(code):
                t = _put(code, text, t)
            continue
        i += 1
        if c == 13:
            if i < e and buf[i] == 10:
                continue
            c = np.uint8(10)
        if attribute and (c == 10 or c == 9):
            c = np.uint8(32)
        if t > start or not _is_space(c):
            text[t] = c
            t += 1
    while t > start and _is_space(text[t - 1]):
        t -= 1
    return t


@_inline
def _find(buf, s, e, mark, slots, names, ends):  # type: ignore[no-untyped-def]
    """Return the number of the name ``buf[s:e]``; 0 if it is none of ours."""
    j = np.int64(mark) & (slots.size - 1)
    while True:
        number = slots[j]
        if number == 0:
            return 0
        o = ends[number - 1]
        if ends[number] - o == e - s:
            same = True
            for k in range(e - s):
                if names[o + k] != buf[s + k]:
                    same = False
                    break
            if same:
                return number
        j = (j + 1) & (slots.size - 1)


@_njit
def _equal(buf, s, e, what):  # type: ignore[no-untyped-def]
    if e - s != what.size:
        return False
    for k in range(what.size):
        if buf[s + k] != what[k]:
            return False
    return True


@_njit
def _starts_with(buf, i, end, what):  # type: ignore[no-untyped-def]
    return end - i >= what.size and _equal(buf, i, i + what.size, what)


_VERSION = np.frombuffer(b"version", np.uint8).copy()
_ENCODING = np.frombuffer(b"encoding", np.uint8).copy()
_ONE = np.frombuffer(b"1.0", np.uint8).copy()
_XML = np.frombuffer(b"<?xml", np.uint8).copy()
_UTF8 = np.frombuffer(b"utf-8", np.uint8).copy()


@_njit
def _literal(buf, i, end, name):  # type: ignore[no-untyped-def]
    """Read ``name = "value"``; return where the value begins and ends, and -1 otherwise."""
    if not _starts_with(buf, i, end, name):
        return -1, -1
    i += name.size
    while i < end and _is_space(buf[i]):
        i += 1
    if i >= end or buf[i] != 61:
        return -1, -1
    i += 1
    while i < end and _is_space(buf[i]):
        i += 1
    if i >= end or (buf[i] != 34 and buf[i] != 39):
        return -1, -1
    quote = buf[i]
    s = i + 1
    i = s
    while i < end and i - s < 12 and buf[i] != quote:
        i += 1
    return (s, i) if i < end and buf[i] == quote else (-1, -1)


@_njit
def _declaration(buf, i, end):  # type: ignore[no-untyped-def]
    """Return where the XML declaration at ``i`` ends; -1 if it is not a plain one of UTF-8."""
    i += 5
    spaces = i
    while i < end and _is_space(buf[i]):
        i += 1
    s, e = _literal(buf, i, end, _VERSION)
    if i == spaces or s < 0 or not _equal(buf, s, e, _ONE):
        return -1
    i = spaces = e + 1
    while i < end and _is_space(buf[i]):
        i += 1
    if i < end and buf[i] == 101:
        s, e = _literal(buf, i, end, _ENCODING)
        if i == spaces or s < 0 or e - s != 5:
            return -1
        for k in range(5):
            c = buf[s + k]
            if (c | 32 if c >= 65 else c) != _UTF8[k]:
                return -1
        i = e + 1
        while i < end and _is_space(buf[i]):
            i += 1
    if i + 1 >= end or buf[i] != 63 or buf[i + 1] != 62:
        return -1
    return i + 2


@_njit
def _document(buf, i, end, kind, number, m, field, record, ends, text, kinds, docs, n, r):  # type: ignore[no-untyped-def]
    """Scan ``buf[i:end]``; return a status, and how many values and records there are now."""
    n0, r0 = n, r
    t = ends[n - 1] if n else np.int64(0)
    states = np.empty(DEEPEST, np.int16)
    places = np.empty(DEEPEST, np.int64)
    sizes = np.empty(DEEPEST, np.int64)
    hashes = np.empty(MOST_ATTRIBUTES, np.uint32)
    begins = np.empty(MOST_ATTRIBUTES, np.int64)
    stops = np.empty(MOST_ATTRIBUTES, np.int64)
    depth = 0
    state = np.int16(OUTSIDE)
    taking = np.int16(-1)
    xsi = closed = False
    if end - i >= 3 and buf[i] == 0xEF and buf[i + 1] == 0xBB and buf[i + 2] == 0xBF:
        i += 3
    if _starts_with(buf, i, end, _XML):
        i = _declaration(buf, i, end)
        if i < 0:
            return ODD, n0, r0
    while i < end:
        c = buf[i]
        if c != 60:  # text
            s = i
            careful = False
            blank = True
            while i < end:
                c = buf[i]
                what = CLASS[c]
                if what == PLAIN:
                    if c > 32:
                        blank = False
                    i += 1
                elif what == MARKUP:
                    break
                elif what == WIDE:
                    step = _wide(buf, i, end)
                    if step == 0:
                        return ODD, n0, r0
                    blank = False
                    i += step
                elif what == REFERENCE:
                    code, i = _reference(buf, i, end)
                    if code < 0:
                        return ODD, n0, r0
                    careful = True
                    blank = False
                elif what == BRACKET:
                    if i - s >= 2 and buf[i - 1] == 93 and buf[i - 2] == 93:
                        return ODD, n0, r0
                    blank = False
                    i += 1
                elif what == RETURN:
                    careful = True
                    i += 1
                else:
                    return ODD, n0, r0
            if depth == 0:
                if not blank:
                    return ODD, n0, r0
            elif taking >= 0 and not blank:
                if n >= field.size or t + i - s > text.size:
                    return FULL, n0, r0
                after = _copy(buf, s, i, careful, False, text, t)
                if after > t:
                    field[n], record[n], ends[n] = taking, r - 1, after
                    n += 1
                    t = after
            continue
        i += 1
        if i >= end:
            return ODD, n0, r0
        if buf[i] == 47:  # end tag
            i += 1
            if depth == 0:
                return ODD, n0, r0
            depth -= 1
            size = sizes[depth]
            if end - i <= size:
                return ODD, n0, r0
            place = places[depth]
            for k in range(size):
                if buf[place + k] != buf[i + k]:
                    return ODD, n0, r0
            i += size
            while i < end and _is_space(buf[i]):
                i += 1
            if i >= end or buf[i] != 62:
                return ODD, n0, r0
            i += 1
            state = states[depth]
            taking = np.int16(-1)
            closed = depth == 0
            continue
        # start tag; everything that is not one is odd
        if NAME[buf[i]] != 2 or taking >= 0 or closed or depth >= DEEPEST:
            return ODD, n0, r0
        s = i
        mark = np.uint32(2166136261)
        while i < end and NAME[buf[i]]:
            mark = np.uint32((mark ^ np.uint32(buf[i])) * np.uint32(16777619))
            i += 1
        states[depth], places[depth], sizes[depth] = state, s, i - s
        if state != DEAD or depth == 0:
            number_of_name = _find(buf, s, i, mark, m.name_slots, m.name_bytes, m.name_ends)
            if depth == 0:
                promised = m.root[number_of_name]
                if promised == NO_ROOT:
                    return ODD, n0, r0
                if kind != ANY_KIND and promised != ANY_KIND and kind != promised:
                    return ODD, n0, r0
            state = m.step[state, number_of_name]
        depth += 1
        wanted = False
        if state > OUTSIDE:
            if m.starts[state] >= 0:
                if r >= kinds.size:
                    return FULL, n0, r0
                kinds[r], docs[r] = m.starts[state], number
                r += 1
            if m.name[state] >= 0:
                if n >= field.size or t + i - s > text.size:
                    return FULL, n0, r0
                for k in range(s, i):
                    text[t + k - s] = buf[k]
                t += i - s
                field[n], record[n], ends[n] = m.name[state], r - 1, t
                n += 1
            taking = m.text[state]
            wanted = m.has_attributes[state]
        attributes = 0
        while True:
            spaces = i
            while i < end and _is_space(buf[i]):
                i += 1
            if i >= end:
                return ODD, n0, r0
            c = buf[i]
            if c == 62:
                i += 1
                break
            if c == 47:
                if i + 1 >= end or buf[i + 1] != 62:
                    return ODD, n0, r0
                i += 2
                depth -= 1
                state = states[depth]
                taking = np.int16(-1)
                closed = depth == 0
                break
            if spaces == i or NAME[c] != 2 or attributes >= MOST_ATTRIBUTES:
                return ODD, n0, r0
            a = i
            mark = np.uint32(2166136261)
            colon = np.int64(0)
            while i < end and (NAME[buf[i]] or buf[i] == 58):
                if buf[i] == 58:
                    if colon:
                        return ODD, n0, r0
                    colon = i
                mark = np.uint32((mark ^ np.uint32(buf[i])) * np.uint32(16777619))
                i += 1
            b = i
            for k in range(attributes):
                if hashes[k] == mark and stops[k] - begins[k] == b - a:
                    return ODD, n0, r0
            hashes[attributes], begins[attributes], stops[attributes] = mark, a, b
            attributes += 1
            while i < end and _is_space(buf[i]):
                i += 1
            if i >= end or buf[i] != 61:
                return ODD, n0, r0
            i += 1
            while i < end and _is_space(buf[i]):
                i += 1
            if i >= end or (buf[i] != 34 and buf[i] != 39):
                return ODD, n0, r0
            quote = buf[i]
            i += 1
            v = i
            careful = False
            while i < end and buf[i] != quote:
                what = CLASS[buf[i]]
                if what == PLAIN or what == BRACKET:
                    if buf[i] < 32:
                        careful = True
                    i += 1
                elif what == WIDE:
                    step = _wide(buf, i, end)
                    if step == 0:
                        return ODD, n0, r0
                    i += step
                elif what == REFERENCE:
                    code, i = _reference(buf, i, end)
                    if code < 0:
                        return ODD, n0, r0
                    careful = True
                elif what == RETURN:
                    careful = True
                    i += 1
                else:
                    return ODD, n0, r0
            if i >= end:
                return ODD, n0, r0
            if colon:
                if _equal(buf, a, b, XMLNS_XSI):
                    if depth != 1 or not _equal(buf, v, i, XSI_URI):
                        return ODD, n0, r0
                    xsi = True
                elif not xsi or colon - a != 3 or b - colon < 2 or NAME[buf[colon + 1]] != 2:
                    return ODD, n0, r0
                elif buf[a] != 120 or buf[a + 1] != 115 or buf[a + 2] != 105:
                    return ODD, n0, r0
            elif b - a == 5 and i > v and _equal(buf, a, b, XMLNS):
                return ODD, n0, r0
            elif wanted:
                number_of_name = _find(
                    buf, a, b, mark, m.attribute_slots, m.attribute_bytes, m.attribute_ends
                )
                if m.attribute[state, number_of_name] >= 0:
                    if n >= field.size or t + i - v > text.size:
                        return FULL, n0, r0
                    after = _copy(buf, v, i, careful, True, text, t)
                    if after > t:
                        field[n], record[n], ends[n] = m.attribute[state, number_of_name], r - 1, after
                        n += 1
                        t = after
            i += 1
    if not closed:
        return ODD, n0, r0
    return TAKEN, n, r


@_njit
def scan(buf, starts, stops, kind, m, status, field, record, ends, text, kinds, docs):  # type: ignore[no-untyped-def]
    """Scan documents ``buf[starts[k]:stops[k]]``; those that are odd leave nothing.

    Parameters
    ----------
    kind
        Per document: number of the kind that its name promises; -1 where any will do.
    status
        Per document, filled here: ``TAKEN``, ``ODD``, or ``FULL`` where there was no room left.
    field, record, ends, text, kinds, docs
        Filled here, as :class:`polytene.metadata.events.Events` has them.

    Returns
    -------
    values, records : int
    """
    n = r = 0
    for k in range(starts.size):
        status[k], n, r = _document(
            buf, starts[k], stops[k], kind[k], k, m, field, record, ends, text, kinds, docs, n, r
        )
    return n, r


@_njit
def gather(text, starts, ends, chosen, offsets, out, valid):  # type: ignore[no-untyped-def]
    """Copy the chosen values one after the other; -1 stands for none. Return the bytes."""
    o = 0
    for row in range(chosen.size):
        k = chosen[row]
        offsets[row] = o
        valid[row] = k >= 0
        if k >= 0:
            s = starts[k]
            for i in range(ends[k] - s):
                out[o + i] = text[s + i]
            o += ends[k] - s
    offsets[chosen.size] = o
    return o


@_njit
def integers(text, starts, ends, chosen, values, state):  # type: ignore[no-untyped-def]
    """Read the chosen values as decimal integers; ``state``: 0 none, 1 read, 2 no integer."""
    for row in range(chosen.size):
        k = chosen[row]
        values[row] = 0
        state[row] = 0
        if k < 0:
            continue
        s, e = starts[k], ends[k]
        negative = text[s] == 45
        if negative or text[s] == 43:
            s += 1
        state[row] = 1 if 0 < e - s <= 18 else 2
        value = 0
        for i in range(s, e):
            if not 48 <= text[i] <= 57:
                state[row] = 2
                break
            value = value * 10 + text[i] - 48
        if state[row] == 1:
            values[row] = -value if negative else value


@_njit
def buckets(offsets, data, out):  # type: ignore[no-untyped-def]
    """Fill ``out`` with a hash of each string, 0 to 255 (FNV-1a, folded)."""
    for row in range(out.size):
        mark = np.uint64(14695981039346656037)
        for i in range(offsets[row], offsets[row + 1]):
            mark = (mark ^ np.uint64(data[i])) * np.uint64(1099511628211)
        mark ^= mark >> np.uint64(32)
        mark ^= mark >> np.uint64(16)
        out[row] = (mark ^ (mark >> np.uint64(8))) & np.uint64(255)


def room(nbytes: int) -> tuple[Array, Array, Array, Array, Array, Array]:
    """Return empty arrays for what so many bytes of documents hold; untouched pages cost nothing."""
    values, records = nbytes // 12 + 4096, nbytes // 40 + 1024
    return (
        np.empty(values, np.int16),
        np.empty(values, np.int32),
        np.empty(values, np.int64),
        np.empty(nbytes + 16, np.uint8),
        np.empty(records, np.int8),
        np.empty(records, np.int32),
    )


def tables() -> Tables:
    """Return the automaton of the schema."""
    return machine().tables


def warm() -> None:
    """Compile everything, or load it from the cache."""
    from polytene.metadata.parse import parse_bytes

    parse_bytes(b'<RUN_SET><RUN accession="SRR1" size="1"/></RUN_SET>', engine="numba")
