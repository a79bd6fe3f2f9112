"""Parquet files to a set: row groups of a sensible size, long sequences cut, packed or not."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from polytene.codons.arrays import spans
from polytene.codons.kernels import Int64s
from polytene.codons.packed.columns import PACKED, unpack
from polytene.codons.sets.files import (
    CODING,
    check_column_type,
    coding_file,
    find_files,
    is_annotated,
)
from polytene.codons.sets.ingest import MEMORY, ROW_GROUP_MB, Source, reduction, sources
from polytene.codons.sets.writer import SetWriter
from polytene.codons.splits import AFTER, PART_BASES, cuts
from polytene.codons.splits import COLUMNS as PLACE
from polytene.core.outcome import Outcome
from polytene.core.plan import Plan
from polytene.core.run import run
from polytene.core.scratch import Folder, scratch
from polytene.core.stage import Partial, Stage
from polytene.exceptions import BadInput, UsageError
from polytene.formats.parquet import SLICE_BYTES, open_parquet, read_slices, rows_within

Spans = list[tuple[int, int]]


def rechunk_plan(
    inputs: str | Path | Iterable[str | Path],
    *,
    row_group_mb: float = ROW_GROUP_MB,
    pack: bool = False,
    part_bases: int = PART_BASES,
) -> Plan[Source]:
    """Plan a rechunk: one unit per Parquet file.

    Parameters
    ----------
    inputs
        Sets, or folders, globs and paths of Parquet files with a column ``sequence``.
    row_group_mb
        Size of a row group as text, in units of 1e6 bytes.
    pack
        Write the bases packed, four to a byte; without it, as text.
    part_bases
        Bases of a row at most; longer sequences are cut, where no coding sequence is divided.

    Raises
    ------
    UsageError
        If nothing matches, or an argument is wrong.
    """
    if not 0 < row_group_mb < 1e6:
        raise UsageError(f"row_group_mb is {row_group_mb}: give a size above 0")
    if part_bases < AFTER:
        raise UsageError(f"part_bases is {part_bases}: give at least {AFTER}")
    params = {"row_group_mb": float(row_group_mb), "pack": pack, "part_bases": part_bases}
    return Plan("codons-rechunk", sources(find_files(inputs)), params, noun="file")


def rechunk_file(source: Source, *, row_group_mb: float, pack: bool, part_bases: int) -> Partial:
    """Write the rows of one file anew, with its coding sequences beside them.

    All columns are kept, and so is each byte of each sequence.

    Raises
    ------
    BadInput
        If the file cannot be read, or holds no sequences.
    """
    path, folder = Path(source.path), scratch()
    rows = nbytes = 0
    name = source.key.removesuffix(".parquet")
    group_bytes = int(row_group_mb * 1e6)
    with SetWriter(folder, name, group_bytes, packed=pack) as writer:
        coding = _coding(path)
        for data in _slices(path, min(SLICE_BYTES, group_bytes)):
            on_these = None if coding is None else _between(coding, rows, data.num_rows)
            writer.add(*_cut(data, on_these, part_bases))
            rows += data.num_rows
            nbytes += data.nbytes
    bases = sum(f["bases"] for f in writer.files)
    written = sum(f["rows"] for f in writer.files)
    info = {"key": source.key, "files": writer.files, "rows": written, "bases": bases}
    return Partial(Folder(folder, info), rows, nbytes)


def _slices(path: Path, most: int) -> Iterator[pa.Table]:
    """Yield the rows of a file with their bases as text."""
    with open_parquet(path) as file:
        schema, groups = file.schema_arrow, file.metadata.num_row_groups
    length = "length" if "length" in schema.names else None
    if "sequence" in schema.names:
        check_column_type(schema.field("sequence").type, str(path), "sequence")
    taken = set(PLACE) & set(schema.names)
    if taken and taken != set(PLACE):
        detail = f"{path}: rows that are cut need a column {sorted(taken)[0]!r}: rename the file's"
        raise BadInput("column-taken", detail)
    packed = "sequence" not in schema.names and "seq2" in schema.names
    wanted = schema.names if packed or "sequence" in schema.names else ["sequence"]
    for data in read_slices(path, range(groups), wanted, length=length, slice_bytes=most):
        table = pa.table(data)
        if packed:
            own = [n for n in PACKED.names if n != "length"]
            table = table.drop_columns(own).append_column("sequence", unpack(data))
        _, starts, stops = spans(table.column("sequence").combine_chunks())
        n = rows_within(stops - starts, most)
        yield from (table.slice(i, n) for i in range(0, table.num_rows, n))


def _coding(path: Path) -> pa.Table | None:
    return pq.read_table(coding_file(path), schema=CODING) if is_annotated(path) else None


def _between(coding: pa.Table, start: int, size: int) -> pa.Table:
    """Return the coding sequences on some rows, by the number among these."""
    rows = coding.column("row").to_numpy()
    a, b = np.searchsorted(rows, [start, start + size])
    return coding.slice(int(a), int(b - a)).set_column(0, "row", pa.array(rows[a:b] - start))


def _cut(table: pa.Table, coding: pa.Table | None, most: int) -> tuple[pa.Table, pa.Table | None]:
    """Cut the long sequences of a table, and say of each row where it lies."""
    if set(PLACE) <= set(table.column_names):
        return table, coding
    bases, starts, stops = spans(table.column("sequence").combine_chunks())
    sizes = stops - starts
    long = np.flatnonzero(sizes > most).tolist()
    extents = _extents(coding, long)
    pieces = _Pieces(sizes, {i: cuts(int(sizes[i]), extents.get(i, ()), most) for i in long})
    first = starts[pieces.owner] + pieces.start
    after = [""] * len(first)
    for row in np.flatnonzero(pieces.start + pieces.length < sizes[pieces.owner]).tolist():
        end = int(first[row] + pieces.length[row])
        after[row] = bases[end : min(end + AFTER, stops[pieces.owner[row]])].tobytes().decode()
    columns = {
        "part": pa.array(pieces.part, pa.int32()),
        "part_start": pa.array(pieces.start),
        "length": _told_lengths(table, pieces),
        "total": pa.array(sizes[pieces.owner]),
        "after": pa.array(after, pa.string()),
    }
    if long:
        sequence = table.column("sequence").type
        texts = [bases[a : a + n].tobytes() for a, n in zip(first, pieces.length, strict=True)]
        valid = table.column("sequence").is_valid().to_numpy()[pieces.owner]
        columns["sequence"] = pa.array(texts, _large(sequence), mask=~valid)
        table = table.drop_columns("sequence").take(pa.array(pieces.owner))
    for name, column in columns.items():
        table = table.drop_columns(name) if name in table.column_names else table
        table = table.append_column(name, column)
    return table, None if coding is None else pieces.moved(coding)


class _Pieces:
    """The rows that sequences of some sizes become, where those in ``ends`` are cut."""

    def __init__(self, sizes: Int64s, ends: dict[int, list[int]]) -> None:
        counts = np.ones(len(sizes), np.int64)
        counts[list(ends)] = [len(e) - 1 for e in ends.values()]
        self.first = np.cumsum(counts) - counts
        self.owner = np.repeat(np.arange(len(sizes)), counts)
        self.part = np.arange(len(self.owner)) - self.first[self.owner]
        self.start = np.zeros(len(self.owner), np.int64)
        self.length = sizes[self.owner]
        self.cut = sorted(ends)
        for i, where in ends.items():
            rows = slice(int(self.first[i]), int(self.first[i] + counts[i]))
            self.start[rows], self.length[rows] = where[:-1], np.diff(where)

    def moved(self, coding: pa.Table) -> pa.Table:
        """Return coding sequences by their new rows, with their positions in these."""
        if not self.cut:
            return coding
        moved = sorted(map(self._moved, coding.to_pylist()), key=lambda cds: cds["row"])
        return pa.Table.from_pylist(moved, CODING)

    def _moved(self, cds: dict[str, Any]) -> dict[str, Any]:
        first = int(self.first[cds["row"]])
        stop = first + int((self.owner == cds["row"]).sum())
        row = first + int(np.searchsorted(self.start[first:stop], min(cds["starts"]), "right")) - 1
        shift = int(self.start[row])
        starts, ends = ([x - shift for x in cds[n]] for n in ("starts", "ends"))
        return {**cds, "row": row, "starts": starts, "ends": ends}


def _told_lengths(table: pa.Table, pieces: _Pieces) -> pa.Array:
    """Return the length of each row; one that contradicts an uncut sequence stays as it is."""
    if "length" not in table.column_names:
        return pa.array(pieces.length)
    told = table.column("length").cast(pa.int64(), safe=False).combine_chunks()
    known = told.is_valid().to_numpy(zero_copy_only=False) & ~np.isin(
        np.arange(len(told)), pieces.cut
    )
    keep = known[pieces.owner]
    said = told.fill_null(0).to_numpy(zero_copy_only=False)[pieces.owner]
    return pa.array(np.where(keep, said, pieces.length))


def _extents(coding: pa.Table | None, rows: list[int]) -> dict[int, Spans]:
    """Return what no cut may divide: from the first to the last base of coding sequences."""
    found: dict[int, Spans] = {i: [] for i in rows}
    for cds in [] if coding is None or not rows else coding.to_pylist():
        if cds["row"] in found:
            found[cds["row"]].append((min(cds["starts"]), max(cds["ends"])))
    return found


def _large(kind: pa.DataType) -> pa.DataType:
    kind = kind.value_type if pa.types.is_dictionary(kind) else kind
    return pa.large_binary() if "binary" in str(kind) else pa.large_string()


def rechunk(
    inputs: str | Path | Iterable[str | Path],
    output: str | Path,
    *,
    row_group_mb: float = ROW_GROUP_MB,
    pack: bool = False,
    part_bases: int = PART_BASES,
    **engine: Any,
) -> Outcome:
    r"""Write Parquet files anew as a set that is read in small memory and by many workers.

    Giant row groups are divided, long sequences are cut into rows, and with ``pack`` the bases
    take two bits each; without it, packed ones become text again. All columns and each byte of
    each sequence stay. Memory is bounded by the longest sequence of the input.

    Parameters
    ----------
    inputs, row_group_mb, pack, part_bases
        As for :func:`rechunk_plan`.
    output
        Folder of the new set; it is the run directory, too, so that the same call again resumes.
    **engine
        As for :func:`polytene.run`: ``client``, ``max_quarantined``, ``on_change`` and so on.

    Returns
    -------
    Outcome
        ``.result`` is the manifest: files, sources and totals.

    Raises
    ------
    UsageError
        If nothing matches, or an argument is wrong.
    PlanChanged, TooManyFailures, RunLocked, Interrupted, NoSpace
        See :mod:`polytene.exceptions`.

    Examples
    --------
    >>> import tempfile
    >>> from polytene.testing import write_set
    >>> folder = Path(tempfile.mkdtemp())
    >>> rechunk(write_set(sequences=30), folder / "packed", pack=True).result["totals"]["rows"]
    30
    """
    plan = rechunk_plan(inputs, row_group_mb=row_group_mb, pack=pack, part_bases=part_bases)
    return rechunk_planned(plan, Path(output), **engine)


def rechunk_planned(plan: Plan[Source], output: Path, **engine: Any) -> Outcome:
    """Run a plan made by :func:`rechunk_plan`."""
    if any(Path(u.path).parent == output.absolute() for u in plan):
        raise UsageError(f"{output}: the new set needs a folder of its own")
    stage = Stage(functools.partial(rechunk_file, **plan.params), memory=MEMORY)
    return run(plan, [stage], reduction(output.absolute()), run_dir=output, **engine)
