"""Counts over the flat views, a file at a time; exact, and the same for any layout of the files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from polytene.exceptions import UsageError
from polytene.metadata.kb.fields import check_unit, column_of, view_of
from polytene.metadata.views import VIEWS

COUNT = "count"


def count_by(views: Path, fields: Sequence[str], unit: str) -> pa.Table:
    """Return how many of a unit each combination of values has.

    Parameters
    ----------
    views
        The folder of the flat views.
    fields
        Columns or their short forms.
    unit
        ``experiment``, ``run``, ``sample``, ``study`` or ``bases``.

    Returns
    -------
    pyarrow.Table
        The fields as they were named, and ``count``: the largest counts first.
    """
    check_unit(unit)
    columns = [column_of(f) for f in fields]
    if not fields or len(set(columns)) < len(columns):
        raise UsageError("give one or more different fields to count by")
    view = view_of(unit, columns)
    if unit == view or (unit, view) == ("bases", "run"):
        found = _rows(views / f"{view}_flat", columns, unit == "bases")
    else:
        found = _distinct(views / f"{view}_flat", columns, unit)
    keys = [(COUNT, "descending"), *((c, "ascending") for c in columns)]
    found = found.take(pc.sort_indices(found, keys))
    return found.rename_columns([*fields, COUNT])


def _files(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.parquet"))


def _rows(folder: Path, columns: list[str], bases: bool) -> pa.Table:
    """Count rows, or sum up their bases; bases that are not known count as none."""
    parts = []
    for path in _files(folder):
        table = pq.read_table(path, columns=[*columns, *(["total_bases"] if bases else [])])
        grouped = table.group_by(columns, use_threads=False)
        part = grouped.aggregate([("total_bases", "sum") if bases else ([], "count_all")])
        name = "total_bases_sum" if bases else "count_all"
        parts.append(part.select([*columns, name]).rename_columns([*columns, COUNT]))
    if not parts:
        return _empty(folder, columns)
    added = pa.concat_tables(parts).group_by(columns, use_threads=False)
    found = added.aggregate([(COUNT, "sum")]).select([*columns, f"{COUNT}_sum"])
    return found.rename_columns([*columns, COUNT])


def _distinct(folder: Path, columns: list[str], unit: str) -> pa.Table:
    """Count the different values of the unit's column beside each combination."""
    parts = []
    for path in _files(folder):
        table = pq.read_table(path, columns=[*columns, unit])
        table = table.filter(pc.is_valid(table.column(unit)))
        parts.append(table.group_by([*columns, unit], use_threads=False).aggregate([]))
    if not parts:
        return _empty(folder, columns)
    pairs = pa.concat_tables(parts).group_by([*columns, unit], use_threads=False).aggregate([])
    found = pairs.group_by(columns, use_threads=False).aggregate([([], "count_all")])
    return found.select([*columns, "count_all"]).rename_columns([*columns, COUNT])


def _empty(folder: Path, columns: list[str]) -> pa.Table:
    schema = VIEWS[folder.name.removesuffix("_flat")]
    fields = [schema.field(c) for c in columns]
    return pa.schema([*fields, pa.field(COUNT, pa.int64())]).empty_table()
