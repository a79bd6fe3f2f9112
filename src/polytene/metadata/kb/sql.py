"""The knowledge base under DuckDB: the same files, as views."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from polytene.exceptions import UsageError


def connect(folder: Path) -> Any:
    """Return a connection in memory with a view for each table, flat view and catalog.

    Raises
    ------
    UsageError
        If DuckDB is not installed.
    """
    try:
        import duckdb
    except ImportError:
        raise UsageError('DuckDB is not installed: pip install "polytene[sql]"') from None
    connection = duckdb.connect()
    for part in ("tables", "views"):
        for below in sorted((folder / part).iterdir()):
            if any(below.glob("*.parquet")):
                _create(connection, below.name, below / "*.parquet")
    for path in sorted((folder / "catalog").glob("*.parquet")):
        _create(connection, f"catalog_{path.stem}", path)
    return connection


def _create(connection: Any, name: str, path: Path) -> None:
    quoted = str(path).replace("'", "''")
    connection.execute(f"CREATE VIEW {name} AS SELECT * FROM read_parquet('{quoted}')")
