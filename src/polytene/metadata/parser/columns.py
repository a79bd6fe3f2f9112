"""Values of a field as an Arrow column, one row per record or per group."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pyarrow as pa

from polytene.metadata.parser import column_kernels
from polytene.metadata.parser.characters import fixed
from polytene.metadata.parser.events import Events

Array = np.ndarray[Any, Any]

_FLOAT = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d{1,3})?").fullmatch


class Values:
    """The values of a run of documents, by field.

    ``chosen`` in its methods holds, per row, the number of the value to take; -1 for none.
    """

    def __init__(self, events: Events) -> None:
        self.events = events
        self.starts = events.starts
        self._texts = (fixed(events.text), fixed(self.starts), fixed(events.ends))
        self._order = np.argsort(events.field, kind="stable")
        last = int(events.field.max()) + 2 if len(events) else 1
        self._cuts = np.searchsorted(events.field[self._order], np.arange(last + 1))

    def of(self, field: int) -> Array:
        """Return the numbers of a field's values, in order."""
        if field + 1 >= len(self._cuts):
            return np.empty(0, np.int64)
        return self._order[self._cuts[field] : self._cuts[field + 1]]

    def strings(self, chosen: Array) -> pa.Array:
        """Return the chosen values as strings."""
        found = chosen[chosen >= 0]
        if not len(found):
            return pa.nulls(len(chosen), pa.string())
        nbytes = int((self.events.ends[found] - self.starts[found]).sum())
        offsets = np.empty(len(chosen) + 1, np.int32)
        out, valid = np.empty(nbytes, np.uint8), np.empty(len(chosen), np.uint8)
        column_kernels.gather(*self._texts, fixed(chosen), offsets, out, valid)
        bits = (
            None
            if len(found) == len(chosen)
            else pa.py_buffer(np.packbits(valid, bitorder="little"))
        )
        buffers = [bits, pa.py_buffer(offsets), pa.py_buffer(out)]
        return pa.StringArray.from_buffers(len(chosen), buffers[1], buffers[2], buffers[0])

    def integers(self, chosen: Array) -> tuple[pa.Array, Array]:
        """Return the chosen values as integers, and which of them are none."""
        values, state = np.empty(len(chosen), np.int64), np.empty(len(chosen), np.uint8)
        column_kernels.integers(*self._texts, fixed(chosen), values, state)
        return pa.array(values, mask=state != 1), state == 2

    def floats(self, chosen: Array) -> tuple[pa.Array, Array]:
        """Return the chosen values as numbers, and which of them are none."""
        texts = self.strings(chosen).to_pylist() if (chosen >= 0).any() else [None] * len(chosen)
        numbers = [float(t) if t and _FLOAT(t) else None for t in texts]
        bad = [t is not None and n is None for t, n in zip(texts, numbers, strict=True)]
        return pa.array(numbers, pa.float64()), np.array(bad, bool)

    def times(self, chosen: Array) -> tuple[pa.Array, Array]:
        """Return the chosen values as UTC times, and which of them are none.

        A time without an offset is taken as UTC.
        """
        texts = self.strings(chosen)
        try:
            return texts.cast(pa.timestamp("us")), np.zeros(len(chosen), bool)
        except pa.ArrowInvalid:
            pass
        times = [_time(t) for t in texts.to_pylist()]
        bad = [t is not None and n is None for t, n in zip(texts.to_pylist(), times, strict=True)]
        return pa.array(times, pa.timestamp("us")), np.array(bad, bool)


def _time(text: str | None) -> datetime | None:
    try:
        found = datetime.fromisoformat(text) if text else None
    except ValueError:
        return None
    if found is None or found.tzinfo is None:
        return found
    return found.astimezone(UTC).replace(tzinfo=None)
