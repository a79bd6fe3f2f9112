"""The codon adaptation index: how well codons suit a reference of highly expressed genes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import ArrayLike

from polytene.codons.code import CODONS, GeneticCode
from polytene.codons.code import genetic_code as known_code
from polytene.codons.measures.enc import Floats, per_group
from polytene.exceptions import UsageError

if TYPE_CHECKING:
    import xarray as xr

UNSEEN = 0.5


def cai(
    result: xr.Dataset | xr.DataArray,
    reference: xr.Dataset | xr.DataArray | str | Path | ArrayLike,
    genetic_code: int | None = None,
) -> xr.DataArray:
    """Return the codon adaptation index of each group.

    It is the geometric mean, over a group's codons, of their adaptiveness: how often the reference
    uses the codon, over how often it uses the most frequent codon of that amino acid.

    Parameters
    ----------
    result
        A result of :func:`count`, or its ``count``, with the dimensions ``group`` and ``codon``.
    reference
        Usage of highly expressed genes: another result with a single group, a file that
        :func:`read_usage` or (suffix ``.cut``) :func:`read_cut` reads, or 64 counts in the order
        of ``codons.CODONS``.
    genetic_code
        NCBI number, for both; None for each group's own.

    Returns
    -------
    xarray.DataArray
        float64 of dimension ``group``, above 0 and at most 1; NaN for a group without codons to
        judge. Stops and codons without synonyms under the code are left out. A codon that the
        reference never uses counts as used 0.5 times; an amino acid that it never uses therefore
        has the adaptiveness 1 throughout.

    Raises
    ------
    UsageError
        If the code of a group is not known and none is given, the reference has another code or
        several groups, or it holds shares rather than counts and some are 0.

    Notes
    -----
    Biopython leaves out ATG and TGG under every code, and takes stops in; EMBOSS `cai` takes in
    all 64 codons, while codonw agrees with this one.

    References
    ----------
    Sharp and Li (1987) Nucleic Acids Res. 15:1281.

    Examples
    --------
    >>> import xarray as xr
    >>> usage = xr.DataArray([[1] * 64], dims=("group", "codon"), coords={"codon": list(CODONS)})
    >>> cai(usage, np.full(64, 7), genetic_code=1).values.tolist()
    [1.0]
    """
    table = _reference(reference)
    values = _vector(table)
    if genetic_code is None:
        _check_codes(result, table)

    def measure(counts: Floats, code: GeneticCode) -> Floats:
        used = code.family_size > 1
        weights = np.log(_adaptiveness(values, code)[used])
        with np.errstate(invalid="ignore"):
            mean = counts[:, used] @ weights / counts[:, used].sum(axis=1)
        return cast("Floats", np.exp(mean))

    attrs = {"long_name": "codon adaptation index", "units": "1"}
    return per_group(result, genetic_code, "cai", measure, attrs)


def _reference(reference: Any) -> Any:
    """Return a table or an array; a file is read."""
    if not isinstance(reference, str | Path):
        return reference
    from polytene.codons.measures.cut import read_cut
    from polytene.codons.measures.usage import read_usage

    return read_cut(reference) if Path(reference).suffix == ".cut" else read_usage(reference)


def _vector(table: Any) -> Floats:
    """Return the 64 counts of a reference."""
    if hasattr(table, "dims"):
        array = table["count"] if hasattr(table, "data_vars") else table
        if array.sizes.get("group", 1) != 1:
            raise UsageError(
                f"the reference has {array.sizes['group']:,} groups: choose one, such as "
                'reference.sel(group=["..."]), or count it with by="none"'
            )
        table = array.sel(codon=list(CODONS)).values
    values = np.asarray(table, dtype=np.float64).ravel()
    if values.size != 64 or not np.isfinite(values).all() or (values < 0).any():
        raise UsageError("a reference is 64 counts, in the order of codons.CODONS, none negative")
    return values


def _check_codes(result: Any, table: Any) -> None:
    """Refuse a reference of a genetic code under which a group reads other amino acids."""
    known = getattr(table, "coords", {})
    codes = np.unique(known["transl_table"].values) if "transl_table" in known else ()
    own = result.coords["transl_table"].values if "transl_table" in result.coords else ()
    for theirs in (int(c) for c in codes if c):
        for ours in (int(c) for c in np.unique(own) if c):
            if known_code(ours).amino_acids != known_code(theirs).amino_acids:
                raise UsageError(
                    f"the reference has genetic code {theirs}, a group {ours}: take a reference "
                    "of the same code, or give genetic_code (--genetic-code) for both"
                )


def _adaptiveness(values: Floats, code: GeneticCode) -> Floats:
    """Return the adaptiveness of each codon, 1 for those without synonyms."""
    weights = np.ones(64)
    judged = values[code.family_size > 1]
    if (judged == 0).any() and not np.array_equal(judged, np.round(judged)):
        raise UsageError(
            "the reference holds shares, and some are 0: give counts, so that a codon never seen "
            f"can stand for {UNSEEN} of them"
        )
    seen = np.where(values == 0, UNSEEN, values)
    for members in code.families.values():
        if members.size > 1:
            weights[members] = seen[members] / seen[members].max()
    return weights
