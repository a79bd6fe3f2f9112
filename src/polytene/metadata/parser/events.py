"""What the parsers find: values of fields, record by record, in the order of the document."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Events:
    """Values found in a run of documents.

    Parameters
    ----------
    field, record
        Per value: number of its field, and of its record; records come in order.
    ends
        Per value: where its text ends in ``text``; it begins where the one before it ends.
    text
        The values as UTF-8, one after the other; none is empty.
    kind, document
        Per record: its kind, and the number of its document.
    """

    field: Array
    record: Array
    ends: Array
    text: Array
    kind: Array
    document: Array

    def __len__(self) -> int:
        return len(self.field)

    @property
    def starts(self) -> Array:
        """Where the text of each value begins."""
        return np.concatenate([np.zeros(1, np.int64), self.ends])[: len(self.ends)]


def join(parts: Sequence[Events]) -> Events:
    """Return the events of several parts as one, in their order."""
    records = np.cumsum([0, *(len(p.kind) for p in parts)])
    texts = np.cumsum([0, *(len(p.text) for p in parts)])
    return Events(
        np.concatenate([p.field for p in parts]),
        np.concatenate([p.record + n for p, n in zip(parts, records, strict=False)]),
        np.concatenate([p.ends + n for p, n in zip(parts, texts, strict=False)]),
        np.concatenate([p.text for p in parts]),
        np.concatenate([p.kind for p in parts]),
        np.concatenate([p.document for p in parts]),
    )


class Recorder:
    """Gathers the values of documents one by one."""

    def __init__(self) -> None:
        self._field: list[int] = []
        self._record: list[int] = []
        self._text: list[bytes] = []
        self._kind: list[int] = []
        self._document: list[int] = []

    def begin(self, kind: int, document: int) -> None:
        """Begin a record."""
        self._kind.append(kind)
        self._document.append(document)

    def add(self, field: int, text: str) -> None:
        """Take a value of the record that began last; blank ones are left out."""
        if data := text.strip(" \t\n\r").encode():
            self._field.append(field)
            self._record.append(len(self._kind) - 1)
            self._text.append(data)

    @property
    def size(self) -> tuple[int, int]:
        """How many values and records there are."""
        return len(self._field), len(self._kind)

    def cut(self, size: tuple[int, int]) -> None:
        """Forget what came after there were so many values and records."""
        values, records = size
        del self._field[values:], self._record[values:], self._text[values:]
        del self._kind[records:], self._document[records:]

    def events(self) -> Events:
        """Return what was gathered."""
        text = b"".join(self._text)
        return Events(
            np.array(self._field, np.int16),
            np.array(self._record, np.int32),
            np.cumsum([len(t) for t in self._text], dtype=np.int64),
            np.frombuffer(text, np.uint8),
            np.array(self._kind, np.int8),
            np.array(self._document, np.int32),
        )
