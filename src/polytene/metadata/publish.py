"""What the joins left as a knowledge base: links, catalogs, quarantine, and last the manifest."""

from __future__ import annotations

import json
import os
import shutil
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from polytene.core.canonical import canonical, digest
from polytene.core.files import sync_folder, write_bytes
from polytene.exceptions import Rejected
from polytene.metadata.inputs import OFFICIAL, replaced_by_later
from polytene.metadata.join import CROSS, FIELDS
from polytene.metadata.quarantine import Quarantine
from polytene.metadata.sources.naming import submission_of
from polytene.metadata.stages import digests, write_table

FORMAT = 1
MANIFEST = "manifest.json"
PARTS = ("tables", "views", "catalog", "quarantine", "shards")
CATALOGS = {
    "organism": "organism",
    "library_strategy": "strategy",
    "library_source": "source",
    "library_selection": "selection",
    "library_layout": "layout",
    "platform": "platform",
    "instrument": "instrument",
    "crosstab": "crosstab",
}
UNITS = ("experiments", "runs", "bases")


def unpublish(kb: Path) -> None:
    """Take the manifest away: what is half renewed is not a knowledge base."""
    (kb / MANIFEST).unlink(missing_ok=True)


def publish(
    kb: Path,
    shards: list[dict[str, Any]],
    matched: list[dict[str, Any]],
    joined: list[dict[str, Any]],
) -> dict[str, Any]:
    """Show the files of the runs as a knowledge base; return its manifest."""
    draft = kb / "work" / "draft"
    shutil.rmtree(draft, ignore_errors=True)
    work = kb / "work"
    for name in PARTS:
        (draft / name).mkdir(parents=True)
    replaced = replaced_by_later(shards)
    shown = _Shown(draft)
    for number, shard in enumerate(shards):
        _publish_shard(number, shard, work / shard["folder"], shown, replaced[shard["generation"]])
    for unit in [*matched, *joined]:
        for path in sorted((Path(unit["folder"]) / "views").glob("*.parquet")):
            mark = unit["files"][f"views/{path.name}"]
            shown.link(path, f"views/{path.stem}", unit["part"], mark)
    folders = [Path(m["folder"]) for m in matched]
    joins = [Path(j["folder"]) for j in joined]
    _catalogs(joins, draft / "catalog")
    _tags([*folders, *joins], draft / "catalog")
    manifest = _manifest(shards, shown)
    for name in PARTS:
        shutil.rmtree(kb / name, ignore_errors=True)
        os.replace(draft / name, kb / name)
    draft.rmdir()
    sync_folder(kb)
    text = json.dumps(manifest, indent=1, sort_keys=True).encode() + b"\n"
    write_bytes(kb / MANIFEST, text)
    sync_folder(kb)
    return manifest


class _Shown:
    """What is shown of files: linked, with the digests that the workers took."""

    def __init__(self, draft: Path) -> None:
        self.draft = draft
        self.marks: dict[str, str] = {}

    def link(self, path: Path, below: str, part: str, mark: str) -> None:
        """Show a file as it is."""
        (self.draft / below).mkdir(parents=True, exist_ok=True)
        name = f"{below}/part-{part}.parquet"
        try:
            os.link(path, self.draft / name)
        except OSError:
            shutil.copyfile(path, self.draft / name)
        self.marks[name] = mark

    def rows(self, path: Path, below: str, part: str, still: pa.Array) -> None:
        """Show those rows of a file that still hold."""
        (self.draft / below).mkdir(parents=True, exist_ok=True)
        table = pq.read_table(path).filter(still)
        if table.num_rows:
            write_table(table, self.draft / below / f"part-{part}.parquet")


def _publish_shard(
    number: int, shard: dict[str, Any], folder: Path, shown: _Shown, replaced: pa.Array
) -> None:
    part = f"{number:06d}"

    def show(path: Path, below: str, still: pa.Array | None) -> None:
        if still is None:
            shown.link(path, below, part, shard["files"][str(path.relative_to(folder))])
        else:
            shown.rows(path, below, part, still)

    for path in sorted((folder / "tables").glob("*.parquet")):
        key = "accession" if path.stem == "submission" else "submission"
        gone = None if path.stem in OFFICIAL else _still(path, key, replaced)
        show(path, f"tables/{path.stem}", gone)
    if (path := folder / "quarantine.parquet").exists():
        show(path, "quarantine", _still(path, "path", replaced))
    if uncut := shard.get("uncut"):
        found = Quarantine()
        cut = shown.draft / "quarantine" / f"part-{part}-cut.parquet"
        found.write([Rejected(*r) for r in uncut], cut)
    about = {k: shard[k] for k in ("key", "rows", "documents", "bytes", "generation", "files")}
    write_bytes(shown.draft / "shards" / f"{part}.json", canonical(about) + b"\n", sync=False)


def _still(path: Path, column: str, replaced: pa.Array) -> pa.Array | None:
    """Return which rows still hold; None if all do."""
    if not len(replaced):
        return None
    values = pq.read_table(path, columns=[column]).column(0)
    if column == "path":
        values = pa.array([submission_of(v) for v in values.to_pylist()], pa.string())
    gone = pc.is_in(values, value_set=replaced)
    return pc.invert(gone) if pc.any(gone).as_py() else None


def _catalogs(joins: Iterable[Path], out: Path) -> None:
    """Add up the counts of all buckets; catalogs are complete, and ordered by count."""
    joins = list(joins)
    for field, name in CATALOGS.items():
        fields = list(CROSS) if field == "crosstab" else [field]
        kinds = []
        for kind, columns in (("experiment", ["experiments"]), ("run", ["runs", "bases"])):
            parts = [pq.read_table(j / f"{field}.{kind}.counts.parquet") for j in joins]
            added = _added(pa.concat_tables(parts), fields, columns)
            lacking = [c for c in UNITS if c not in columns]
            zeros = pa.repeat(pa.scalar(0, pa.int64()), added.num_rows)
            for column in lacking:
                added = added.append_column(column, zeros)
            kinds.append(added.select([*fields, *UNITS]))
        table = _added(pa.concat_tables(kinds), fields, list(UNITS))
        order = [("experiments", "descending"), ("runs", "descending")]
        table = table.sort_by([*order, *((f, "ascending") for f in fields)])
        write_table(table, out / f"{name}.parquet")


def _added(table: pa.Table, fields: list[str], columns: list[str]) -> pa.Table:
    found = table.group_by(fields, use_threads=False).aggregate([(c, "sum") for c in columns])
    found = found.select([*fields, *(f"{c}_sum" for c in columns)])
    return found.rename_columns([*fields, *columns])


def _tags(folders: Iterable[Path], out: Path) -> None:
    files = [f / "tags.parquet" for f in folders if (f / "tags.parquet").exists()]
    if files:
        table = pa.concat_tables([pq.read_table(f) for f in files])
    else:
        table = pa.table({"owner_kind": pa.array([], pa.string()), "tag": pa.array([], pa.string()),
                          "count": pa.array([], pa.int64())})  # fmt: skip
    table = _added(table, ["owner_kind", "tag"], ["count"])
    order = [("count", "descending"), ("owner_kind", "ascending"), ("tag", "ascending")]
    write_table(table.sort_by(order), out / "attribute_tag.parquet")


def _missing(views: Path) -> int:
    """Return how many of the fields that catalogs count are missing, over all experiments."""
    return sum(
        pq.read_table(path, columns=[field]).column(0).null_count
        for path in sorted((views / "experiment_flat").glob("*.parquet"))
        for field in FIELDS
    )


def _manifest(shards: list[dict[str, Any]], shown: _Shown) -> dict[str, Any]:
    draft = shown.draft
    rows: dict[str, int] = {}
    for name in sorted(p.name for p in (draft / "views").iterdir()):
        files = sorted((draft / "views" / name).glob("*.parquet"))
        rows[name.removesuffix("_flat")] = sum(pq.read_metadata(f).num_rows for f in files)
    stored = {
        folder.name: sum(pq.read_metadata(f).num_rows for f in folder.glob("*.parquet"))
        for folder in (draft / "tables").iterdir()
    }
    reasons = Counter(
        reason
        for path in (draft / "quarantine").glob("*.parquet")
        for reason in pq.read_table(path, columns=["reason"]).column(0).to_pylist()
    )
    catalogs = {
        name: pq.read_metadata(draft / "catalog" / f"{name}.parquet").num_rows
        for name in (*CATALOGS.values(), "attribute_tag")
    }
    marks = digests(draft, shown.marks)
    return {
        "format": FORMAT,
        "fields": list(FIELDS),
        "rows": rows,
        "stored": dict(sorted(stored.items())),
        "documents": sum(s["documents"] for s in shards),
        "bytes": sum(s["bytes"] for s in shards),
        "shards": len(shards),
        "quarantined": dict(sorted(reasons.items())),
        "missing_fields": _missing(draft / "views"),
        "catalogs": catalogs,
        "files": marks,
        "fingerprint": digest(canonical(marks)),
    }
