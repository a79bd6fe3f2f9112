"""Counts as people use them: a labelled dataset, wide and long tables, RSCU."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from polytene.codons.code import CODONS, GENETIC_CODES, genetic_code
from polytene.codons.groups import FRAMES, counts_of
from polytene.codons.kernels import AMBIGUOUS
from polytene.core.canonical import canonical
from polytene.core.files import write_bytes
from polytene.core.versions import versions
from polytene.exceptions import BrokenPromise, UsageError

if TYPE_CHECKING:  # xarray costs a worker 50 MB, and only the driver needs it
    import xarray as xr

FRAME_WARNING = "in-frame trinucleotides of whole sequences, which are not codon usage"
OF_FRAMES = ("frame", "six-frame")
ENDINGS = (".parquet", ".pq", ".csv", ".tsv", "")


def to_dataset(value: pa.Table | None, params: dict[str, Any]) -> xr.Dataset:
    """Return the folded counts as a dataset, after checking that they add up."""
    import pandas as pd
    import xarray as xr

    if value is None:
        value = _nothing()
    counts = counts_of(value)
    expected = value.column("expected").to_numpy()
    if not np.array_equal(counts.sum(axis=1), expected):
        raise BrokenPromise("codons do not add up to the sequences' lengths: please report this")
    codes = _codes(value, params["genetic_code"])
    sense = counts[:, :AMBIGUOUS]
    per_group = {
        "n_seq": value.column("n_seq").to_numpy(),
        "n_codons": sense.sum(axis=1),
        "n_ambiguous": counts[:, AMBIGUOUS],
        "n_partial": value.column("n_partial").to_numpy(),
    }
    frames = {}
    if "frame" in value.column_names:
        where = np.array(FRAMES)[value.column("frame").to_numpy()]
        about = "reading frame; -1 starts at the last base, on the other strand"
        frames["frame"] = ("group", where, {"long_name": about})
    return xr.Dataset(
        {
            "count": (("group", "codon"), sense, {"units": "codons", "long_name": "occurrences"}),
            **{k: ("group", v, {"units": "1"}) for k, v in per_group.items()},
        },
        coords={
            "group": pd.Index(value.column("group").to_pylist(), dtype=object, name="group"),
            "codon": list(CODONS),
            "amino_acid": (("group", "codon"), _amino_acids(codes)),
            "transl_table": ("group", codes, {"long_name": "NCBI genetic code, 0: unknown"}),
            **frames,
        },
        attrs=_attrs(params),
    )


def _attrs(params: dict[str, Any]) -> dict[str, Any]:
    kept = {k: v for k, v in params.items() if v is not None and k not in ("sample", "by_kind")}
    if params["sample"]:
        kept["sample"] = params["sample"]["rows"]
    meaning = "codon usage of coding sequences" if params["mode"] == "cds" else FRAME_WARNING
    return {**kept, "meaning": meaning}


def _nothing() -> pa.Table:
    numbers = {n: pa.array([], pa.int64()) for n in ("code_min", "code_max", "n_seq", "n_partial")}
    counts = pa.array([], pa.list_(pa.int64(), 65))
    group = pa.array([], pa.large_string())
    expected = pa.array([], pa.int64())
    return pa.table({"group": group, **numbers, "expected": expected, "counts": counts})


def _codes(value: pa.Table, asked: int | str) -> np.ndarray[Any, np.dtype[np.int64]]:
    """Return the code of each group: the one asked for, else the one all its sequences share."""
    low, high = value.column("code_min").to_numpy(), value.column("code_max").to_numpy()
    if asked != "auto":
        return np.full(len(low), int(asked))
    known = np.isin(low, list(GENETIC_CODES))
    return np.where((low == high) & known, low, 0)


def _amino_acids(codes: np.ndarray[Any, np.dtype[np.int64]]) -> np.ndarray[Any, Any]:
    rows = {0: [""] * 64} | {c: _letters(int(c)) for c in np.unique(codes) if c}
    return np.array([rows[c] for c in codes.tolist()], dtype="U1").reshape(len(codes), 64)


def _letters(code: int) -> list[str]:
    found = genetic_code(code)
    return ["*" if f == 0 else a for a, f in zip(found.amino_acids, found.family_size, strict=True)]


def rscu(counts: xr.Dataset | xr.DataArray, genetic_code: int | None = None) -> xr.DataArray:
    """Return relative synonymous codon usage: a codon's count over the mean of its family.

    Stops are left out, and so are families of one codon under the code, which under code 1 are
    Met and Trp. A family that does not occur is NaN.

    Parameters
    ----------
    counts
        A result of :func:`count`, or its ``count``, with the dimension ``codon``.
    genetic_code
        NCBI number; None for each group's own.

    Raises
    ------
    UsageError
        If the code of a group is not known and none is given.

    References
    ----------
    Sharp, Tuohy and Mosurski (1986) Nucleic Acids Res. 14:5125.

    Examples
    --------
    >>> import xarray as xr
    >>> table = xr.DataArray(
    ...     np.zeros((1, 64)), dims=("group", "codon"), coords={"codon": list(CODONS)}
    ... )
    >>> table.loc[{"codon": "TTT"}], table.loc[{"codon": "TTC"}] = 30, 10
    >>> rscu(table, 1).sel(codon=["TTT", "TTC"]).values.tolist()
    [[1.5, 0.5]]
    """
    array = cast("xr.DataArray", counts["count"] if hasattr(counts, "data_vars") else counts)
    if "group" not in array.dims:
        array = array.expand_dims("group")
    array = cast("xr.DataArray", _in_order(array)).transpose("group", "codon")
    codes = _codes_for(array, genetic_code)
    values = np.asarray(array.values, dtype=np.float64)
    out = np.full(values.shape, np.nan)
    for code in np.unique(codes):
        rows = codes == code
        out[rows] = _rscu(values[rows], int(code))
    attrs = {"long_name": "relative synonymous codon usage", "units": "1"}
    if counts.attrs.get("mode") in OF_FRAMES:
        attrs["warning"] = FRAME_WARNING
    result = array.copy(data=out)
    result.attrs, result.name = attrs, "rscu"
    return result


def _in_order(counts: Any) -> Any:
    """Return counts with their codons in TCAG order: the labels decide, not the places."""
    found = counts["codon"].values.tolist()
    if found == list(CODONS):
        return counts
    if sorted(found) != sorted(CODONS):
        raise UsageError(f"all 64 codons are needed, there are {len(found)}")
    return counts.sel(codon=list(CODONS))


def _codes_for(array: xr.DataArray, given: int | None) -> np.ndarray[Any, np.dtype[np.int64]]:
    groups = array.sizes["group"]
    if given is not None:
        return np.full(groups, genetic_code(given).id)
    codes = None
    if "transl_table" in array.coords:
        codes = np.broadcast_to(array.coords["transl_table"].values, groups)
    if codes is None or not np.all(codes):
        unknown = groups if codes is None else int((codes == 0).sum())
        raise UsageError(
            f"the genetic code of {unknown} of {groups} groups is not known, or mixed: give "
            "genetic_code (--genetic-code), such as 1 (standard), 2 (vertebrate mitochondria), "
            "11 (bacteria, plastids)"
        )
    return codes


def _rscu(counts: np.ndarray[Any, Any], code: int) -> np.ndarray[Any, Any]:
    out = np.full(counts.shape, np.nan)
    for members in genetic_code(code).families.values():
        if len(members) > 1:
            total = counts[:, members].sum(axis=1, keepdims=True)
            share = np.divide(counts[:, members] * len(members), total, where=total > 0, out=None)
            out[:, members] = np.where(total > 0, share, np.nan)
    return out


_POSITION = np.array([[base in "GC" for base in codon] for codon in CODONS])


def _gc(counts: np.ndarray[Any, Any]) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Return the share of G and C at the three positions, shape ``(group, 3)``."""
    total = counts.sum(axis=1, keepdims=True)
    with np.errstate(invalid="ignore"):
        return counts @ _POSITION / total  # type: ignore[no-any-return]


def labels(result: xr.Dataset) -> dict[str, pa.Array]:
    """Return the columns that say which group, and which frame of six, a row is of."""
    by = result.attrs["by"]
    columns = {} if by == "none" else {by: pa.array(result["group"].values.tolist())}
    if "frame" in result.coords:
        columns["frame"] = pa.array(result["frame"].values.astype(np.int8))
    return columns


def to_wide(result: xr.Dataset, *, with_rscu: bool = False) -> pa.Table:
    """Return one row per group: its numbers, then the 64 codons in TCAG order.

    The group column is named after ``by``; without grouping there is none. Six reading frames
    have six rows per group, and the column ``frame``.
    """
    result = _in_order(result)
    counts = result["count"].values
    by = result.attrs["by"]
    columns = labels(result)
    for name in ("n_seq", "n_codons", "n_ambiguous", "n_partial"):
        columns[name] = result[name].values
    codes = result["transl_table"].values
    if by != "transl_table":
        columns["transl_table"] = pa.array(codes.astype(np.int16), mask=codes == 0)
    gc = _gc(counts)
    for name, values in zip(("gc", "gc1", "gc2", "gc3"), (gc.mean(axis=1), *gc.T), strict=True):
        columns[name] = pa.array(values, mask=np.isnan(values))
    columns |= {codon: counts[:, i] for i, codon in enumerate(CODONS)}
    if with_rscu:
        values = rscu(result).values
        for i, codon in enumerate(CODONS):
            columns[f"rscu_{codon}"] = pa.array(values[:, i], mask=np.isnan(values[:, i]))
    return pa.table(columns)


def to_long(
    result: xr.Dataset,
    *,
    with_rscu: bool = False,
    min_count: int = 0,
    skip_stops: bool = False,
    top: int | None = None,
) -> pa.Table:
    """Return one row per group and codon: ``codon, aa, count, freq`` and ``rscu``.

    ``freq`` is the share of all 64 codons of the group. ``min_count`` hides rarer codons,
    ``skip_stops`` hides stop codons, ``top`` keeps the most frequent of each group; they hide
    rows after the numbers were made, and change none.
    """
    result = _in_order(result)
    counts = result["count"].values
    total = counts.sum(axis=1, keepdims=True)
    with np.errstate(invalid="ignore"):
        freq = counts / total
    acids = result["amino_acid"].values
    values = rscu(result).values if with_rscu else None
    show = counts >= min_count
    if skip_stops:
        show &= ~_stops(result)
    if top is not None:
        order = np.argsort(np.argsort(-np.where(show, counts, -1), axis=1, kind="stable"), axis=1)
        show &= order < top
    group, codon = np.nonzero(show)
    columns = {name: column.take(pa.array(group)) for name, column in labels(result).items()}
    columns["codon"] = pa.array(list(CODONS)).take(pa.array(codon))
    aa = acids[group, codon]
    columns["aa"] = pa.array(aa.tolist(), pa.string(), mask=aa == "")
    columns["count"] = counts[group, codon]
    columns["freq"] = _nullable(freq[group, codon])
    if values is not None:
        columns["rscu"] = _nullable(values[group, codon])
    return pa.table(columns)


def _nullable(values: np.ndarray[Any, Any]) -> pa.Array:
    return pa.array(values, mask=np.isnan(values))


def _stops(result: xr.Dataset) -> np.ndarray[Any, Any]:
    codes = result["transl_table"].values
    if not np.all(codes):
        raise UsageError("which codons are stops is not known: give --genetic-code")
    rows = {c: [x in genetic_code(int(c)).stops for x in CODONS] for c in np.unique(codes)}
    return np.array([rows[c] for c in codes.tolist()], dtype=bool).reshape(len(codes), 64)


def check_ending(path: Path) -> None:
    """Raise UsageError for a file name that tells of another format than those written here."""
    if path.suffix not in ENDINGS:
        raise UsageError(f"{path}: {path.suffix} is not written; give .parquet, .csv or .tsv")


def write(table: pa.Table, path: str | Path, attrs: dict[str, Any]) -> None:
    """Write a table as Parquet or, by its suffix, as CSV or TSV; whole or not at all.

    What it depends on stands in the Parquet metadata under ``polytene``: no path, time or host.

    Raises
    ------
    UsageError
        For the ending of another format.
    """
    path = Path(path)
    check_ending(path)
    sink = pa.BufferOutputStream()
    if path.suffix in (".csv", ".tsv"):
        import pyarrow.csv as csv

        mark = "\t" if path.suffix == ".tsv" else ","
        csv.write_csv(table, sink, csv.WriteOptions(delimiter=mark, quoting_style="needed"))
    else:
        names = ("polytene", "pyarrow", "numpy")
        about = {**attrs, "versions": {k: v for k, v in versions().items() if k in names}}
        pq.write_table(table.replace_schema_metadata({"polytene": canonical(about)}), sink)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_bytes(path, sink.getvalue().to_pybytes())
