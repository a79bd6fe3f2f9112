"""What a worker does with a shard: read, parse, write tables and rows for the joins."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from polytene.core.scratch import Folder, scratch
from polytene.core.stage import Partial
from polytene.exceptions import Rejected
from polytene.metadata.exchange import give_back, write_exchange
from polytene.metadata.parser.parse import Documents, Engine, parse
from polytene.metadata.parser.schema import SCHEMAS
from polytene.metadata.parser.tables import to_tables, with_tags
from polytene.metadata.plan import TREE, Shard
from polytene.metadata.quarantine import Quarantine
from polytene.metadata.seen import SEEN, add_seen, whole_identity, write_seen
from polytene.metadata.sources.accessions import FORMS, read_lines
from polytene.metadata.sources.spool import read_shard
from polytene.metadata.sources.tree import TreeReader

MEMORY = 400 << 20
KEYS = {"accession": "accession", "run_member": "run"}
ROW_GROUP = 1 << 18
SENT = ("experiment", "sample", "run", "study")


def parse_shard(shard: Shard, *, engine: Engine, salvage: bool) -> Partial:
    """Parse a shard.

    Returns
    -------
    Partial
        A folder with ``tables/*.parquet`` and ``exchange/*.arrow``; its info counts the rows. The
        items are the documents; those that cannot be used are rejected, each alone.
    """
    if shard.form in FORMS:
        return _parse_lines(shard)
    reader = _Reader(shard)
    quarantine = Quarantine()
    parts: list[dict[str, pa.Table]] = []
    slow = 0
    for documents in reader.slices():
        found = parse(documents, engine, salvage=salvage)
        quarantine.add(documents, found.refused)
        slow += found.slow
        parts.append(to_tables(found.events, documents.submissions))
        del documents, found
    folder = scratch()
    rows = _write(folder, parts)
    rejected = [*reader.rejected, *quarantine.rejected]
    quarantine.write(reader.rejected, folder / "quarantine.parquet")
    give_back()
    info = {"key": shard.key, "rows": rows, "documents": reader.seen, "bytes": reader.nbytes}
    info |= {"expat": slow, "ignored": reader.ignored, "identity": reader.identity()}
    write_seen(reader.identities(), folder / SEEN)
    return Partial(
        Folder(folder, info | {"files": digests(folder)}), reader.seen, reader.nbytes, rejected
    )


class _Reader:
    """The documents of a shard, wherever they lie."""

    def __init__(self, shard: Shard) -> None:
        self._tree = None
        self.rejected: list[Rejected] = []
        self.seen = self.nbytes = self.ignored = 0
        self._shard = shard
        self._seen: dict[str, str] = {}
        if shard.form == TREE:
            self._tree = TreeReader(Path(shard.place), shard.entries.split("/"))

    def slices(self) -> Iterator[Documents]:
        """Yield the documents in slices."""
        if self._tree is None:
            for documents in read_shard(self._shard.place):
                self.seen += len(documents)
                self.nbytes += int((documents.stops - documents.starts).sum())
                add_seen(self._seen, documents)
                yield documents
            return
        tree = self._tree
        yield from tree.slices()
        self.rejected, self.seen = tree.rejected, tree.seen
        self.nbytes, self.ignored = tree.nbytes, tree.ignored

    def identity(self) -> str:
        """Return what tells whether the shard's files are still the same."""
        return whole_identity(self.identities()) if self._tree else self._shard.mark

    def identities(self) -> dict[str, str]:
        """Return what each submission was, by its name."""
        return self._tree.identities if self._tree else self._seen


def _parse_lines(shard: Shard) -> Partial:
    name, schema = FORMS[shard.form]
    parts, nbytes = [], 0
    for documents in read_shard(shard.place):
        for i in range(len(documents)):
            data = documents.bytes_of(i)
            nbytes += len(data)
            parts.append(read_lines(shard.form, data, documents.names[i]))
    table = pa.concat_tables(parts) if parts else schema.empty_table()
    table = table.take(pc.sort_indices(table, [(KEYS[name], "ascending")]))
    folder = scratch()
    (folder / "tables").mkdir()
    (folder / "exchange").mkdir()
    write_table(table, folder / "tables" / f"{name}.parquet")
    write_exchange(table, KEYS[name], folder / "exchange" / f"{name}.arrow")
    info: dict[str, Any] = {"key": shard.key, "rows": {name: table.num_rows}, "bytes": nbytes}
    info |= {"documents": 0, "expat": 0, "ignored": 0, "identity": shard.mark}
    return Partial(Folder(folder, info | {"files": digests(folder)}), 0, nbytes)


def _write(folder: Path, parts: list[dict[str, pa.Table]]) -> dict[str, int]:
    """Write the tables of a shard, each ordered by accession; return their rows."""
    (folder / "tables").mkdir()
    (folder / "exchange").mkdir()
    rows = {}
    for name, schema in SCHEMAS.items():
        pieces = [p.pop(name) for p in parts]
        table = pa.concat_tables(pieces) if pieces else with_tags(name).empty_table()
        key = "accession" if "accession" in schema.names else "owner"
        table = table.take(pc.sort_indices(table, [(key, "ascending")]))
        rows[name] = table.num_rows
        if not table.num_rows:
            continue
        write_table(table.select(schema.names), folder / "tables" / f"{name}.parquet")
        if name in SENT:
            _send(name, table, folder / "exchange")
    return rows


def _send(name: str, table: pa.Table, folder: Path) -> None:
    """Write what the joins need of a table: the rows by their accession, and their references."""
    table = table.append_column("row", pa.array(range(table.num_rows), pa.int32()))
    if name == "experiment":
        drop = ["design", "library_construction_protocol", "broker_name", "targeted_loci"]
        write_exchange(table.drop_columns(drop), "accession", folder / "experiment.arrow")
        for parent in ("sample", "study"):
            refs = table.select(["accession", "row", "submission", parent])
            refs = refs.filter(pc.is_valid(refs.column(parent)))
            write_exchange(refs, parent, folder / f"experiment_{parent}.arrow")
        return
    bulky = {"sample": ["description"], "study": ["abstract", "description"], "run": []}
    write_exchange(table.drop_columns(bulky[name]), "accession", folder / f"{name}.arrow")


def write_table(table: pa.Table, path: Path) -> None:
    """Write Parquet whose bytes depend on the table alone."""
    pq.write_table(
        table,
        path,
        compression="zstd",
        compression_level=1,
        row_group_size=ROW_GROUP,
        write_page_index=False,
    )


def digests(folder: Path, known: Mapping[str, str] = MappingProxyType({})) -> dict[str, str]:
    """Return the SHA-256 of each published file below a folder, by its place in it.

    Those that are ``known`` are not read again.
    """
    out = {}
    for base, _, names in os.walk(folder):
        for name in names:
            path = Path(base) / name
            if path.suffix != ".parquet":
                continue
            place = str(path.relative_to(folder))
            if place in known:
                out[place] = known[place]
                continue
            with open(path, "rb") as file:
                out[place] = hashlib.file_digest(file, "sha256").hexdigest()
    return dict(sorted(out.items()))
