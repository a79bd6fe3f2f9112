"""Documents to events: the fast scanner, and expat for whatever is odd."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

import numpy as np

from polytene.exceptions import BadInput, UsageError
from polytene.metadata.parser import expat, kernels
from polytene.metadata.parser.characters import fixed
from polytene.metadata.parser.events import Events, Recorder, join
from polytene.metadata.parser.machine import ANY_KIND

Array = np.ndarray[Any, Any]
Engine = Literal["auto", "numba", "python"]


@dataclass(frozen=True)
class Documents:
    """Some documents, one after the other.

    Parameters
    ----------
    names
        What each is called; errors name it so.
    kinds
        Number of the kind that its name promises, int8; -1 where any will do.
    submissions
        Accession of the submission that each belongs to; None where the document has to say.
    data
        Their bytes, uint8.
    starts, stops
        Where each lies in ``data``, int64.
    """

    names: Sequence[str]
    kinds: Array
    submissions: Sequence[str | None]
    data: Array
    starts: Array
    stops: Array

    def __len__(self) -> int:
        return len(self.names)

    def bytes_of(self, i: int) -> bytes:
        """Return the bytes of one document."""
        return self.data[self.starts[i] : self.stops[i]].tobytes()


@dataclass(frozen=True)
class Refused:
    """A document that cannot be used, and how many of its records were salvaged."""

    document: int
    reason: str
    detail: str
    salvaged: int = 0


@dataclass(frozen=True)
class Parsed:
    """What documents hold.

    Parameters
    ----------
    events
        The values of the documents that could be used.
    refused
        Those that could not.
    slow
        How many documents expat had to read.
    """

    events: Events
    refused: list[Refused] = field(default_factory=list)
    slow: int = 0


def check_engine(engine: str) -> None:
    """Refuse what is no engine.

    Raises
    ------
    UsageError
        If it is none of ``auto``, ``numba`` and ``python``.
    """
    if engine not in get_args(Engine):
        raise UsageError(f"engine is {engine!r}: 'auto', 'numba' or 'python'")


def parse(documents: Documents, engine: Engine = "auto", *, salvage: bool = False) -> Parsed:
    """Return the values of all documents.

    The answer does not depend on the engine: ``python`` reads everything with expat, ``auto`` and
    ``numba`` read with the scanner what it takes, and the rest with expat.

    Parameters
    ----------
    salvage
        Keep the complete records of documents that break off or go wrong further down.
    """
    if engine == "python":
        return _slowly(documents, range(len(documents)), salvage)
    fast, status = _scan(documents)
    odd = np.flatnonzero(status != kernels.TAKEN)
    if not len(odd):
        return Parsed(fast)
    slow = _slowly(documents, odd.tolist(), salvage)
    return Parsed(join([fast, slow.events]), slow.refused, slow.slow)


def parse_bytes(data: bytes, *, kind: int = ANY_KIND, engine: Engine = "auto") -> Parsed:
    """Return the values of one document."""
    starts, stops = np.zeros(1, np.int64), np.array([len(data)], np.int64)
    buffer = np.frombuffer(data, np.uint8)
    documents = Documents(["document"], np.array([kind], np.int8), [None], buffer, starts, stops)
    return parse(documents, engine)


def _scan(documents: Documents) -> tuple[Events, Array]:
    status = np.zeros(len(documents), np.int8)
    filled = kernels.room(int((documents.stops - documents.starts).sum()))
    n, r = kernels.scan(
        fixed(documents.data),
        fixed(documents.starts),
        fixed(documents.stops),
        fixed(documents.kinds),
        kernels.tables(),
        status,
        *filled,
    )
    field_, record, ends, text, kinds, docs = filled
    size = int(ends[n - 1]) if n else 0
    return Events(field_[:n], record[:n], ends[:n], text[:size], kinds[:r], docs[:r]), status


def _slowly(documents: Documents, which: Sequence[int], salvage: bool) -> Parsed:
    recorder = Recorder()
    refused = []
    for i in which:
        data, name, kind = documents.bytes_of(i), documents.names[i], int(documents.kinds[i])
        try:
            expat.read(data, name, kind, i, recorder)
        except BadInput as error:
            kept = expat.salvage(data, name, kind, i, recorder) if salvage else 0
            refused.append(Refused(i, error.reason, error.detail, kept))
    return Parsed(recorder.events(), refused, len(which))
