"""What a worker does with a batch whose pairs of codons are counted.

Its partial is the table of :mod:`polytene.codons.groups` with one column more, ``pairs``: 4097 per
row, as :mod:`polytene.codons.pair_kernels` counts them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from polytene.codons.arrays import spans
from polytene.codons.coding import Coding, _Pieces
from polytene.codons.groups import ALL, Counted, _plain, group_rows
from polytene.codons.groups import merge as merge_codons
from polytene.codons.kernels import Int64s, Softmask
from polytene.codons.pair_kernels import WIDTH, count_piece_pairs, count_span_pairs
from polytene.codons.plan import Batch, Mode
from polytene.codons.stages import _check, _columns, _rows_of, _Sampler, _slice
from polytene.core.stage import Partial
from polytene.exceptions import BadInput, BrokenPromise, Rejected, UsageError
from polytene.formats.parquet import read_slices

MOST_GROUPS = 1024


def count_pairs(
    batch: Batch,
    *,
    mode: Mode,
    frame: int,
    by: str,
    softmask: Softmask,
    by_kind: str | None = None,
    limit: str | None = None,
) -> Partial:
    """Count the codons of a batch and their pairs; one row per group.

    Raises
    ------
    BadInput
        As :func:`polytene.codons.stages.count_batch`.
    UsageError
        If there are more groups than pairs are kept for.
    """
    coding = Coding.read(batch.cds, by, batch.path) if batch.cds else None
    columns = _columns(batch, by, limit is not None, coding is not None, by_kind)
    length = "length" if "length" in columns else None
    taken = _Sampler(limit, batch.ties)
    value: pa.Table | None = None
    rejected: list[Rejected] = []
    rows = nbytes = 0
    for data in read_slices(batch.path, range(batch.first, batch.stop), columns, length=length):
        start = batch.row + rows
        rows += data.num_rows
        nbytes += data.nbytes
        keep = taken(data)
        counted = _slice(data, start, coding, frame=frame, by=by, softmask=softmask, keep=keep)
        _check(batch, counted)
        rejected += counted.rejected
        new = _with_pairs(data, start, coding, counted, frame, softmask, keep)
        value = new if value is None else merge([value, new])
    if rows != batch.rows or taken.rows not in (None, batch.drawn):
        raise BadInput("rows-differ", f"{batch.path}: {rows} rows where {batch.rows} were planned")
    seen = rows if taken.rows is None else taken.rows
    return Partial(value, items=seen, nbytes=nbytes, rejected=rejected)


def merge(tables: Sequence[pa.Table]) -> pa.Table:
    """Add up partials by group.

    Raises
    ------
    UsageError
        If there are more groups than pairs are kept for.
    """
    whole = merge_codons([t.drop_columns("pairs") for t in tables])
    names = whole.column("group").combine_chunks()
    _check_groups(len(names))
    pairs = np.zeros((len(names), WIDTH), np.int64)
    for table in tables:
        rows = _places(table.column("group").combine_chunks(), names)
        pairs[rows] += pairs_of(table)
    return whole.append_column("pairs", _column(pairs))


def pairs_of(table: pa.Table) -> Int64s:
    """Return the pairs of a partial, shape ``(group, 4097)``, int64."""
    flat = table.column("pairs").combine_chunks().flatten().to_numpy(zero_copy_only=False)
    return flat.reshape(-1, WIDTH)  # type: ignore[no-any-return]


def _with_pairs(
    data: pa.RecordBatch,
    start: int,
    coding: Coding | None,
    counted: Counted,
    frame: int,
    softmask: Softmask,
    keep: np.ndarray[Any, np.dtype[np.bool_]] | None,
) -> pa.Table:
    """Return the rows of a slice per group, with the pairs of the sequences that were counted."""
    table = group_rows(counted)
    names = table.column("group").combine_chunks()
    _check_groups(len(names))
    group = counted.group if counted.group is not None else pa.array([ALL] * len(counted.codes))
    places = _places(_plain(group), names)
    use = np.ones(data.num_rows, bool) if keep is None else keep.copy()
    use[[row - start for row in _rows_of(counted.rejected)]] = False
    if coding is None:
        pairs = _of_rows(data, use, places, len(names), frame, softmask)
    else:
        pairs = _of_coding(data, start, coding, use, places, len(names), softmask)
    if pairs.sum() != np.maximum(counted.expected - 1, 0).sum():
        raise BrokenPromise("pairs do not add up to the sequences' lengths: please report this")
    return table.append_column("pairs", _column(pairs))


def _of_rows(
    data: pa.RecordBatch,
    use: np.ndarray[Any, np.dtype[np.bool_]],
    places: Int64s,
    groups: int,
    frame: int,
    softmask: Softmask,
) -> Int64s:
    bases, first, stop = spans(data.column("sequence"))
    where = (first[use] + frame, stop[use])
    return count_span_pairs(bases, *where, places, groups, softmask=softmask)


def _of_coding(
    data: pa.RecordBatch,
    start: int,
    coding: Coding,
    use: np.ndarray[Any, np.dtype[np.bool_]],
    places: Int64s,
    groups: int,
    softmask: Softmask,
) -> Int64s:
    table = coding.between(start, start + data.num_rows)
    table = table.filter(pa.array(use[table.column("row").to_numpy() - start]))
    pieces = _Pieces.of(table)
    bases, first, _ = spans(data.column("sequence"))
    owner = np.repeat(table.column("row").to_numpy() - start, np.diff(pieces.first_piece))
    where = (first[owner] + pieces.starts, first[owner] + pieces.ends)
    skip = table.column("codon_start").to_numpy().astype(np.int64) - 1
    how = (pieces.strands, pieces.first_piece, skip)
    return count_piece_pairs(bases, *where, *how, places, groups, softmask=softmask)


def _places(group: pa.Array, names: pa.Array) -> Int64s:
    found = pc.index_in(group.cast(names.type), names)
    return found.to_numpy(zero_copy_only=False).astype(np.int64)  # type: ignore[no-any-return]


def _column(pairs: Int64s) -> pa.Array:
    return pa.FixedSizeListArray.from_arrays(pa.array(pairs.ravel()), WIDTH)


def _check_groups(groups: int) -> None:
    if groups > MOST_GROUPS:
        raise UsageError(
            f"pairs take 32 KB per group, and there are more than {MOST_GROUPS:,} groups: group by "
            "a coarser column (--by), such as source or organism, or by none"
        )
