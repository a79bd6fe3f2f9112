"""The coding sequences of a set's file, and their codons."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from polytene.codons.arrays import spans
from polytene.codons.groups import Counted
from polytene.codons.kernels import Bytes, Softmask
from polytene.codons.reading import Slice
from polytene.codons.sets.files import CODING
from polytene.exceptions import BadInput
from polytene.formats.parquet import Footer, read_footer

Int64s = np.ndarray[Any, np.dtype[np.int64]]
NUMBERS = ("row", "starts", "ends", "strands", "codon_start", "transl_table")
COLUMNS = (*NUMBERS, "seq_id", "transl_except")


@dataclass
class Coding:
    """The coding sequences of one file, in the order of its rows."""

    path: str
    table: pa.Table
    rows: Int64s

    @classmethod
    def read(cls, path: str, by: str, sequences: str) -> Coding:
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
        if wrong := _damage(table, read_footer(sequences)):
            raise BadInput("damaged-cds", f"{path}: {wrong}; ingest the set again")
        return cls(path, table, table.column("row").to_numpy())

    def on(self, rows: Slice) -> pa.Table:
        """Return the coding sequences on the usable rows of a slice.

        Raises
        ------
        BadInput
            ``damaged-cds`` if they belong to other sequences.
        """
        a, b = np.searchsorted(self.rows, [rows.row, rows.row + rows.data.num_rows])
        table = self.table.slice(int(a), int(b - a))
        number = table.column("row").to_numpy() - rows.row
        if "seq_id" in rows.data.schema.names:
            ids = pa.chunked_array([rows.data.column("seq_id").take(pa.array(number))])
            if not ids.cast(pa.string()).equals(table.column("seq_id")):
                detail = f"{self.path}: it is of other sequences; ingest the set again"
                raise BadInput("damaged-cds", detail)
        return table.filter(pa.array(rows.usable[number]))


def count_coding(rows: Slice, coding: Coding, by: str, softmask: Softmask) -> Counted:
    """Count the coding sequences on a slice of rows."""
    data, table = rows.data, coding.on(rows)
    number = table.column("row").to_numpy() - rows.row
    pieces = Pieces.of(table)
    starts, ends, bases = pieces.inside(rows, number, coding.path)
    skip = table.column("codon_start").to_numpy().astype(np.int64) - 1
    place = (starts, ends, pieces.strands, pieces.first_piece, skip)
    counts = rows.kernels.count_pieces(bases, *place, softmask=softmask)
    sizes = np.maximum(pieces.sizes - skip, 0)
    completed = _completed(table)
    codes = table.column("transl_table").fill_null(0).to_numpy().astype(np.int64)
    group = _group(data, table, number, by)
    partial = (sizes % 3 > 0) & ~completed
    whole = np.ones(len(sizes), bool)
    return Counted(whole, counts, sizes // 3, partial, codes, group)


def _damage(table: pa.Table, footer: Footer) -> str | None:
    """Return what no ingest would have written, if anything."""
    for name in COLUMNS:
        if table.schema.field(name).type != CODING.field(name).type:
            return f"column {name!r} holds {table.schema.field(name).type}"
    for name in ("row", "seq_id", "starts", "ends", "strands", "codon_start"):
        if table.column(name).null_count:
            return f"column {name!r} has nulls"
    rows = table.column("row").to_numpy()
    if (np.diff(rows) < 0).any():
        return "rows are not in order"
    if len(rows) and not 0 <= rows[0] <= rows[-1] < sum(footer.rows):
        return f"rows {rows[0]} to {rows[-1]} of a file of {sum(footer.rows)}"
    lists = [table.column(n).combine_chunks() for n in ("starts", "ends", "strands")]
    sizes = [x.value_lengths() for x in lists]
    if not (sizes[0].equals(sizes[1]) and sizes[0].equals(sizes[2])):
        return "starts, ends and strands differ in number"
    starts, ends, strands = (x.flatten().to_numpy(zero_copy_only=False) for x in lists)
    codon_start = table.column("codon_start").to_numpy()
    if (starts < 0).any() or (ends < starts).any():
        return "a piece ends before it starts, or starts before its sequence"
    if not np.isin(strands, (-1, 1)).all() or not np.isin(codon_start, (1, 2, 3)).all():
        return "a strand is not 1 or -1, or a codon_start not 1, 2 or 3"
    return None


@dataclass
class Pieces:
    """The pieces of some coding sequences, one after the other."""

    starts: Int64s
    ends: Int64s
    strands: Int64s
    first_piece: Int64s

    @classmethod
    def of(cls, table: pa.Table) -> Pieces:
        """Return the pieces of the rows of a table of coding sequences."""
        lists = [table.column(n).combine_chunks() for n in ("starts", "ends", "strands")]
        starts, ends, strands = (
            x.flatten().to_numpy(zero_copy_only=False).astype(np.int64) for x in lists
        )
        sizes = lists[0].value_lengths().to_numpy(zero_copy_only=False).astype(np.int64)
        first_piece = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
        return cls(starts, ends, strands, first_piece)

    def inside(self, rows: Slice, number: Int64s, path: str) -> tuple[Int64s, Int64s, Bytes]:
        """Return where the pieces lie in the bases of a slice, and those bases.

        ``number`` is the row in the slice of each coding sequence.

        Raises
        ------
        BadInput
            ``damaged-cds`` if a piece leaves its sequence.
        """
        bases, first, stop = spans(rows.sequence)
        owner = np.repeat(number, np.diff(self.first_piece))
        starts, ends = first[owner] + self.starts, first[owner] + self.ends
        if (ends > stop[owner]).any():
            raise BadInput("damaged-cds", f"{path}: a coding sequence leaves its sequence")
        return starts, ends, bases

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
    if by in data.schema.names and by != "transl_table":  # a CDS may have a code of its own
        return data.column(by).take(pa.array(rows))
    return table.column(by).combine_chunks()
