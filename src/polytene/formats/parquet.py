"""Parquet files in bounded memory: footers, and rows in slices of a size in bytes."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from polytene.exceptions import BadInput

SLICE_BYTES = 16 << 20
SLICE_ROWS = 65_536
BUFFER = 1 << 20


@dataclass(frozen=True)
class Footer:
    """What the end of a Parquet file says about it.

    Parameters
    ----------
    rows, nbytes
        Per row group: rows, and uncompressed bytes of all columns.
    columns, kinds
        Names of the columns, and what each holds in a word; see :func:`kind_of_column`.
    """

    path: Path
    rows: tuple[int, ...]
    nbytes: tuple[int, ...]
    columns: tuple[str, ...]
    kinds: tuple[str, ...]


def open_parquet(path: str | Path) -> pq.ParquetFile:
    """Open a file for reading by slices.

    Both settings are needed to read a row group of any size in bounded memory: without them
    the compressed column chunk is read whole.

    Raises
    ------
    BadInput
        ``unreadable``, ``empty-file``, ``not-parquet`` or ``truncated-parquet``.
    """
    try:
        if Path(path).stat().st_size == 0:
            raise BadInput("empty-file", f"{path}: 0 bytes; expected a Parquet file")
        source = pa.OSFile(os.fsencode(path))  # a name may be no UTF-8
        return pq.ParquetFile(source, pre_buffer=False, buffer_size=BUFFER)
    except pa.ArrowInvalid as error:
        raise _not_whole(path, error) from None
    except OSError as error:
        raise BadInput("unreadable", f"{path}: {error.strerror or error}") from None


def _not_whole(path: str | Path, error: Exception) -> BadInput:
    with open(path, "rb") as file:
        head = file.read(4)
    if head != b"PAR1":
        return BadInput(
            "not-parquet",
            f"{path}: begins with {head!r}, not PAR1; make a set of FASTA or GenBank files with "
            "`polytene codons ingest`",
        )
    return BadInput("truncated-parquet", f"{path}: its end is missing or damaged ({error})")


def read_footer(path: str | Path) -> Footer:
    """Read the footer of a file; no data.

    Raises
    ------
    BadInput
        As :func:`open_parquet`.
    """
    with open_parquet(path) as file:
        meta = file.metadata
        groups = [meta.row_group(i) for i in range(meta.num_row_groups)]
        return Footer(
            Path(path),
            tuple(g.num_rows for g in groups),
            tuple(g.total_byte_size for g in groups),
            tuple(file.schema_arrow.names),
            tuple(kind_of_column(field.type) for field in file.schema_arrow),
        )


def kind_of_column(kind: pa.DataType) -> str:
    """Return what a column holds, where columns of one kind can be put together.

    Examples
    --------
    >>> kind_of_column(pa.large_string()), kind_of_column(pa.int32())
    ('text', 'numbers')
    """
    if pa.types.is_dictionary(kind):
        return kind_of_column(kind.value_type)
    if pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        return "text"
    if pa.types.is_integer(kind) or pa.types.is_floating(kind):
        return "numbers"
    return str(kind)


def rows_within(sizes: np.ndarray[Any, np.dtype[np.int64]], budget: int) -> int:
    """Return the largest number of consecutive rows that never hold more than ``budget`` bytes.

    At least 1, whatever the rows hold.

    Examples
    --------
    >>> rows_within(np.array([4, 1, 1, 1]), 5), rows_within(np.array([9, 9]), 5)
    (2, 1)
    """
    ends = np.concatenate([[0], np.cumsum(sizes)])
    low, high = 1, max(1, len(sizes))
    while low < high:
        middle = (low + high + 1) // 2
        if (ends[middle:] - ends[:-middle]).max() <= budget:
            low = middle
        else:
            high = middle - 1
    return low


def read_slices(
    path: str | Path,
    row_groups: Sequence[int],
    columns: Sequence[str],
    *,
    length: str | None = None,
    slice_bytes: int = SLICE_BYTES,
) -> Iterator[pa.RecordBatch]:
    """Yield the rows of some row groups, a slice of them in memory at a time.

    Parameters
    ----------
    path
        The file.
    row_groups
        Indices of the row groups, read in this order.
    columns
        Columns to read.
    length
        Column that holds the bytes of a row, read first to cut the slices by; without it they
        are cut by the mean size of the row group's rows.
    slice_bytes
        Most bytes of data in a slice, unless one row holds more.

    Raises
    ------
    BadInput
        As :func:`open_parquet`; ``missing-column``; ``damaged-parquet`` where the data cannot
        be decoded.
    """
    with open_parquet(path) as file:
        names = file.schema_arrow.names
        if missing := [c for c in columns if c not in names]:
            raise BadInput(
                "missing-column",
                f"{path}: no column {missing[0]!r}; it has {', '.join(map(repr, names))}",
            )
        for group in row_groups:
            try:
                rows = _slice_rows(file, group, length, slice_bytes)
                yield from file.iter_batches(rows, [group], list(columns), use_threads=False)
            except (OSError, pa.ArrowInvalid) as error:
                raise BadInput(
                    "damaged-parquet", f"{path}: row group {group} cannot be decoded ({error})"
                ) from None


def _slice_rows(file: pq.ParquetFile, group: int, length: str | None, budget: int) -> int:
    meta = file.metadata.row_group(group)
    if length is None:
        mean = max(1, meta.total_byte_size // max(1, meta.num_rows))
        return max(1, min(SLICE_ROWS, int(budget // mean)))
    kind = file.schema_arrow.field(length).type
    if not (pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)):
        raise BadInput("wrong-type", f"column {length!r} holds {kind}, expected numbers")
    told = file.read_row_group(group, [length], use_threads=False).column(0)
    sizes = told.cast(pa.int64(), safe=False).fill_null(0).to_numpy()
    rows = rows_within(np.maximum(sizes, 0), budget)
    if 2 * int(np.maximum(sizes, 0).sum()) < meta.total_byte_size:  # the lengths do not tell all
        rows = min(rows, _slice_rows(file, group, None, budget))
    return min(SLICE_ROWS, rows)
