"""What the joins read: which shard files there are, and which rows of them still hold."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from polytene.core.canonical import canonical, digest
from polytene.core.files import write_bytes
from polytene.core.plan import Plan, Unit
from polytene.metadata.exchange import BUCKETS, read_exchange

ROWS_PER_UNIT = 200_000
OFFICIAL = ("accession", "run_member")
ORDER = ("generation", "submission", "shard", "row")


@dataclass(frozen=True)
class Bucket(Unit):
    """Some buckets of accessions of one kind.

    Parameters
    ----------
    kind
        What is matched: ``run``, ``sample`` or ``study``; of the last join: ``experiment``.
    first, stop
        Buckets ``first`` to ``stop`` (not included) of 256.
    """

    kind: str
    first: int
    stop: int


def write_inputs(shards: list[dict[str, Any]], path: Path) -> str:
    """Write the list of shards that the joins read; return its digest.

    Parameters
    ----------
    shards
        In plan order: ``folder`` (below the folder of ``path``), ``generation``, ``rows`` by table,
        ``identity``, and ``replaces``, the submissions that its generation replaces.
    """
    data = canonical(shards)
    write_bytes(path, data)
    return digest(data)


def read_inputs(path: Path) -> list[dict[str, Any]]:
    """Return the list of shards that :func:`write_inputs` wrote."""
    found: list[dict[str, Any]] = json.loads(path.read_bytes())
    return found


@lru_cache(maxsize=2)
def _read_inputs(path: str, mark: str) -> list[dict[str, Any]]:
    return read_inputs(Path(path))


@lru_cache(maxsize=2)
def _replaced(path: str, mark: str) -> dict[int, pa.Array]:
    return replaced_by_later(_read_inputs(path, mark))


def replaced_by_later(shards: list[dict[str, Any]]) -> dict[int, pa.Array]:
    """Return, by generation, the submissions that later ones replace."""
    last = max((s["generation"] for s in shards), default=0)
    names: set[str] = set()
    out: dict[int, pa.Array] = {last: pa.array([], pa.string())}
    for generation in range(last, 0, -1):
        for shard in shards:
            if shard["generation"] == generation:
                names |= set(shard["replaces"])
        out[generation - 1] = pa.array(sorted(names), pa.string())
    return out


def rows_of(path: str, mark: str, name: str, first: int, stop: int) -> pa.Table | None:
    """Return the rows of some buckets of an exchanged table, of all shards, that still hold.

    Each row says by ``shard``, ``row`` and ``generation`` where it comes from. None if no shard
    has such rows.
    """
    shards = _read_inputs(path, mark)
    table = name.partition("_")[0] if name.startswith("experiment_") else name
    base = Path(path).parent
    having = [(i, s) for i, s in enumerate(shards) if s["rows"].get(table)]
    files = [base / s["folder"] / "exchange" / f"{name}.arrow" for _, s in having]
    present = [(i, s, f) for (i, s), f in zip(having, files, strict=True) if f.exists()]
    found = read_exchange([f for _, _, f in present], first, stop)
    replaced = _replaced(path, mark)
    parts = []
    for (i, shard, _), part in zip(present, found, strict=True):
        generation = int(shard["generation"])
        if len(replaced[generation]) and "submission" in part.column_names and name not in OFFICIAL:
            old = pc.is_in(part.column("submission"), value_set=replaced[generation])
            part = part.filter(pc.invert(old))
        part = part.append_column("shard", pa.repeat(pa.scalar(i, pa.int32()), part.num_rows))
        mark_ = pa.repeat(pa.scalar(generation, pa.int32()), part.num_rows)
        parts.append(part.append_column("generation", mark_))
    return pa.concat_tables(parts).combine_chunks() if parts else None


def unique(table: pa.Table, official: pa.Table | None) -> pa.Table:
    """Return one row per accession, ordered by it, with a column ``duplicates``.

    Of several rows the one holds that lies in the submission that the archive names; else that of
    the latest generation, submission, shard and place. Rows without an accession all stay.
    """
    if official is None:
        preferred = pa.repeat(pa.scalar(False), table.num_rows)
    else:
        named = look_up(table.column("accession"), official, ["submission"]).column(0)
        preferred = pc.fill_null(pc.equal(named, table.column("submission")), False)
    table = table.append_column("preferred", preferred)
    keys = [(n, "ascending") for n in ("accession", "preferred", *ORDER)]
    table = table.take(pc.sort_indices(table, keys)).combine_chunks()
    if not table.num_rows:
        return table.drop_columns(["preferred"]).append_column(
            "duplicates", pa.array([], pa.int32())
        )
    accession = table.column("accession").combine_chunks()
    codes = accession.dictionary_encode()
    codes = pc.fill_null(
        codes.combine_chunks().indices if isinstance(codes, pa.ChunkedArray) else codes.indices, -1
    )
    code = codes.to_numpy().astype(np.int64)
    last = np.append(code[1:] != code[:-1], True) | (code < 0)
    places = np.flatnonzero(last)
    counts = np.diff(np.concatenate([[-1], places])) - 1
    out = table.take(pa.array(places)).drop_columns(["preferred"])
    return out.append_column("duplicates", pa.array(counts.astype(np.int32)))


def look_up(keys: Any, table: pa.Table, columns: list[str], key: str = "accession") -> pa.Table:
    """Return, per key, the row of ``table`` that has it; nulls where none has."""
    index = pc.index_in(keys, value_set=table.column(key), skip_nulls=True)
    return table.select(columns).take(index)


def bucket_plan(
    kind: str, kinds: dict[str, int], params: dict[str, Any], rows_per_unit: int = ROWS_PER_UNIT
) -> Plan[Bucket]:
    """Return a plan over buckets: how many per unit follows from the rows of each kind alone."""
    units = []
    for name, rows in kinds.items():
        n = 1
        while n < BUCKETS and rows / n > rows_per_unit:
            n *= 2
        width = BUCKETS // n
        units += [
            Bucket(f"{name}.{i * width:03d}", name, i * width, (i + 1) * width, cost=rows / n + 1.0)
            for i in range(n)
        ]
    return Plan(kind, units, params, noun="bucket")
