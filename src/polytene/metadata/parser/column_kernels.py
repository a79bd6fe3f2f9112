"""Values to columns, and accessions to buckets; numba."""

from __future__ import annotations

import numpy as np

from polytene.metadata.parser.characters import copy_bytes, njit


@njit
def gather(text, starts, ends, chosen, offsets, out, valid):  # type: ignore[no-untyped-def]
    """Copy the chosen values one after the other; -1 stands for none. Return the bytes."""
    o = 0
    for row in range(chosen.size):
        k = chosen[row]
        offsets[row] = o
        valid[row] = k >= 0
        if k >= 0:
            size = ends[k] - starts[k]
            copy_bytes(out, o, text, starts[k], size)
            o += size
    offsets[chosen.size] = o
    return o


@njit
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


@njit
def buckets(offsets, data, out):  # type: ignore[no-untyped-def]
    """Fill ``out`` with a hash of each string, 0 to 4095 (FNV-1a, folded)."""
    for row in range(out.size):
        mark = np.uint64(14695981039346656037)
        for i in range(offsets[row], offsets[row + 1]):
            mark = (mark ^ np.uint64(data[i])) * np.uint64(1099511628211)
        mark ^= mark >> np.uint64(32)
        mark ^= mark >> np.uint64(16)
        out[row] = (mark ^ (mark >> np.uint64(12))) & np.uint64(4095)
