"""What each submission was when it was parsed, so that an update finds those that changed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import pyarrow as pa
import pyarrow.feather as feather

from polytene.core.canonical import digest
from polytene.metadata.parser.parse import Documents

SEEN = "seen.arrow"
_SCHEMA = pa.schema([("entry", pa.string()), ("identity", pa.string())])


def add_seen(seen: dict[str, str], documents: Documents) -> None:
    """Add the contents of documents to what their submissions are."""
    for i, submission in enumerate(documents.submissions):
        if submission is not None:
            mark = digest(documents.bytes_of(i), 8)
            seen[submission] = chained(seen.get(submission, ""), documents.names[i], mark)


def chained(before: str, name: str, mark: str) -> str:
    """Return the identity of a submission with one document more."""
    return digest(f"{before} {name}:{mark}".encode(errors="surrogateescape"), 8)


def whole_identity(identities: Mapping[str, str]) -> str:
    """Return the identity of all submissions together."""
    return digest(" ".join(identities.values()).encode())


def write_seen(identities: Mapping[str, str], path: Path) -> None:
    """Write what each submission was."""
    columns = [pa.array(list(identities)), pa.array(list(identities.values()))]
    table = pa.table([c.cast(pa.string()) for c in columns], schema=_SCHEMA)
    feather.write_feather(table, str(path), compression="uncompressed")


def read_seen(paths: Iterable[Path]) -> dict[str, str]:
    """Return what each submission was; later files hold what holds."""
    out: dict[str, str] = {}
    for path in paths:
        table = feather.read_table(str(path), memory_map=False)
        out.update(zip(*(c.to_pylist() for c in table.columns), strict=True))
    return out
