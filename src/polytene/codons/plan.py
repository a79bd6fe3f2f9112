"""Which rows are counted together: batches of whole row groups."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from dask.utils import parse_bytes

from polytene.codons.code import CODONS
from polytene.codons.code import genetic_code as known_code
from polytene.codons.kernels import Softmask
from polytene.codons.sample import Sample, draw
from polytene.codons.sets.files import coding_file, find_files, is_annotated
from polytene.core.canonical import digest
from polytene.core.keys import safe_key
from polytene.core.plan import Plan, Unit
from polytene.exceptions import BadInput, UsageError
from polytene.formats.parquet import Footer, read_footer

Mode = Literal["frame", "cds", "six-frame"]
BATCH_ROWS = 5000
BATCH_BYTES = "512MB"
CODING_COLUMNS = ("cds_id", "gene")
MANY = 4096
TAKEN = frozenset(
    [
        *CODONS,
        *(f"rscu_{c}" for c in CODONS),
        "n_seq",
        "n_codons",
        "n_ambiguous",
        "n_partial",
        "gc",
        "gc1",
        "gc2",
        "gc3",
        "codon",
        "aa",
        "count",
        "freq",
        "rscu",
        "frame",
    ]
)


@dataclass(frozen=True)
class Batch(Unit):
    """Whole row groups of one file that are counted together.

    Parameters
    ----------
    path, size, mtime_ns
        The file, and what it was when it was planned.
    first, stop
        Row groups ``first`` to ``stop`` (not included).
    rows, row
        Rows in them by the footer, and the number of the first of them in the file.
    cds
        File of the coding sequences; None in frame mode and where the file has none.
    cds_size, cds_mtime_ns
        What that file was when it was planned.
    drawn, ties
        With a sample: rows of it in this batch, and how many of them are at its limit.
    """

    path: str
    size: int
    mtime_ns: int
    first: int
    stop: int
    rows: int
    row: int
    cds: str | None = None
    cds_size: int = 0
    cds_mtime_ns: int = 0
    drawn: int | None = None
    ties: int = 0


def plan(
    inputs: str | Path | Iterable[str | Path],
    *,
    mode: Mode = "frame",
    frame: int = 0,
    by: str = "none",
    genetic_code: int | Literal["auto"] = "auto",
    batch_size: int = BATCH_ROWS,
    batch_bytes: int | str = BATCH_BYTES,
    sample: int | None = None,
    softmask: Softmask = "count",
) -> Plan[Batch]:
    """Plan a count: read the footers, and cut the files into batches.

    Parameters
    ----------
    inputs
        A set made by :func:`ingest`, or folders, globs and paths of Parquet files with a column
        ``sequence``.
    mode
        ``"cds"``: codons of the annotated coding sequences; of the whole sequence, from its
        first base, in files without annotation. ``"frame"``: in-frame trinucleotides of the
        whole sequence, which is not codon usage. ``"six-frame"``: those of all three frames of
        both strands, a row per group and frame.
    frame
        Bases to leave out at the start of each sequence in frame mode: 0, 1 or 2.
    by
        ``"none"``, or the column whose values are the groups: ``seq_id``, ``source``,
        ``organism``, any other of the set, in cds mode also ``gene`` and ``cds_id``.
    genetic_code
        NCBI number, or ``"auto"``: what the set says; never a silent 1.
    batch_size, batch_bytes
        A batch closes at so many rows or bytes, whichever comes first, and holds at least one
        row group. The counts do not depend on them, nor does memory: rows are read in slices.
    sample
        Count only the so many sequences whose ``seq_id`` has the smallest hash.
    softmask
        ``"skip"``: a codon with a lower-case base counts as ambiguous.

    Raises
    ------
    UsageError
        If an argument is wrong, nothing matches, or no file has the column ``by``.

    Examples
    --------
    >>> from polytene.testing import write_set
    >>> print(plan(write_set(sequences=30), by="source").describe().splitlines()[0])
    codons-count: 1 x batch, total cost 118,204
    """
    _check(mode, frame, genetic_code, batch_size, sample, softmask)
    try:
        most = parse_bytes(batch_bytes)
    except ValueError:
        raise UsageError(f"batch_bytes is {batch_bytes!r}: give a size such as '512MB'") from None
    if most < 1:
        raise UsageError(f"batch_bytes is {batch_bytes}: give a size such as '512MB'")
    files = [_look(path) for path in find_files(inputs)]
    _check_by(files, by, mode)
    drawn = draw([f for _, f in files if f], sample) if sample else None
    units = [u for path, f in files for u in _batches(path, f, mode, batch_size, most, drawn)]
    if all(f and not sum(f.rows) for _, f in files):
        raise UsageError(f"{files[0][0]}{' and the others' if len(files) > 1 else ''}: no rows")
    params: dict[str, Any] = {"mode": mode, "frame": frame, "by": by, "softmask": softmask}
    params |= {"by_kind": _kind(files, by), "sample": drawn.params if drawn else None}
    final = {"genetic_code": genetic_code}
    block = 16 if len(units) > MANY else 1
    return Plan("codons-count", units, params, final=final, block=block, noun="batch")


def _check(
    mode: str, frame: int, code: int | str, batch_size: int, sample: int | None, softmask: str
) -> None:
    if mode not in ("frame", "cds", "six-frame"):
        raise UsageError(f"mode is {mode!r}: 'frame', 'cds' or 'six-frame'")
    if frame not in (0, 1, 2):
        raise UsageError(f"frame is {frame}: 0, 1 or 2")
    if mode == "cds" and frame:
        raise UsageError("coding sequences have their own frame: leave frame out in cds mode")
    if mode == "six-frame" and frame:
        raise UsageError("all frames are counted: leave frame out in six-frame mode")
    if softmask not in ("count", "skip"):
        raise UsageError(f"softmask is {softmask!r}: 'count' or 'skip'")
    if code != "auto":
        known_code(int(code))
    if batch_size < 1:
        raise UsageError(f"batch_size is {batch_size}: at least 1 row")
    if sample is not None and sample < 1:
        raise UsageError(f"sample is {sample}: at least 1 sequence")


def _look(path: Path) -> tuple[Path, Footer | None]:
    """Return the footer, or None for a file that is planned to fail with its reason."""
    try:
        return path, read_footer(path)
    except BadInput:
        return path, None


def _check_by(files: list[tuple[Path, Footer | None]], by: str, mode: Mode) -> None:
    footers = [f for _, f in files if f]
    if by in TAKEN:
        raise UsageError(f"tables of counts have a column {by!r} of their own: rename the set's")
    if by == "none" or not footers or any(by in f.columns for f in footers):
        return
    if mode == "cds" and by in CODING_COLUMNS:
        return
    known = ", ".join(["none", *footers[0].columns, *(CODING_COLUMNS if mode == "cds" else ())])
    raise UsageError(f"no file has a column {by!r} to group by: one of {known}")


def _kind(files: list[tuple[Path, Footer | None]], by: str) -> str | None:
    """Return what most files hold in the column of the groups."""
    kinds = Counter(f.kinds[f.columns.index(by)] for _, f in files if f and by in f.columns)
    return kinds.most_common(1)[0][0] if kinds else None


def _batches(
    path: Path, footer: Footer | None, mode: Mode, rows: int, most: int, sample: Sample | None
) -> Iterator[Batch]:
    name = f"{safe_key(path.name)[:150]}-{digest(os.fsencode(path), 4)}"
    size, mtime_ns = _identity(path)
    if footer is None:
        yield Batch(f"{name}.{0:05d}", str(path), size, mtime_ns, 0, 0, 0, 0)
        return
    cds = coding_file(path) if mode == "cds" and is_annotated(path) else None
    cds_size, cds_mtime_ns = _identity(cds) if cds else (0, 0)
    start = 0
    for first, stop in list(_runs(footer, rows, most)) or [(0, 0)]:
        n = sum(footer.rows[first:stop])
        drawn, ties = sample.share(path, first, stop) if sample else (None, 0)
        yield Batch(
            f"{name}.{first:05d}",
            str(path),
            size,
            mtime_ns,
            first,
            stop,
            n,
            start,
            cds=str(cds) if cds else None,
            cds_size=cds_size,
            cds_mtime_ns=cds_mtime_ns,
            drawn=drawn,
            ties=ties,
            cost=float(max(1, sum(footer.nbytes[first:stop]))),
        )
        start += n


def _runs(footer: Footer, rows: int, most: int) -> Iterator[tuple[int, int]]:
    """Yield runs of row groups that close at ``rows`` rows or ``most`` bytes."""
    first = n = nbytes = 0
    for group, (group_rows, group_bytes) in enumerate(zip(footer.rows, footer.nbytes, strict=True)):
        if group > first and (n + group_rows > rows or nbytes + group_bytes > most):
            yield first, group
            first, n, nbytes = group, 0, 0
        n += group_rows
        nbytes += group_bytes
    if first < len(footer.rows):
        yield first, len(footer.rows)


def _identity(path: Path) -> tuple[int, int]:
    try:
        about = path.stat()
    except OSError:
        return 0, 0
    return about.st_size, about.st_mtime_ns
