"""``--only KEY``: units alone, in this process, with the whole traceback of what they raise."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click
import dask

from polytene.core.outcome import Outcome
from polytene.core.plan import Plan
from polytene.core.run import in_process
from polytene.core.tracing import tracebacks
from polytene.watch.explain import Explanation, explain
from polytene.watch.progress import printable
from polytene.watch.rates import counted


def try_alone(plan: Plan[Any], runner: Callable[..., Outcome], *, as_json: bool) -> bool:
    """Run a few units in a temporary run directory, and print what became of each.

    Parameters
    ----------
    plan
        The units to try.
    runner
        As for :func:`polytene.command.execute`.
    as_json
        Print one JSON object.

    Returns
    -------
    bool
        Whether none failed, and no item was rejected.
    """
    quiet = {"polytene.retry-seconds": 0, "polytene.fsync": False}
    found: list[Explanation] = []
    with tempfile.TemporaryDirectory(prefix="polytene-only-") as folder, tracebacks() as told:
        root = Path(folder, plan.kind)
        with dask.config.set(quiet), in_process() as client:
            try:
                runner(
                    plan,
                    run_dir=root,
                    client=client,
                    max_quarantined=1.0,
                    on_change="fail",
                    retry_quarantined=False,
                    on_event=None,
                    stop=None,
                )
            finally:
                if (root / "plan.json").exists():
                    found = [explain(root, unit.key) for unit in plan]
                _tell(found, told, plan.noun, as_json)
    return all(e.state == "done" and not e.rejected for e in found)


def _tell(found: list[Explanation], told: Mapping[str, str], noun: str, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps({"tried": [_about(e, told) for e in found]}, default=str))
        return
    for one in found:
        click.echo(printable(_line(one)))
        for item in one.rejected:
            click.echo(printable(f"  rejected {item.item}: {item.reason}: {item.detail}"))
        if one.key in told and one.state != "done":
            click.echo(printable(told[one.key], keep="\n"))
    failed = sum(e.state != "done" for e in found)
    click.echo(f"tried {counted(len(found), noun)} alone, {failed} failed; nothing is kept")


def _line(one: Explanation) -> str:
    failure = next((leg.failure for leg in one.legs if leg.failure), None)
    if failure:
        return f"{one.key}: failed in {failure.stage}: {failure.reason}: {failure.detail}"
    last = one.legs[-1]
    return f"{one.key}: {one.state}, {counted(last.items, 'item')}, {last.read:,} bytes read"


def _about(one: Explanation, told: Mapping[str, str]) -> dict[str, Any]:
    failure = next((leg.failure for leg in one.legs if leg.failure), None)
    return {
        "key": one.key,
        "state": "failed" if failure else one.state,
        "failure": asdict(failure) if failure else None,
        "traceback": told.get(one.key) if failure else None,
        "rejected": [asdict(item) for item in one.rejected],
        "items": one.legs[-1].items,
        "nbytes": one.legs[-1].read,
    }
