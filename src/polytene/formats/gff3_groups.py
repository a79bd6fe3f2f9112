"""Which features of a GFF3 file belong together: joined by their names between two ``###``."""

from __future__ import annotations

from typing import Any

import numba
import numpy as np

from polytene.formats.gff3_lines import (
    BEGIN,
    CLOSED,
    COMMENT,
    END,
    FEATURE,
    FIRST,
    ID,
    KIND,
    LAST,
    LINE,
    NAMES,
    ROLE,
    START,
    STOP,
    Lines,
)

OF, AT, SIZE = range(3)


def group(found: Lines, begun: bool, held: int, base: int) -> tuple[Any, ...]:
    """Return the groups of the features of a text that ends where ``###`` may stand.

    Parameters
    ----------
    found
        Lines of the text.
    begun
        Whether a feature or ``###`` stood before; comments until then are of the whole file.
    held
        First byte of comments whose feature has not come yet, in the whole file; -1: none.
    base
        First byte of the text in the whole file.

    Returns
    -------
    groups
        int64 ``(group, 3)``: first line, least start and greatest end.
    spans
        int64 ``(span, 3)``: group, first byte in the whole file, and size, in file order.
    head
        Number of lines before the first feature or ``###``.
    begun, held
        As given, after the text.
    lost
        Row of a name that no feature before the next ``###`` has as ID; -1.
    """
    n, m = len(found.lines), len(found.names)
    size = 16
    while size < 2 * m:
        size *= 2
    slots = np.full(size, -1, np.int64)
    groups, spans = np.empty((n, 3), np.int64), np.empty((2 * n + 1, 3), np.int64)
    owners = np.empty(n, np.int64)
    canon = np.empty(m, np.int64)
    n_groups, n_spans, head, begun, held, lost = _group(
        found.text, found.lines, found.names, slots, canon, owners, groups, spans, begun, held, base
    )
    return groups[:n_groups], spans[:n_spans], head, begun, held, lost


@numba.njit(nogil=True, cache=True, error_model="numpy")  # type: ignore[untyped-decorator, unused-ignore]
def _group(
    b: Any,
    lines: Any,
    names: Any,
    slots: Any,
    canon: Any,
    owners: Any,
    groups: Any,
    spans: Any,
    begun: Any,
    held: Any,
    base: Any,
) -> Any:
    n, m = lines.shape[0], names.shape[0]
    above, known = np.arange(m), np.zeros(m, np.bool_)
    of_name = np.full(m, np.int64(-1))
    last_span = np.full(n + 1, np.int64(-1))
    n_groups = n_spans = 0
    head = n if not begun else 0
    section = 0
    while section < n:
        close = section
        while close < n and lines[close, KIND] != CLOSED:
            close += 1
        low = lines[section, NAMES]
        high = lines[close, NAMES] if close < n else m
        _join(b, names, low, high, slots, canon, above, known)
        for j in range(low, high):
            if not known[canon[j]]:
                return n_groups, n_spans, head, begun, held, j
        last = -1
        for i in range(section, close):
            kind = lines[i, KIND]
            if kind == COMMENT and begun and held < 0:
                held = base + lines[i, BEGIN]
            if kind != FEATURE:
                continue
            if not begun:
                begun, head = True, i
            own = lines[i, NAMES]
            owner = n_groups
            if own < (lines[i + 1, NAMES] if i + 1 < n else m):
                top = _top(above, canon[own])
                if of_name[top] < 0:
                    of_name[top] = n_groups
                owner = of_name[top]
            if owner == n_groups:
                groups[owner, 0], groups[owner, 1], groups[owner, 2] = (
                    i, lines[i, START], lines[i, END],
                )  # fmt: skip
                n_groups += 1
            groups[owner, 1] = min(groups[owner, 1], lines[i, START])
            groups[owner, 2] = max(groups[owner, 2], lines[i, END])
            at = held if held >= 0 else base + lines[i, BEGIN]
            n_spans = _extend(spans, last_span, n_spans, owner, at, base + lines[i, STOP])
            held, last = np.int64(-1), owner
        if held >= 0 and last >= 0:
            stop = base + (lines[close, BEGIN] if close < n else lines[n - 1, STOP])
            n_spans = _extend(spans, last_span, n_spans, last, held, stop)
            held = np.int64(-1)
        if close < n and not begun:
            begun, head = True, close
        section = close + 1
    return n_groups, n_spans, head, begun, held, np.int64(-1)


@numba.njit(nogil=True, cache=True, error_model="numpy")  # type: ignore[untyped-decorator, unused-ignore]
def _join(
    b: Any,
    names: Any,
    low: Any,
    high: Any,
    slots: Any,
    canon: Any,
    above: Any,
    known: Any,
) -> None:
    """Join the names of each line of a section; equal names are one, that which came first."""
    mask = slots.size - 1
    for j in range(low, high):
        first, size = names[j, FIRST], names[j, LAST] - names[j, FIRST]
        mark = np.uint64(14695981039346656037)
        for i in range(size):
            mark = (mark ^ np.uint64(b[first + i])) * np.uint64(1099511628211)
        slot = np.int64(mark ^ (mark >> np.uint64(29))) & mask
        while True:
            other = slots[slot]
            if other < low:  # empty, or of a section before
                slots[slot] = j
                canon[j] = j
                break
            if _equal(b, names, other, first, size):
                canon[j] = other
                break
            slot = (slot + 1) & mask
        if names[j, ROLE] == ID:
            known[canon[j]] = True
        if j > low and names[j - 1, LINE] == names[j, LINE]:
            one, two = _top(above, canon[j - 1]), _top(above, canon[j])
            if one != two:
                above[two] = one


@numba.njit(nogil=True, cache=True, error_model="numpy")  # type: ignore[untyped-decorator, unused-ignore]
def _equal(b: Any, names: Any, other: Any, first: Any, size: Any) -> Any:
    at = names[other, FIRST]
    if names[other, LAST] - at != size:
        return False
    i = 0
    while i < size and b[at + i] == b[first + i]:
        i += 1
    return i == size


@numba.njit(nogil=True, cache=True, error_model="numpy")  # type: ignore[untyped-decorator, unused-ignore]
def _top(above: Any, name: Any) -> Any:
    """Return the one name that stands for all that are joined with this one."""
    while above[name] != name:
        above[name] = above[above[name]]
        name = above[name]
    return name


@numba.njit(nogil=True, cache=True, error_model="numpy")  # type: ignore[untyped-decorator, unused-ignore]
def _extend(spans: Any, last_span: Any, n_spans: Any, owner: Any, at: Any, stop: Any) -> Any:
    """Give bytes to a group: to its last span if they follow it, else as a new one."""
    k = last_span[owner]
    if k >= 0 and spans[k, AT] + spans[k, SIZE] == at:
        spans[k, SIZE] = stop - spans[k, AT]
        return n_spans
    spans[n_spans, OF], spans[n_spans, AT], spans[n_spans, SIZE] = owner, at, stop - at
    last_span[owner] = n_spans
    return n_spans + 1
