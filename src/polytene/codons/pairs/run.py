"""Counting pairs of neighbouring codons as a run: plan, verb, stage and reduction."""

from __future__ import annotations

import functools
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from polytene.codons.code import genetic_code as known_code
from polytene.codons.pairs.kernels import WIDTH
from polytene.codons.pairs.scores import to_dataset
from polytene.codons.pairs.stage import MOST_GROUPS, count_pairs, merge
from polytene.codons.plan import Batch
from polytene.codons.plan import plan as plan_count
from polytene.codons.run import MEMORY
from polytene.core.outcome import Outcome
from polytene.core.plan import Plan
from polytene.core.reduce import Reduction
from polytene.core.run import run
from polytene.core.stage import Stage
from polytene.exceptions import BrokenPromise, UsageError

if TYPE_CHECKING:
    import xarray as xr

COPIES = 6


def pairs_plan(inputs: str | Path | Iterable[str | Path], **options: Any) -> Plan[Batch]:
    """Plan a count of codon pairs; ``options`` are those of :func:`plan`, ``mode`` cds by default.

    The genetic code is no part of the plan: pairs are counted without it.

    Raises
    ------
    UsageError
        As :func:`plan`, and if there is a group per sequence and too many of them.

    Examples
    --------
    >>> from polytene.testing import write_set
    >>> pairs_plan(write_set(sequences=30), by="source").kind
    'codons-pairs'
    """
    code = options.pop("genetic_code", "auto")
    if code not in ("auto", None):
        known_code(int(code))
    if options.get("mode") == "six-frame":
        raise UsageError("pairs are counted in cds or in frame mode, not in six-frame")
    plan = plan_count(inputs, **{"mode": "cds", **options})
    rows = sum(b.rows if b.drawn is None else b.drawn for b in plan)
    if plan.params["by"] == "seq_id" and rows > MOST_GROUPS:
        raise UsageError(
            f"pairs take 32 KB per group, so {rows:,} sequences are too many to group by seq_id "
            f"(at most {MOST_GROUPS:,}): group by a coarser column, such as source or organism"
        )
    return Plan("codons-pairs", plan.units, plan.params, block=plan.block, noun=plan.noun)


def pairs(
    inputs: str | Path | Iterable[str | Path],
    *,
    run_dir: str | Path,
    genetic_code: int | str = "auto",
    client: Any = None,
    max_quarantined: float | None = None,
    on_change: str = "fail",
    retry_quarantined: bool = False,
    on_event: Any = None,
    **options: Any,
) -> Outcome:
    """Count pairs of neighbouring codons of a set of any size, and score them.

    Parameters
    ----------
    inputs, run_dir, client, max_quarantined, on_change, retry_quarantined, on_event
        As for :func:`count`.
    genetic_code
        NCBI number, or ``"auto"``: what the set says. The same call with another one only scores
        the pairs anew.
    **options
        As for :func:`plan`: ``mode`` (here ``"cds"`` by default), ``frame``, ``by``, ``sample``,
        ``softmask``, ``batch_size``, ``batch_bytes``.

    Returns
    -------
    Outcome
        ``.result`` is an :class:`xarray.Dataset` with ``count(group, first, second)``, int64,
        and ``cps`` of the same shape, see
        :func:`cps`; ``cps`` is NaN for groups whose genetic
        code is not known. Per group there are ``codon_count(group, codon)``, ``n_seq``,
        ``n_pairs`` and ``n_ambiguous`` (pairs with an ambiguous codon), int64.

    Raises
    ------
    UsageError
        If an argument is wrong, or there are more than 1,024 groups, at 32 KB each.
    PlanChanged, TooManyFailures, RunLocked, Interrupted, NoSpace
        See :mod:`polytene.exceptions`.

    Examples
    --------
    >>> import tempfile
    >>> from polytene.testing import write_set
    >>> found = pairs(write_set(), run_dir=tempfile.mkdtemp(), by="source", genetic_code=11).result
    >>> found["count"].sel(first="AAA", second="AAG").dims
    ('group',)
    """
    plan = pairs_plan(inputs, **options)
    engine = {"max_quarantined": max_quarantined, "on_change": on_change, "on_event": on_event}
    engine |= {"client": client, "retry_quarantined": retry_quarantined}
    return pairs_planned(plan, genetic_code, run_dir=run_dir, **engine)


def pairs_planned(
    plan: Plan[Batch], genetic_code: int | str = "auto", *, run_dir: str | Path, **engine: Any
) -> Outcome:
    """Run a plan made by :func:`pairs_plan`."""
    params = {k: plan.params[k] for k in ("mode", "frame", "by", "softmask", "by_kind")}
    limit = plan.params["sample"]["limit"] if plan.params["sample"] else None
    stage = Stage(functools.partial(count_pairs, **params, limit=limit), memory=_memory(plan))
    params = {**plan.params, "genetic_code": genetic_code}
    outcome = run(
        plan,
        [stage],
        Reduction(merge, functools.partial(_finalize, params=params)),
        run_dir=run_dir,
        **engine,
    )
    failed = {f.key for f in outcome.quarantined}
    rows = sum((b.rows if b.drawn is None else b.drawn) for b in plan if b.key not in failed)
    if rows != outcome.items:
        raise BrokenPromise(f"{outcome.items:,} rows were seen where {rows:,} were planned")
    return outcome


def _memory(plan: Plan[Batch]) -> int:
    groups = 1 if plan.params["by"] == "none" else min(sum(b.rows for b in plan), MOST_GROUPS)
    return MEMORY + COPIES * 8 * WIDTH * groups


def _finalize(value: Any, plan: Any, failures: Any, params: dict[str, Any]) -> xr.Dataset:
    return to_dataset(value, params)
