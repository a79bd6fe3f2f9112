"""Helixer's predictions along a strand: each row of the file is inflated once."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

from polytene.exceptions import BadInput
from polytene.formats.helixer import CLASSES, Strands, open_h5
from polytene.formats.text import PathLike, printable

Halfs = np.ndarray[Any, np.dtype[np.float16]]
Padding = Literal["end", "start"]


class Predictions:
    """Reads the class probabilities of stretches of a strand; a row that is asked for again next
    is not inflated again.

    Parameters
    ----------
    path
        File of predictions.
    block
        Bases of a row.
    padding
        On which side the last row of a reverse strand is filled up.
    """

    def __init__(self, path: PathLike, block: int, padding: Padding) -> None:
        self.path, self.block, self.padding = path, block, padding
        self._file = open_h5(path)
        self._data = self._file["predictions"]
        self._held: dict[str, tuple[int, Halfs]] = {}
        self.rows_read = 0

    def track(self, strands: Strands, strand: str, first: int, last: int) -> tuple[Halfs, int]:
        """Return the probabilities of some blocks of a sequence, in the direction of the strand.

        Parameters
        ----------
        strands
            Where the rows of the sequence lie.
        strand
            ``+`` or ``-``.
        first, last
            Numbers of the first and the last block along the sequence.

        Returns
        -------
        track
            float16 ``(base, class)``; classes are those of
            :data:`polytene.formats.helixer.CLASSES`.
        edge
            The place that ``track`` begins at: place ``x`` of the sequence is row ``x - edge`` of
            the forward strand, and the base before place ``x`` is row ``edge - x`` of the reverse
            strand.

        Raises
        ------
        BadInput
            ``truncated-hdf5`` if a row cannot be inflated.
        """
        if strand == "+":
            return self._rows("+", strands.plus + first, strands.plus + last, -1, 0), (
                first * self.block
            )
        n_blocks = -(-strands.length // self.block)
        empty = n_blocks * self.block - strands.length
        filled_at_end = strands.minus - (n_blocks - 1) if self.padding == "end" else -1
        rows = self._rows("-", strands.minus - last, strands.minus - first, filled_at_end, empty)
        return rows, (last + 1) * self.block

    def _rows(self, strand: str, low: int, high: int, filled_at_end: int, empty: int) -> Halfs:
        """Return rows as one; a row that is filled up at its end is moved there."""
        out = np.empty((high - low + 1, self.block, len(CLASSES)), np.float16)
        begin, held = self._held.get(strand, (0, out[:0]))
        a, b = max(low, begin), min(high + 1, begin + len(held))
        if a < b:
            out[a - low : b - low] = held[a - begin : b - begin]
        else:
            a = b = high + 1
        for one, two in ((low, a), (b, high + 1)):
            if one < two:
                self._read(out, one, two, low)
                if one <= filled_at_end < two and empty:
                    row = out[filled_at_end - low]
                    row[empty:] = row[: self.block - empty].copy()
        self._held[strand] = low, out
        return out.reshape(-1, len(CLASSES))

    def _read(self, out: Halfs, one: int, two: int, low: int) -> None:
        self.rows_read += two - one
        try:
            self._data.read_direct(out, np.s_[one:two], np.s_[one - low : two - low])
        except OSError as error:
            raise BadInput(
                "truncated-hdf5",
                f"{printable(self.path)}: one of rows {one:,} to {two - 1:,} of the predictions "
                f"cannot be read ({error}): copy the file again, or predict anew",
            ) from None

    def close(self) -> None:
        """Close the file."""
        self._file.close()
