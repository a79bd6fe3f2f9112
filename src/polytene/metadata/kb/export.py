"""JSON under the keys of an earlier system, for those who read its files.

``stage1``: its indices (organisms, strategies, sources, selections, attributes, stats). ``kb``: its
knowledge base. Both are complete, and count what is there: its own figures were the true ones times
the number of batches.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

from polytene.core.files import write_bytes
from polytene.exceptions import UsageError
from polytene.metadata.kb.counting import count_by

if TYPE_CHECKING:
    from polytene.metadata.kb.base import KnowledgeBase

FORMATS = ("stage1", "kb")
KEYS = {
    "organisms": "organism",
    "strategies": "library_strategy",
    "sources": "library_source",
    "selections": "library_selection",
}


def write_export(kb: KnowledgeBase, path: Path, format: str) -> None:  # noqa: A002
    """Write a knowledge base as JSON.

    Raises
    ------
    UsageError
        If there is no such format.
    """
    if format not in FORMATS:
        raise UsageError(f"format is {format!r}: one of {', '.join(FORMATS)}")
    found = stage1(kb) if format == "stage1" else knowledge_base(kb)
    write_bytes(path, json.dumps(found, indent=2, ensure_ascii=False).encode() + b"\n")


def stage1(kb: KnowledgeBase) -> dict[str, Any]:
    """Return organisms with their count and submissions, the other catalogs, and statistics.

    Organisms count samples, as they did there; ``studies`` are submissions, as they were there.
    Missing values, which it stored as empty strings, are left out.
    """
    out: dict[str, Any] = {"organisms": _organisms(kb)}
    by = _organisms_of_strategies(kb)
    out["strategies"] = {
        name: {"count": n, "organisms": by.get(name, {})} for name, n in _counts(kb, "strategies")
    }
    for key in ("sources", "selections"):
        out[key] = dict(_counts(kb, key))
    tags: dict[str, int] = {}
    for row in kb.catalog("attribute_tag").to_pylist():
        if row["owner_kind"] == "sample" and row["tag"] is not None:
            tags[row["tag"]] = row["count"]
    return {**out, "attributes": tags, "stats": statistics(kb)}


def knowledge_base(kb: KnowledgeBase) -> dict[str, Any]:
    """Return what the query phase of the earlier system reads, of all values."""
    organisms = {
        name: {"count": about["count"], "studies": len(about["studies"])}
        for name, about in _organisms(kb).items()
    }
    rest = {key: dict(_counts(kb, key)) for key in ("strategies", "sources", "selections")}
    return {
        "stage": "polytene",
        "files_processed": kb.manifest["documents"],
        "statistics": statistics(kb),
        "organisms": organisms,
        **rest,
    }


def statistics(kb: KnowledgeBase) -> dict[str, int]:
    """Return the totals: files, experiments, samples, runs, unique values, errors, gaps."""
    rows = kb.manifest["rows"]
    return {
        "total_files": kb.manifest["documents"],
        "total_experiments": rows.get("experiment", 0),
        "total_samples": rows.get("sample", 0),
        "total_runs": rows.get("run", 0),
        "total_studies": rows.get("study", 0),
        "unique_organisms": len(_counts(kb, "organisms")),
        "unique_strategies": len(_counts(kb, "strategies")),
        "parse_errors": sum(kb.manifest["quarantined"].values()),
        "missing_fields": kb.manifest["missing_fields"],
    }


def _counts(kb: KnowledgeBase, key: str) -> list[tuple[str, int]]:
    unit = "sample" if key == "organisms" else "experiment"
    table = count_by(kb.folder / "views", [KEYS[key]], unit)
    pairs = zip(table.column(0).to_pylist(), table.column(1).to_pylist(), strict=True)
    return [(name, n) for name, n in pairs if name is not None]


def _organisms(kb: KnowledgeBase) -> dict[str, dict[str, Any]]:
    out: dict[str, dict[str, Any]] = {
        name: {"count": n, "studies": []} for name, n in _counts(kb, "organisms")
    }
    parts = [
        pq.read_table(p, columns=["organism", "submission"])
        for p in sorted((kb.folder / "views" / "sample_flat").glob("*.parquet"))
    ]
    if parts:
        pairs = pa.concat_tables(parts).group_by(["organism", "submission"]).aggregate([])
        for row in pairs.sort_by("submission").to_pylist():
            if row["organism"] is not None and row["submission"] is not None:
                out[row["organism"]]["studies"].append(row["submission"])
    return out


def _organisms_of_strategies(kb: KnowledgeBase) -> dict[str, dict[str, int]]:
    out: dict[str, dict[str, int]] = {}
    for row in kb.crosstab("library_strategy", "organism").to_pylist():
        if row["library_strategy"] is not None and row["organism"] is not None:
            out.setdefault(row["library_strategy"], {})[row["organism"]] = row["count"]
    return out
