"""Codon usage tables as EMBOSS keeps them: ``.cut`` files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from polytene.codons.code import CODONS
from polytene.codons.measures.usage import recode
from polytene.codons.result import _codes_for, _gc, _letters, to_dataset
from polytene.core.files import write_bytes
from polytene.exceptions import UsageError

if TYPE_CHECKING:
    import xarray as xr

_PARAMS = {"genetic_code": "auto", "mode": "cds", "sample": None}
FIELDS = ("codon", "amino acid", "fraction", "per thousand", "number")


def to_cut(
    result: xr.Dataset,
    path: str | Path | None = None,
    group: object = None,
    genetic_code: int | None = None,
) -> str:
    """Write the usage of one group as a codon usage table that EMBOSS reads.

    Parameters
    ----------
    result
        A result of :func:`count` or :func:`read_usage`.
    path
        File to write, such as ``Emine.cut``; None to return the text only.
    group
        The group to write; may be left out where there is one.
    genetic_code
        NCBI number; None for the group's own.

    Returns
    -------
    str
        The table: for each codon, its amino acid, its fraction of the codons of that amino acid
        (the stops are one family), its number per thousand of all 64, and its number. Ambiguous
        codons are left out, as `cusp` would not.

    Raises
    ------
    UsageError
        If the group is not there, none is named though there are many, it has no codons, or its
        genetic code is not known.

    References
    ----------
    Rice, Longden and Bleasby (2000) Trends Genet. 16:276, EMBOSS; the format is that of its
    program `cusp`.

    Examples
    --------
    >>> import tempfile
    >>> from polytene import codons
    >>> from polytene.testing import write_set
    >>> usage = codons.count(write_set(), run_dir=tempfile.mkdtemp()).result
    >>> to_cut(usage, genetic_code=11).splitlines()[10:12]
    ['#Codon AA Fraction Frequency Number', 'GCA    A     0.354    14.827    466']
    """
    chosen = recode(_one(result, group), genetic_code)
    code = int(_codes_for(chosen["count"], None)[0])
    counts = np.asarray(chosen["count"].values[0], dtype=np.int64)
    if not counts.sum():
        raise UsageError(f"group {chosen['group'].values[0]!r} has no codons")
    species = " ".join(str(chosen["group"].values[0]).split())
    text = _head(species, int(chosen["n_seq"].values[0]), counts) + _rows(counts, _letters(code))
    if path is not None:
        write_bytes(Path(path), text.encode())
    return text


def read_cut(path: str | Path, genetic_code: int | None = None) -> xr.Dataset:
    """Read a codon usage table of EMBOSS.

    Parameters
    ----------
    path
        A ``.cut`` file with or without its head of ``#`` lines.
    genetic_code
        NCBI number of its genetic code. Without it the code stays unknown, as the file names
        none: amino acids are the file's letters, which are those of the standard code in several
        mitochondrial tables that EMBOSS ships.

    Returns
    -------
    xarray.Dataset
        As the result of :func:`count`, with one group, named after the species, else the file;
        ``n_seq`` is ``CdsCount``. The counts are the column ``Number``; fractions and
        frequencies, which are rounded, are not used.

    Raises
    ------
    UsageError
        If the file is not there, a line is not one of a table, or a codon is missing or doubled.

    Examples
    --------
    >>> import tempfile
    >>> from polytene import codons
    >>> from polytene.testing import write_set
    >>> folder = Path(tempfile.mkdtemp())
    >>> usage = codons.count(write_set(), run_dir=folder / "run").result
    >>> text = to_cut(usage, folder / "Emine.cut", genetic_code=11)
    >>> bool((read_cut(folder / "Emine.cut")["count"] == usage["count"]).all())
    True
    """
    path = Path(path)
    head, rows = _parse(path)
    counts = np.array([rows[codon][1] for codon in CODONS], dtype=np.int64)
    name = head.get("Species") or path.stem
    usage = to_dataset(_folded(counts, name, _whole(head.get("CdsCount", ""))), _PARAMS)
    letters = np.array([[rows[codon][0] for codon in CODONS]])
    usage = usage.assign_coords(amino_acid=(("group", "codon"), letters))
    usage.attrs = {"by": "none", "mode": "cds", "meaning": "codon usage of an EMBOSS table"}
    return recode(usage, genetic_code)


def _one(result: xr.Dataset, group: object) -> xr.Dataset:
    names = result["group"].values.tolist()
    if group is None:
        if len(names) == 1:
            return result
        raise UsageError(f"there are {len(names):,} groups: name one of them, such as {names[:3]}")
    at = [i for i, name in enumerate(names) if name == group or str(name) == group]
    if not at:
        raise UsageError(f"there is no group {group!r}; there are {len(names):,}: {names[:3]} ...")
    return result.isel(group=at[:1])


def _head(species: str, sequences: int, counts: np.ndarray[Any, Any]) -> str:
    gc = _gc(counts[None, :])[0]
    lines = [f"#Species: {species}", "#Division: ", "#Release: polytene", f"#CdsCount: {sequences}"]
    lines += ["", f"#Coding GC {100 * gc.mean():.2f}%"]
    lines += [
        f"#{place} letter GC {100 * share:.2f}%"
        for place, share in zip(("1st", "2nd", "3rd"), gc, strict=True)
    ]
    return "\n".join([*lines, "", "#Codon AA Fraction Frequency Number", ""])


def _rows(counts: np.ndarray[Any, Any], letters: list[str]) -> str:
    families = {a: sum(int(n) for n, x in zip(counts, letters, strict=True) if x == a)
                for a in letters}  # fmt: skip
    total = int(counts.sum())
    order = sorted(range(64), key=lambda i: (letters[i] == "*", letters[i], CODONS[i]))
    rows = []
    for i in order:
        n, family = int(counts[i]), families[letters[i]]
        fraction = n / family if family else 0.0
        place = f"{CODONS[i]}    {letters[i]}"
        rows.append(f"{place} {fraction:9.3f} {1000 * n / total:9.3f} {n:6d}\n")
    return "".join(rows)


def _parse(path: Path) -> tuple[dict[str, str], dict[str, tuple[str, int]]]:
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror or error}") from None
    head: dict[str, str] = {}
    rows: dict[str, tuple[str, int]] = {}
    for number, line in enumerate(lines, 1):
        if line.startswith("#"):
            name, _, value = line[1:].partition(":")
            head[name.strip()] = value.strip()
        elif line.strip():
            codon, letter, n = _row(line, f"{path}, line {number}")
            if codon in rows:
                raise UsageError(f"{path}, line {number}: codon {codon} stands there twice")
            rows[codon] = (letter, n)
    if missing := [codon for codon in CODONS if codon not in rows]:
        raise UsageError(f"{path}: {len(missing)} of 64 codons are missing, such as {missing[0]}")
    return head, rows


def _row(line: str, where: str) -> tuple[str, str, int]:
    cells = line.split()
    codon = cells[0].upper().replace("U", "T")
    if len(cells) != len(FIELDS) or codon not in CODONS or len(cells[1]) != 1:
        raise UsageError(f"{where}: expected {', '.join(FIELDS)}, found {line.strip()[:60]!r}")
    if not cells[4].isdigit():
        raise UsageError(f"{where}: the number of {codon} is {cells[4]!r}, expected a whole number")
    return codon, cells[1].upper(), int(cells[4])


def _whole(text: str) -> int:
    return int(text) if text.isdigit() else 0


def _folded(counts: np.ndarray[Any, Any], name: str, sequences: int) -> pa.Table:
    both = np.append(counts, 0)
    numbers = {"code_min": 0, "code_max": 0, "n_seq": sequences, "n_partial": 0}
    return pa.table(
        {
            "group": [name],
            **{k: np.array([v], dtype=np.int64) for k, v in numbers.items()},
            "expected": np.array([both.sum()]),
            "counts": pa.FixedSizeListArray.from_arrays(pa.array(both), both.size),
        }
    )
