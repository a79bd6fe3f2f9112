"""Usage tables that were written to files, and tables read under another genetic code."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from polytene.codons.code import CODONS
from polytene.codons.code import genetic_code as known_code
from polytene.codons.groups import COUNTS
from polytene.codons.result import _amino_acids, to_dataset
from polytene.exceptions import UsageError

if TYPE_CHECKING:
    import xarray as xr

NUMBERS = ("n_seq", "n_codons", "n_ambiguous", "n_partial")
NEEDED = (*NUMBERS, "transl_table", *CODONS)
TEXT = {".csv": ",", ".tsv": "\t"}
HOW = "write it with `polytene codons count SET -o usage.parquet`"


def read_usage(path: str | Path) -> xr.Dataset:
    """Read a usage table back: the dataset that :func:`count` gave when it was written.

    Parameters
    ----------
    path
        A wide table of ``polytene codons count -o``, or of :func:`to_wide` and :func:`write`:
        Parquet, or CSV or TSV by its suffix.

    Returns
    -------
    xarray.Dataset
        As the result of :func:`count`: ``count(group, codon)``, the numbers per group and the
        coordinates. Parquet also keeps its attributes. CSV and TSV know neither how the codons
        were counted nor the types of groups: their attributes are ``by`` alone, and their groups
        are text.

    Raises
    ------
    UsageError
        If the file cannot be read, is no wide usage table, or does not add up.

    Examples
    --------
    >>> import tempfile
    >>> from polytene import codons
    >>> from polytene.testing import write_set
    >>> folder = Path(tempfile.mkdtemp())
    >>> made = codons.count(write_set(), run_dir=folder / "run", by="source").result
    >>> codons.write(codons.to_wide(made), folder / "usage.parquet", made.attrs)
    >>> read_usage(folder / "usage.parquet").identical(made)
    True
    """
    path = Path(path)
    table = _load(path)
    _check(table, path)
    attrs = _attrs(table, path)
    if "frame" in table.column_names and attrs["by"] != "frame":
        raise UsageError(f"{path}: reading frames of whole sequences have no codon usage; {HOW}")
    dataset = to_dataset(
        _folded(table, attrs["by"]), {"genetic_code": "auto", "mode": "cds", "sample": None}
    )
    if not np.array_equal(dataset["n_codons"].values, table.column("n_codons").to_numpy()):
        raise UsageError(f"{path}: the codons do not add up to n_codons: it was changed; {HOW}")
    dataset.attrs = attrs
    return dataset


def recode(usage: xr.Dataset, genetic_code: int | None) -> xr.Dataset:
    """Return the same counts read under another genetic code; None returns them as they are.

    Parameters
    ----------
    usage
        A result of :func:`count` or :func:`read_usage`.
    genetic_code
        NCBI number; None for each group's own.

    Raises
    ------
    UsageError
        If the NCBI has no code of this number.

    Examples
    --------
    >>> import tempfile
    >>> from polytene import codons
    >>> from polytene.testing import write_set
    >>> usage = codons.count(write_set(), run_dir=tempfile.mkdtemp()).result
    >>> usage["transl_table"].values.tolist(), recode(usage, 11)["transl_table"].values.tolist()
    ([0], [11])
    """
    if genetic_code is None:
        return usage
    codes = np.full(usage.sizes["group"], known_code(genetic_code).id)
    names = {"long_name": "NCBI genetic code, 0: unknown"}
    out = usage.assign_coords(
        amino_acid=(("group", "codon"), _amino_acids(codes)),
        transl_table=("group", codes, names),
    )
    return out.assign_attrs(genetic_code=genetic_code)


def group_column(usage: xr.Dataset) -> pa.Array:
    """Return the names of the groups as a column; a group without a name is null.

    Examples
    --------
    >>> import xarray as xr
    >>> group_column(xr.Dataset(coords={"group": np.array(["a", None], object)})).to_pylist()
    ['a', None]
    """
    names = usage["group"].values.tolist()
    return pa.array([None if name != name else name for name in names])  # xarray has NaN for null


def _load(path: Path) -> pa.Table:
    try:
        if path.suffix in TEXT:
            return _load_text(path, TEXT[path.suffix])
        return pq.ParquetFile(path).read()
    except FileNotFoundError:
        raise UsageError(f"{path}: there is no such file") from None
    except (OSError, pa.ArrowInvalid) as error:
        raise UsageError(f"{path}: not a usage table that can be read ({error}); {HOW}") from None


def _load_text(path: Path, delimiter: str) -> pa.Table:
    import pyarrow.csv as csv

    with open(path, encoding="utf-8") as lines:
        first = lines.readline().split(delimiter)[0].strip().strip('"')
    types: dict[str, pa.DataType] = dict.fromkeys(NEEDED, pa.int64())
    if first not in types:
        types[first] = pa.string()
    convert = csv.ConvertOptions(
        column_types=types,
        null_values=[""],
        strings_can_be_null=True,
        quoted_strings_can_be_null=False,
    )
    return csv.read_csv(
        path, parse_options=csv.ParseOptions(delimiter=delimiter), convert_options=convert
    )


def _check(table: pa.Table, path: Path) -> None:
    missing = [name for name in NEEDED if name not in table.column_names]
    if not missing:
        return
    if {"codon", "count"} <= set(table.column_names):
        raise UsageError(f"{path}: a long table, the measures read wide ones: leave --format out")
    raise UsageError(f"{path}: no column {missing[0]!r}, so it is not a usage table; {HOW}")


def _attrs(table: pa.Table, path: Path) -> dict[str, Any]:
    """Return what the file says about itself, and else only what its first column says."""
    first = table.column_names[0]
    said = (table.schema.metadata or {}).get(b"polytene")
    if said is None:
        return {"by": first if first not in (*NUMBERS, *CODONS) else "none"}
    attrs: dict[str, Any] = json.loads(said)
    attrs.pop("versions", None)
    if attrs.get("by") != "none" and attrs.get("by") not in table.column_names:
        raise UsageError(f"{path}: its groups, column {attrs.get('by')!r}, are missing; {HOW}")
    return attrs


def _folded(table: pa.Table, by: str) -> pa.Table:
    """Return the table as :mod:`polytene.codons.groups` folds it."""
    group = pa.array(["all"] * table.num_rows) if by == "none" else table.column(by)
    names = [*CODONS, "n_ambiguous"]
    counts = np.column_stack([table.column(n).to_numpy() for n in names]).astype(np.int64)
    codes = table.column("transl_table").fill_null(0).to_numpy().astype(np.int64)
    return pa.table(
        {
            "group": group,
            "code_min": codes,
            "code_max": codes,
            "n_seq": table.column("n_seq").to_numpy(),
            "n_partial": table.column("n_partial").to_numpy(),
            "expected": counts.sum(axis=1),
            "counts": pa.FixedSizeListArray.from_arrays(pa.array(counts.ravel()), COUNTS.list_size),
        }
    )
