"""Pairs of neighbouring codons as people use them: a dataset, scores, a table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from polytene.codons.code import CODONS
from polytene.codons.code import genetic_code as known_code
from polytene.codons.groups import counts_of
from polytene.codons.kernels import AMBIGUOUS
from polytene.codons.measures.usage import group_column
from polytene.codons.pairs.kernels import PAIRS
from polytene.codons.pairs.stage import pairs_of
from polytene.codons.result import OF_FRAMES, _amino_acids, _attrs, _codes, _codes_for, _nothing

if TYPE_CHECKING:
    import xarray as xr


def to_dataset(value: pa.Table | None, params: dict[str, Any]) -> xr.Dataset:
    """Return the folded pairs as a dataset with their scores, as :func:`pairs` gives it."""
    import xarray as xr

    if value is None:
        empty = pa.array([], pa.list_(pa.int64(), PAIRS + 1))
        value = _nothing().append_column("pairs", empty)
    found = pairs_of(value)
    codes = _codes(value, params["genetic_code"])
    numbers = {
        "n_seq": value.column("n_seq").to_numpy(),
        "n_pairs": found[:, :PAIRS].sum(axis=1),
        "n_ambiguous": found[:, PAIRS],
    }
    counted = ("group", "first", "second")
    dataset = xr.Dataset(
        {
            "count": (counted, found[:, :PAIRS].reshape(-1, 64, 64), {"units": "pairs"}),
            "codon_count": (("group", "codon"), counts_of(value)[:, :AMBIGUOUS]),
            **{name: ("group", values, {"units": "1"}) for name, values in numbers.items()},
        },
        coords={
            "group": np.array(value.column("group").to_pylist(), dtype=object),
            "first": list(CODONS),
            "second": list(CODONS),
            "codon": list(CODONS),
            "amino_acid": (("group", "codon"), _amino_acids(codes)),
            "transl_table": ("group", codes, {"long_name": "NCBI genetic code, 0: unknown"}),
        },
        attrs=_attrs(params),
    )
    return dataset.assign(cps=_cps(dataset, codes))


def cps(result: xr.Dataset, genetic_code: int | None = None) -> xr.DataArray:
    """Return the codon pair score of each pair of sense codons.

    It is ``ln(AB / (A * B / (X * Y) * XY))``: how often the pair of codons occurs, over how often
    it would if the codons of each pair of amino acids were chosen independently. `A`, `B` are
    counts of codons, `X`, `Y` of their amino acids, `XY` of pairs of amino acids.

    Parameters
    ----------
    result
        A result of :func:`pairs`.
    genetic_code
        NCBI number; None for each group's own.

    Returns
    -------
    xarray.DataArray
        float64 of dimensions ``(group, first, second)``, natural logarithms; NaN for pairs with a
        stop codon, and for pairs that do not occur, whose score has no bound.

    Raises
    ------
    UsageError
        If the code of a group is not known and none is given.

    References
    ----------
    Coleman et al. (2008) Science 320:1784.

    Examples
    --------
    >>> import tempfile
    >>> from polytene import codons
    >>> from polytene.testing import write_set
    >>> found = codons.pairs(write_set(), run_dir=tempfile.mkdtemp()).result
    >>> bool(found["cps"].isnull().all()), bool(cps(found, 11).isnull().all())
    (True, False)
    """
    return _cps(result, _codes_for(result["codon_count"], genetic_code))


def _cps(result: xr.Dataset, codes: np.ndarray[Any, Any]) -> xr.DataArray:
    observed = result["count"].values.astype(np.float64)
    single = result["codon_count"].values.astype(np.float64)
    out = np.full(observed.shape, np.nan)
    for code in np.unique(codes[codes > 0]):
        rows = codes == code
        out[rows] = _scores(observed[rows], single[rows], int(code))
    attrs = {"long_name": "codon pair score", "units": "1"}
    if result.attrs.get("mode") in OF_FRAMES:
        attrs["warning"] = result.attrs["meaning"]
    scores = result["count"].copy(data=out).rename("cps")
    scores.attrs = attrs
    return scores


def _scores(
    observed: np.ndarray[Any, Any], single: np.ndarray[Any, Any], code: int
) -> np.ndarray[Any, Any]:
    """Return scores of shape ``(group, 64, 64)``."""
    families = known_code(code).families.values()
    member = np.zeros((64, len(families)))
    for i, codons in enumerate(families):
        member[codons, i] = 1
    acids = single @ member @ member.T
    both = member.T @ observed @ member
    acid_pairs = member @ both @ member.T
    with np.errstate(invalid="ignore", divide="ignore"):
        share = single / acids
        expected = share[:, :, None] * share[:, None, :] * acid_pairs
        score = np.log(observed / expected)
    return np.where(np.isfinite(score), score, np.nan)


def to_table(result: xr.Dataset) -> pa.Table:
    """Return one row per group and pair that occurs: ``first, second, aa, count, cps``.

    The group column is named after ``by``; without grouping there is none. ``aa`` has the two
    amino acids.

    Examples
    --------
    >>> import tempfile
    >>> from polytene import codons
    >>> from polytene.testing import write_set
    >>> found = codons.pairs(write_set(), run_dir=tempfile.mkdtemp(), genetic_code=11).result
    >>> to_table(found).column_names
    ['first', 'second', 'aa', 'count', 'cps']
    """
    group, first, second = np.nonzero(result["count"].values)
    acids = result["amino_acid"].values
    letters = np.char.add(acids[group, first], acids[group, second])
    scores = result["cps"].values[group, first, second]
    names = pa.array(list(CODONS))
    columns: dict[str, Any] = {}
    if result.attrs["by"] != "none":
        columns[result.attrs["by"]] = group_column(result).take(pa.array(group))
    columns["first"] = names.take(pa.array(first))
    columns["second"] = names.take(pa.array(second))
    columns["aa"] = pa.array(letters.tolist(), pa.string(), mask=letters == "")
    columns["count"] = result["count"].values[group, first, second]
    columns["cps"] = pa.array(scores, mask=np.isnan(scores))
    return pa.table(columns)
