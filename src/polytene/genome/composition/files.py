"""A composition as NetCDF, Zarr, Parquet or text; the same bytes for the same counts."""

from __future__ import annotations

import os
import shutil
import uuid
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from polytene.core.canonical import canonical
from polytene.core.files import full_disk_named, write_bytes
from polytene.exceptions import UsageError

if TYPE_CHECKING:
    import xarray as xr

WIDE = 256
SUFFIXES = (".nc", ".zarr", ".parquet", ".tsv", ".csv")
_NEEDED = {".nc": ("h5py", "netcdf"), ".zarr": ("zarr", "zarr")}


def check_output(path: str | Path) -> None:
    """Refuse, before any work, a file that could not be written after it.

    Raises
    ------
    UsageError
        If its suffix is not known, or a package for it is not installed.
    """
    suffix = Path(path).suffix
    if suffix not in SUFFIXES:
        raise UsageError(f"{path}: its suffix says the format: one of {', '.join(SUFFIXES)}")
    if suffix in _NEEDED:
        package, extra = _NEEDED[suffix]
        if find_spec(package) is None:
            raise UsageError(
                f"{path}: {package} is not installed: pip install 'polytene[{extra}]', or write "
                "Parquet"
            )


def write_composition(result: xr.Dataset, path: str | Path) -> None:
    """Write a result of :func:`polytene.genome.composition`, whole or not at all.

    The suffix says the format: ``.nc`` (NetCDF-4), ``.zarr`` (version 3), ``.parquet``, ``.tsv``
    or ``.csv``. No path, time or host is in it.

    Raises
    ------
    UsageError
        As :func:`check_output`.
    """
    path = Path(path)
    check_output(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix in _NEEDED:
        _write_arrays(result, path)
    else:
        write_bytes(path, _table_bytes(result, path.suffix))


def _write_arrays(result: xr.Dataset, path: Path) -> None:
    draft = path.with_name(f".{path.name}.{uuid.uuid4().hex[:12]}")
    try:
        with full_disk_named(path):
            if path.suffix == ".nc":
                result.to_netcdf(draft, engine="h5netcdf", format="NETCDF4")
                os.replace(draft, path)
                return
            result.to_zarr(draft, mode="w", consolidated=False, zarr_format=3)
            if path.exists():
                path.rename(path.with_name(f".{path.name}.{uuid.uuid4().hex[:12]}"))
            draft.rename(path)
    finally:
        for left in path.parent.glob(f".{path.name}.*"):
            shutil.rmtree(left) if left.is_dir() else left.unlink()


def to_table(result: xr.Dataset) -> pa.Table:
    """Return a result with one row per window, sequence or chunk.

    K-mers are columns of their own up to 256 of them, else one column of lists.
    """
    columns: dict[str, Any] = {}
    for name in ("chunk_id", "seqid", "start", "end", "size"):
        if name in result.coords:
            columns[name] = pa.array(result[name].values.tolist())
    for variable, values in result.data_vars.items():
        if variable == "gc":
            columns["gc"] = pa.array(values.values, from_pandas=True)
        elif variable != "kmers":
            columns[str(variable)] = pa.array(values.values)
    if "kmers" in result:
        counts = result["kmers"].values
        if counts.shape[1] <= WIDE:
            names = result["kmer"].values.tolist()
            columns |= {str(kmer): pa.array(counts[:, i].copy()) for i, kmer in enumerate(names)}
        else:
            flat = pa.array(counts.ravel())
            columns["kmers"] = pa.FixedSizeListArray.from_arrays(flat, counts.shape[1])
    return pa.table(columns)


def _table_bytes(result: xr.Dataset, suffix: str) -> bytes:
    table = to_table(result)
    sink = pa.BufferOutputStream()
    if suffix == ".parquet":
        import pyarrow.parquet as pq

        about = canonical({str(k): v for k, v in result.attrs.items()})
        pq.write_table(table.replace_schema_metadata({"polytene": about}), sink)
    else:
        import pyarrow.csv as csv

        if "kmers" in table.column_names:
            raise UsageError(f"more than {WIDE} k-mers do not fit into text: write .parquet or .nc")
        mark = "\t" if suffix == ".tsv" else ","
        sink.write(f"{mark.join(table.column_names)}\n".encode())
        plain = csv.WriteOptions(include_header=False, delimiter=mark, quoting_style="needed")
        csv.write_csv(table, sink, plain)
    data: bytes = sink.getvalue().to_pybytes()
    return data
