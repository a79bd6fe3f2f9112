"""The table of features as files and as labelled arrays."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from polytene.core.files import write_bytes
from polytene.exceptions import PreflightError, UsageError
from polytene.lightcurves.features_v1 import V1
from polytene.lightcurves.rows import ABOUT

if TYPE_CHECKING:
    import xarray as xr

PARQUET = "features.parquet"
_UNITS = {f.name: f.unit for f in V1}


def write(table: pa.Table, path: str | Path) -> Path:
    """Write a table of features, whole or not at all: ``.csv``, ``.tsv`` or ``.parquet``.

    Numbers are written so that reading gives the same bits; NaN is an empty cell of CSV. Equal
    tables give equal bytes.

    Raises
    ------
    UsageError
        For another suffix.
    """
    path = Path(path)
    if path.suffix == ".parquet":
        sink = io.BytesIO()
        pq.write_table(table, sink, compression="zstd", store_schema=False)
        write_bytes(path, sink.getvalue())
    elif path.suffix in (".csv", ".tsv"):
        write_bytes(path, _text(table, "," if path.suffix == ".csv" else "\t").encode())
    elif path.suffix == ".nc":
        _write_netcdf(table, path)
    else:
        raise UsageError(f"{path}: its name ends in neither .csv, .tsv, .parquet nor .nc")
    return path


def _write_netcdf(table: pa.Table, path: Path) -> None:
    try:
        dataset(table).to_netcdf(path)
    except (ImportError, ValueError) as error:
        raise PreflightError(f"{path}: {error}; pip install h5netcdf") from None


def _text(table: pa.Table, separator: str) -> str:
    columns = [[_cell(v, separator) for v in column.to_pylist()] for column in table.columns]
    lines = [separator.join(table.column_names)]
    lines += [separator.join(row) for row in zip(*columns, strict=True)]
    return "\n".join(lines) + "\n"


def _cell(value: Any, separator: str) -> str:
    if value is None or value != value:  # NaN
        return ""
    if isinstance(value, float):
        return repr(value)
    text = str(value)
    if any(c in text for c in (separator, '"', "\n", "\r")):
        return '"' + text.replace('"', '""') + '"'
    return text


def read_features(run_dir: str | Path) -> pa.Table:
    """Return the table that a finished extraction left in its run directory.

    Raises
    ------
    UsageError
        If there is none.
    """
    path = Path(run_dir) / PARQUET
    if not path.exists():
        raise UsageError(f"{path}: not there; has the extraction ended? polytene status {run_dir}")
    return pq.read_table(path)


def merge(tables: Sequence[pa.Table]) -> pa.Table:
    """Join tables of features; of rows with the same ``sample_id`` the last one stays.

    Raises
    ------
    UsageError
        If there is none, or they are of different schemas.
    """
    if not tables:
        raise UsageError("no tables given")
    for table in tables[1:]:
        if table.schema.names != tables[0].schema.names:
            raise UsageError("the tables hold different features: merge those of one schema")
    joined = pa.concat_tables(tables)
    last: dict[str, int] = {}
    for i, key in enumerate(joined.column("sample_id").to_pylist()):
        last[key] = i
    return joined.take(pa.array(list(last.values()), pa.int64())).combine_chunks()


def to_xarray(source: pa.Table | str | Path) -> xr.Dataset:
    """Return features as ``feature(sample, feature)`` with labels and accounts as coordinates.

    Parameters
    ----------
    source
        The table of an outcome, or a run directory.

    Returns
    -------
    xarray.Dataset
        ``value`` (float64) with the coordinates ``sample`` (sample_id), ``feature``, ``unit``
        (along feature), and along sample ``target_id``, ``label``, ``status`` and the rest.
    """
    table = source if isinstance(source, pa.Table) else read_features(source)
    return dataset(table)


def dataset(table: pa.Table) -> xr.Dataset:
    """Return a table of features as a dataset."""
    import xarray as xr

    names = [n for n in table.column_names if n not in ABOUT]
    columns = [table.column(n).to_numpy() for n in names]
    values = np.column_stack(columns) if columns else np.zeros((table.num_rows, 0))
    coords: dict[str, Any] = {
        "sample": ("sample", table.column("sample_id").to_pylist()),
        "feature": ("feature", names),
        "unit": ("feature", [_UNITS.get(n, "") for n in names]),
    }
    for name in ABOUT[1:]:
        column = table.column(name)
        text = pa.types.is_string(column.type)
        cells = [v or "" for v in column.to_pylist()] if text else column.to_numpy()
        coords[name] = ("sample", cells)
    return xr.Dataset({"value": (("sample", "feature"), values)}, coords)
