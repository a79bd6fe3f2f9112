"""Sort more records than fit in memory."""

from __future__ import annotations

import heapq
import struct
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO

BUDGET = 48 << 20
RECORD_BYTES = 300  # a key and its payload as Python objects, beside the payload's bytes
FAN_IN = 64
_HEAD = struct.Struct("<qqqI")

Key = tuple[int, int, int]
Record = tuple[Key, bytes]


class Sorter:
    """Takes records in any order and gives them sorted by key, those of equal keys by payload.

    Parameters
    ----------
    folder
        Where records wait on disk, in files without a name, once they are more than ``budget``.
    budget
        Bytes of memory that records may take.

    Examples
    --------
    >>> sorter = Sorter(Path("."))
    >>> for key, payload in [((1, 5, 0), b"b"), ((0, 9, 0), b"a")]:
    ...     sorter.add(key, payload)
    >>> [payload for _, payload in sorter]
    [b'a', b'b']
    """

    def __init__(self, folder: Path, budget: int = BUDGET) -> None:
        self._folder, self._budget = folder, budget
        self._held: list[Record] = []
        self._held_bytes = 0
        self._runs: list[IO[bytes]] = []

    def add(self, key: Key, payload: bytes) -> None:
        """Take a record."""
        self._held.append((key, payload))
        self._held_bytes += len(payload) + RECORD_BYTES
        if self._held_bytes > self._budget:
            self._spill(self._sorted())

    def __iter__(self) -> Iterator[Record]:
        if not self._runs:
            return iter(self._sorted())
        self._spill(self._sorted())
        return _merge(self._runs)

    def _sorted(self) -> list[Record]:
        self._held.sort()
        held, self._held, self._held_bytes = self._held, [], 0
        return held

    def _spill(self, records: Iterable[Record]) -> None:
        if len(self._runs) == FAN_IN:
            whole = self._write(_merge(self._runs))
            for run in self._runs:
                run.close()
            self._runs = [whole]
        self._runs.append(self._write(records))

    def _write(self, records: Iterable[Record]) -> IO[bytes]:
        run = tempfile.TemporaryFile(dir=self._folder, prefix=".polytene-")  # noqa: SIM115
        for key, payload in records:
            run.write(_HEAD.pack(*key, len(payload)))
            run.write(payload)
        return run


def _merge(runs: list[IO[bytes]]) -> Iterator[Record]:
    return heapq.merge(*map(_read, runs))


def _read(run: IO[bytes]) -> Iterator[Record]:
    run.seek(0)
    while head := run.read(_HEAD.size):
        rank, start, end, size = _HEAD.unpack(head)
        yield (rank, start, end), run.read(size)
