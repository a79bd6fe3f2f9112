"""Runs that fit: asked by what is known of them, counted, listed, handed on."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from polytene.metadata.kb.condition import read_condition
from polytene.metadata.kb.fields import column_of
from polytene.metadata.kb.lists import Format, write_sample_list
from polytene.metadata.parser.vocabulary import TERMS, normal
from polytene.metadata.views import VIEWS

if TYPE_CHECKING:
    import dask.dataframe
    import pandas as pd

OWNERS = {"sample": "sample", "experiment": "experiment", "run": "run"}
Value = str | int | None
Values = Value | Sequence[Value]


@dataclass(frozen=True)
class Wanted:
    """What runs have to be: values per column, a condition, attributes.

    Parameters
    ----------
    values
        Per column of the view, the values that will do.
    where
        A condition, as :mod:`polytene.metadata.kb.condition` reads it.
    attributes
        Per tag, the values that will do, of the sample, the experiment or the run; None: any.
    """

    values: tuple[tuple[str, tuple[Value, ...]], ...] = ()
    where: str | None = None
    attributes: tuple[tuple[str, tuple[str, ...] | None], ...] = ()

    def expression(self) -> pc.Expression | None:
        """Return the part that a row of the view decides."""
        parts = [_one_of(column, values) for column, values in self.values]
        if self.where:
            parts.append(read_condition(self.where, VIEWS["run"]))
        return functools.reduce(lambda a, b: a & b, parts) if parts else None

    def sql(self) -> str:
        """Return all of it as a condition of SQL."""
        parts = [_sql_one_of(column, values) for column, values in self.values]
        parts += [f"({self.where})"] if self.where else []
        for tag, values in self.attributes:
            match = f"lower(tag) = {_quoted(tag.lower())}"
            if values is not None:
                match += f" AND lower(value) IN ({', '.join(_quoted(v.lower()) for v in values)})"
            parts.append(
                " OR ".join(
                    f"{column} IN (SELECT owner FROM attribute "
                    f"WHERE owner_kind = '{kind}' AND {match})"
                    for kind, column in OWNERS.items()
                ).join("()")
            )
        return " AND ".join(parts)


def wanted(
    values: Mapping[str, Values], where: str | None, attributes: Mapping[str, Any]
) -> Wanted:
    """Return what runs have to be, with terms in the schema's spelling."""
    out = []
    for name, given in values.items():
        if given is None:
            continue
        many: list[Value] = [given] if isinstance(given, str | int) else list(given)
        column = column_of(name)
        if column in TERMS:
            many = [normal(column, str(v)) if v is not None else None for v in many]
            column = f"{column}_norm"
        elif column in ("library_layout", "platform"):
            many = [str(v).upper() if v is not None else None for v in many]
        out.append((column, tuple(many)))
    tags = tuple(
        (tag, None if v is None else (v,) if isinstance(v, str) else tuple(v))
        for tag, v in attributes.items()
    )
    return Wanted(tuple(out), where, tags)


def _one_of(column: str, values: tuple[Value, ...]) -> pc.Expression:
    field, kind = pc.field(column), VIEWS["run"].field(column).type
    known = pa.array([v for v in values if v is not None]).cast(kind)
    found = field.isin(known)
    return found | field.is_null() if None in values else found


def _sql_one_of(column: str, values: tuple[Value, ...]) -> str:
    known = [_quoted(v) for v in values if v is not None]
    parts = [f"{column} IN ({', '.join(known)})"] if known else []
    parts += [f"{column} IS NULL"] if None in values else []
    return f"({' OR '.join(parts)})"


def _quoted(value: object) -> str:
    return str(value) if isinstance(value, int) else "'" + str(value).replace("'", "''") + "'"


class Runs:
    """Runs of a knowledge base that fit; nothing is read before it is asked for.

    Made by :meth:`polytene.metadata.KnowledgeBase.runs`.
    """

    def __init__(self, folder: Path, wanted: Wanted) -> None:
        self._folder, self.wanted = folder, wanted
        self.expression = wanted.expression()

    @property
    def _files(self) -> list[Path]:
        return sorted((self._folder / "views" / "run_flat").glob("*.parquet"))

    @functools.cached_property
    def _owners(self) -> list[dict[str, pa.Array]]:
        """Per attribute, the accessions that have it, by kind of their owner."""
        files = sorted((self._folder / "tables" / "attribute").glob("*.parquet"))
        return [_owners(files, tag, values) for tag, values in self.wanted.attributes]

    def _tables(self, columns: list[str] | None = None) -> Iterator[pa.Table]:
        read = None if columns is None else list(dict.fromkeys([*columns, *OWNERS.values()]))
        for path in self._files:
            yield _fitting(path, self.expression, self._owners, read, columns)

    def count(self) -> int:
        """Return how many runs there are."""
        return sum(t.num_rows for t in self._tables(["run"]))

    def to_arrow(self, columns: Sequence[str] | None = None) -> pa.Table:
        """Return the rows of the view ``run_flat``, ordered by run."""
        names = None if columns is None else [column_of(c) for c in columns]
        parts = list(self._tables(None if names is None else [*names, "run"]))
        found = pa.concat_tables(parts) if parts else VIEWS["run"].empty_table()
        found = found.take(pc.sort_indices(found, [("run", "ascending")]))
        return found.select(names) if names is not None else found

    def to_pandas(self, columns: Sequence[str] | None = None) -> pd.DataFrame:
        """Return the rows of the view ``run_flat`` as a data frame; integers may be missing."""
        import pandas as pd

        kinds = {pa.int64(): pd.Int64Dtype(), pa.int32(): pd.Int32Dtype()}
        frame: pd.DataFrame = self.to_arrow(columns).to_pandas(types_mapper=kinds.get)
        return frame

    def to_dask(self) -> dask.dataframe.DataFrame:
        """Return the rows as a Dask data frame, a partition per file of the view."""
        import dask.dataframe as dd

        meta = _frame(VIEWS["run"].empty_table())
        arguments = {"expression": self.expression, "owners": self._owners}
        return dd.from_map(_read_frame, self._files, meta=meta, **arguments)

    def sql(self) -> str:
        """Return the question as SQL over the views; see :meth:`KnowledgeBase.duckdb`."""
        condition = self.wanted.sql()
        return (
            "SELECT * FROM run_flat"
            + (f" WHERE {condition}" if condition else "")
            + " ORDER BY run"
        )

    def sample_list(self, path: str | Path, format: Format = "polytene") -> int:  # noqa: A002
        """Write the runs as a list of samples; return how many there are.

        Parameters
        ----------
        path
            The file; it is there whole or not at all.
        format
            ``polytene``: a table of runs, as the rnaseq room reads it; ``accessions`` and
            ``fetchngs``: an accession per line; ``amalgkit``: its metadata table.
        """
        return write_sample_list(self.to_arrow(), self._folder / "tables", Path(path), format)

    def __len__(self) -> int:
        return self.count()

    def __repr__(self) -> str:
        return f"<Runs where {self.wanted.sql() or 'any'}>"


def _fitting(
    path: Path,
    expression: pc.Expression | None,
    owners: list[dict[str, pa.Array]],
    read: list[str] | None,
    columns: list[str] | None,
) -> pa.Table:
    table = pq.read_table(path, columns=read, filters=expression)
    for of_kind in owners:
        hits = [
            pc.is_in(table.column(column), value_set=of_kind[kind])
            for kind, column in OWNERS.items()
        ]
        table = table.filter(functools.reduce(pc.or_, hits))
    return table if columns is None else table.select(list(dict.fromkeys(columns)))


def _owners(files: list[Path], tag: str, values: tuple[str, ...] | None) -> dict[str, pa.Array]:
    """Return who has an attribute: tags and values are compared without case."""
    parts = []
    for path in files:
        table = pq.read_table(path, columns=["owner_kind", "owner", "tag", "value"])
        fits = pc.equal(pc.utf8_lower(table.column("tag")), tag.lower())
        if values is not None:
            known = pa.array([v.lower() for v in values], pa.string())
            fits = pc.and_kleene(
                fits, pc.is_in(pc.utf8_lower(table.column("value")), value_set=known)
            )
        parts.append(table.filter(fits).select(["owner_kind", "owner"]))
    found = (
        pa.concat_tables(parts)
        if parts
        else pa.table({"owner_kind": pa.array([], pa.string()), "owner": pa.array([], pa.string())})
    )
    out = {}
    for kind in OWNERS:
        mine = found.filter(pc.equal(found.column("owner_kind"), kind)).column("owner")
        out[kind] = pc.unique(mine.drop_null())
    return out


def _frame(table: pa.Table) -> pd.DataFrame:
    import pandas as pd

    kinds = {pa.int64(): pd.Int64Dtype(), pa.int32(): pd.Int32Dtype()}
    frame: pd.DataFrame = table.to_pandas(types_mapper=kinds.get)
    return frame


def _read_frame(
    path: Path, *, expression: pc.Expression | None, owners: list[dict[str, pa.Array]]
) -> pd.DataFrame:
    return _frame(_fitting(path, expression, owners, None, None))
