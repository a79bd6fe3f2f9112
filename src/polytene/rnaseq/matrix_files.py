"""The matrix as files: Zarr, Parquet, and the tables that other programs' users expect."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from polytene.rnaseq.abundance import NUMBERS

if TYPE_CHECKING:
    import xarray as xr

MERGED = "merged"
ZARR = "expression.zarr"
PARQUET = "expression.parquet"
TPM = "merged_abundance.tsv"
TARGETS_PER_SLAB = 5000
UNITS = {"est_counts": "reads", "tpm": "1e-6", "eff_length": "bp"}
RESERVED = {"target_id", "length", "bytes", "md5", "urls", *NUMBERS}


def write_matrix(
    folder: Path,
    blocks: Iterable[np.ndarray[Any, Any]],
    runs: Sequence[str],
    first: pa.Table,
    known: pa.Table,
    rates: dict[str, float],
    attrs: dict[str, Any],
    *,
    tables: bool,
) -> None:
    """Write blocks ``(measure, target, run)`` below ``folder``, as they come.

    Parameters
    ----------
    folder
        Where the files go: ``merged/...`` and ``merge/...``.
    blocks
        Columns in the order of ``runs``.
    runs
        All runs.
    first
        The table of the first run: transcripts and lengths.
    known
        What the list says of each run.
    rates
        Percent of the reads that were placed, per run.
    attrs
        What the results were made with.
    tables
        Also write Parquet and TSV.
    """
    import xarray as xr

    (folder / MERGED).mkdir()
    path = folder / MERGED / ZARR
    targets = first.column("target_id").to_pylist()
    _open(path, runs, first, known, rates, attrs)
    start = 0
    writer = _LongTable(folder / MERGED / PARQUET, targets) if tables else None
    for block in blocks:
        stop = start + block.shape[2]
        part = {n: (("target_id", "run"), block[i]) for i, n in enumerate(NUMBERS)}
        xr.Dataset(part).to_zarr(path, region={"run": slice(start, stop)}, zarr_format=2)
        if writer:
            writer.add(runs[start:stop], block)
        start = stop
    if writer:
        writer.close()
        matrix = xr.open_zarr(path)
        _write_wide(matrix, "tpm", runs, folder / MERGED / TPM)
        _write_species(matrix, folder / "merge")
        _write_metadata(known, rates, folder / "merge" / "metadata.tsv")


def _open(
    path: Path,
    runs: Sequence[str],
    first: pa.Table,
    known: pa.Table,
    rates: dict[str, float],
    attrs: dict[str, Any],
) -> None:
    """Write the frame of the Zarr store: everything but the numbers."""
    import dask.array as da
    import xarray as xr

    about = {row["run"]: row for row in known.to_pylist()}
    columns = [c for c in known.column_names if c not in RESERVED and c != "run"]
    shape = (first.num_rows, len(runs))
    chunks = (shape[0], min(64, shape[1]))
    empty = da.zeros(shape, chunks=chunks, dtype="f8")
    names = ("target_id", "run")
    frame = xr.Dataset(
        {n: (names, empty, {"units": UNITS[n]}) for n in NUMBERS},
        coords={
            "target_id": np.array(first.column("target_id").to_pylist(), dtype=str),
            "run": np.array(list(runs), dtype=str),
            "length": ("target_id", first.column("length").to_numpy(), {"units": "bp"}),
            "mapping_rate": ("run", [rates[r] for r in runs], {"units": "percent"}),
            **{c: ("run", _column([about[r][c] for r in runs])) for c in columns},
        },
        attrs=attrs,
    )
    encoding = {n: {"chunks": chunks} for n in NUMBERS}
    frame.to_zarr(path, compute=False, encoding=encoding, zarr_format=2, consolidated=True)


def _column(values: list[Any]) -> np.ndarray[Any, Any]:
    """Return what a list says of the runs: numbers with NaN, or text with empty places."""
    if all(v is None or isinstance(v, int | float) for v in values):
        return np.array([np.nan if v is None else v for v in values], dtype=float)
    return np.array(["" if v is None else str(v) for v in values], dtype=str)


class _LongTable:
    """One row per run and transcript, a row group per run."""

    def __init__(self, path: Path, targets: list[str]) -> None:
        self._targets = pa.array(targets).dictionary_encode()
        numbers = [(name, pa.float64()) for name in NUMBERS]
        kind = self._targets.type
        self._schema = pa.schema([("run", pa.string()), ("target_id", kind), *numbers])
        self._writer = pq.ParquetWriter(path, self._schema, compression="zstd")

    def add(self, runs: Sequence[str], block: np.ndarray[Any, Any]) -> None:
        """Write the columns of some runs."""
        for j, run in enumerate(runs):
            same = pa.array([run]).take(pa.array(np.zeros(len(self._targets), np.int64)))
            numbers = [pa.array(block[i, :, j]) for i in range(len(NUMBERS))]
            arrays = [same, self._targets, *numbers]
            self._writer.write_table(pa.Table.from_arrays(arrays, schema=self._schema))

    def close(self) -> None:
        """Write the footer."""
        self._writer.close()


def _write_wide(matrix: xr.Dataset, name: str, runs: Sequence[str], path: Path) -> None:
    """Write one measure as TSV, some transcripts at a time; floats as pandas prints them."""
    path.parent.mkdir(parents=True, exist_ok=True)
    values = matrix[name].sel(run=list(runs))
    with open(path, "w", encoding="utf-8", newline="") as out:
        for start in range(0, matrix.sizes["target_id"], TARGETS_PER_SLAB):
            slab = values.isel(target_id=slice(start, start + TARGETS_PER_SLAB)).load()
            frame = slab.to_pandas()
            frame.columns.name = None
            frame.to_csv(out, sep="\t", index_label="target_id", header=start == 0)


def _write_species(matrix: xr.Dataset, folder: Path) -> None:
    """Write a table per species and measure, named and laid out as amalgkit does."""
    organisms = matrix["organism"].values.tolist()
    runs = matrix["run"].values.tolist()
    groups: dict[str, list[str]] = {}
    for run, organism in zip(runs, organisms, strict=True):
        groups.setdefault(species_name(organism), []).append(run)
    for species, some in sorted(groups.items()):
        for name in ("est_counts", "eff_length", "tpm"):
            _write_wide(matrix, name, some, folder / species / f"{species}_{name}.tsv")


def species_name(organism: Any) -> str:
    """Return a species as a name of files.

    Examples
    --------
    >>> species_name("Pogonomyrmex barbatus"), species_name("")
    ('Pogonomyrmex_barbatus', 'Unknown_species')
    """
    text = organism if isinstance(organism, str) else ""
    return re.sub(r"[^A-Za-z0-9.-]+", "_", text).strip("_.") or "Unknown_species"


def _write_metadata(known: pa.Table, rates: dict[str, float], path: Path) -> None:
    """Write the list back with the mapping rate of each run; an amalgkit table keeps its own."""
    rows = known.to_pylist()
    form = (known.schema.metadata or {}).get(b"format", b"").decode()
    own = ["organism", "layout", "spots"]
    columns = [c for c in known.column_names if c not in RESERVED | {"run", "mapping_rate"}]
    if form == "amalgkit":
        hidden = {"layout", "spots", "fragment_length", "fragment_sd", "organism", "sra_bytes"}
        columns = [c for c in columns if c not in hidden]
    else:
        columns = [*own, *(c for c in columns if c not in own)]
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "w", encoding="utf-8") as out:
        out.write("\t".join(["run", *columns, "mapping_rate"]) + "\n")
        for row in rows:
            rate = rates.get(row["run"])
            cells = [row["run"], *(row[c] for c in columns), rate]
            out.write("\t".join("" if c is None else str(c) for c in cells) + "\n")
