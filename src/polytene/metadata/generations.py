"""What a build and each later update left: lists of shards, a generation each."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from polytene.core.canonical import canonical
from polytene.core.files import write_bytes
from polytene.core.outcome import Outcome

WORK = "work"


def generation(
    outcome: Outcome, number: int, folder: Path, replaces: Iterable[str] = ()
) -> list[dict[str, Any]]:
    """Return the shards of one generation, before them one that says what it replaces."""
    shards: list[dict[str, Any]] = outcome.result
    uncut = [[f.item, f.reason, f.detail] for f in outcome.rejected if f.stage == "spool"]
    kept = [{k: v for k, v in s.items() if k not in ("place", "entries")} for s in shards]
    names = list(replaces)
    empty = {"rows": {}, "documents": 0, "bytes": 0, "files": {}, "identity": ""}
    head = [{"key": f"replaced.{number:04d}", "folder": str(folder), **empty}] if number else []
    return [
        {
            **shard,
            "generation": number,
            "replaces": names if i == 0 else [],
            "uncut": uncut if i == 0 else [],
        }
        for i, shard in enumerate([*head, *kept])
    ]


def save_generation(folder: Path, shards: list[dict[str, Any]]) -> None:
    """Write the shards of an update, so that later joins take them in."""
    here = [{**s, "folder": os.path.relpath(s["folder"], folder)} for s in shards]
    write_bytes(folder / "shards.json", canonical(here))


def later_generations(kb: Path) -> list[list[dict[str, Any]]]:
    """Return the shards of earlier updates, a list per generation."""
    out = []
    for path in sorted((kb / WORK).glob("g*/shards.json")):
        found: list[dict[str, Any]] = json.loads(path.read_bytes())
        out.append([{**s, "folder": os.path.normpath(path.parent / s["folder"])} for s in found])
    return out
