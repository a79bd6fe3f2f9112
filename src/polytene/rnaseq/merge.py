"""All runs as one matrix: read on the cluster, written block by block, never held whole."""

from __future__ import annotations

import json
import os
import shutil
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow.parquet as pq

from polytene.core.plan import Plan, Unit
from polytene.core.reduce import Reduction
from polytene.core.run import run as run_plan
from polytene.core.stage import Partial, Stage
from polytene.exceptions import BadInput, UsageError
from polytene.rnaseq.abundance import NUMBERS, read_abundance, targets_digest
from polytene.rnaseq.matrix_files import MERGED, ZARR, write_matrix
from polytene.rnaseq.plan import SAMPLES
from polytene.rnaseq.proof import read_done
from polytene.rnaseq.results import listed

if TYPE_CHECKING:
    import xarray as xr

RUNS_PER_BLOCK = 64
SAME = ("index_sha256", "quantifier", "quantifier_version", "index_version", "targets")


@dataclass(frozen=True)
class Columns(Unit):
    """Neighbouring columns of the matrix: runs, and the checksums of their tables."""

    runs: tuple[str, ...] = ()
    sha256: tuple[str, ...] = ()


@dataclass(frozen=True)
class ReadColumns:
    """The stage that reads columns; where the tables are is no part of what they hold."""

    work: str
    targets: str

    __name__ = "read_columns"

    def __call__(self, columns: Columns) -> Partial:
        """Return ``(measure, target, run)`` as one array."""
        out, nbytes = [], 0
        for run, sha256 in zip(columns.runs, columns.sha256, strict=True):
            folder = Path(self.work) / "quant" / run
            record = read_done(folder)
            if record is None or record["sha256"] != sha256:
                raise BadInput("changed", f"{folder}: not the table that was planned")
            table = read_abundance(folder / "abundance.tsv")
            if targets_digest(table) != self.targets:
                raise BadInput("other-targets", f"{folder}: other transcripts, or another order")
            nbytes += (folder / "abundance.tsv").stat().st_size
            out.append([table.column(name).to_numpy() for name in NUMBERS])
        values = np.stack([np.stack(column) for column in out], axis=2)
        return Partial(values, items=len(columns.runs), nbytes=nbytes)


def merge(
    work: str | Path,
    *,
    allow_missing: bool = False,
    tables: bool = True,
    **engine: Any,
) -> xr.Dataset:
    """Merge the results of a work folder into one matrix, on the cluster.

    Parameters
    ----------
    work
        Folder ``out`` of the plan.
    allow_missing
        Merge without the runs that have no proven result; they are named in
        ``attrs["missing"]``.
    tables
        Also write the tables: Parquet, ``merged/merged_abundance.tsv`` (TPM) and, per species,
        ``merge/<Species>/<Species>_{est_counts,eff_length,tpm}.tsv``.
    **engine
        As for :func:`polytene.run`: ``client``, ``on_event``, ``stop``.

    Returns
    -------
    xarray.Dataset
        Lazily read from ``merged/expression.zarr``: ``est_counts`` (reads), ``tpm`` and
        ``eff_length`` (bp), float64 of ``(target_id, run)``; with ``length`` (bp) per transcript,
        and what the list says of each run.

    Raises
    ------
    UsageError
        If runs are missing, or results were made with different indexes, versions or
        transcripts.

    Examples
    --------
    >>> import tempfile
    >>> from polytene import rnaseq
    >>> from polytene.testing import write_reads, write_transcripts
    >>> folder = Path(tempfile.mkdtemp())
    >>> fasta = write_transcripts(folder / "t.fa", 5)
    >>> index = rnaseq.index(fasta, folder / "t.idx")
    >>> runs = write_reads(folder / "reads", fasta, runs=2)
    >>> made = rnaseq.plan(runs, index=index.path, out=folder / "w", local_dir=folder / "reads")
    >>> _ = rnaseq.run(made)
    >>> dict(merge(folder / "w").sizes)
    {'target_id': 5, 'run': 2}
    """
    import xarray as xr

    work = Path(work)
    records, missing = _records(work)
    if missing and not allow_missing:
        raise UsageError(
            f"{work}: {len(missing):,} of {len(missing) + len(records):,} runs have no proven "
            f"result, such as {missing[0]}: run them, or merge the others: --allow-missing"
        )
    if not records:
        raise UsageError(f"{work}: no run has a proven result")
    _check_same(records)
    engine.setdefault("on_change", "rerun")
    outcome = run_plan(
        _plan(records),
        [Stage(ReadColumns(str(work.absolute()), records[0]["targets"]))],
        Reduction(None, _Write(str(work.absolute()), tuple(missing), tables)),
        run_dir=work / MERGED / "run",
        **engine,
    )
    outcome.raise_if_incomplete()
    matrix: xr.Dataset = xr.open_zarr(work / MERGED / ZARR)
    return matrix


def _records(work: Path) -> tuple[list[dict[str, Any]], list[str]]:
    records, missing = [], []
    for run in listed(work):
        record = read_done(work / "quant" / run)
        if record is None:
            missing.append(run)
        else:
            records.append(record)
    return records, missing


def _check_same(records: Sequence[dict[str, Any]]) -> None:
    for name in SAME:
        seen = {record[name]: record["run"] for record in reversed(records)}
        if len(seen) > 1:
            (a, first), (b, second) = list(seen.items())[:2]
            raise UsageError(
                f"{first} and {second} differ in {name} ({str(a)[:16]}, {str(b)[:16]}): quantify "
                "all runs with one index and one version: polytene rnaseq run"
            )


def _plan(records: Sequence[dict[str, Any]]) -> Plan[Columns]:
    units = []
    for start in range(0, len(records), RUNS_PER_BLOCK):
        some = records[start : start + RUNS_PER_BLOCK]
        runs, sums = tuple(r["run"] for r in some), tuple(r["sha256"] for r in some)
        units.append(Columns(f"columns-{start:08d}", runs, sums, cost=float(len(some))))
    params = {name: records[0][name] for name in SAME}
    return Plan("rnaseq-merge", units, params, noun="block of runs")


@dataclass(frozen=True)
class _Write:
    """The end of a merge: blocks of columns become files, each whole or not there."""

    work: str
    missing: tuple[str, ...]
    tables: bool

    __name__ = "write"

    def __call__(self, values: Iterator[tuple[Any, Any]], plan: Any, failures: Any) -> int:
        """Write the files; return the number of runs."""
        if failures:
            return 0
        work = Path(self.work)
        runs = [run for columns in plan for run in columns.runs]
        known = pq.read_table(work / SAMPLES)
        first = read_abundance(work / "quant" / runs[0] / "abundance.tsv")
        draft = work / MERGED / f".{uuid.uuid4().hex[:12]}.tmp"
        draft.mkdir(parents=True)
        try:
            attrs = {k: str(v) for k, v in plan.params.items()} | {"missing": list(self.missing)}
            rates = {r: _rate(work, r) for r in runs}
            blocks = (value for _, value in values)
            write_matrix(draft, blocks, runs, first, known, rates, attrs, tables=self.tables)
            _replace(draft, work)
        finally:
            shutil.rmtree(draft, ignore_errors=True)
        return len(runs)


def _rate(work: Path, run: str) -> float:
    record = json.loads((work / "quant" / run / "done.json").read_text())
    return float(record["p_pseudoaligned"])


def _replace(draft: Path, work: Path) -> None:
    """Move new files to their places; folders are renamed aside before they are replaced."""
    for path in sorted(draft.rglob("*")):
        if path.suffix == ".zarr" or (path.is_file() and ".zarr" not in str(path.parent)):
            final = work / path.relative_to(draft)
            final.parent.mkdir(parents=True, exist_ok=True)
            if final.is_dir():
                doomed = final.with_name(f".{final.name}.{uuid.uuid4().hex[:12]}.old")
                os.replace(final, doomed)
                shutil.rmtree(doomed, ignore_errors=True)
            os.replace(path, final)
