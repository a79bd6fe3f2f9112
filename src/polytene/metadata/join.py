"""The second join: experiments with their samples, studies and runs, as two flat views."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from polytene.core.scratch import Folder, scratch
from polytene.core.stage import Partial
from polytene.metadata.exchange import read_exchange
from polytene.metadata.inputs import Bucket, rows_of, unique
from polytene.metadata.match import official_rows, with_official, with_warning, write_tags
from polytene.metadata.stages import digests, write_table
from polytene.metadata.views import PARENTS, VIEWS, conform, renamed

MEMORY = 400 << 20
FIELDS = (
    "organism",
    "library_strategy",
    "library_source",
    "library_selection",
    "library_layout",
    "platform",
    "instrument",
)
CROSS = FIELDS[:4]


def join_bucket(bucket: Bucket, *, inputs: str, mark: str, matched: str) -> Partial:
    """Join the experiments of some buckets with their samples, studies and runs.

    Parameters
    ----------
    inputs, mark
        List of the shards, and its digest.
    matched
        List of the folders that the first join wrote.

    Returns
    -------
    Partial
        A folder with ``views/experiment_flat.parquet`` and ``views/run_flat.parquet``, and counts
        of both. The items are the experiments.
    """
    folder = scratch()
    (folder / "views").mkdir()
    where = (bucket.first, bucket.stop)
    experiments = VIEWS["experiment"].empty_table()
    found = rows_of(inputs, mark, "experiment", *where)
    if found is not None:
        official = official_rows(inputs, mark, *where)
        found = unique(found, official)
        write_tags("experiment", found, folder / "tags.parquet")
        found = _with_parents(with_official(found, official), matched, where)
        experiments = conform(renamed(found, "experiment"), VIEWS["experiment"])
    runs = VIEWS["run"].empty_table()
    if (sent := _matched(matched, "run", where)) is not None:
        runs = _with_experiments(sent, experiments)
    _write("experiment", experiments, folder)
    _write("run", runs, folder)
    info: dict[str, Any] = {"part": f"{bucket.first:03d}", "runs": runs.num_rows}
    info |= {"experiments": experiments.num_rows, "duplicates": _duplicates(experiments)}
    return Partial(Folder(folder, info | {"files": digests(folder)}), experiments.num_rows)


def _duplicates(table: pa.Table) -> int:
    return int(pc.sum(table.column("duplicates")).as_py() or 0)


@lru_cache(maxsize=8)
def _files(matched: str, kind: str) -> tuple[Path, ...]:
    base = Path(matched).parent
    listed = Path(matched).read_text().splitlines()
    found = [base / line / "exchange" / f"{kind}.arrow" for line in listed]
    return tuple(path for path in found if path.exists())


def _matched(matched: str, kind: str, where: tuple[int, int]) -> pa.Table | None:
    parts = read_exchange(_files(matched, kind), *where)
    return pa.concat_tables(parts).combine_chunks() if parts else None


def _place(table: pa.Table) -> Any:
    """Return where a row comes from, as one number."""
    shard = pc.shift_left(table.column("shard").cast(pa.int64()), pa.scalar(32, pa.int64()))
    return pc.add(shard, table.column("row").cast(pa.int64()))


def _with_parents(found: pa.Table, matched: str, where: tuple[int, int]) -> pa.Table:
    """Return experiments with what their samples and studies say.

    What an experiment itself says of them, such as the BioSample, counts where they say nothing.
    """
    place = _place(found)
    dangling = pa.chunked_array([pa.repeat(pa.scalar(False), found.num_rows)])
    for kind, columns in PARENTS.items():
        parents = _matched(matched, kind, where)
        if parents is None:
            index = pa.nulls(found.num_rows, pa.int32())
        else:
            index = pc.index_in(place, value_set=_place(parents))
            taken = parents.take(index)
            for name in columns:
                found = _filled(found, name, taken.column(name))
        missing = pc.and_(pc.is_valid(found.column(kind)), pc.is_null(index))
        dangling = pc.or_(dangling, missing)
    found = with_warning(found, dangling, "dangling_ref")
    return with_warning(found, pc.greater(found.column("duplicates"), 0), "dup_accession")


def _filled(table: pa.Table, name: str, column: Any) -> pa.Table:
    if name not in table.column_names:
        return table.append_column(name, column)
    both = pc.coalesce(column, table.column(name))
    return table.set_column(table.column_names.index(name), name, both)


def _with_experiments(runs: pa.Table, experiments: pa.Table) -> pa.Table:
    known = experiments.filter(pc.is_valid(experiments.column("experiment")))
    index = pc.index_in(runs.column("experiment"), value_set=known.column("experiment"))
    dangling = pc.and_(pc.is_valid(runs.column("experiment")), pc.is_null(index))
    taken = known.take(index)
    runs = renamed(with_warning(runs, dangling, "dangling_ref"), "run")
    own = {*runs.column_names, "status", "updated", "visibility", "duplicates", "warnings"}
    own -= {"center_name"}
    runs = runs.drop_columns(["center_name"])
    for name in taken.column_names:
        if name not in own:
            runs = runs.append_column(name, taken.column(name))
    runs = runs.append_column("experiment_warnings", taken.column("warnings"))
    return conform(runs, VIEWS["run"])


def _write(kind: str, table: pa.Table, folder: Path) -> None:
    """Write a view and its counts, ordered by organism."""
    keys = [(name, "ascending") for name in ("taxid", "library_strategy", kind)]
    table = table.take(pc.sort_indices(table, keys))
    write_table(table, folder / "views" / f"{kind}_flat.parquet")
    for fields in (*((f,) for f in FIELDS), CROSS):
        name = "crosstab" if fields == CROSS else fields[0]
        counted = count_rows(table, kind, fields)
        write_table(counted, folder / f"{name}.{kind}.counts.parquet")


def count_rows(table: pa.Table, kind: str, fields: Sequence[str]) -> pa.Table:
    """Return how many runs and bases, or experiments, each combination of values has."""
    what: list[Any] = [([], "count_all")]
    names = [*fields, f"{kind}s"]
    if kind == "run":
        what.append(("total_bases", "sum"))
        names.append("bases")
    counted = table.group_by(list(fields), use_threads=False).aggregate(what)
    counted = counted.select([*fields, *(n for n in counted.column_names if n not in fields)])
    return counted.rename_columns(names).sort_by([(f, "ascending") for f in fields])
