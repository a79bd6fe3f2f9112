"""The scanner: one pass over the bytes of many documents, numba.

It takes a strict subset of XML 1.0 and hands everything else over: comments, CDATA, processing
instructions, document types, other encodings, prefixes other than ``xsi``, names beyond ASCII,
elements inside text, whatever is not well-formed. What it takes, it takes as expat does.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from polytene.metadata.parser.characters import (
    BRACKET,
    CLASS,
    MARKUP,
    NAME,
    PLAIN,
    REFERENCE,
    RETURN,
    SPACES,
    WIDE,
    copy,
    copy_bytes,
    is_plain,
    is_space,
    njit,
    reference,
    wide,
    word,
)
from polytene.metadata.parser.machine import ANY_KIND, DEAD, NO_ROOT, OUTSIDE, Tables, machine
from polytene.metadata.parser.words import (
    XML,
    XMLNS,
    XMLNS_XSI,
    XSI_URI,
    declaration,
    equal,
    find,
    same,
    starts_with,
)

Array = np.ndarray[Any, Any]

TAKEN, ODD, FULL = 0, 1, 2
DEEPEST, MOST_ATTRIBUTES = 96, 64


@njit
def _document(buf, i, end, kind, number, m, field, record, ends, text, kinds, docs, n, r):  # type: ignore[no-untyped-def]
    """Scan ``buf[i:end]``; return a status, and how many values and records there are now."""
    n0, r0 = n, r
    t = ends[n - 1] if n else np.int64(0)
    states = np.empty(DEEPEST, np.int16)
    places = np.empty(DEEPEST, np.int64)
    sizes = np.empty(DEEPEST, np.int64)
    begins = np.empty(MOST_ATTRIBUTES, np.int64)
    stops = np.empty(MOST_ATTRIBUTES, np.int64)
    depth = 0
    state = np.int16(OUTSIDE)
    taking = np.int16(-1)
    xsi = closed = False
    if end - i >= 3 and buf[i] == 0xEF and buf[i + 1] == 0xBB and buf[i + 2] == 0xBF:
        i += 3
    if starts_with(buf, i, end, XML):
        i = declaration(buf, i, end)
        if i < 0:
            return ODD, n0, r0
    while i < end:
        c = buf[i]
        if c != 60:  # text
            s = i
            if buf[i] == 10:
                i += 1
            while i + 8 <= end and word(buf, i) == SPACES:
                i += 8
            while i < end and buf[i] == 32:
                i += 1
            if i < end and buf[i] == 60:  # most text is what indents
                continue
            careful = False
            blank = True
            while i < end:
                while i + 8 <= end and is_plain(word(buf, i)):
                    blank &= word(buf, i) == SPACES
                    i += 8
                if i >= end:
                    break
                c = buf[i]
                what = CLASS[c]
                if what == PLAIN:
                    if c > 32:
                        blank = False
                    i += 1
                elif what == MARKUP:
                    break
                elif what == WIDE:
                    step = wide(buf, i, end)
                    if step == 0:
                        return ODD, n0, r0
                    blank = False
                    i += step
                elif what == REFERENCE:
                    code, i = reference(buf, i, end)
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
                after = copy(buf, s, i, careful, False, text, t)
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
            if not same(buf, place, i, size):
                return ODD, n0, r0
            i += size
            while i < end and is_space(buf[i]):
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
        while i < end and NAME[buf[i]]:
            i += 1
        states[depth], places[depth], sizes[depth] = state, s, i - s
        if state != DEAD or depth == 0:
            number_of_name = find(buf, s, i, m.name_slots, m.name_bytes, m.name_ends)
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
                copy_bytes(text, t, buf, s, i - s)
                t += i - s
                field[n], record[n], ends[n] = m.name[state], r - 1, t
                n += 1
            taking = m.text[state]
            wanted = m.has_attributes[state]
        attributes = 0
        while True:
            spaces = i
            while i < end and is_space(buf[i]):
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
            colon = np.int64(0)
            while i < end and (NAME[buf[i]] or buf[i] == 58):
                if buf[i] == 58:
                    if colon:
                        return ODD, n0, r0
                    colon = i
                i += 1
            b = i
            for k in range(attributes):
                if stops[k] - begins[k] == b - a and same(buf, begins[k], a, b - a):
                    return ODD, n0, r0
            begins[attributes], stops[attributes] = a, b
            attributes += 1
            while i < end and is_space(buf[i]):
                i += 1
            if i >= end or buf[i] != 61:
                return ODD, n0, r0
            i += 1
            while i < end and is_space(buf[i]):
                i += 1
            if i >= end or (buf[i] != 34 and buf[i] != 39):
                return ODD, n0, r0
            quote = buf[i]
            i += 1
            v = i
            careful = False
            while i < end and buf[i] != quote:
                what = CLASS[buf[i]]
                if what in (PLAIN, BRACKET):
                    if buf[i] < 32:
                        careful = True
                    i += 1
                elif what == WIDE:
                    step = wide(buf, i, end)
                    if step == 0:
                        return ODD, n0, r0
                    i += step
                elif what == REFERENCE:
                    code, i = reference(buf, i, end)
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
                if equal(buf, a, b, XMLNS_XSI):
                    if depth != 1 or not equal(buf, v, i, XSI_URI):
                        return ODD, n0, r0
                    xsi = True
                elif (
                    not xsi
                    or colon - a != 3
                    or b - colon < 2
                    or NAME[buf[colon + 1]] != 2
                    or buf[a] != 120
                    or buf[a + 1] != 115
                    or buf[a + 2] != 105
                ):
                    return ODD, n0, r0
            elif b - a == 5 and i > v and equal(buf, a, b, XMLNS):
                return ODD, n0, r0
            elif wanted:
                number_of_name = find(
                    buf, a, b, m.attribute_slots, m.attribute_bytes, m.attribute_ends
                )
                if m.attribute[state, number_of_name] >= 0:
                    if n >= field.size or t + i - v > text.size:
                        return FULL, n0, r0
                    after = copy(buf, v, i, careful, True, text, t)
                    if after > t:
                        field[n], record[n], ends[n] = (
                            m.attribute[state, number_of_name],
                            r - 1,
                            after,
                        )
                        n += 1
                        t = after
            i += 1
    if not closed:
        return ODD, n0, r0
    return TAKEN, n, r


@njit
def scan(buf, starts, stops, kind, m, status, field, record, ends, text, kinds, docs):  # type: ignore[no-untyped-def]
    """Scan documents ``buf[starts[k]:stops[k]]``; those that are odd leave nothing.

    Parameters
    ----------
    kind
        Per document: number of the kind that its name promises; -1 where any will do.
    status
        Per document, filled here: ``TAKEN``, ``ODD``, or ``FULL`` where there was no room left.
    field, record, ends, text, kinds, docs
        Filled here, as :class:`polytene.metadata.parser.events.Events` has them.

    Returns
    -------
    values, records : int
    """
    n, r = np.int64(0), np.int64(0)
    for k in range(starts.size):
        status[k], n, r = _document(
            buf, starts[k], stops[k], kind[k], k, m, field, record, ends, text, kinds, docs, n, r
        )
    return n, r


def room(nbytes: int) -> tuple[Array, Array, Array, Array, Array, Array]:
    """Return empty arrays for what so many bytes hold; pages that stay untouched cost nothing."""
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
