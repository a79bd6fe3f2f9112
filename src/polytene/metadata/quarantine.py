"""Documents that could not be used, as a table."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from polytene.exceptions import Rejected
from polytene.metadata.parser.parse import Documents, Refused

SCHEMA = pa.schema(
    [
        ("path", pa.string()),
        ("offset", pa.int64()),
        ("size", pa.int64()),
        ("sha1", pa.string()),
        ("reason", pa.string()),
        ("detail", pa.string()),
        ("salvaged", pa.int32()),
    ]
)
"""``offset`` is that of a piece in a large document; ``salvaged`` counts records that were kept."""


class Quarantine:
    """Gathers documents that could not be used."""

    def __init__(self) -> None:
        self.rejected: list[Rejected] = []
        self._rows: list[dict[str, object]] = []

    def add(self, documents: Documents, refused: Iterable[Refused]) -> None:
        """Take those that were refused."""
        for one in refused:
            data, name = documents.bytes_of(one.document), documents.names[one.document]
            detail = one.detail
            if one.salvaged:
                detail = f"{detail}; {one.salvaged} complete records before it were salvaged"
            self.rejected.append(Rejected(name, one.reason, detail))
            sha1 = hashlib.sha1(data, usedforsecurity=False).hexdigest()
            row = _row(name, one.reason, detail) | {"size": len(data), "sha1": sha1}
            self._rows.append(row | {"salvaged": one.salvaged})

    def write(self, unread: Iterable[Rejected], path: Path) -> None:
        """Write the table, with those that could not even be read, unless it is empty."""
        rows = [*self._rows, *(_row(r.item, r.reason, r.detail) for r in unread)]
        if rows:
            pq.write_table(pa.Table.from_pylist(rows, SCHEMA), path, compression="zstd")


def _row(name: str, reason: str, detail: str) -> dict[str, object]:
    path, _, offset = name.partition("#")
    place = int(offset) if offset.isdigit() else None
    return {"path": path, "offset": place, "reason": reason, "detail": detail}
