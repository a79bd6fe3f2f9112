"""What a worker does with a batch whose pairs of codons are counted.

Its partial is the table of :mod:`polytene.codons.groups` with one column more, ``pairs``: 4097 per
row, as :mod:`polytene.codons.pairs.kernels` counts them.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from polytene.codons.arrays import spans
from polytene.codons.coding import Coding, Pieces, count_coding
from polytene.codons.groups import ALL, Counted, group_rows, plain
from polytene.codons.groups import merge as merge_codons
from polytene.codons.kernels import Int64s, Softmask
from polytene.codons.pairs.kernels import WIDTH, count_piece_pairs, count_span_pairs
from polytene.codons.plan import Batch, Mode
from polytene.codons.reading import Reader, Slice
from polytene.codons.stages import check, count_frame
from polytene.core.stage import Partial
from polytene.exceptions import BrokenPromise, Rejected, UsageError

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
    reader = Reader(batch, by=by, by_kind=by_kind, limit=limit, coding=coding is not None)
    value: pa.Table | None = None
    rejected: list[Rejected] = []
    for rows in reader:
        if coding is None:
            counted = count_frame(rows, frame, by, softmask)
        else:
            counted = count_coding(rows, coding, by, softmask)
        check(batch, counted)
        new = _with_pairs(rows, coding, counted, frame, softmask)
        value = new if value is None else merge([value, new])
        rejected += rows.rejected
        del rows, counted  # else two slices are held while the next one is decoded
    return Partial(value, items=reader.seen, nbytes=reader.nbytes, rejected=rejected)


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
    rows: Slice, coding: Coding | None, counted: Counted, frame: int, softmask: Softmask
) -> pa.Table:
    """Return the rows of a slice per group, with the pairs of the sequences that were counted."""
    table = group_rows(counted)
    names = table.column("group").combine_chunks()
    _check_groups(len(names))
    group = counted.group if counted.group is not None else pa.array([ALL] * len(counted.codes))
    places = _places(plain(group), names)
    if coding is None:
        pairs = _of_rows(rows, places, len(names), frame, softmask)
        expected = rows.place.held(frame, 2)[rows.usable].sum()
    else:
        pairs = _of_coding(rows, coding, places, len(names), softmask)
        expected = np.maximum(counted.expected - 1, 0).sum()
    if pairs.sum() != expected:
        raise BrokenPromise("pairs do not add up to the sequences' lengths: please report this")
    return table.append_column("pairs", _column(pairs))


def _of_rows(rows: Slice, places: Int64s, groups: int, frame: int, softmask: Softmask) -> Int64s:
    """Count the pairs whose first codon begins in each row."""
    use = rows.usable
    bases, first, stop = spans(rows.sequence)
    where = ((first + rows.place.skip(frame))[use], stop[use])
    pairs = count_span_pairs(bases, *where, places, groups, softmask=softmask)
    group_of = np.cumsum(use) - 1
    for i, text in rows.seams(frame, codons=2):
        if use[i]:
            whole = (np.array([0]), np.array([len(text)]), places[group_of[i], None])
            bases = np.frombuffer(text, np.uint8)
            pairs += count_span_pairs(bases, *whole, groups, softmask=softmask)
    return pairs


def _of_coding(
    rows: Slice, coding: Coding, places: Int64s, groups: int, softmask: Softmask
) -> Int64s:
    table = coding.on(rows)
    pieces = Pieces.of(table)
    number = table.column("row").to_numpy() - rows.row
    starts, ends, bases = pieces.inside(rows, number, coding.path)
    skip = table.column("codon_start").to_numpy().astype(np.int64) - 1
    how = (pieces.strands, pieces.first_piece, skip)
    return count_piece_pairs(bases, starts, ends, *how, places, groups, softmask=softmask)


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
