"""Results on disk: what is done, whether it is whole, and results of earlier scripts."""

from __future__ import annotations

import shutil
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from polytene.core.plan import Plan
from polytene.exceptions import BadInput, PolyteneError, UsageError
from polytene.rnaseq.abundance import Counts, read_abundance, targets_digest
from polytene.rnaseq.plan import SAMPLES, SamplePlan
from polytene.rnaseq.proof import NotWhole, draft_of, identity_of, prove, publish, read_done
from polytene.rnaseq.quantifier import Kallisto
from polytene.rnaseq.samples import is_run


@dataclass(frozen=True)
class Standing:
    """Where the runs of a list stand.

    Parameters
    ----------
    done
        Runs with a proven result.
    missing
        Runs without one.
    partial
        Runs with files that prove nothing.
    """

    done: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    partial: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        total = len(self.done) + len(self.missing) + len(self.partial)
        return (
            f"{len(self.done):,} of {total:,} runs are done, {len(self.missing):,} are missing, "
            f"{len(self.partial):,} have files that prove nothing"
        )


def listed(work: str | Path) -> list[str]:
    """Return the runs that were asked for, in their order.

    Raises
    ------
    UsageError
        If nothing was planned there.
    """
    path = Path(work) / SAMPLES
    if not path.exists():
        raise UsageError(f"{work}: no runs were planned here (no {SAMPLES})")
    runs: list[str] = pq.read_table(path, columns=["run"]).column("run").to_pylist()
    return runs


def status(work: str | Path) -> Standing:
    """Say which runs of a list are done: by their proof, not because a file exists.

    Raises
    ------
    UsageError
        If nothing was planned in ``work``.
    """
    found = Standing()
    for run in listed(work):
        folder = Path(work) / "quant" / run
        if read_done(folder) is not None:
            found.done.append(run)
        else:
            (found.partial if folder.exists() else found.missing).append(run)
    return found


def verify(work: str | Path, *, deep: bool = False) -> list[str]:
    """Check the results in ``work``; return a sentence per problem.

    Parameters
    ----------
    work
        Folder of the work.
    deep
        Also read each table again, and compare it with what was written down of it.
    """
    problems, indexes = [], Counter[str]()
    for folder in sorted((Path(work) / "quant").glob("[!.]*")):
        record = read_done(folder)
        if record is None:
            problems.append(f"{folder}: no done.json, or abundance.tsv is not what it says")
            continue
        indexes[record["index_sha256"]] += 1
        if deep:
            problems += [f"{folder}: {why}" for why in _differences(folder, record)]
    if len(indexes) > 1:
        problems.append(f"{work}: results of {len(indexes)} different indexes cannot be merged")
    return problems


def _differences(folder: Path, record: dict[str, Any]) -> list[str]:
    try:
        table = read_abundance(folder / "abundance.tsv")
    except BadInput as error:
        return [str(error)]
    out = []
    if table.num_rows != record["n_targets"]:
        out.append(f"{table.num_rows:,} rows, {record['n_targets']:,} written down")
    if targets_digest(table) != record["targets"]:
        out.append("the transcripts are not those written down")
    expected = record.get("reads_expected")
    if expected is not None and expected != record["n_processed"]:
        out.append(f"{record['n_processed']:,} reads processed of {expected:,}")
    return out


@dataclass(frozen=True)
class Adopted:
    """What became of the results of an earlier script.

    Parameters
    ----------
    taken
        Runs whose results are whole, and count as done now.
    refused
        Per run, why its result does not count: it is quantified again.
    """

    taken: list[str] = field(default_factory=list)
    refused: dict[str, str] = field(default_factory=dict)


def adopt(folder: str | Path, plan: Plan[Any]) -> Adopted:
    """Take over a finished ``quant/`` of an earlier script, as far as it proves to be whole.

    A result is taken if its table is whole and its ``run_info.json`` tells of the same kallisto,
    of as many transcripts, and of all reads that the archive counts. It is copied; nothing in
    ``folder`` changes.

    Parameters
    ----------
    folder
        Holds ``RUN/abundance.tsv`` and ``RUN/run_info.json``, also with the name of the run in
        front of the files' names, as amalgkit has them.
    plan
        The plan that the results are for.

    Raises
    ------
    UsageError
        If there is no such folder, or no result in it.
    """
    folder = Path(folder)
    if not isinstance(plan, SamplePlan):
        raise UsageError("adopt() takes what rnaseq.plan() returned")
    found = {p.name: p for p in folder.iterdir() if is_run(p.name)} if folder.is_dir() else {}
    if not found:
        raise UsageError(f"{folder}: no folder RUN/ with an abundance.tsv in it")
    out = Adopted()
    for sample in plan:
        if sample.key not in found:
            continue
        try:
            _adopt(found[sample.key], sample, plan)
            out.taken.append(sample.key)
        except (PolyteneError, OSError) as error:
            out.refused[sample.key] = str(error)
    return out


def _adopt(source: Path, sample: Any, plan: SamplePlan) -> None:
    final = plan.settings.result_of(sample.key)
    identity = identity_of(sample.about(), plan.params)
    if read_done(final, identity) is not None:
        return
    with draft_of(plan.settings.folder, sample.key) as draft:
        for name in ("abundance.tsv", "run_info.json"):
            own = source / name
            path = own if own.exists() else source / f"{sample.key}_{name}"
            shutil.copyfile(path, draft / name)
        said = Kallisto("").finish(draft)
        _check_same(said, plan)
        proven = prove(draft, said, sample.spots)
        about = {
            "run": sample.key,
            "identity": identity,
            "layout_declared": sample.layout or None,
            "layout_used": None,
            "reads_expected": sample.spots,
            "quantifier": plan.settings.quantifier,
            "index_sha256": plan.params["index"]["sha256"],
            "made_of": {"source": "adopted"},
        }
        publish(draft, final, {**about, **proven})


def _check_same(said: Counts, plan: SamplePlan) -> None:
    version = plan.params["index"]["version"]
    if said.version != version:
        raise NotWhole(f"made by kallisto {said.version}; this plan is for {version}")
