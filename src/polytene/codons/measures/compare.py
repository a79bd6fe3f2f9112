"""How two usage tables differ."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias, cast

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from polytene.codons.code import CODONS
from polytene.codons.measures.usage import group_column, recode
from polytene.codons.result import rscu
from polytene.exceptions import UsageError

if TYPE_CHECKING:
    import xarray as xr

Floats: TypeAlias = NDArray[np.float64]


def compare(a: xr.Dataset, b: xr.Dataset, genetic_code: int | None = None) -> xr.Dataset:
    """Compare the codon usage of two tables, group by group.

    Groups of the same name are compared; a table with one group is compared with each of the
    other's.

    Parameters
    ----------
    a, b
        Results of :func:`count`, :func:`read_usage` or :func:`read_cut`.
    genetic_code
        NCBI number, for both; None for each group's own.

    Returns
    -------
    xarray.Dataset
        Per group and codon, float64: ``per_thousand(table, group, codon)`` and
        ``rscu(table, group, codon)`` with ``table`` being ``a`` and ``b``, and ``difference``
        and ``rscu_difference``, both `a` less `b`. RSCU is NaN where a family does not occur, and
        its difference also where the codes of `a` and `b` give a codon to different amino acids.
        Per group, float64: ``pearson`` (correlation) and ``cosine`` of the 64 numbers per
        thousand, and ``rscu_distance``, the root of the mean squared difference of RSCU. The
        coordinates ``amino_acid`` and ``transl_table`` are those of `a`.

    Raises
    ------
    UsageError
        If the code of a group is not known and none is given, or no groups fit together.

    Notes
    -----
    A correlation of whole tables is high for any two organisms, as amino acids are used alike;
    the RSCU distance looks at the choice among synonyms alone.

    Examples
    --------
    >>> import tempfile
    >>> from polytene import codons
    >>> from polytene.testing import write_set
    >>> usage = codons.count(write_set(), run_dir=tempfile.mkdtemp(), by="source").result
    >>> found = compare(usage, usage.isel(group=[0]), genetic_code=11)
    >>> found["rscu_distance"].values[0], found["pearson"].round(6).values[0]
    (np.float64(0.0), np.float64(1.0))
    """
    import xarray as xr

    a, b = _paired(recode(a, genetic_code), recode(b, genetic_code))
    use = [_per_thousand(table) for table in (a, b)]
    synonyms = [np.asarray(rscu(table).values, dtype=np.float64) for table in (a, b)]
    same = a["amino_acid"].values == b["amino_acid"].values
    change = np.where(same, synonyms[0] - synonyms[1], np.nan)
    by_codon, by_table = ("group", "codon"), ("table", "group", "codon")
    units = {"units": "per thousand codons"}
    kept = [name for name in ("amino_acid", "transl_table") if name in a.coords]
    return xr.Dataset(
        {
            "per_thousand": (by_table, np.stack(use), units),
            "difference": (by_codon, use[0] - use[1], {**units, "long_name": "a less b"}),
            "rscu": (by_table, np.stack(synonyms), {"units": "1"}),
            "rscu_difference": (by_codon, change, {"units": "1", "long_name": "a less b"}),
            "pearson": ("group", _cosine(*(u - u.mean(axis=1, keepdims=True) for u in use))),
            "cosine": ("group", _cosine(*use)),
            "rscu_distance": ("group", _root_mean_square(change)),
        },
        coords={
            "table": ["a", "b"],
            "group": a["group"].values,
            "codon": list(CODONS),
            **{name: a.coords[name] for name in kept},
        },
    )


def largest(comparison: xr.Dataset, top: int = 10) -> pa.Table:
    """Return the codons whose use differs most, the largest difference first in each group.

    Parameters
    ----------
    comparison
        A result of :func:`compare`.
    top
        Codons per group.

    Returns
    -------
    pyarrow.Table
        ``group, codon, aa, a, b, difference`` (per thousand codons) ``, rscu_a, rscu_b``.

    Examples
    --------
    >>> import tempfile
    >>> from polytene import codons
    >>> from polytene.testing import write_set
    >>> usage = codons.count(write_set(), run_dir=tempfile.mkdtemp(), by="source").result
    >>> largest(compare(usage, usage.isel(group=[0]), 11), top=3).num_rows
    6
    """
    size = np.nan_to_num(np.abs(comparison["difference"].values), nan=-1)
    order = np.argsort(-size, axis=1, kind="stable")[:, :top]
    group, codon = np.repeat(np.arange(len(order)), order.shape[1]), order.ravel()

    def picked(name: str, table: int | None = None) -> Any:
        values = comparison[name].values
        values = (values if table is None else values[table])[group, codon]
        return pa.array(values, mask=np.isnan(values))

    return pa.table(
        {
            "group": group_column(comparison).take(pa.array(group)),
            "codon": pa.array(list(CODONS)).take(pa.array(codon)),
            "aa": pa.array(comparison["amino_acid"].values[group, codon].tolist()),
            "a": picked("per_thousand", 0),
            "b": picked("per_thousand", 1),
            "difference": picked("difference"),
            "rscu_a": picked("rscu", 0),
            "rscu_b": picked("rscu", 1),
        }
    )


def summary(comparison: xr.Dataset) -> pa.Table:
    """Return a row per group: ``group, pearson, cosine, rscu_distance``.

    Examples
    --------
    >>> import tempfile
    >>> from polytene import codons
    >>> from polytene.testing import write_set
    >>> usage = codons.count(write_set(), run_dir=tempfile.mkdtemp(), by="source").result
    >>> summary(compare(usage, usage, 11)).num_rows
    2
    """
    columns: dict[str, Any] = {"group": group_column(comparison)}
    for name in ("pearson", "cosine", "rscu_distance"):
        values = comparison[name].values
        columns[name] = pa.array(values, mask=np.isnan(values))
    return pa.table(columns)


def _paired(a: xr.Dataset, b: xr.Dataset) -> tuple[xr.Dataset, xr.Dataset]:
    """Return both tables with the same groups in the same order."""
    ours, theirs = a["group"].values.tolist(), b["group"].values.tolist()
    if len(theirs) == 1:
        return a, b.isel(group=[0] * len(ours))
    if len(ours) == 1:
        named = a.isel(group=[0] * len(theirs)).assign_coords(group=b["group"].values)
        return named, b
    place = {name: i for i, name in enumerate(theirs)}
    common = [i for i, name in enumerate(ours) if name in place]
    if not common:
        raise UsageError(
            f"the tables have no group in common: {ours[:3]} ... and {theirs[:3]} ...; compare "
            "with a table of one group, or count both by the same column"
        )
    return a.isel(group=common), b.isel(group=[place[ours[i]] for i in common])


def _per_thousand(table: xr.Dataset) -> Floats:
    counts = table["count"].values.astype(np.float64)
    with np.errstate(invalid="ignore"):
        return cast("Floats", 1000 * counts / counts.sum(axis=1, keepdims=True))


def _cosine(a: Floats, b: Floats) -> Floats:
    with np.errstate(invalid="ignore"):
        lengths = np.sqrt((a * a).sum(axis=1) * (b * b).sum(axis=1))
        return cast("Floats", (a * b).sum(axis=1) / lengths)


def _root_mean_square(change: Floats) -> Floats:
    """Return the root of the mean square over codons, leaving out NaN; shape ``(group,)``."""
    seen = ~np.isnan(change)
    with np.errstate(invalid="ignore"):
        mean = np.where(seen, change, 0.0) ** 2
        return cast("Floats", np.sqrt(mean.sum(axis=1) / seen.sum(axis=1)))
