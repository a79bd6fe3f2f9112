"""A sample that depends on the ids alone: the sequences with the smallest hash of ``seq_id``.

A long sequence that was cut into several rows is drawn with all of them, or not at all.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from polytene.codons.arrays import spans
from polytene.codons.kernels import hash_strings
from polytene.codons.splits import COLUMNS as PLACE
from polytene.codons.splits import Bools
from polytene.exceptions import BadInput, UsageError
from polytene.formats.parquet import Footer, read_slices

Hashes = np.ndarray[Any, np.dtype[np.uint64]]


def hash_ids(ids: pa.Array) -> Hashes:
    """Return a stable 64-bit hash of each id; a null hashes like an empty one."""
    if pa.types.is_dictionary(ids.type):
        ids = ids.dictionary_decode()
    kinds = pa.types.is_binary, pa.types.is_large_binary, pa.types.is_binary_view
    kind = pa.large_binary() if any(k(ids.type) for k in kinds) else pa.large_string()
    data, starts, stops = spans(ids.cast(kind).cast(pa.large_binary()).fill_null(b""))
    return hash_strings(data, np.append(starts, stops[-1:] if len(stops) else [0]))


@dataclass(frozen=True)
class Sample:
    """Sequences whose hash is below ``limit``, and the first few that have it.

    Parameters
    ----------
    n
        Sequences of the sample.
    limit
        The largest hash in it.
    counts
        Per file and row group: rows below the limit, and rows at it that belong to the sample,
        which are the first ones.
    """

    n: int
    limit: int
    counts: dict[Path, list[tuple[int, int]]]

    @property
    def params(self) -> dict[str, Any]:
        """What the counts depend on."""
        return {"rows": self.n, "limit": f"{self.limit:016x}"}

    def share(self, path: Path, first: int, stop: int) -> tuple[int, int]:
        """Return the rows of the sample in some row groups, and how many are at the limit."""
        groups = self.counts[path][first:stop]
        ties = sum(t for _, t in groups)
        return sum(b for b, _ in groups) + ties, ties


def draw(files: Sequence[Footer], n: int) -> Sample:
    """Find the sample of ``n`` sequences over all files; only ids are read.

    Raises
    ------
    UsageError
        If a file has no ids, or there are fewer sequences.
    """
    total = sum(sum(f.rows) for f in files)
    if n > total:
        raise UsageError(f"a sample of {n:,} of {total:,} rows: leave it out to count them all")
    smallest = np.empty(0, np.uint64)
    for _, found, first in _groups(files):
        smallest = np.concatenate([smallest, found[first]])
        if len(smallest) > 2 * n:
            smallest = np.partition(smallest, n - 1)[:n]
    if len(smallest) < n:
        raise UsageError(
            f"a sample of {n:,} of {len(smallest):,} sequences: the {total:,} rows hold no more "
            "that can be read"
        )
    limit = int(np.partition(smallest, n - 1)[n - 1])
    return Sample(n, limit, _counts(files, n, limit))


def _groups(files: Sequence[Footer]) -> Iterator[tuple[Path, Hashes, Bools]]:
    """Yield the hashes of each row group, and which rows begin their sequence."""
    for footer in files:
        if "seq_id" not in footer.columns:
            raise UsageError(f"{footer.path}: a sample needs a column 'seq_id', which it lacks")
        cut = set(PLACE) <= set(footer.columns)
        columns = ["seq_id", "part_start"] if cut else ["seq_id"]
        for group in range(len(footer.rows)):
            try:
                slices = list(read_slices(footer.path, [group], columns))
            except BadInput:
                slices = []
            yield footer.path, *_hashes(footer.path, slices, cut)


def _hashes(path: Path, slices: Sequence[pa.RecordBatch], cut: bool) -> tuple[Hashes, Bools]:
    try:
        hashes = [hash_ids(s.column(0)) for s in slices]
        starts = [s.column(1).cast(pa.int64()).fill_null(0).to_numpy(False) for s in slices if cut]
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise UsageError(f"{path}: column 'seq_id' cannot be sampled by ({error})") from None
    found = np.concatenate([np.empty(0, np.uint64), *hashes])
    first = np.concatenate(starts) == 0 if starts else np.ones(len(found), bool)
    return found, first


def _counts(files: Sequence[Footer], n: int, limit: int) -> dict[Path, list[tuple[int, int]]]:
    found = [((h < limit) & first).sum() for _, h, first in _groups(files)]
    room = n - int(sum(found))
    counts: dict[Path, list[tuple[int, int]]] = {f.path: [] for f in files}
    open_ = False  # whether the last sequence at the limit belongs to the sample, and may go on
    for path, hashes, first in _groups(files):
        at = first[hashes == limit]
        begun = np.cumsum(at)
        drawn = (begun <= room) & (open_ | (begun > 0))
        counts[path].append((int((hashes < limit).sum()), int(drawn.sum())))
        if len(at):
            open_ = bool(drawn[-1])
        room = max(0, room - int(at.sum()))
    return counts
