"""Quantify a plan: the stages, the accounts, the report."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from polytene.core.outcome import Outcome
from polytene.core.reduce import Reduction
from polytene.core.run import run as run_plan
from polytene.core.saved import load
from polytene.core.stage import Stage, legs
from polytene.exceptions import UsageError
from polytene.rnaseq.plan import SamplePlan
from polytene.rnaseq.proof import DRAFTS
from polytene.rnaseq.report import write_report
from polytene.rnaseq.sources import SOURCES
from polytene.rnaseq.stages import Fetch, Quantify
from polytene.rnaseq.units import Sample


def stages(plan: SamplePlan) -> list[Stage]:
    """Return one stage per source, in the order in which they are tried, and the last one.

    Sources that are not asked pass the run on, so that asking them later keeps what is done.
    A stream holds a connection and the index in memory, and no slot of a quantification.
    """
    settings, params = plan.settings, plan.params
    order = [*settings.sources, *(s for s in SOURCES if s not in settings.sources)]
    uses = {"local": {"local": 1.0}, **{s: {"net": 1.0, f"net.{s}": 1.0} for s in ("ena", "sra")}}
    streamed = "ena" in settings.sources and any(sample.streamed for sample in plan)
    fetch = [
        Stage(
            Fetch(source, source == settings.sources[-1], settings, params),
            uses=uses[source] if source in settings.sources else {"local": 1e-6, **_idle(source)},
            memory=settings.index_bytes if source == "ena" and streamed else None,
        )
        for source in order
    ]
    return [*fetch, Stage(Quantify(settings, params), uses={"quant": 1.0})]


def _idle(source: str) -> dict[str, float]:
    """Stages that need the same run as one; those of different sources never do."""
    return {} if source == "local" else {f"net.{source}": 1e-6}


def reduction(plan: SamplePlan) -> Reduction:
    """Return how records become the rows of a table: one after the other, in plan order."""
    return Reduction(None, _rows)


def _rows(values: Iterator[tuple[Any, dict[str, Any]]], plan: Any, failures: Any) -> list[Any]:
    rows = [{"run": sample.key, "status": "done", **record} for sample, record in values]
    rows += [{"run": f.key, "status": f.reason, "detail": f.detail} for f in failures]
    place = {sample.key: i for i, sample in enumerate(plan)}
    return sorted(rows, key=lambda row: place[row["run"]])


def run(plan: SamplePlan, *, run_dir: str | Path | None = None, **engine: Any) -> Outcome:
    """Quantify the runs of a plan; the same call again resumes.

    Parameters
    ----------
    plan
        Made by :func:`polytene.rnaseq.plan`.
    run_dir
        Where the run keeps its plan, parts and ledger; None: the folder ``out`` of the plan.
    **engine
        As for :func:`polytene.run`: ``client``, ``max_quarantined``, ``on_change``,
        ``retry_quarantined``, ``on_event``, ``stop``. A cluster needs as many threads as there
        are downloads and quantifications.

    Returns
    -------
    Outcome
        ``.result`` is a list of one dict per run, in the plan's order: ``run``, ``status``
        (``done``, or why not), ``n_processed``, ``n_pseudoaligned``, ``p_pseudoaligned``
        (percent), ``n_expressed``, ``n_targets``. The tables are at ``out/quant/RUN/``.

    Raises
    ------
    PlanChanged, TooManyFailures, RunLocked, Interrupted, NoSpace
        See :mod:`polytene.exceptions`.

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
    >>> run(made).summary()
    '2 planned: 2 computed, 0 resumed, 0 quarantined'
    """
    if not isinstance(plan, SamplePlan):
        raise UsageError("run() takes what rnaseq.plan() returned")
    place = Path(run_dir) if run_dir else plan.settings.folder
    _forget_lost(plan, place)
    outcome = run_plan(
        plan,
        stages(plan),
        reduction(plan),
        run_dir=place,
        limits={**plan.settings.limits, **engine.pop("limits", {})},
        **engine,
    )
    write_report(plan, outcome)
    with suppress(OSError):  # it is empty, unless somebody adopts results meanwhile
        (plan.settings.folder / DRAFTS).rmdir()
    return outcome


def _forget_lost(plan: SamplePlan, place: Path) -> None:
    """Let runs count as not done whose results somebody has removed; nothing else is touched."""
    if not (place / "plan.json").exists():
        return
    saved = load(place, Sample)
    last = legs(stages(plan), [plan.kind, plan.params])[-1].fingerprint
    for sample, tag in zip(saved.plan(), saved.index["tag"].tolist(), strict=True):
        folder = plan.settings.result_of(sample.key)
        if not all((folder / name).is_file() for name in ("done.json", "abundance.tsv")):
            for part in (place / "parts" / last).glob(f"*/{tag:016x}.*"):
                part.unlink(missing_ok=True)
