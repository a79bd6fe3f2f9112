"""Sequences that are too long for memory: on disk while they are read."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator


class Spilled:
    """Letters in a temporary file that has no name, and ends with this object.

    Parameters
    ----------
    pieces
        The letters so far.

    Examples
    --------
    >>> letters = Spilled([b"ACG", b"T"])
    >>> letters.append(b"TA")
    >>> len(letters), letters[3:5], b"".join(letters.blocks(4))
    (6, b'TT', b'ACGTTA')
    """

    def __init__(self, pieces: list[bytes]) -> None:
        self._file = tempfile.TemporaryFile()  # noqa: SIM115
        self._size = 0
        for piece in pieces:
            self.append(piece)

    def append(self, letters: bytes) -> None:
        """Put letters at the end."""
        self._file.seek(self._size)
        self._file.write(letters)
        self._size += len(letters)

    def __len__(self) -> int:
        return self._size

    def __getitem__(self, place: slice) -> bytes:
        start, stop, step = place.indices(self._size)
        if step != 1:
            raise ValueError("letters are read in their order: leave the step out")
        self._file.seek(start)
        return self._file.read(max(0, stop - start))

    def blocks(self, size: int) -> Iterator[bytes]:
        """Yield the letters, so many at a time."""
        for start in range(0, self._size, size):
            yield self[start : start + size]


Letters = bytes | Spilled


def blocks(letters: Letters, size: int) -> Iterator[bytes]:
    """Yield the letters of a sequence, at most so many at a time, wherever they are."""
    if isinstance(letters, Spilled):
        yield from letters.blocks(size)
    else:
        yield letters
