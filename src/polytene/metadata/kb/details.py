"""What the tables say of runs beside the flat view: texts, attributes of samples, articles."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

Texts = dict[str, str]


def texts_of(tables: Path, kind: str, column: str, accessions: pa.Array) -> Texts:
    """Return a text of some records, by accession; of several with one accession the last."""
    out: Texts = {}
    for table in _rows(tables / kind, "accession", accessions, [column]):
        value = table.column(column)
        if pa.types.is_list(value.type):
            value = pc.binary_join(pc.cast(value, pa.list_(pa.string())), ";")
        pairs = zip(table.column("accession").to_pylist(), value.to_pylist(), strict=True)
        out.update((a, v) for a, v in pairs if v)
    return out


def attributes_of(tables: Path, kind: str, tags: Sequence[str], owners: pa.Array) -> list[Texts]:
    """Return, per tag, the values of some records; a tag that repeats counts where it is first.

    Tags are compared without case, with blanks as underscores.
    """
    out: list[Texts] = [{} for _ in tags]
    place = {tag: i for i, tag in enumerate(tags)}
    for table in _rows(tables / "attribute", "owner", owners, ["owner_kind", "tag", "value"]):
        table = table.filter(pc.equal(table.column("owner_kind"), kind))
        tag = pc.replace_substring(pc.utf8_lower(table.column("tag")), " ", "_")
        fits = pc.is_in(tag, value_set=pa.array(tags, pa.string()))
        here: list[Texts] = [{} for _ in tags]
        columns = [table.column("owner"), tag, table.column("value")]
        for owner, name, value in zip(*(c.filter(fits).to_pylist() for c in columns), strict=True):
            if value:
                here[place[name]].setdefault(owner, value)
        for whole, part in zip(out, here, strict=True):
            whole.update(part)
    return out


def _rows(folder: Path, key: str, wanted: pa.Array, columns: list[str]) -> Iterator[pa.Table]:
    for path in sorted(folder.glob("*.parquet")):
        table = pq.read_table(path, columns=[key, *columns], filters=pc.field(key).isin(wanted))
        if table.num_rows:
            yield table
