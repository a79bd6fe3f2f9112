"""Whether a knowledge base is what was published, and how two of them differ."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from polytene.metadata.publish import PARTS
from polytene.metadata.views import VIEWS

CHANGE = pa.schema([("kind", pa.string()), ("accession", pa.string()), ("change", pa.string())])


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
    """Return the records of the flat views that were added, removed or changed."""
    parts = []
    for kind in VIEWS:
        before, after = _marks(older, kind), _marks(newer, kind)
        for accession in sorted(before.keys() | after.keys()):
            if before.get(accession) != after.get(accession):
                change = "changed"
                if accession not in before or accession not in after:
                    change = "added" if accession in after else "removed"
                parts.append((kind, accession, change))
    columns = list(zip(*parts, strict=True)) or [(), (), ()]
    return pa.table([pa.array(c, pa.string()) for c in columns], schema=CHANGE)


def _marks(folder: Path, kind: str) -> dict[str, bytes]:
    """Return a digest of each row of a view, by accession."""
    out: dict[str, bytes] = {}
    for path in sorted((folder / "views" / f"{kind}_flat").glob("*.parquet")):
        table = pq.read_table(path)
        accessions = pc.fill_null(table.column(kind), "").to_pylist()
        for accession, row in zip(accessions, _rows(table), strict=True):
            out[accession] = hashlib.blake2b(row, digest_size=12).digest()
    return out


def _rows(table: pa.Table) -> list[bytes]:
    columns = [c.to_pylist() for c in table.columns]
    return [repr(row).encode() for row in zip(*columns, strict=True)]
