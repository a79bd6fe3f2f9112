"""Numbers that sum up a group's codon usage: ENC and GC3s."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias, cast

import numpy as np
from numpy.typing import NDArray

from polytene.codons.code import CODONS, GeneticCode
from polytene.codons.code import genetic_code as known_code
from polytene.codons.result import FRAME_WARNING, OF_FRAMES, _codes_for
from polytene.exceptions import UsageError

if TYPE_CHECKING:
    import xarray as xr

Floats: TypeAlias = NDArray[np.float64]
SMALLEST_F = 1e-7
_GC3 = np.array([codon[2] in "GC" for codon in CODONS])


def enc(
    result: xr.Dataset | xr.DataArray, method: str = "wright", genetic_code: int | None = None
) -> xr.DataArray:
    """Return the effective number of codons (Nc) of each group.

    It is about the number of sense codons where synonyms are used evenly, and the number of amino
    acids where each has one codon. The values are those of codonw and of EMBOSS `chips`.

    Parameters
    ----------
    result
        A result of :func:`count`, or its ``count``, with the dimensions ``group`` and ``codon``.
    method
        ``"wright"``: the homozygosity of a family with `n` codons in shares `p` is
        ``(n * sum(p**2) - 1) / (n - 1)``; families with ``n <= 1`` or none (``<= 1e-7``) are left
        out, and the others averaged over the families of one size. Where no family of three
        remains, the mean of those of two and four stands for them. Families come from the code,
        and Nc is at most its number of sense codons (61 under code 1).
    genetic_code
        NCBI number; None for each group's own.

    Returns
    -------
    xarray.DataArray
        float64 of dimension ``group``, in codons. NaN where no family of some other size remains,
        as in codonw; `chips` gives a number there, too.

    Raises
    ------
    UsageError
        If the code of a group is not known and none is given, or the method is unknown.

    References
    ----------
    Wright (1990) Gene 87:23.

    Examples
    --------
    >>> import xarray as xr
    >>> even = xr.DataArray([[10] * 64], dims=("group", "codon"), coords={"codon": list(CODONS)})
    >>> enc(even, genetic_code=1).values.tolist(), enc(even, genetic_code=2).values.tolist()
    ([61.0], [60.0])
    """
    if method != "wright":
        raise UsageError(f"method is {method!r}: only 'wright' is known")
    attrs = {"long_name": "effective number of codons", "units": "codons", "method": method}
    return per_group(result, genetic_code, "enc", _wright, attrs)


def _wright(counts: Floats, code: GeneticCode) -> Floats:
    kinds = sorted({members.size for members in code.families.values()})
    families = {k: [m for m in code.families.values() if m.size == k] for k in kinds}
    means = {k: _mean_homozygosity(counts, families[k]) for k in kinds if k > 1}
    if {2, 3, 4} <= set(means):
        means[3] = np.where(np.isnan(means[3]), (means[2] + means[4]) / 2, means[3])
    total = np.full(len(counts), float(len(families.get(1, ()))))
    for size, mean in means.items():
        total += len(families[size]) / mean
    most: Floats = np.minimum(total, np.count_nonzero(code.family_size))
    return most


def _mean_homozygosity(counts: Floats, families: list[NDArray[np.int64]]) -> Floats:
    """Return the mean F of families of one size, NaN where none has one, shape ``(group,)``."""
    values = np.stack([_homozygosity(counts[:, members]) for members in families])
    used = values > SMALLEST_F
    with np.errstate(invalid="ignore"):
        mean: Floats = np.where(used, values, 0).sum(axis=0) / used.sum(axis=0)
    return mean


def _homozygosity(counts: Floats) -> Floats:
    n = counts.sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        p = counts / n[:, None]
        f: Floats = (n * (p * p).sum(axis=1) - 1) / (n - 1)
    return np.where(n > 1, f, np.nan)


def gc3s(result: xr.Dataset | xr.DataArray, genetic_code: int | None = None) -> xr.DataArray:
    """Return the share of G and C at the third positions of codons that have synonyms.

    Parameters
    ----------
    result
        A result of :func:`count`, or its ``count``, with the dimensions ``group`` and ``codon``.
    genetic_code
        NCBI number; None for each group's own.

    Returns
    -------
    xarray.DataArray
        float64 of dimension ``group``, 0 to 1; NaN for a group without such codons. Stops and
        codons without synonyms, under code 1 those of Met and Trp, are left out. The values are
        those of codonw.

    Raises
    ------
    UsageError
        If the code of a group is not known and none is given.

    References
    ----------
    Peden (1999) Analysis of codon usage, thesis, University of Nottingham (codonw).

    Examples
    --------
    >>> import xarray as xr
    >>> usage = xr.DataArray(
    ...     np.zeros((1, 64)), dims=("group", "codon"), coords={"codon": list(CODONS)}
    ... )
    >>> usage.loc[{"codon": "TTT"}], usage.loc[{"codon": "TTC"}] = 30, 10
    >>> usage.loc[{"codon": "ATG"}] = 10
    >>> gc3s(usage, 1).values.tolist()
    [0.25]
    """
    attrs = {"long_name": "G and C at synonymous third positions", "units": "1"}
    return per_group(result, genetic_code, "gc3s", _gc3s, attrs)


def _gc3s(counts: Floats, code: GeneticCode) -> Floats:
    synonymous = code.family_size > 1
    with np.errstate(invalid="ignore"):
        share: Floats = counts[:, synonymous & _GC3].sum(1) / counts[:, synonymous].sum(1)
    return share


def per_group(
    result: xr.Dataset | xr.DataArray,
    genetic_code: int | None,
    name: str,
    measure: Callable[[Floats, GeneticCode], Floats],
    attrs: dict[str, str],
) -> xr.DataArray:
    """Apply ``measure(counts, code)``, one number per row of counts, to the groups of each code.

    Raises
    ------
    UsageError
        If the code of a group is not known and none is given.
    """
    array = cast("xr.DataArray", result["count"] if hasattr(result, "data_vars") else result)
    codes = _codes_for(array, genetic_code)
    array = array.transpose("group", "codon").sel(codon=list(CODONS))
    values = np.asarray(array.values, dtype=np.float64)
    out = np.full(len(codes), np.nan)
    for code in np.unique(codes):
        rows = codes == code
        out[rows] = measure(values[rows], known_code(int(code)))
    if result.attrs.get("mode") in OF_FRAMES:
        attrs = {**attrs, "warning": FRAME_WARNING}
    measured = array.isel(codon=0, drop=True).drop_vars("amino_acid", errors="ignore")
    measured = measured.copy(data=out).rename(name)
    measured.attrs = attrs
    return measured
