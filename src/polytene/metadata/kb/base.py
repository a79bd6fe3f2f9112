"""A knowledge base: the tables, views and catalogs of a build, opened for questions."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

from polytene.exceptions import DamagedRun, UsageError
from polytene.metadata.kb.checking import difference, problems
from polytene.metadata.kb.counting import COUNT, count_by
from polytene.metadata.kb.fields import UnitName, column_of
from polytene.metadata.kb.query import Runs, Values, wanted
from polytene.metadata.parser.schema import SCHEMAS
from polytene.metadata.publish import FORMAT, MANIFEST
from polytene.metadata.quarantine import SCHEMA as QUARANTINE
from polytene.metadata.views import VIEWS

if TYPE_CHECKING:
    import xarray as xr


class KnowledgeBase:
    """Tables, views and catalogs of SRA metadata; made by :func:`open`.

    Parameters
    ----------
    folder
        Where it lies.
    manifest
        What it holds.

    Examples
    --------
    >>> import tempfile
    >>> from polytene import metadata
    >>> from polytene.testing import write_dump
    >>> folder = tempfile.mkdtemp()
    >>> _ = metadata.build(write_dump(submissions=5), folder)
    >>> kb = metadata.open(folder)
    >>> kb.counts("layout").column_names
    ['layout', 'count']
    """

    def __init__(self, folder: Path, manifest: Mapping[str, Any]) -> None:
        self.folder, self.manifest = folder, manifest

    def counts(self, field: str, unit: UnitName = "experiment") -> pa.Table:
        """Return how many of a unit each value of a field has.

        Parameters
        ----------
        field
            A column of the views, such as ``library_strategy`` or ``organism``, or a short form:
            ``strategy``, ``source``, ``selection``, ``layout``, ``center``.
        unit
            ``experiment``, ``run``, ``sample``, ``study``, or ``bases``: the sum of the runs'.
            Samples and studies are counted by their own fields, else by those of their experiments.

        Returns
        -------
        pyarrow.Table
            The field as it was named, and ``count`` (int64), the largest first. Missing values
            are null and counted, too.

        Raises
        ------
        UsageError
            If there is no such field or unit.
        """
        return self.crosstab(field, unit=unit)

    def crosstab(self, *fields: str, unit: UnitName = "experiment") -> pa.Table:
        """Return how many of a unit each combination of values has that occurs.

        Returns
        -------
        pyarrow.Table
            The fields as they were named, and ``count`` (int64), the largest first.
        """
        return count_by(self.folder / "views", fields, unit)

    def crosstab_array(self, a: str, b: str, unit: UnitName = "experiment") -> xr.DataArray:
        """Return the cross-tab of two fields as an array ``(a, b)``; what does not occur is 0.

        Values come in their order, and the missing one, as NaN, last.
        """
        import numpy as np
        import xarray as xr

        table = self.crosstab(a, b, unit=unit)
        axes, places = {}, []
        for name in (a, b):
            values = table.column(name).to_pylist()
            order = sorted({v for v in values if v is not None}) + (
                [None] if None in values else []
            )
            axes[name] = np.array(order, dtype=object)
            place = {v: i for i, v in enumerate(order)}
            places.append([place[v] for v in values])
        out = np.zeros([len(axes[a]), len(axes[b])], np.int64)
        out[tuple(places)] = table.column(COUNT).fill_null(0).to_numpy()
        return xr.DataArray(out, coords=axes, dims=(a, b), name=unit, attrs={"unit": unit})

    def runs(
        self,
        *,
        organism: Values = None,
        taxid: Values = None,
        strategy: Values = None,
        source: Values = None,
        selection: Values = None,
        layout: Values = None,
        platform: Values = None,
        attributes: Mapping[str, str | Sequence[str] | None] | None = None,
        where: str | None = None,
        status: Values = None,
        **columns: Values,
    ) -> Runs:
        """Return the runs that fit; see :class:`polytene.metadata.kb.query.Runs`.

        Parameters
        ----------
        organism, taxid, platform, status
            A value or several; each has to be as it is stored. ``status`` is the archive's:
            ``live``, ``suppressed`` and so on.
        strategy, source, selection, layout
            Terms of the SRA; case, blanks and hyphens do not matter.
        attributes
            Per tag a value or several, or None for any: the run, its experiment or its sample
            has it. Compared without case.
        where
            A condition over the columns of the view, such as ``"nominal_length < 400"``.
        **columns
            Values of any other column of the view, such as ``study="SRP1"``.

        Raises
        ------
        UsageError
            If there is no such column, the condition cannot be read, or a status is asked for
            that is not known.
        """
        if status is not None and not self.manifest["stored"].get("accession"):
            raise UsageError(
                f"{self.folder}: no status is known: build it with the table SRA_Accessions"
            )
        values = {"organism": organism, "taxid": taxid, "strategy": strategy, "source": source}
        values |= {"selection": selection, "layout": layout, "platform": platform}
        values |= {"status": status, **columns}
        for name in columns:
            if column_of(name) not in VIEWS["run"].names:
                known = ", ".join(VIEWS["run"].names)
                raise UsageError(f"no column {name!r} of runs: one of {known}")
        return Runs(self.folder, wanted(values, where, attributes or {}))

    def view(self, kind: str) -> pa.Table:
        """Return a flat view: ``run``, ``experiment``, ``sample`` or ``study``."""
        if kind not in VIEWS:
            raise UsageError(f"no view {kind!r}: one of {', '.join(VIEWS)}")
        return self._read(self.folder / "views" / f"{kind}_flat", VIEWS[kind])

    def table(self, name: str) -> pa.Table:
        """Return a table as it was parsed, with duplicates: ``experiment``, ``attribute``, ..."""
        if name not in SCHEMAS:
            raise UsageError(f"no table {name!r}: one of {', '.join(SCHEMAS)}")
        return self._read(self.folder / "tables" / name, SCHEMAS[name])

    def catalog(self, name: str) -> pa.Table:
        """Return a catalog: every value that occurs, with experiments, runs and bases."""
        path = self.folder / "catalog" / f"{name}.parquet"
        if not path.exists():
            known = ", ".join(sorted(p.stem for p in path.parent.glob("*.parquet")))
            raise UsageError(f"no catalog {name!r}: one of {known}")
        return pq.read_table(path)

    def quarantine(self) -> pa.Table:
        """Return the documents that could not be used: path, offset, reason, detail and so on."""
        return self._read(self.folder / "quarantine", QUARANTINE)

    def _read(self, folder: Path, schema: pa.Schema) -> pa.Table:
        parts = [pq.read_table(p) for p in sorted(folder.glob("*.parquet"))]
        return pa.concat_tables(parts) if parts else schema.empty_table()

    def verify(self) -> list[str]:
        """Read every file again; return what is not as it was published."""
        return problems(self.folder, self.manifest)

    def diff(self, other: KnowledgeBase | str | Path) -> pa.Table:
        """Return the records that differ from an ``other``, older knowledge base.

        Returns
        -------
        pyarrow.Table
            ``kind, accession, change``: ``added``, ``removed`` or ``changed``.
        """
        older = other if isinstance(other, KnowledgeBase) else open(other)
        return difference(older.folder, self.folder)

    def duckdb(self) -> Any:
        """Return a DuckDB connection with the views, tables and catalogs; extra ``sql``."""
        from polytene.metadata.kb.sql import connect

        return connect(self.folder)

    def export(self, path: str | Path, format: str = "stage1") -> None:  # noqa: A002
        """Write JSON for readers of other systems; see :mod:`polytene.metadata.kb.export`."""
        from polytene.metadata.kb.export import write_export

        write_export(self, Path(path), format)

    def __repr__(self) -> str:
        rows = ", ".join(f"{n:,} {kind}s" for kind, n in self.manifest["rows"].items())
        return f"<KnowledgeBase {self.folder}: {rows}>".replace("studys", "studies")


def open(kb: str | Path) -> KnowledgeBase:  # noqa: A001 - the verb of the room
    """Open a knowledge base.

    Raises
    ------
    UsageError
        If the folder holds none, or its build is not finished.
    """
    folder = Path(kb).absolute()
    path = folder / MANIFEST
    try:
        manifest = json.loads(path.read_bytes())
    except (FileNotFoundError, NotADirectoryError):
        begun = (folder / "work").is_dir()
        what = (
            "its build is not finished: give the same command again"
            if begun
            else "it has no manifest"
        )
        raise UsageError(f"{folder} is no knowledge base: {what}") from None
    except ValueError as error:
        raise DamagedRun(f"{path}: not JSON ({error}); build it again") from None
    if manifest.get("format") != FORMAT:
        found = manifest.get("format")
        raise UsageError(f"{path} has format {found}, this polytene reads {FORMAT}: build it again")
    return KnowledgeBase(folder, manifest)


def verify(kb: str | Path) -> list[str]:
    """Read every file of a knowledge base again; return what is not as it was published."""
    return open(kb).verify()


def diff(kb: str | Path, older: str | Path) -> pa.Table:
    """Return the records that were added, removed or changed since an older knowledge base.

    The columns are ``kind, accession, change``.
    """
    return open(kb).diff(older)
