"""Whether a knowledge base is what was published, and how two of them differ."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from polytene.metadata.publish import PARTS
from polytene.metadata.views import VIEWS

CHANGE = pa.schema([("kind", pa.string()), ("accession", pa.string()), ("change", pa.string())])
MARKS = pa.schema([("accession", pa.string()), ("mark", pa.binary(12))])


def problems(folder: Path, manifest: Mapping[str, Any]) -> list[str]:
    """Return what is missing, too much, or not as its checksum says."""
    out = []
    expected: dict[str, str] = manifest["files"]
    for name, mark in expected.items():
        path = folder / name
        if not path.is_file():
            out.append(f"{path}: is missing")
            continue
        with open(path, "rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
        if found != mark:
            out.append(f"{path}: is not what was published")
    for part in PARTS:
        for path in sorted((folder / part).rglob("*.parquet")):
            if str(path.relative_to(folder)) not in expected:
                out.append(f"{path}: does not belong here")
    return out


def difference(older: Path, newer: Path) -> pa.Table:
    """Return the records of the flat views that were added, removed or changed.

    Records without an accession cannot be followed, and are left out.
    """
    parts = [CHANGE.empty_table()]
    for kind in VIEWS:
        before, after = _marks(older, kind), _marks(newer, kind)
        names, known = after.column("accession"), before.column("accession")
        place = pc.index_in(names, value_set=known)
        differs = pc.not_equal(before.column("mark").take(place), after.column("mark"))
        found = {
            "added": names.filter(pc.is_null(place)),
            "changed": names.filter(pc.fill_null(differs, False)),
            "removed": known.filter(pc.invert(pc.is_in(known, value_set=names))),
        }
        changes = pa.concat_tables([_named(kind, c, found[c]) for c in found])
        parts.append(changes.sort_by("accession"))
    return pa.concat_tables(parts)


def _named(kind: str, change: str, accessions: pa.ChunkedArray) -> pa.Table:
    n = len(accessions)
    columns = [pa.repeat(pa.scalar(kind), n), accessions, pa.repeat(pa.scalar(change), n)]
    return pa.table(columns, schema=CHANGE)


def _marks(folder: Path, kind: str) -> pa.Table:
    """Return the accessions of a view, and a digest of the row of each."""
    parts = [MARKS.empty_table()]
    for path in sorted((folder / "views" / f"{kind}_flat").glob("*.parquet")):
        table = pq.read_table(path, filters=pc.field(kind).is_valid())
        marks = [hashlib.blake2b(row, digest_size=12).digest() for row in _rows(table)]
        parts.append(pa.table([table.column(kind), pa.array(marks, pa.binary(12))], schema=MARKS))
    return pa.concat_tables(parts)


def _rows(table: pa.Table) -> Iterator[bytes]:
    columns = [c.to_pylist() for c in table.columns]
    return (repr(row).encode() for row in zip(*columns, strict=True))
