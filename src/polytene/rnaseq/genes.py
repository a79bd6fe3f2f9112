"""From transcripts to genes, as tximport sums them."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np

from polytene.exceptions import UsageError

if TYPE_CHECKING:
    import xarray as xr

CountsFrom = Literal["no", "scaledTPM", "lengthScaledTPM"]
Array = np.ndarray[Any, np.dtype[np.float64]]


def gene_sums(
    matrix: xr.Dataset, tx2gene: str | Path, *, counts_from_abundance: CountsFrom = "no"
) -> xr.Dataset:
    """Return the sums per gene.

    Parameters
    ----------
    matrix
        A result of :func:`merge`: ``est_counts``, ``tpm``, ``eff_length`` of
        ``(target_id, run)``.
    tx2gene
        Table of two columns, transcript and gene, TSV or CSV, with or without a header.
    counts_from_abundance
        ``"no"``: sums of the estimated counts. ``"scaledTPM"``: TPM, scaled up to the library's
        size. ``"lengthScaledTPM"``: the same, times the gene's mean length over all runs first.

    Returns
    -------
    xarray.Dataset
        ``counts``, ``tpm`` and ``length`` of ``(gene_id, run)``; the length of a gene is the mean
        of its transcripts' effective lengths, weighted by TPM.

    Raises
    ------
    UsageError
        If a transcript of the matrix is not in the table.

    References
    ----------
    Soneson, Love and Robinson (2015) F1000Research 4:1521.
    """
    import xarray as xr

    if counts_from_abundance not in get_args(CountsFrom):
        known = ", ".join(get_args(CountsFrom))
        raise UsageError(f"counts_from_abundance is {counts_from_abundance!r}: one of {known}")
    table = _read(Path(tx2gene))
    ids = matrix["target_id"].values.tolist()
    if missing := [t for t in ids if t not in table]:
        raise UsageError(
            f"{tx2gene}: {len(missing):,} of {len(ids):,} transcripts have no gene, such as "
            f"{missing[0]!r}"
        )
    genes = sorted({table[t] for t in ids})
    place = {g: i for i, g in enumerate(genes)}
    of = np.array([place[table[t]] for t in ids])
    counts, tpm, eff = (
        matrix[name].transpose("target_id", "run").values.astype(float)
        for name in ("est_counts", "tpm", "eff_length")
    )
    sums, abundance = _sum(counts, of, len(genes)), _sum(tpm, of, len(genes))
    length = _lengths(tpm, eff, of, abundance)
    if counts_from_abundance != "no":
        scaled = abundance.copy()
        if counts_from_abundance == "lengthScaledTPM":
            scaled *= length.mean(axis=1, keepdims=True)
        total = scaled.sum(axis=0)
        size = sums.sum(axis=0)
        sums = scaled * np.divide(size, total, out=np.zeros_like(total), where=total > 0)
    runs = {k: v for k, v in matrix.coords.items() if v.dims == ("run",)}
    return xr.Dataset(
        {
            "counts": (("gene_id", "run"), sums, {"units": "reads"}),
            "tpm": (("gene_id", "run"), abundance, {"units": "1e-6"}),
            "length": (("gene_id", "run"), length, {"units": "bp"}),
        },
        coords={"gene_id": genes, **runs},
        attrs={**matrix.attrs, "counts_from_abundance": counts_from_abundance},
    )


def _sum(values: Array, of: Any, genes: int) -> Array:
    out = np.zeros((genes, values.shape[1]))
    np.add.at(out, of, values)
    return out


def _lengths(tpm: Array, eff: Array, of: Any, abundance: Array) -> Array:
    """Return the genes' lengths; where a gene is silent, what its other runs or transcripts say."""
    weighted = _sum(tpm * eff, of, len(abundance))
    length = np.divide(weighted, abundance, out=np.full_like(weighted, np.nan), where=abundance > 0)
    n = np.bincount(of, minlength=len(abundance))[:, None]
    plain = _sum(eff.mean(axis=1, keepdims=True), of, len(abundance)) / n
    logs = np.where(np.isnan(length), 0.0, np.log(np.where(np.isnan(length), 1.0, length)))
    known = (~np.isnan(length)).sum(axis=1, keepdims=True)
    typical = np.exp(logs.sum(axis=1, keepdims=True) / np.maximum(known, 1))
    return np.where(np.isnan(length), np.where(known > 0, typical, plain), length)


def _read(path: Path) -> dict[str, str]:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: {error}") from None
    mark = "\t" if "\t" in text.partition("\n")[0] else ","
    out: dict[str, str] = {}
    for i, row in enumerate(csv.reader(text.splitlines(), delimiter=mark), 1):
        if len(row) < 2:
            raise UsageError(f"{path}, line {i}: a transcript and its gene are expected")
        if out.setdefault(row[0], row[1]) != row[1]:
            raise UsageError(f"{path}, line {i}: {row[0]!r} has the gene {out[row[0]]!r} already")
    return out
