"""The rows of a batch, a slice of them in memory at a time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from polytene.codons.arrays import spans
from polytene.codons.device import Counters, Device, counters
from polytene.codons.groups import WIDTH
from polytene.codons.kernels import Int64s, Softmask, count_spans
from polytene.codons.packed.columns import PACKED, count_packed, unpack, unpack_tail
from polytene.codons.plan import CODING_COLUMNS, Batch
from polytene.codons.sample import hash_ids
from polytene.codons.sets.files import (
    check_column_type,
    check_group_type,
    check_numbers,
    string_column,
)
from polytene.codons.splits import COLUMNS as PLACE
from polytene.codons.splits import Bools, Place, seams
from polytene.exceptions import BadInput, Rejected
from polytene.formats.parquet import kind_of_column, open_parquet, read_slices

OPTIONAL = ("seq_id", "length", "transl_table", *PLACE)


@dataclass
class Slice:
    """Some consecutive rows, with their bases as text or packed.

    Parameters
    ----------
    data
        The rows.
    place
        Where they lie in their sequences.
    row
        Number of the first of them in its file.
    drawn
        Which of them belong to the sample; None: all.
    rejected
        Those that hold no sequence, or not the one that their columns tell of.
    kernels
        What counts them.
    """

    data: pa.RecordBatch
    place: Place
    row: int
    drawn: Bools | None
    rejected: list[Rejected]
    kernels: Counters

    @property
    def packed(self) -> bool:
        """Whether the bases are packed."""
        return "sequence" not in self.data.schema.names

    @cached_property
    def sequence(self) -> pa.Array:
        """The bases as text."""
        return unpack(self.data, pa.large_binary()) if self.packed else self.data.column("sequence")

    def tail(self, i: int, start: int) -> bytes:
        """Return the bases of a row from one on."""
        if self.packed:
            return unpack_tail(self.data.slice(i, 1), start)
        bases, first, stop = spans(self.sequence.slice(i, 1))
        return bases[first[0] + start : stop[0]].tobytes()

    def seams(self, frame: int, codons: int = 1) -> Iterator[tuple[int, bytes]]:
        """Yield the rows that a cut ends; see :func:`polytene.codons.splits.seams`."""
        if not self.place.last.all():
            after = self.data.column("after")
            yield from seams(after, self.tail, self.place, frame, codons)

    @property
    def usable(self) -> Bools:
        """Rows that are drawn and not rejected."""
        use = np.ones(self.data.num_rows, bool) if self.drawn is None else self.drawn.copy()
        use[[number_of(r) - self.row for r in self.rejected]] = False
        return use

    def count(self, skip: Int64s, softmask: Softmask) -> Int64s:
        """Count the codons of each usable row from ``skip`` bases on, shape ``(row, 65)``."""
        use = self.usable
        if not self.packed or self.kernels.count_spans is not count_spans:
            bases, first, stop = spans(self.sequence)
            where = (first + skip, np.where(use, stop, first))
            counted: Int64s = self.kernels.count_spans(bases, *where, softmask=softmask)
            return counted
        if use.all():
            return count_packed(self.data, skip, softmask=softmask)
        counts = np.zeros((len(use), WIDTH), np.int64)
        counts[use] = count_packed(self.data.filter(pa.array(use)), skip[use], softmask=softmask)
        return counts

    def name(self, i: int) -> str:
        """Return what the list of rejected rows calls a row."""
        seq_id = string_column(self.data.slice(i, 1), "seq_id")[0]
        row = f"row {self.row + i}"
        return row if seq_id is None else f"{seq_id} {row}"


def number_of(rejected: Rejected) -> int:
    """Return the number of a rejected row in its file."""
    return int(rejected.item.rpartition(" ")[2])


class Reader:
    """Reads the rows of a batch, and checks at the end that it saw what was planned.

    Parameters
    ----------
    batch
        The batch.
    by, by_kind
        Column of the groups, and what it holds in most files.
    limit
        With a sample: the largest hash in it, in hexadecimal digits.
    coding
        Whether coding sequences are counted, which know some columns themselves.
    device
        Where codons are counted.
    """

    def __init__(
        self,
        batch: Batch,
        *,
        by: str,
        by_kind: str | None,
        limit: str | None,
        coding: bool,
        device: Device = "cpu",
    ) -> None:
        self.batch, self.kernels = batch, counters(device)
        self.sampler = _Sampler(limit, batch.ties)
        self.columns = _columns(batch, by, limit is not None, coding, by_kind)
        self.rows = self.nbytes = 0

    @property
    def seen(self) -> int:
        """Rows that were read or, with a sample, drawn."""
        return self.rows if self.sampler.rows is None else self.sampler.rows

    def __iter__(self) -> Iterator[Slice]:
        batch = self.batch
        length = "length" if "length" in self.columns else None
        groups = range(batch.first, batch.stop)
        for data in read_slices(batch.path, groups, self.columns, length=length):
            row = batch.row + self.rows
            self.rows += data.num_rows
            self.nbytes += data.nbytes
            yield self._slice(_without_views(data), row)
            del data  # else two slices are held while the next one is decoded
        if self.rows != batch.rows or self.sampler.rows not in (None, batch.drawn):
            detail = f"{batch.path}: {self.rows} rows where {batch.rows} were planned"
            raise BadInput("rows-differ", detail)

    def _slice(self, data: pa.RecordBatch, row: int) -> Slice:
        place = Place.of(data, _lengths(data), self.batch.path)
        found = Slice(data, place, row, self.sampler(data), [], self.kernels)
        found.rejected += _unusable(found)
        return found


def _columns(batch: Batch, by: str, sampled: bool, coding: bool, by_kind: str | None) -> list[str]:
    with open_parquet(batch.path) as file:
        schema = file.schema_arrow
    for name in ("length", "transl_table"):
        if name in schema.names:
            check_numbers(schema.field(name).type, batch.path, name)
    if by in schema.names:
        check_group_type(schema.field(by).type, batch.path, by)
        if (kind := kind_of_column(schema.field(by).type)) != (by_kind or kind):
            detail = f"{batch.path}: column {by!r} holds {kind}, in most files {by_kind}"
            raise BadInput("wrong-type", detail)
    if "sequence" in schema.names:
        check_column_type(schema.field("sequence").type, batch.path, "sequence")
    cut = set(PLACE) <= set(schema.names)
    optional = [c for c in OPTIONAL if c in schema.names and (cut or c not in PLACE)]
    packed = "sequence" not in schema.names and "seq2" in schema.names
    wanted = [*(PACKED.names if packed else ["sequence"]), *optional]
    wanted = list(dict.fromkeys(wanted))
    inside = by == "none" or by in wanted or (coding and by in CODING_COLUMNS)
    if sampled and "seq_id" not in wanted:
        wanted.append("seq_id")
    return wanted if inside else [*wanted, by]


class _Sampler:
    """Picks the rows of the sample: those below the limit, and the first few at it."""

    def __init__(self, limit: str | None, ties: int) -> None:
        self.limit = None if limit is None else np.uint64(int(limit, 16))
        self.ties = ties
        self.rows: int | None = None if limit is None else 0

    def __call__(self, data: pa.RecordBatch) -> Bools | None:
        if self.limit is None or self.rows is None:
            return None
        hashes = hash_ids(data.column("seq_id"))
        keep: Bools = hashes < self.limit
        at = np.flatnonzero(hashes == self.limit)[: self.ties]
        keep[at] = True
        self.ties -= len(at)
        self.rows += int(keep.sum())
        return keep


def _unusable(rows: Slice) -> Iterator[Rejected]:
    """Yield the rows that hold no sequence, or not the one that their length tells of."""
    data, sizes = rows.data, rows.place.size
    said = data.column("length") if "length" in data.schema.names else None
    bases = data.column("seq2" if rows.packed else "sequence")
    null = bases.is_null().to_numpy(zero_copy_only=False)
    wrong = null | (sizes == 0)
    told = sizes
    if said is not None:
        known = ~pc.is_null(said, nan_is_null=True).to_numpy(zero_copy_only=False)
        told = said.cast(pa.int64(), safe=False).fill_null(0).to_numpy(zero_copy_only=False)
        wrong |= known & (told != sizes)
    if rows.drawn is not None:
        wrong &= rows.drawn
    for i in np.flatnonzero(wrong).tolist():
        if null[i]:
            yield Rejected(rows.name(i), "null-sequence", "the sequence is missing")
        elif sizes[i] == 0:
            yield Rejected(rows.name(i), "empty-sequence", "the sequence has no base")
        else:
            detail = f"column length says {told[i]}, the sequence has {sizes[i]} bases"
            yield Rejected(rows.name(i), "length-mismatch", detail)


def _without_views(data: pa.RecordBatch) -> pa.RecordBatch:
    """Return a slice whose columns Arrow can take rows of, which it cannot of views."""
    for i, (name, kind) in enumerate(zip(data.schema.names, data.schema.types, strict=True)):
        if pa.types.is_string_view(kind) or pa.types.is_binary_view(kind):
            large = pa.large_string() if pa.types.is_string_view(kind) else pa.large_binary()
            data = data.set_column(i, name, data.column(i).cast(large))
    return data


def _lengths(data: pa.RecordBatch) -> Int64s:
    if "sequence" not in data.schema.names:
        told = data.column("length").cast(pa.int64()).fill_null(0)
        return told.to_numpy(zero_copy_only=False).astype(np.int64)  # type: ignore[no-any-return]
    _, starts, stops = spans(data.column("sequence"))
    return stops - starts


def codes_of(data: pa.RecordBatch) -> Int64s:
    """Return the genetic code of each row; 0 where it is unknown."""
    if "transl_table" not in data.schema.names:
        return np.zeros(data.num_rows, np.int64)
    column: Any = data.column("transl_table").cast(pa.int64(), safe=False).fill_null(0)
    return column.to_numpy(zero_copy_only=False).astype(np.int64)  # type: ignore[no-any-return]
