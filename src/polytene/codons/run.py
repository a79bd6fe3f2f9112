"""Counting as a run: the stages and the reduction of a plan, and the verb that joins them."""

from __future__ import annotations

import functools
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from polytene.codons.device import Device
from polytene.codons.groups import merge
from polytene.codons.plan import Batch
from polytene.codons.plan import plan as make_plan
from polytene.codons.result import to_dataset
from polytene.codons.stages import count_batch
from polytene.core.device import Wanted, settled
from polytene.core.outcome import Outcome
from polytene.core.plan import Plan
from polytene.core.reduce import Reduction
from polytene.core.run import run
from polytene.core.stage import Stage
from polytene.exceptions import BrokenPromise
from polytene.formats.parquet import SLICE_BYTES

if TYPE_CHECKING:
    import xarray as xr

MEMORY = 5 * SLICE_BYTES + (120 << 20)


def stages(plan: Plan[Batch], device: Device = "cpu") -> list[Stage]:
    """Return the stages of a count; on a device, each worker has to own a ``GPU``."""
    params = {k: plan.params[k] for k in ("mode", "frame", "by", "softmask", "by_kind")}
    limit = plan.params["sample"]["limit"] if plan.params["sample"] else None
    if device == "cpu":
        return [Stage(functools.partial(count_batch, **params, limit=limit), memory=MEMORY)]
    on_it = functools.partial(count_batch, **params, limit=limit, device=device)
    return [Stage(on_it, needs={"GPU": 1}, memory=MEMORY)]


def reduction(plan: Plan[Batch]) -> Reduction:
    """Return how the batches' counts become one labelled table."""
    return Reduction(merge, functools.partial(_finalize, params={**plan.params, **plan.final}))


def _finalize(value: Any, plan: Any, failures: Any, params: dict[str, Any]) -> xr.Dataset:
    return to_dataset(value, params)


def count_plan(
    plan: Plan[Batch],
    *,
    run_dir: str | Path,
    device: Wanted = "cpu",
    client: Any = None,
    **engine: Any,
) -> Outcome:
    """Run a plan made by :func:`polytene.codons.plan`."""
    with settled(device, run_dir, client) as (chosen, found):
        engine = {**engine, "run_dir": run_dir, "client": found}
        outcome = run(plan, stages(plan, chosen), reduction(plan), **engine)
    failed = {f.key for f in outcome.quarantined}
    rows = sum((b.rows if b.drawn is None else b.drawn) for b in plan if b.key not in failed)
    if rows != outcome.items:
        raise BrokenPromise(f"{outcome.items:,} rows were seen where {rows:,} were planned")
    return outcome


def count(
    inputs: str | Path | Iterable[str | Path],
    *,
    run_dir: str | Path,
    device: Wanted = "cpu",
    client: Any = None,
    max_quarantined: float | None = None,
    on_change: str = "fail",
    retry_quarantined: bool = False,
    on_event: Any = None,
    **options: Any,
) -> Outcome:
    """Count codons, or in-frame trinucleotides, of a set of any size in bounded memory.

    Parameters
    ----------
    inputs
        A set made by :func:`ingest`, or folders, globs and paths of Parquet files.
    run_dir
        Where the run keeps its plan, parts and ledger; the same call again resumes.
    device
        ``"cuda"``: count on the GPUs of workers that own one, each as the resource ``GPU``. The
        counts are equal; reading takes the time, so that it is no faster. ``"auto"``: so if the
        cluster has such workers when the run begins.
    client, max_quarantined, on_change, retry_quarantined, on_event
        As for :func:`polytene.run`.
    **options
        As for :func:`plan`: ``mode``, ``frame``, ``by``, ``genetic_code``, ``sample``,
        ``softmask``, ``batch_size``, ``batch_bytes``.

    Returns
    -------
    Outcome
        ``.result`` is an :class:`xarray.Dataset` with ``count(group, codon)`` and, per group,
        ``n_seq``, ``n_codons``, ``n_ambiguous``, ``n_partial`` (all int64), with the coordinates
        ``codon`` (TCAG order), ``amino_acid(group, codon)`` and ``transl_table(group)``.

    Raises
    ------
    UsageError
        If an argument is wrong.
    PlanChanged, TooManyFailures, RunLocked, Interrupted, NoSpace
        See :mod:`polytene.exceptions`.

    Examples
    --------
    >>> import tempfile
    >>> from polytene.testing import write_set
    >>> outcome = count(write_set(sequences=30), run_dir=tempfile.mkdtemp(), by="source")
    >>> outcome.result["count"].sel(codon="ATG").dims
    ('group',)
    """
    given = {"max_quarantined": max_quarantined, "on_change": on_change, "on_event": on_event}
    plan = make_plan(inputs, **options)
    again = {"client": client, "retry_quarantined": retry_quarantined, "device": device}
    return count_plan(plan, run_dir=run_dir, **again, **given)
