"""What the chunks of an earlier run took, as costs for the next plan."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from polytene.core import ledger, saved
from polytene.exceptions import UsageError
from polytene.formats.text import printable

Rows = list[tuple[str, int, int, float]]


def is_run(path: Path) -> bool:
    """Whether a folder is a run directory."""
    return (path / "plan.json").is_file()


def measured_rows(run_dir: Path) -> Rows:
    """Return intervals and the seconds that they took in a run of :meth:`ChunkPlan.map`.

    The time of a chunk, or of chunks that were done together, is spread evenly over its bases.

    Raises
    ------
    UsageError
        If the run is not one over chunks, or nothing of it is done.
    """
    plan: saved.SavedPlan[Any] = saved.load(run_dir)
    if plan.head["noun"] != "chunk":
        raise UsageError(f"{printable(str(run_dir))} is no run over the chunks of a genome")
    seconds: dict[tuple[str, int], float] = {}
    for record in ledger.read(run_dir):
        if record and "seconds" in record and not record["failures"]:
            seconds[record["leg"], int(record["tag"], 16)] = record["seconds"]
    took: dict[int, float] = {}
    for (_, tag), value in seconds.items():
        took[tag] = took.get(tag, 0.0) + value
    rows: Rows = []
    for block, tag in enumerate(plan.index["tag"].tolist()):
        if tag in took:
            rows += _spread([i for u in plan.fields(block) for i in u["intervals"]], took[tag])
    if not rows:
        raise UsageError(f"{printable(str(run_dir))}: no chunk of this run is done")
    return rows


def _spread(intervals: list[tuple[str, int, int]], seconds: float) -> Rows:
    size = sum(end - start for _, start, end in intervals)
    return [(s, a, b, seconds * (b - a) / size) for s, a, b in intervals]
