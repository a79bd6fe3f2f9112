"""Rows of a set to Parquet, in row groups of a size in bytes and files of at most 1 GiB."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from polytene.codons.records import Record
from polytene.codons.sets import CDS, CODING, SEQUENCES

FILE_BYTES = 1 << 30
ROW_OVERHEAD = 200
PAGE_ROWS = 16  # by default 1,024 rows of any size make one page, which is decoded as a whole
DICTIONARIES = ["source", "organism", "organelle"]


class SetWriter:
    """Writes records to ``<name>.parquet`` and their coding sequences to ``cds/<name>.parquet``.

    Parameters
    ----------
    folder
        Where the files go.
    name
        Name of the first file; the next ones are numbered.
    group_bytes
        Uncompressed bytes after which a row group is closed.
    """

    def __init__(self, folder: Path, name: str, group_bytes: int) -> None:
        self.folder, self.name, self.group_bytes = folder, name, group_bytes
        self.files: list[dict[str, Any]] = []
        self._writer: pq.ParquetWriter | None = None
        self._rows: list[dict[str, Any]] = []
        self._coding: list[dict[str, Any]] = []
        self._waiting = self._written = self._row = self._bases = 0
        self._annotated = False

    def __enter__(self) -> SetWriter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is None:
            self._close_file()
        elif self._writer is not None:
            self._writer.close()

    def add(self, record: Record) -> None:
        """Take a record; full row groups and files are closed."""
        if record.coding is not None:
            self._annotated = True
            self._coding += [{**cds, "row": self._row} for cds in record.coding]
        self._rows.append(record.row)
        self._row += 1
        self._bases += record.row["length"]
        self._waiting += record.row["length"] + ROW_OVERHEAD
        if self._waiting >= self.group_bytes:
            self._close_group()
            if self._written >= FILE_BYTES:
                self._close_file()

    def _file_name(self) -> str:
        number = f"~{len(self.files):04d}" if self.files else ""  # no key has a ~
        return f"{self.name}{number}.parquet"

    def _close_group(self) -> None:
        if not self._rows:
            return
        if self._writer is None:
            self._writer = _open(self.folder / self._file_name(), SEQUENCES, ["sequence"])
        self._writer.write_table(pa.Table.from_pylist(self._rows, SEQUENCES))
        self._written += self._waiting
        self._rows, self._waiting = [], 0

    def _close_file(self) -> None:
        self._close_group()
        if self._writer is None:
            return
        self._writer.close()
        name = self._file_name()
        if self._annotated:
            (self.folder / CDS).mkdir(exist_ok=True)
            with _open(self.folder / CDS / name, CODING, []) as out:
                out.write_table(pa.Table.from_pylist(self._coding, CODING))
        about = {"name": name, "rows": self._row, "bases": self._bases}
        self.files.append({**about, "cds": len(self._coding), "annotated": self._annotated})
        self._writer, self._coding = None, []
        self._written = self._row = self._bases = 0
        self._annotated = False


def _open(path: Path, schema: pa.Schema, bulky: list[str]) -> pq.ParquetWriter:
    return pq.ParquetWriter(
        path,
        schema,
        compression="zstd",
        compression_level=1,
        use_dictionary=[n for n in DICTIONARIES if n in schema.names],
        write_statistics=[n for n in schema.names if n not in bulky],
        write_batch_size=PAGE_ROWS,
    )
