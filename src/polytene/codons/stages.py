"""What a worker does with a batch: read slices, count, group."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from polytene.codons.arrays import count_array, spans
from polytene.codons.coding import Coding, count_coding
from polytene.codons.groups import NOTHING, Counted, group_rows, merge
from polytene.codons.kernels import AMBIGUOUS, Softmask
from polytene.codons.plan import CODING_COLUMNS, Batch, Mode
from polytene.codons.sample import hash_ids
from polytene.codons.sets import (
    check_column_type,
    check_group_type,
    check_numbers,
    string_column,
)
from polytene.core.stage import Partial
from polytene.exceptions import BadInput, BrokenPromise, Rejected
from polytene.formats.fasta import nucleotide_check
from polytene.formats.parquet import kind_of_column, open_parquet, read_slices

OPTIONAL = ("seq_id", "length", "transl_table")


def count_batch(
    batch: Batch,
    *,
    mode: Mode,
    frame: int,
    by: str,
    softmask: Softmask,
    by_kind: str | None = None,
    limit: str | None = None,
) -> Partial:
    """Count the codons of a batch; one row per group, as :mod:`polytene.codons.groups` has it.

    Raises
    ------
    BadInput
        If the file cannot be read, lacks a column, or holds other rows than its footer says.
    """
    read_coding = batch.cds is not None
    columns = _columns(batch, by, limit is not None, mode == "cds" and read_coding, by_kind)
    coding = Coding.read(batch.cds, by, batch.path) if batch.cds else None
    tables: list[pa.Table] = []
    rejected: list[Rejected] = []
    rows = nbytes = 0
    taken = _Sampler(limit, batch.ties)
    length = "length" if "length" in columns else None
    for data in read_slices(batch.path, range(batch.first, batch.stop), columns, length=length):
        start = batch.row + rows
        rows += data.num_rows
        nbytes += data.nbytes
        data = _without_views(data)
        keep = taken(data)
        counted = _slice(data, start, coding, frame=frame, by=by, softmask=softmask, keep=keep)
        _check(batch, counted)
        rejected += counted.rejected
        tables.append(group_rows(counted))
        del data, counted  # else two slices are held while the next one is decoded
    if rows != batch.rows or taken.rows not in (None, batch.drawn):
        raise BadInput("rows-differ", f"{batch.path}: {rows} rows where {batch.rows} were planned")
    seen = rows if taken.rows is None else taken.rows
    return Partial(merge(tables or [NOTHING]), items=seen, nbytes=nbytes, rejected=rejected)


def _columns(
    batch: Batch, by: str, sampled: bool, by_coding: bool, by_kind: str | None
) -> list[str]:
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
    wanted = ["sequence", *(c for c in OPTIONAL if c in schema.names)]
    inside = by == "none" or by in wanted or (by_coding and by in CODING_COLUMNS)
    if sampled and "seq_id" not in wanted:
        wanted.append("seq_id")
    return wanted if inside else [*wanted, by]


class _Sampler:
    """Picks the rows of the sample: those below the limit, and the first few at it."""

    def __init__(self, limit: str | None, ties: int) -> None:
        self.limit = None if limit is None else np.uint64(int(limit, 16))
        self.ties = ties
        self.rows: int | None = None if limit is None else 0

    def __call__(self, data: pa.RecordBatch) -> np.ndarray[Any, np.dtype[np.bool_]] | None:
        if self.limit is None or self.rows is None:
            return None
        hashes = hash_ids(data.column("seq_id"))
        keep = hashes < self.limit
        at = np.flatnonzero(hashes == self.limit)[: self.ties]
        keep[at] = True
        self.ties -= len(at)
        self.rows += int(keep.sum())
        return keep


def _slice(
    data: pa.RecordBatch,
    start: int,
    coding: Coding | None,
    *,
    frame: int,
    by: str,
    softmask: Softmask,
    keep: np.ndarray[Any, np.dtype[np.bool_]] | None,
) -> Counted:
    if keep is not None and coding is None:
        numbers = np.flatnonzero(keep)
        data = data.take(pa.array(numbers))
    else:
        numbers = np.arange(data.num_rows)
    rejected = list(_unusable(data, start + numbers, keep if coding is not None else None))
    if coding is not None:
        return count_coding(data, start, coding, by, softmask, keep, _rows_of(rejected), rejected)
    return _whole(data, frame, by, softmask, start + numbers, rejected)


def _unusable(
    data: pa.RecordBatch,
    numbers: np.ndarray[Any, np.dtype[np.int64]],
    keep: np.ndarray[Any, np.dtype[np.bool_]] | None,
) -> Iterator[Rejected]:
    """Yield the rows that hold no sequence, or not the one that their length tells of."""
    sequence = data.column("sequence")
    sizes = _lengths(sequence)
    said = data.column("length") if "length" in data.schema.names else None
    null = sequence.is_null().to_numpy(zero_copy_only=False)
    wrong = null | (sizes == 0)
    if said is not None:
        known = ~pc.is_null(said, nan_is_null=True).to_numpy(zero_copy_only=False)
        told = said.cast(pa.int64(), safe=False).fill_null(0).to_numpy(zero_copy_only=False)
        wrong |= known & (told != sizes)
    if keep is not None:
        wrong &= keep
    if not wrong.any():
        return
    ids = string_column(data, "seq_id")
    for i in np.flatnonzero(wrong).tolist():
        item = _item(ids[i], numbers[i])
        if null[i]:
            yield Rejected(item, "null-sequence", "the sequence is missing")
        elif sizes[i] == 0:
            yield Rejected(item, "empty-sequence", "the sequence has no base")
        else:
            detail = f"column length says {told[i]}, the sequence has {sizes[i]} bases"
            yield Rejected(item, "length-mismatch", detail)


def _item(seq_id: object, number: int) -> str:
    return f"{seq_id} row {number}" if seq_id is not None else f"row {number}"


def _rows_of(rejected: list[Rejected]) -> set[int]:
    return {int(r.item.rpartition(" ")[2]) for r in rejected}


def _without_views(data: pa.RecordBatch) -> pa.RecordBatch:
    """Return a slice whose columns Arrow can take rows of, which it cannot of views."""
    for i, (name, kind) in enumerate(zip(data.schema.names, data.schema.types, strict=True)):
        if pa.types.is_string_view(kind) or pa.types.is_binary_view(kind):
            large = pa.large_string() if pa.types.is_string_view(kind) else pa.large_binary()
            data = data.set_column(i, name, data.column(i).cast(large))
    return data


def _lengths(sequence: pa.Array) -> np.ndarray[Any, np.dtype[np.int64]]:
    _, starts, stops = spans(sequence)
    return stops - starts


def _whole(
    data: pa.RecordBatch,
    frame: int,
    by: str,
    softmask: Softmask,
    numbers: np.ndarray[Any, np.dtype[np.int64]],
    rejected: list[Rejected],
) -> Counted:
    """Count each sequence from ``frame`` to its end."""
    sequence = data.column("sequence")
    counts = count_array(sequence, frame, softmask)
    sizes = np.maximum(_lengths(sequence) - frame, 0)
    rejected += _proteins(data, counts, numbers)
    group = None if by == "none" else data.column(by)
    counted = Counted(counts, sizes // 3, sizes % 3 > 0, _codes(data), group, rejected)
    if not rejected:
        return counted
    bad = _rows_of(rejected)
    return counted.only(np.array([n not in bad for n in numbers.tolist()], dtype=bool))


def _codes(data: pa.RecordBatch) -> np.ndarray[Any, np.dtype[np.int64]]:
    if "transl_table" not in data.schema.names:
        return np.zeros(data.num_rows, np.int64)
    column = data.column("transl_table").cast(pa.int64(), safe=False).fill_null(0)
    return column.to_numpy(zero_copy_only=False).astype(np.int64)  # type: ignore[no-any-return]


def _proteins(
    data: pa.RecordBatch,
    counts: np.ndarray[Any, np.dtype[np.int64]],
    numbers: np.ndarray[Any, np.dtype[np.int64]],
) -> Iterator[Rejected]:
    """Yield the rows that are mostly ambiguous and hold letters that no nucleotide has."""
    doubtful = np.flatnonzero(2 * counts[:, AMBIGUOUS] > counts.sum(axis=1)).tolist()
    ids = string_column(data, "seq_id") if doubtful else []
    for i in doubtful:
        text = data.column("sequence")[i].as_py()
        if found := nucleotide_check(text if isinstance(text, bytes) else text.encode()):
            place, letter = found
            detail = f"base {place + 1} is {chr(letter)!r}, which no nucleotide sequence holds"
            yield Rejected(_item(ids[i], numbers[i]), "not-nucleotide", detail)


def _check(batch: Batch, counted: Counted) -> None:
    """The invariant of every run: codons add up to what the lengths alone say."""
    if not np.array_equal(counted.counts.sum(axis=1), counted.expected):
        raise BrokenPromise(
            f"{batch.path}: codons and ambiguous codons do not add up to the sequences' lengths: "
            "please report this with the file"
        )
