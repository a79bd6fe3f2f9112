"""FASTA and GenBank files to a Parquet set, a file at a time, each whole or not at all."""

from __future__ import annotations

import functools
import json
import os
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from polytene.codons.code import genetic_code as known_code
from polytene.codons.sets.files import CDS, CODING, MANIFEST, SEQUENCES
from polytene.codons.sets.records import Record, Records, records
from polytene.codons.sets.writer import ROW_OVERHEAD, SetWriter
from polytene.core.canonical import digest
from polytene.core.files import link_or_copy, write_bytes
from polytene.core.keys import safe_key
from polytene.core.outcome import Outcome
from polytene.core.plan import Plan, Unit
from polytene.core.reduce import Reduction
from polytene.core.run import run
from polytene.core.scratch import Folder, scratch
from polytene.core.stage import Partial, Stage
from polytene.exceptions import UsageError

ROW_GROUP_MB = 48.0
TABLE_BYTES = 8 << 20
MEMORY = 400 << 20


@dataclass(frozen=True)
class Source(Unit):
    """One FASTA or GenBank file, and what it was when it was planned."""

    path: str
    size: int
    mtime_ns: int


def ingest_plan(
    inputs: str | Path | Iterable[str | Path],
    *,
    row_group_mb: float = ROW_GROUP_MB,
    genetic_code: int | None = None,
    pack: bool = False,
) -> Plan[Source]:
    """Plan an ingest: one unit per file.

    Parameters
    ----------
    inputs
        FASTA or GenBank files, plain or compressed with gzip or bgzip.
    row_group_mb
        Uncompressed size of a row group, in units of 1e6 bytes.
    genetic_code
        NCBI number for sequences whose file names none.
    pack
        Write the bases packed, four to a byte, with runs of all other letters and of lower case:
        nothing is lost, and counting reads several times fewer bytes.

    Raises
    ------
    UsageError
        If there is no input, or an argument is wrong.
    """
    if not 0 < row_group_mb < 1e6:
        raise UsageError(f"row_group_mb is {row_group_mb}: give a size above 0")
    if genetic_code is not None:
        known_code(genetic_code)
    given = [inputs] if isinstance(inputs, str | Path) else list(inputs)
    paths = list(dict.fromkeys(Path(os.path.abspath(p)) for p in given))  # noqa: PTH100
    if not paths:
        raise UsageError("no files given")
    units = sources(paths)
    params = {"row_group_mb": float(row_group_mb), "genetic_code": genetic_code, "pack": pack}
    return Plan("codons-ingest", units, params, noun="file")


def sources(paths: list[Path]) -> list[Source]:
    """Return the units of some files."""
    return [_source(path, name) for path, name in zip(paths, _names(paths), strict=True)]


def _names(paths: list[Path]) -> Iterator[str]:
    """Yield a key for each file: its name, with the folder where two files share it."""
    names = [safe_key(p.name) for p in paths]
    twice = {name for name, n in Counter(names).items() if n > 1}
    for path, name in zip(paths, names, strict=True):
        mark = digest(os.fsencode(path.parent), 4)
        yield f"{name[:180]}-{mark}" if name in twice else name


def _source(path: Path, key: str) -> Source:
    if path.is_dir():
        raise UsageError(f"{path} is a folder: name the files in it, such as {path}/*.fa.gz")
    try:
        about = path.stat()
    except OSError:
        return Source(key, str(path), 0, 0)
    return Source(key, str(path), about.st_size, about.st_mtime_ns, cost=float(about.st_size or 1))


def ingest_file(
    source: Source, *, row_group_mb: float, genetic_code: int | None, pack: bool
) -> Partial:
    """Write the sequences of one file as Parquet, with its coding sequences beside them.

    Raises
    ------
    BadInput
        If the file as a whole cannot be used: nothing of it is kept.
    """
    folder = scratch()
    found = Records(Path(source.path), genetic_code)
    group_bytes = int(row_group_mb * 1e6)
    with SetWriter(folder, source.key, group_bytes, packed=pack) as writer:
        for rows, coding in tables(records(found), min(TABLE_BYTES, group_bytes)):
            writer.add(rows, coding)
    info = {"key": source.key, "files": writer.files, **found.totals()}
    return Partial(Folder(folder, info), found.seen, source.size, found.rejected)


def tables(found: Iterable[Record], most: int) -> Iterator[tuple[pa.Table, pa.Table | None]]:
    """Yield rows as tables of so many bytes, with the coding sequences on them."""
    rows: list[dict[str, Any]] = []
    coding: list[dict[str, Any]] | None = None
    size = 0
    for record in found:
        if record.coding is not None:
            coding = (coding or []) + [{**cds, "row": len(rows)} for cds in record.coding]
        rows.append(record.row)
        size += record.row["length"] + ROW_OVERHEAD
        if size >= most:
            yield _table(rows, coding)
            rows, coding, size = [], None, 0
    if rows:
        yield _table(rows, coding)


def _table(
    rows: list[dict[str, Any]], coding: list[dict[str, Any]] | None
) -> tuple[pa.Table, pa.Table | None]:
    of_rows = None if coding is None else pa.Table.from_pylist(coding, CODING)
    return pa.Table.from_pylist(rows, SEQUENCES), of_rows


def stages(plan: Plan[Source]) -> list[Stage]:
    """Return the stages of an ingest."""
    return [Stage(functools.partial(ingest_file, **plan.params), memory=MEMORY)]


def publish(values: Iterable[tuple[Any, Folder]], folder: Path) -> dict[str, Any]:
    """Show the files of a run as a set: links to the committed ones, and a manifest.

    Returns the manifest.
    """
    before = _manifest(folder)
    (folder / MANIFEST).unlink(missing_ok=True)  # what is half renewed is not a set
    read, files = [], []
    for _, value in values:
        read.append({k: v for k, v in value.info.items() if k != "files"})
        for file in value.info["files"]:
            files.append(file)
            link_or_copy(value.path / file["name"], folder / file["name"])
            if file["annotated"]:
                (folder / CDS).mkdir(exist_ok=True)
                link_or_copy(value.path / CDS / file["name"], folder / CDS / file["name"])
    manifest = {"format": 1, "files": files, "sources": read, "totals": _totals(read)}
    write_bytes(folder / MANIFEST, json.dumps(manifest, indent=1).encode() + b"\n")
    for name in {f["name"] for f in before.get("files", [])} - {f["name"] for f in files}:
        (folder / name).unlink(missing_ok=True)
        (folder / CDS / name).unlink(missing_ok=True)
    return manifest


def _manifest(folder: Path) -> dict[str, Any]:
    path = folder / MANIFEST
    found: dict[str, Any] = json.loads(path.read_bytes()) if path.exists() else {}
    return found


def _totals(sources: list[dict[str, Any]]) -> dict[str, int]:
    names = [n for n, v in (sources[0].items() if sources else ()) if isinstance(v, int)]
    return {name: sum(s[name] for s in sources) for name in names}


def reduction(folder: Path) -> Reduction:
    """Return how the files of an ingest become a set in ``folder``."""
    return Reduction(None, functools.partial(_finalize, folder=folder))


def _finalize(values: Any, plan: Any, failures: Any, folder: Path) -> dict[str, Any]:
    return publish(values, folder)


def ingest(
    inputs: str | Path | Iterable[str | Path],
    output: str | Path,
    *,
    row_group_mb: float = ROW_GROUP_MB,
    genetic_code: int | None = None,
    pack: bool = False,
    **engine: Any,
) -> Outcome:
    r"""Turn FASTA and GenBank files into a Parquet set.

    Parameters
    ----------
    inputs, row_group_mb, genetic_code, pack
        As for :func:`ingest_plan`.
    output
        Folder of the set; it is the run directory, too, so that the same call again resumes.
    **engine
        As for :func:`polytene.run`: ``client``, ``max_quarantined``, ``on_change`` and so on.

    Returns
    -------
    Outcome
        ``.result`` is the manifest: files, sources and totals. ``.rejected`` lists records and
        coding sequences that could not be used.

    Raises
    ------
    UsageError
        If there is no input, or an argument is wrong.
    PlanChanged, TooManyFailures, RunLocked, Interrupted, NoSpace
        See :mod:`polytene.exceptions`.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> folder = pathlib.Path(tempfile.mkdtemp())
    >>> _ = (folder / "two.fa").write_text(">a\nATGAAA\n>b\nATGTAA\n")
    >>> ingest(folder / "two.fa", folder / "set").result["totals"]["bases"]
    12
    """
    plan = ingest_plan(inputs, row_group_mb=row_group_mb, genetic_code=genetic_code, pack=pack)
    return ingest_planned(plan, Path(output), **engine)


def ingest_planned(plan: Plan[Source], output: Path, **engine: Any) -> Outcome:
    """Run a plan made by :func:`ingest_plan`."""
    return run(plan, stages(plan), reduction(output.absolute()), run_dir=output, **engine)
