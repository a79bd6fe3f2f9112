"""Rows of a set to Parquet, in row groups of a size in bytes and files of at most 1 GiB."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from polytene.codons.arrays import spans
from polytene.codons.packed.columns import ENCODINGS, PACKED, pack
from polytene.codons.sets.files import CDS, CODING

FILE_BYTES = 1 << 30
ROW_OVERHEAD = 200
PAGE_ROWS = 16  # by default 1,024 rows of any size make one page, which is decoded as a whole
SQUEEZED = 0.7
DICTIONARIES = ["source", "organism", "organelle"]


class SetWriter:
    """Writes rows to ``<name>.parquet`` and their coding sequences to ``cds/<name>.parquet``.

    Parameters
    ----------
    folder
        Where the files go.
    name
        Name of the first file; the next ones are numbered.
    group_bytes
        Bytes of text after which a row group is closed.
    packed
        Whether the bases are packed, four to a byte.
    """

    def __init__(self, folder: Path, name: str, group_bytes: int, *, packed: bool = False) -> None:
        self.folder, self.name, self.group_bytes, self.packed = folder, name, group_bytes, packed
        self.files: list[dict[str, Any]] = []
        self._writer: pq.ParquetWriter | None = None
        self._tables: list[pa.Table] = []
        self._coding: list[pa.Table] = []
        self._waiting = self._written = self._row = self._bases = 0

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

    def add(self, rows: pa.Table, coding: pa.Table | None = None) -> None:
        """Take rows; full row groups and files are closed.

        Parameters
        ----------
        rows
            Rows with the columns ``length`` and ``sequence``.
        coding
            Coding sequences on them, by the number of the row in ``rows``; None where there is
            no annotation.
        """
        if coding is not None:
            row = pa.array(coding.column("row").to_numpy() + self._row)
            self._coding.append(coding.set_column(0, "row", row))
        self._tables.append(rows)
        bases = int(rows.column("length").to_numpy().sum())
        self._row += rows.num_rows
        self._bases += bases
        self._waiting += bases + ROW_OVERHEAD * rows.num_rows
        if self._waiting >= self.group_bytes:
            self._close_group()
            if self._written >= FILE_BYTES:
                self._close_file()

    def _file_name(self) -> str:
        number = f"~{len(self.files):04d}" if self.files else ""  # no key has a ~
        return f"{self.name}{number}.parquet"

    def _close_group(self) -> None:
        if not self._tables:
            return
        table = pa.concat_tables(self._tables)
        table = pack_table(table) if self.packed else table
        if self._writer is None:
            squeezed = self.packed and squeezes(table.column("seq2"))
            self._writer = _open(self.folder / self._file_name(), table.schema, squeezed=squeezed)
        self._writer.write_table(table)
        self._written += self._waiting
        self._tables, self._waiting = [], 0

    def _close_file(self) -> None:
        self._close_group()
        if self._writer is None:
            return
        self._writer.close()
        name = self._file_name()
        coding = pa.concat_tables(self._coding) if self._coding else None
        if coding is not None:
            (self.folder / CDS).mkdir(exist_ok=True)
            with _open(self.folder / CDS / name, CODING) as out:
                out.write_table(coding)
        about = {"name": name, "rows": self._row, "bases": self._bases}
        cds = {"cds": coding.num_rows if coding else 0, "annotated": coding is not None}
        self.files.append({**about, **cds})
        self._writer, self._coding = None, []
        self._written = self._row = self._bases = 0


def pack_table(table: pa.Table) -> pa.Table:
    """Return rows with their bases packed instead of as text."""
    batches = [pack(chunk) for chunk in table.column("sequence").chunks]
    packed = pa.Table.from_batches(batches, PACKED)
    table = table.drop_columns("sequence")
    for name in PACKED.names:
        if name not in table.column_names:
            table = table.append_column(PACKED.field(name), packed.column(name))
    return table


def squeezes(column: pa.ChunkedArray) -> bool:
    """Whether packed bases become so much smaller that it is worth the time to read them.

    Four bases to a byte leave little to compress, but for copies, close relatives and long N.
    """
    codec = pa.Codec("zstd", 1)
    data = [spans(chunk)[0] for chunk in column.chunks]
    small = sum(len(codec.compress(d, asbytes=True)) for d in data)
    return small < SQUEEZED * sum(d.size for d in data)


def _open(path: Path, schema: pa.Schema, *, squeezed: bool = False) -> pq.ParquetWriter:
    plain = () if squeezed else ("seq2",)
    leaves = _leaves(schema)
    return pq.ParquetWriter(
        path,
        schema,
        compression={leaf: "NONE" if leaf in plain else "zstd" for leaf in leaves},
        compression_level={leaf: 1 for leaf in leaves if leaf not in plain},
        use_dictionary=[n for n in DICTIONARIES if n in schema.names],
        column_encoding={leaf: how for leaf, how in ENCODINGS.items() if leaf in leaves} or None,
        write_statistics=[leaf for leaf in leaves if leaf not in ("sequence", "seq2")],
        write_batch_size=PAGE_ROWS,
    )


def _leaves(schema: pa.Schema) -> list[str]:
    """Return the columns as Parquet names them, those inside of lists by their path."""
    sink = pa.BufferOutputStream()
    with pq.ParquetWriter(sink, schema) as empty:
        empty.write_table(schema.empty_table())
    found = pq.ParquetFile(pa.BufferReader(sink.getvalue())).schema
    return [found.column(i).path for i in range(len(found))]
