"""Rows on their way to a join: in files ordered by a hash of the accession they are joined by.

A reader takes the rows of some buckets of many files, and touches nothing else of them.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from polytene.metadata.parser import column_kernels
from polytene.metadata.parser.characters import fixed

Array = np.ndarray[Any, Any]

BUCKETS = 4096
BUCKET = "bucket"


def bucket_of(accessions: pa.Array | pa.ChunkedArray) -> Array:
    """Return the bucket of each accession, 0 to 4095; missing ones are spread by nothing: 0."""
    if isinstance(accessions, pa.ChunkedArray):
        accessions = accessions.combine_chunks()
    if isinstance(accessions, pa.ChunkedArray):
        accessions = pa.concat_arrays(accessions.chunks or [pa.array([], pa.string())])
    filled = accessions.fill_null("")
    out = np.zeros(len(filled), np.uint16)
    if len(filled):
        _, offsets, data = filled.buffers()
        start = filled.offset
        ends = np.frombuffer(offsets, np.int32)[start : start + len(filled) + 1]
        column_kernels.buckets(fixed(ends), fixed(np.frombuffer(data or b"", np.uint8)), out)
    return out


def write_exchange(table: pa.Table, key: str, path: Path) -> None:
    """Write a table ordered by the bucket of its column ``key``; rows of one keep their order."""
    bucket = bucket_of(table.column(key))
    order = np.argsort(bucket, kind="stable")
    table = table.take(pa.array(order)).append_column(BUCKET, pa.array(bucket[order]))
    with pa.ipc.new_file(str(path), table.schema) as out:
        out.write_table(table.combine_chunks())


def read_exchange(
    paths: Iterable[str | Path], first: int, stop: int, columns: list[str] | None = None
) -> list[pa.Table]:
    """Return the rows of the buckets ``first`` to ``stop`` (not included), a table per file."""
    out = []
    for path in paths:
        with pa.memory_map(str(path)) as source:
            table = pa.ipc.open_file(source).read_all()
            bucket = table.column(BUCKET).to_numpy()
            start, end = np.searchsorted(bucket, [first, stop]).tolist()
            part = table.slice(start, end - start).drop_columns([BUCKET])
            part = part.select(columns) if columns else part
            out.append(_copied(part))
    return out


def give_back() -> None:
    """Return memory that Arrow keeps for later to the system, which counts it as the worker's."""
    pa.default_memory_pool().release_unused()


def _copied(table: pa.Table) -> pa.Table:
    """Return a table that no longer needs its file."""
    return table.take(pa.array(np.arange(table.num_rows)))
