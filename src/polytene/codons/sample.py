"""A sample that depends on the ids alone: the rows with the smallest hash of ``seq_id``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from polytene.codons.arrays import spans
from polytene.codons.kernels import hash_strings
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
    """Rows whose hash is below ``limit``, and the first ``ties`` rows that have it.

    Parameters
    ----------
    n
        Rows of the sample.
    limit
        The largest hash in it.
    counts
        Per file and row group: rows below the limit, and rows at it that belong to the sample.
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
    """Find the sample of ``n`` rows over all files; only ids are read.

    Raises
    ------
    UsageError
        If a file has no ids, or there are fewer rows.
    """
    total = sum(sum(f.rows) for f in files)
    if n > total:
        raise UsageError(f"a sample of {n:,} rows of {total:,}: leave it out to count them all")
    smallest = np.empty(0, np.uint64)
    for _, _, found in _groups(files):
        smallest = np.concatenate([smallest, found])
        if len(smallest) > 2 * n:
            smallest = np.partition(smallest, n - 1)[:n]
    if len(smallest) < n:
        raise UsageError(
            f"a sample of {n:,} rows of {len(smallest):,}: the rest of the {total:,} cannot be read"
        )
    limit = int(np.partition(smallest, n - 1)[n - 1])
    return Sample(n, limit, _counts(files, n, limit))


def _groups(files: Sequence[Footer]) -> Iterator[tuple[Path, int, Hashes]]:
    for footer in files:
        if "seq_id" not in footer.columns:
            raise UsageError(f"{footer.path}: a sample needs a column 'seq_id', which it lacks")
        for group in range(len(footer.rows)):
            try:
                slices = read_slices(footer.path, [group], ["seq_id"])
                hashes = [hash_ids(s.column(0)) for s in slices]
            except BadInput:
                hashes = []
            except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
                raise UsageError(
                    f"{footer.path}: column 'seq_id' cannot be sampled by ({error})"
                ) from None
            yield footer.path, group, np.concatenate([np.empty(0, np.uint64), *hashes])


def _counts(files: Sequence[Footer], n: int, limit: int) -> dict[Path, list[tuple[int, int]]]:
    found = [
        (path, int((h < limit).sum()), int((h == limit).sum())) for path, _, h in _groups(files)
    ]
    room = n - sum(below for _, below, _ in found)
    counts: dict[Path, list[tuple[int, int]]] = {f.path: [] for f in files}
    for path, below, at in found:
        ties = min(at, room)
        room -= ties
        counts[path].append((below, ties))
    return counts
