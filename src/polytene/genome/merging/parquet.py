"""Parquet files, joined into one whose row groups do not depend on the parts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from polytene.exceptions import BadInput
from polytene.formats.parquet import open_parquet
from polytene.genome.merging.files import Merged, Part, whole_file

GROUP_ROWS = 1 << 16
READ_ROWS = 1 << 13


def merge_parquet(parts: Sequence[Part], output: Path) -> Merged:
    """Join Parquet files of the same columns, in the order of the parts.

    Row groups have 65,536 rows, whatever the parts had. Dictionary columns become plain ones, as
    the order of a dictionary says where it was cut. Of the metadata that is kept which all files
    share.

    Raises
    ------
    BadInput
        ``schemas-differ``, or what :func:`polytene.formats.parquet.open_parquet` says.
    """
    schema, notes = _common_schema(parts)
    rows = 0
    with whole_file(output) as write, _writer(write, schema) as writer:
        for table in _groups(parts, schema):
            writer.write_table(table, row_group_size=GROUP_ROWS)
            rows += table.num_rows
    return Merged(len(parts), rows, notes)


class _Sink:
    """A file to Parquet's writer that can only be written to."""

    closed = False

    def __init__(self, write: Any) -> None:
        self._write, self._place = write, 0

    def write(self, data: Any) -> int:
        self._write(bytes(data))
        self._place += len(data)
        return len(data)

    def tell(self) -> int:
        return self._place

    def flush(self) -> None:
        """Leave that to who gave the function."""

    def close(self) -> None:
        self.closed = True


def _writer(write: Any, schema: pa.Schema) -> pq.ParquetWriter:
    return pq.ParquetWriter(pa.PythonFile(_Sink(write), mode="w"), schema, compression="zstd")


def _common_schema(parts: Sequence[Part]) -> tuple[pa.Schema, list[str]]:
    schemas = [_schema_of(part) for part in parts]
    common = schemas[0]
    metadata = dict(common.metadata or {})
    dropped: set[bytes] = set()
    for part, schema in zip(parts, schemas, strict=True):
        about = dict(schema.metadata or {})
        common = _joined(common, schema, part, parts[0])
        shared = {k: v for k, v in metadata.items() if about.get(k) == v}
        dropped |= (metadata.keys() | about.keys()) - shared.keys()
        metadata = shared
    names = ", ".join(sorted(n.decode(errors="replace") for n in dropped))
    notes = [f"metadata that the files do not share was left out: {names}"] if dropped else []
    return common.with_metadata(metadata or None), notes


def _schema_of(part: Part) -> pa.Schema:
    with open_parquet(part.path) as file:
        schema = file.schema_arrow
    return pa.schema([_plain(field) for field in schema], schema.metadata)


def _plain(field: pa.Field) -> pa.Field:
    kind = field.type
    return field.with_type(kind.value_type) if pa.types.is_dictionary(kind) else field


def _joined(common: pa.Schema, schema: pa.Schema, part: Part, first: Part) -> pa.Schema:
    """Return a schema for both; a column without any value takes the other's type."""
    if schema.names == common.names:
        try:
            return pa.unify_schemas([common, schema])
        except pa.ArrowException:
            pass
    raise BadInput("schemas-differ", f"{part.name}: {_difference(schema, common, first)}")


def _difference(schema: pa.Schema, first: pa.Schema, other: Part) -> str:
    for name in dict.fromkeys([*schema.names, *first.names]):
        mine = [str(schema.field(i).type) for i in schema.get_all_field_indices(name)]
        theirs = [str(first.field(i).type) for i in first.get_all_field_indices(name)]
        if mine != theirs:
            here, there = (", ".join(t) or "absent" for t in (mine, theirs))
            return f"column {name!r} is {here} here and {there} in {other.name}"
    return f"its columns stand in another order, or allow other nulls, than in {other.name}"


def _groups(parts: Sequence[Part], schema: pa.Schema) -> Iterator[pa.Table]:
    """Yield tables of exactly a row group, and what is left."""
    held: list[pa.RecordBatch] = []
    rows = 0
    for part in parts:
        with open_parquet(part.path) as file:
            for batch in file.iter_batches(READ_ROWS):
                while rows + batch.num_rows >= GROUP_ROWS:
                    fits = GROUP_ROWS - rows
                    yield _table([*held, batch.slice(0, fits)], schema)
                    held, rows, batch = [], 0, batch.slice(fits)
                if batch.num_rows:
                    held.append(batch)
                    rows += batch.num_rows
    if held:
        yield _table(held, schema)


def _table(batches: list[pa.RecordBatch], schema: pa.Schema) -> pa.Table:
    return pa.concat_tables([pa.Table.from_batches([b]).cast(schema) for b in batches])
