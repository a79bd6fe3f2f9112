"""What a run came to, as one JSON document and as a table for people."""

from __future__ import annotations

import json
from typing import Any

import pyarrow as pa
from dask.utils import format_bytes

from polytene.core.files import write_bytes
from polytene.core.outcome import Outcome
from polytene.core.versions import versions
from polytene.rnaseq.plan import SamplePlan
from polytene.rnaseq.settings import Settings

REPORT = "report.json"


def write_report(plan: SamplePlan, outcome: Outcome) -> dict[str, Any]:
    """Write ``report.json`` into the folder of the work, and return it."""
    rows = [_row(row, plan.settings) for row in outcome.result]
    done = [row for row in rows if row["status"] == "done"]
    report = {
        "planned": outcome.planned,
        "computed": outcome.computed,
        "resumed": outcome.resumed,
        "quarantined": len(outcome.quarantined),
        "bytes": sum(row["bytes"] for row in rows),
        "freed_bytes": sum(row["freed_bytes"] for row in rows),
        "reads": sum(row.get("n_processed", 0) for row in done),
        "index": plan.params["index"],
        "mode": plan.settings.mode,
        "sources": list(plan.settings.sources),
        "versions": versions(),
        "runs": rows,
    }
    path = plan.settings.folder / REPORT
    path.parent.mkdir(parents=True, exist_ok=True)
    write_bytes(path, (json.dumps(report, indent=1) + "\n").encode())
    return report


def _row(row: dict[str, Any], settings: Settings) -> dict[str, Any]:
    path = settings.log_of(row["run"], "times").with_suffix(".json")
    try:
        took = json.loads(path.read_text())
    except (OSError, ValueError):
        took = {}
    fetched, nbytes = took.get("download", {}), took.get("download", {}).get("bytes", 0)
    seconds = fetched.get("seconds")
    kept = {k: v for k, v in row.items() if k not in ("targets", "sha256")}
    return {
        **kept,
        "source": fetched.get("source"),
        "bytes": nbytes,
        "mb_per_second": round(nbytes / 1e6 / seconds, 3) if seconds else None,
        "seconds_download": seconds,
        "seconds_quant": took.get("quant", {}).get("seconds"),
        "resumes": fetched.get("resumes", 0),
        "freed_bytes": took.get("cleanup", {}).get("freed", 0),
    }


def summary_table(report: dict[str, Any]) -> pa.Table:
    """Return the table that is shown at the end: a row per run."""
    rows = [
        {
            "run": row["run"],
            "status": row["status"],
            "source": row["source"] or "",
            "reads": row.get("n_processed"),
            "% aligned": row.get("p_pseudoaligned"),
            "expressed": f"{row['n_expressed']:,}/{row['n_targets']:,}"
            if row["status"] == "done"
            else "",
            "read": format_bytes(row["bytes"]) if row["bytes"] else "",
            "MB/s": row["mb_per_second"],
            "freed": format_bytes(row["freed_bytes"]) if row["freed_bytes"] else "",
        }
        for row in report["runs"]
    ]
    return pa.Table.from_pylist(rows)
