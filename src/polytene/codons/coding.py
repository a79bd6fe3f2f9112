"""The coding sequences of a set's file, and their codons."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from polytene.codons.arrays import spans
from polytene.codons.groups import Counted
from polytene.codons.kernels import Softmask, count_pieces
from polytene.exceptions import BadInput, Rejected

Int64s = np.ndarray[Any, np.dtype[np.int64]]
COLUMNS = ("row", "starts", "ends", "strands", "codon_start", "transl_table", "transl_except")


@dataclass
class Coding:
    """The coding sequences of one file, in the order of its rows."""

    path: str
    table: pa.Table
    rows: Int64s

    @classmethod
    def read(cls, path: str, by: str) -> Coding:
        """Read the file of coding sequences.

        Raises
        ------
        BadInput
            ``damaged-cds`` if it cannot be read or is not such a file.
        """
        try:
            names = pq.read_schema(path).names
            extra = [by] if by in names and by not in COLUMNS else []
            table = pq.read_table(path, columns=[*COLUMNS, *extra], use_threads=False)
        except (OSError, pa.ArrowInvalid, KeyError) as error:
            raise BadInput("damaged-cds", f"{path}: {error}; ingest the set again") from None
        rows = table.column("row").to_numpy()
        if (np.diff(rows) < 0).any():
            raise BadInput("damaged-cds", f"{path}: rows are not in order; ingest the set again")
        return cls(path, table, rows)

    def between(self, start: int, stop: int) -> pa.Table:
        """Return the coding sequences of rows ``start`` to ``stop`` (not included)."""
        a, b = np.searchsorted(self.rows, [start, stop])
        return self.table.slice(int(a), int(b - a))


def count_coding(
    data: pa.RecordBatch,
    start: int,
    coding: Coding,
    by: str,
    softmask: Softmask,
    keep: np.ndarray[Any, np.dtype[np.bool_]] | None,
    bad: set[int],
    rejected: list[Rejected],
) -> Counted:
    """Count the coding sequences of a slice of rows that begins with row ``start`` of the file."""
    table = coding.between(start, start + data.num_rows)
    rows = table.column("row").to_numpy()
    good = np.array([r not in bad for r in rows.tolist()], dtype=bool)
    if keep is not None:
        good &= keep[rows - start]
    table, rows = table.filter(pa.array(good)), rows[good]
    bases, first, stop = spans(data.column("sequence"))
    pieces = _Pieces.of(table)
    owner = np.repeat(rows - start, np.diff(pieces.first_piece))
    starts, ends = first[owner] + pieces.starts, first[owner] + pieces.ends
    if (ends > stop[owner]).any():
        raise BadInput("damaged-cds", f"{coding.path}: a coding sequence leaves its sequence")
    skip = table.column("codon_start").to_numpy().astype(np.int64) - 1
    place = (starts, ends, pieces.strands, pieces.first_piece, skip)
    counts = count_pieces(bases, *place, softmask=softmask)
    sizes = np.maximum(pieces.sizes - skip, 0)
    completed = _completed(table)
    codes = table.column("transl_table").fill_null(0).to_numpy().astype(np.int64)
    group = _group(data, table, rows - start, by)
    return Counted(counts, sizes // 3, (sizes % 3 > 0) & ~completed, codes, group, rejected)


@dataclass
class _Pieces:
    starts: Int64s
    ends: Int64s
    strands: Int64s
    first_piece: Int64s

    @classmethod
    def of(cls, table: pa.Table) -> _Pieces:
        lists = [table.column(n).combine_chunks() for n in ("starts", "ends", "strands")]
        starts, ends, strands = (
            x.flatten().to_numpy(zero_copy_only=False).astype(np.int64) for x in lists
        )
        sizes = lists[0].value_lengths().to_numpy(zero_copy_only=False).astype(np.int64)
        first_piece = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
        return cls(starts, ends, strands, first_piece)

    @property
    def sizes(self) -> Int64s:
        """Bases of each coding sequence."""
        ends = np.concatenate([[0], np.cumsum(self.ends - self.starts)])
        return ends[self.first_piece[1:]] - ends[self.first_piece[:-1]]  # type: ignore[no-any-return]


def _completed(table: pa.Table) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """Whether the record says that the last codon is a stop that polyadenylation completes."""
    notes = table.column("transl_except").to_pylist()
    return np.array([bool(n) and "TERM" in n for n in notes], dtype=bool)


def _group(data: pa.RecordBatch, table: pa.Table, rows: Int64s, by: str) -> pa.Array | None:
    if by == "none":
        return None
    if by in data.schema.names:
        return data.column(by).take(pa.array(rows))
    return table.column(by).combine_chunks()
