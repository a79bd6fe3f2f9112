"""Counts per group: the partial that batches leave and that folds add up.

A table with a row per group, sorted by group (null last): ``group``, ``code_min`` and
``code_max`` (the smallest and largest genetic code of its sequences, 0: unknown), ``n_seq``,
``n_partial``, ``expected`` and ``counts`` (65 per row: the codons in TCAG order, then the
ambiguous ones). Where all six reading frames are counted, a row per group and ``frame``, 0 to 5 for
1, 2, 3, -1, -2, -3. Adding up is associative and commutative, and integers only.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from polytene.exceptions import Rejected

Int64s = np.ndarray[Any, np.dtype[np.int64]]
WIDTH = 65
COUNTS = pa.list_(pa.int64(), WIDTH)
ALL = "all"
FRAMES = (1, 2, 3, -1, -2, -3)
ADDED = ("n_seq", "n_partial", "expected")


@dataclass
class Counted:
    """Counts of some sequences, one row each, and what they should add up to.

    Parameters
    ----------
    first
        Whether the row begins its sequence: a long one may be cut into several.
    counts
        Shape ``(sequence, 65)``, int64.
    expected
        Codons that each holds by its length alone, shape ``(sequence,)``.
    partial
        Whether bases are left over at its end, shape ``(sequence,)``.
    codes
        Genetic code of each; 0 where it is unknown.
    group
        Value of the grouping column; None to put all into one group.
    frame
        Place in :data:`FRAMES` of each; None where there is one frame only.
    """

    first: np.ndarray[Any, np.dtype[np.bool_]]
    counts: np.ndarray[Any, np.dtype[np.int64]]
    expected: np.ndarray[Any, np.dtype[np.int64]]
    partial: np.ndarray[Any, np.dtype[np.bool_]]
    codes: np.ndarray[Any, np.dtype[np.int64]]
    group: pa.Array | None
    rejected: list[Rejected] = field(default_factory=list)
    frame: Int64s | None = None

    def only(self, keep: np.ndarray[Any, np.dtype[np.bool_]]) -> Counted:
        """Return the counts of some of the sequences."""
        return replace(
            self,
            first=self.first[keep],
            counts=self.counts[keep],
            expected=self.expected[keep],
            partial=self.partial[keep],
            codes=self.codes[keep],
            group=None if self.group is None else self.group.filter(pa.array(keep)),
            frame=None if self.frame is None else self.frame[keep],
        )


def group_rows(counted: Counted) -> pa.Table:
    """Add up the sequences of a slice by group."""
    n = len(counted.codes)
    group = pa.array([ALL] * n) if counted.group is None else counted.group
    columns = {"group": plain(group)}
    if counted.frame is not None:
        columns["frame"] = pa.array(counted.frame)
    whole = pa.table(
        {
            **columns,
            "code_min": counted.codes,
            "code_max": counted.codes,
            "n_seq": counted.first.astype(np.int64),
            "n_partial": counted.partial.astype(np.int64),
            "expected": counted.expected,
            "counts": _counts(counted.counts),
        }
    )
    return merge([whole])


def plain(group: pa.Array) -> pa.Array:
    """Return a column of groups in the one layout of its kind."""
    if pa.types.is_dictionary(group.type):
        group = group.dictionary_decode()
    if pa.types.is_string(group.type) or pa.types.is_string_view(group.type):
        return group.cast(pa.large_string())
    if pa.types.is_binary(group.type) or pa.types.is_binary_view(group.type):
        return group.cast(pa.large_binary())
    return group


def _counts(counts: Int64s) -> pa.Array:
    return pa.FixedSizeListArray.from_arrays(pa.array(counts.ravel()), WIDTH)


NOTHING = pa.table(
    {
        "group": pa.nulls(0),
        **{n: pa.array([], pa.int64()) for n in ("code_min", "code_max", *ADDED)},
        "counts": pa.array([], COUNTS),
    }
)


def counts_of(table: pa.Table) -> Int64s:
    """Return the counts of a partial, shape ``(group, 65)``, int64."""
    column = table.column("counts").combine_chunks()
    flat = column.flatten().to_numpy(zero_copy_only=False)
    return flat.reshape(-1, WIDTH)  # type: ignore[no-any-return]


def merge(tables: Sequence[pa.Table]) -> pa.Table:
    """Add up partials by group, and by frame where there are six."""
    whole = pa.concat_tables(
        [t for t in tables if t.num_rows] or tables[:1], promote_options="permissive"
    )
    groups = whole.column("group").combine_chunks()
    names = pc.unique(groups)
    names = names.take(pc.array_sort_indices(names))
    keys = pc.index_in(groups, names).to_numpy(zero_copy_only=False).astype(np.int64)
    six = "frame" in whole.column_names
    if six:
        keys = keys * len(FRAMES) + whole.column("frame").to_numpy()
    found, index = np.unique(keys, return_inverse=True)
    order = np.argsort(index, kind="stable")
    starts = np.searchsorted(index[order], np.arange(len(found)))

    def folded(values: Any, how: np.ufunc) -> Any:
        return how.reduceat(values[order], starts, axis=0) if len(starts) else values[:0]

    columns: dict[str, Any] = {"group": names.take(pa.array(found // (len(FRAMES) if six else 1)))}
    if six:
        columns["frame"] = found % len(FRAMES)
    for name in ("code_min", "code_max", *ADDED):
        how = {"code_min": np.minimum, "code_max": np.maximum}.get(name, np.add)
        columns[name] = folded(whole.column(name).to_numpy(), how)
    columns["counts"] = _counts(folded(counts_of(whole), np.add))
    return pa.table(columns)
