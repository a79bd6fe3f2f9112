"""Join what all shards left, and publish it."""

from __future__ import annotations

import functools
from dataclasses import replace
from pathlib import Path
from typing import Any

from polytene.core.files import write_bytes
from polytene.core.outcome import Outcome
from polytene.core.plan import Plan
from polytene.core.reduce import Reduction
from polytene.core.run import run
from polytene.core.stage import Stage
from polytene.metadata import join, match
from polytene.metadata.generations import WORK
from polytene.metadata.inputs import bucket_plan, write_inputs
from polytene.metadata.join import join_bucket
from polytene.metadata.match import match_bucket
from polytene.metadata.parsing import listed_values
from polytene.metadata.publish import publish


def assemble(
    kb: Path, generations: list[list[dict[str, Any]]], outcome: Outcome, running: dict[str, Any]
) -> Outcome:
    """Join what all shards of all generations left, and publish it; return the whole outcome."""
    work = kb / WORK
    shards = [
        {**s, "folder": str(Path(s["folder"]).relative_to(work))} for g in generations for s in g
    ]
    again = {**running, "on_change": "rerun"}  # what the joins read has a digest of its own
    rows: dict[str, int] = {}
    for shard in shards:
        for name, n in shard["rows"].items():
            rows[name] = rows.get(name, 0) + n
    mark = write_inputs(shards, work / "inputs.json")
    where: dict[str, Any] = {"inputs": str(work / "inputs.json"), "mark": mark}
    matched = _match(work, rows, where, again)
    listed = work / f"matched-{mark[:12]}.txt"
    write_bytes(
        listed, "".join(f"{Path(m['folder']).relative_to(work)}\n" for m in matched).encode()
    )
    joined = _join(work, rows, {**where, "matched": str(listed)}, again)
    manifest = publish(kb, shards, matched, joined)
    return replace(outcome, result=manifest)


def _match(
    work: Path, rows: dict[str, int], where: dict[str, Any], running: dict[str, Any]
) -> list[dict[str, Any]]:
    kinds = {
        "run": rows.get("run", 0) + rows.get("run_member", 0),
        "sample": rows.get("sample", 0) + rows.get("experiment", 0),
        "study": rows.get("study", 0) + rows.get("experiment", 0),
    }
    plan = bucket_plan("metadata-match", kinds, {"mark": where["mark"]})
    stage = Stage(functools.partial(match_bucket, **where), memory=match.MEMORY)
    outcome = run(plan, [stage], Reduction(None, listed_values), run_dir=work / "match", **running)
    outcome.raise_if_incomplete()
    found: list[dict[str, Any]] = outcome.result
    return found


def _join(
    work: Path, rows: dict[str, int], where: dict[str, Any], running: dict[str, Any]
) -> list[dict[str, Any]]:
    kinds = {"experiment": rows.get("experiment", 0) + rows.get("run", 0)}
    plan: Plan[Any] = bucket_plan("metadata-join", kinds, {"mark": where["mark"]})
    stage = Stage(functools.partial(join_bucket, **where), memory=join.MEMORY)
    outcome = run(plan, [stage], Reduction(None, listed_values), run_dir=work / "join", **running)
    outcome.raise_if_incomplete()
    found: list[dict[str, Any]] = outcome.result
    return found
