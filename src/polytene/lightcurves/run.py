"""Extraction as a run: targets to one table of features, in the order of the targets."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import pyarrow as pa

from polytene.core.device import settled
from polytene.core.outcome import Outcome
from polytene.core.plan import Plan
from polytene.core.reduce import Reduction
from polytene.core.run import run
from polytene.core.stage import Stage
from polytene.exceptions import UsageError
from polytene.lightcurves.features import WINDOW, Schema
from polytene.lightcurves.fetch import fetch_stage
from polytene.lightcurves.plan import BATCH_SIZE, as_source, fetch_plan, on_device
from polytene.lightcurves.plan import plan as make_plan
from polytene.lightcurves.result import write
from polytene.lightcurves.rows import in_order
from polytene.lightcurves.sources import Archive, Source, save_source
from polytene.lightcurves.stages import concat, extract_fetched, extract_local
from polytene.lightcurves.targets import Samples, Target

MEMORY = 600 << 20
OUTPUTS = ("features.csv", "features.parquet")


def stages(plan: Plan[Target], source: Source, *, timeout: float | None = None) -> list[Stage]:
    """Return the stages of an extraction: fetch, where there is an archive, and features."""
    params = {k: plan.params[k] for k in ("schema", "tls", "window")}
    device = plan.params.get("device", "cpu")
    about: dict[str, Any] = {"memory": MEMORY, "timeout": timeout}
    if device == "cuda":
        about = {"memory": MEMORY, "needs": {"GPU": 1}}
    func = extract_fetched if isinstance(source, Archive) else extract_local
    compute = Stage(functools.partial(func, **params, device=device), **about)
    return (
        [fetch_stage(source, into_run=True), compute] if isinstance(source, Archive) else [compute]
    )


def reduction() -> Reduction:
    """Return how rows become one table with a row per target, those in quarantine included."""
    return Reduction(concat, _finalize)


def _finalize(value: Any, plan: Any, failures: Any) -> pa.Table:
    return in_order(value, plan, failures)


def extract_plan(
    plan: Plan[Target],
    *,
    run_dir: str | Path,
    source: Source | str | Path,
    timeout: float | None = None,
    client: Any = None,
    **engine: Any,
) -> Outcome:
    """Run a plan made by :func:`polytene.lightcurves.plan`, and write its table.

    ``features.csv`` and ``features.parquet`` appear in the run directory.
    """
    chosen = as_source(source)
    save_source(chosen, Path(run_dir))
    if isinstance(chosen, Archive):
        engine["limits"] = {**chosen.limits, **(engine.get("limits") or {})}
    with settled(str(plan.params.get("device", "cpu")), run_dir, client) as (device, found):
        plan = on_device(plan, device)
        engine = {**engine, "run_dir": run_dir, "client": found}
        outcome = run(plan, stages(plan, chosen, timeout=timeout), reduction(), **engine)
    for name in OUTPUTS:
        write(outcome.result, Path(run_dir) / name)
    return outcome


def extract(
    samples: Samples,
    run_dir: str | Path,
    source: Source | str | Path,
    batch_size: int = BATCH_SIZE,
    tls: bool = False,
    client: Any = None,
    *,
    schema: Schema = "v1",
    window: float = WINDOW,
    device: str = "cpu",
    timeout: float | None = None,
    **engine: Any,
) -> Outcome:
    """Turn a table of targets into a table of features, one row each, whatever happens.

    Parameters
    ----------
    samples
        CSV or Parquet file, pandas table, names or mappings; only ``target_id`` is required.
    run_dir
        Where the run keeps its plan, parts and ledger; the same call again resumes, and tries
        again what failed in transport, infrastructure or memory.
    source
        :class:`LocalFiles` or its path, or :class:`Archive`.
    batch_size
        Targets that share one part file, on average; no result depends on it.
    tls
        Also compute the ``tls_*`` features.
    client
        As for :func:`polytene.run`.
    schema, window
        As for :func:`features`.
    device
        ``"cuda"``: on workers that own a GPU; ``"auto"``: so if the cluster has some when the run
        begins.
    timeout
        Seconds that one target may compute; then its row says ``compute_timeout``.
    **engine
        As for :func:`polytene.run`: ``max_quarantined``, ``on_change``, ``retry_quarantined``.

    Returns
    -------
    Outcome
        ``.result`` is a :class:`pyarrow.Table` with a row per target in their order: accounts,
        ``status`` (ok, partial, skipped, missing, failed), ``reason``, ``flags`` and the features.
        ``features.csv`` and ``features.parquet`` in the run directory hold the same.

    Raises
    ------
    UsageError
        If an argument is wrong.
    PlanChanged, TooManyFailures, RunLocked, Interrupted, NoSpace
        See :mod:`polytene.exceptions`.

    Examples
    --------
    >>> import tempfile
    >>> from polytene.testing import write_stars
    >>> folder = write_stars(n=2)
    >>> outcome = extract(folder / "targets.csv", tempfile.mkdtemp(), source=folder)
    >>> outcome.result.column("status").to_pylist()
    ['ok', 'ok', 'missing']
    """
    plan = make_plan(
        samples, source=source, schema=schema, tls=tls, window=window, batch_size=batch_size,
        device=device,
    )  # fmt: skip
    about = {"run_dir": run_dir, "source": source, "timeout": timeout, "client": client}
    return extract_plan(plan, **about, **engine)


def fetch(
    samples: Samples, run_dir: str | Path, archive: Archive, client: Any = None, **engine: Any
) -> Outcome:
    """Download the light curves of a table of targets into the archive's cache.

    A later :func:`extract` with the same cache downloads nothing of it again. ``.result`` says how
    many files and bytes there are, and which targets have none.
    """
    plan = fetch_plan(samples, archive)
    return fetch_planned(plan, run_dir=run_dir, archive=archive, client=client, **engine)


def fetch_planned(
    plan: Plan[Target], *, run_dir: str | Path, archive: Archive, **engine: Any
) -> Outcome:
    """Run a plan of downloads."""
    if not isinstance(archive, Archive):
        raise UsageError("there is nothing to fetch from a folder: give an Archive")
    engine["limits"] = {**archive.limits, **(engine.get("limits") or {})}
    fold = Reduction(None, _count_files)
    return run(plan, [fetch_stage(archive, into_run=False)], fold, run_dir=run_dir, **engine)


def _count_files(values: Any, plan: Any, failures: Any) -> dict[str, Any]:
    files = nbytes = 0
    missing = []
    for target, info in values:
        found = info["files"]
        files += len(found)
        nbytes += sum(f["bytes"] for f in found)
        if not found:
            missing.append(target.target_id)
    return {"files": files, "bytes": nbytes, "missing": missing}
