"""The first join: each reference meets its record, wherever that was submitted.

A unit takes the accessions of one kind whose hash lies in its buckets; what it finds goes on to
the buckets of the experiments.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from polytene.core.scratch import Folder, scratch
from polytene.core.stage import Partial
from polytene.metadata.exchange import give_back, write_exchange
from polytene.metadata.inputs import Bucket, look_up, rows_of, unique
from polytene.metadata.parser.tables import TAGS
from polytene.metadata.stages import digests, write_table
from polytene.metadata.views import PARENTS, VIEWS, conform, renamed

MEMORY = 400 << 20
OFFICIAL = ["status", "updated", "visibility"]


def match_bucket(bucket: Bucket, *, inputs: str, mark: str) -> Partial:
    """Match the records of some buckets with what refers to them.

    Returns
    -------
    Partial
        A folder with ``exchange/*.arrow`` for the last join, and of samples and studies the
        published ``views/*_flat.parquet``.
    """
    folder = scratch()
    (folder / "exchange").mkdir()
    (folder / "views").mkdir()
    where = (bucket.first, bucket.stop)
    found = rows_of(inputs, mark, bucket.kind, *where)
    official = official_rows(inputs, mark, *where)
    rows = 0
    if found is not None:
        found = unique(found, official)
        rows = found.num_rows
        found = with_official(found, official)
        if bucket.kind == "run":
            _send_runs(found, rows_of(inputs, mark, "run_member", *where), official, folder)
        else:
            _send_parents(bucket, found, inputs, mark, folder)
        write_tags(bucket.kind, found, folder / "tags.parquet")
    give_back()
    info = {
        "part": f"{bucket.first:04d}",
        "kind": bucket.kind,
        "rows": rows,
        "duplicates": _total(found, "duplicates"),
    }
    return Partial(Folder(folder, info | {"files": digests(folder)}), rows)


def _total(table: pa.Table | None, column: str) -> int:
    return 0 if table is None else int(pc.sum(table.column(column)).as_py() or 0)


def official_rows(inputs: str, mark: str, first: int, stop: int) -> pa.Table | None:
    """Return what the archive's own table says of the accessions of some buckets, the latest."""
    found = rows_of(inputs, mark, "accession", first, stop)
    if found is None:
        return None
    found = found.append_column("place", pa.array(range(found.num_rows), pa.int64()))
    last = found.group_by("accession", use_threads=False).aggregate([("place", "max")])
    return found.take(last.column("place_max").combine_chunks().sort())


def with_official(table: pa.Table, official: pa.Table | None) -> pa.Table:
    """Return a table with the archive's status, time of update and visibility of its records."""
    if official is None:
        official = pa.table(
            {
                "accession": pa.array([], pa.string()),
                "status": pa.array([], pa.string()),
                "updated": pa.array([], pa.timestamp("us")),
                "visibility": pa.array([], pa.string()),
            }
        )
    said = look_up(table.column("accession"), official, OFFICIAL)
    for name in OFFICIAL:
        table = table.append_column(name, said.column(name))
    return table


def _send_parents(bucket: Bucket, found: pa.Table, inputs: str, mark: str, folder: Path) -> None:
    flat = with_warning(found, pc.greater(found.column("duplicates"), 0), "dup_accession")
    view = conform(renamed(flat, bucket.kind), VIEWS[bucket.kind])
    write_table(view, folder / "views" / f"{bucket.kind}_flat.parquet")
    refs = rows_of(inputs, mark, f"experiment_{bucket.kind}", bucket.first, bucket.stop)
    if refs is None:
        return
    known = flat.filter(pc.is_valid(flat.column("accession")))
    index = pc.index_in(refs.column(bucket.kind), value_set=known.column("accession"))
    hit = pc.is_valid(index)
    parents = known.take(index.filter(hit))
    refs = refs.filter(hit).select(["accession", "shard", "row"])
    for name, column in PARENTS[bucket.kind].items():
        refs = refs.append_column(name, parents.column(column))
    write_exchange(refs, "accession", folder / "exchange" / f"{bucket.kind}.arrow")


def _send_runs(
    found: pa.Table, members: pa.Table | None, official: pa.Table | None, folder: Path
) -> None:
    sources = [found]
    if official is not None:
        names = ["spots", "bases", "published"]
        said = look_up(found.column("accession"), official, names)
        sources.append(said.rename_columns(["total_spots", "total_bases", "published"]))
    if members is not None:
        sums = members.group_by("run", use_threads=False).aggregate(
            [("spots", "sum"), ("bases", "sum")]
        )
        said = look_up(found.column("accession"), sums, ["spots_sum", "bases_sum"], "run")
        sources.append(said.rename_columns(["total_spots", "total_bases"]))
    for name in ("total_spots", "total_bases", "published"):
        having = [s.column(name) for s in sources if name in s.column_names]
        found = found.set_column(found.column_names.index(name), name, pc.coalesce(*having))
    found = with_warning(found, pc.greater(found.column("duplicates"), 0), "dup_accession")
    found = found.drop_columns(["shard", "row", "generation", TAGS])
    write_exchange(found, "experiment", folder / "exchange" / "run.arrow")


def with_warning(table: pa.Table, where: Any, code: str) -> pa.Table:
    """Return a table whose column ``warnings`` names ``code``, too, where it holds."""
    before = table.column("warnings")
    longer = pc.coalesce(pc.binary_join_element_wise(before, code, " "), pa.scalar(code))
    after = pc.if_else(pc.fill_null(where, False), longer, before)
    return table.set_column(table.column_names.index("warnings"), "warnings", after)


def write_tags(kind: str, table: pa.Table, path: Path) -> None:
    """Write how many attributes have each tag."""
    tags = pc.list_flatten(table.column(TAGS))
    counted = (
        pa.table({"tag": tags}).group_by("tag", use_threads=False).aggregate([("tag", "count")])
    )
    out = pa.table(
        {
            "owner_kind": pa.repeat(pa.scalar(kind), counted.num_rows),
            "tag": counted.column("tag"),
            "count": counted.column("tag_count"),
        }
    )
    write_table(out.sort_by("tag"), path)
