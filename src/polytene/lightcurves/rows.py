"""One row per target: what the columns are, and the tables made of them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache
from typing import Any

import pyarrow as pa

from polytene.core.failure import Failure
from polytene.core.versions import versions
from polytene.formats.remote import Unlike
from polytene.lightcurves.features import SCHEMAS, Schema
from polytene.lightcurves.features_starter import number
from polytene.lightcurves.targets import Target

STATUSES = ("ok", "partial", "skipped", "missing", "failed")
_ABOUT = (
    ("sample_id", pa.string()),
    ("target_id", pa.string()),
    ("label", pa.string()),
    ("toi", pa.string()),
    ("catalogue_period_d", pa.float64()),
    ("catalogue_depth_ppm", pa.float64()),
    ("catalogue_duration_h", pa.float64()),
    ("status", pa.string()),
    ("reason", pa.string()),
    ("flags", pa.string()),
    ("n_points", pa.int64()),
    ("n_dropped", pa.int64()),
    ("n_duplicate", pa.int64()),
    ("n_files", pa.int64()),
    ("n_files_used", pa.int64()),
    ("baseline_d", pa.float64()),
    ("schema", pa.string()),
    ("code_version", pa.string()),
)
ABOUT = tuple(name for name, _ in _ABOUT)
_CATEGORY = {
    "transport": "download_timeout",
    "infrastructure": "worker_died",
    "memory": "worker_died",
}


def schema_of(schema: Schema) -> pa.Schema:
    """Return the columns of a table of rows."""
    return pa.schema([*_ABOUT, *((name, pa.float64()) for name in SCHEMAS[schema])])


def row(target: Target, status: str, reason: str, schema: Schema) -> dict[str, Any]:
    """Return a row with accounts of 0 and without features."""
    about = target.catalogue
    zeros = dict.fromkeys(("n_points", "n_dropped", "n_duplicate", "n_files", "n_files_used"), 0)
    return {
        **zeros,
        "sample_id": target.key,
        "target_id": target.target_id,
        "label": _text(about.get("label")),
        "toi": _text(about.get("toi")),
        "catalogue_period_d": number(about, "period"),
        "catalogue_depth_ppm": number(about, "depth"),
        "catalogue_duration_h": number(about, "duration"),
        "status": status,
        "reason": reason,
        "flags": "",
        "baseline_d": math.nan,
        "schema": schema,
        "code_version": _version(),
    }


@cache
def _version() -> str:
    return versions().get("polytene", "0")


def _text(value: Any) -> str | None:
    return None if value is None else str(value)


def row_table(about: dict[str, Any], schema: Schema) -> pa.Table:
    """Return a row as a table; what it lacks is NaN."""
    columns = schema_of(schema)
    return pa.table({f.name: pa.array([about.get(f.name, math.nan)], f.type) for f in columns})


def failed_row(target: Target, failure: Failure, schema: Schema) -> pa.Table:
    """Return the row of a target that is in quarantine."""
    return row_table(row(target, "failed", reason_of(failure), schema), schema)


def reason_of(failure: Failure) -> str:
    """Return why a target failed, in the words of the table."""
    if failure.reason == "timeout":
        return "compute_timeout"
    if failure.reason == "died":
        return "worker_died"
    if failure.reason == Unlike.__name__:
        return "corrupt_file"
    if failure.category in _CATEGORY:
        return _CATEGORY[failure.category]
    return failure.reason.replace("-", "_")


def in_order(value: pa.Table | None, plan: Any, failures: Sequence[Failure]) -> pa.Table:
    """Return one row per target, in plan order, those in quarantine included."""
    schema: Schema = plan.params.get("schema", "v1")
    bad = {f.key: f for f in failures if f.item is None}
    pieces: list[pa.Table] = []
    start = at = 0
    for target in plan:
        if target.key not in bad:
            at += 1
            continue
        if value is not None and at > start:
            pieces.append(value.slice(start, at - start))
        start = at
        pieces.append(failed_row(target, bad[target.key], schema))
    if value is not None and at > start:
        pieces.append(value.slice(start, at - start))
    columns = schema_of(schema)
    if not pieces:
        return columns.empty_table()
    return pa.concat_tables([p.cast(columns) for p in pieces]).combine_chunks()
