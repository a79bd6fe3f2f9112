"""Events to the tables of the schema: a row per record, and per repeated element of one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from polytene.metadata.parser.columns import Values
from polytene.metadata.parser.events import Events
from polytene.metadata.parser.machine import Array, machine, read_path
from polytene.metadata.parser.schema import (
    COLUMNS,
    GROUPS,
    KINDS,
    NAMED,
    SCHEMAS,
    WARNINGS,
    XREFS,
    Group,
)
from polytene.metadata.parser.vocabulary import TERMS, normal_column

BAD = {"int": "bad_int", "float": "bad_float", "time": "bad_date"}
TAGS = "tags"


def to_tables(events: Events, submissions: Sequence[str | None]) -> dict[str, pa.Table]:
    """Return all tables of the schema.

    Rows stand in the order of the documents, whichever parser read them.

    Parameters
    ----------
    submissions
        Per document, the accession of its submission; where it is None, the records take the one
        of the SUBMISSION that shares their package.
    """
    values = Values(events)
    parent = _submission_of(values, submissions)
    out: dict[str, list[pa.Table]] = {name: [] for name in SCHEMAS}
    for number, kind in enumerate(KINDS):
        records = _Records(values, number, parent)
        if len(records.rows):
            _tables_of(kind, records, out)
    return {
        name: pa.concat_tables(parts) if parts else with_tags(name).empty_table()
        for name, parts in out.items()
    }


def _tables_of(kind: str, records: _Records, out: dict[str, list[pa.Table]]) -> None:
    accession = records.column(("@accession", "IDENTIFIERS/PRIMARY_ID"))
    links = []
    for group in GROUPS[kind]:
        found = records.group(group)
        if group.name == "attribute":
            out["attribute"].append(_child("attribute", records, found, accession))
        elif group.name in XREFS:
            links.append(_child("xref", records, found, accession))
        elif group.name in ("pool", "file"):
            out[group.name].append(_child(group.name, records, found, accession))
    out["xref"].append(_by_owner(links, records))
    out[kind].append(_record_table(kind, records, accession))


class _Records:
    """The records of one kind: their rows, columns and groups."""

    def __init__(self, values: Values, number: int, parent: pa.Array) -> None:
        self.values, self.number, self.kind = values, number, KINDS[number]
        events = values.events
        mine = np.flatnonzero(events.kind == number)
        order = _order(events.document[mine])
        self.rows = mine if order is None else mine[order]
        self.row_of = np.full(len(events.kind), -1, np.int64)
        self.row_of[self.rows] = np.arange(len(self.rows))
        self.submission = parent.take(pa.array(self.rows))
        self._groups: dict[str, _Instances] = {}

    def chosen(self, paths: Iterable[str]) -> Array:
        """Return, per row, the first value that a path has; of the first path that has one."""
        out = np.full(len(self.rows), -1, np.int64)
        for path in paths:
            numbers = self.values.of(machine().number[read_path(self.kind, path)])
            rows = self.row_of[self.values.events.record[numbers]]
            empty = out[rows] < 0
            _put_first(out, rows[empty], numbers[empty])
        return out

    def column(self, paths: Iterable[str]) -> pa.Array:
        """Return the values of paths as strings."""
        return self.values.strings(self.chosen(paths))

    def group(self, group: Group) -> _Instances:
        """Return the instances of a group, record by record in the order of the rows."""
        if group.name not in self._groups:
            self._groups[group.name] = _Instances(self, group)
        return self._groups[group.name]


class _Instances:
    """The instances of a group in the records of one kind.

    They hold no reference to the records, which hold them: memory of that size is not to wait for
    the collector of cycles.
    """

    def __init__(self, records: _Records, group: Group) -> None:
        self.kind, self.size, self.group = records.kind, len(records.rows), group
        self.values, numbers = records.values, machine().number
        self._strings: dict[str, pa.Array] = {}
        self.begins = self.values.of(numbers[read_path(records.kind, f"{group.path}#name")])
        row = records.row_of[self.values.events.record[self.begins]]
        self.order = _order(row)
        self.row = row if self.order is None else row[self.order]
        self.ordinal = _ordinals(self.row)

    def chosen(self, member: str) -> Array:
        """Return, per instance, the first value of a member."""
        path = dict(self.group.members)[member]
        found = self.values.of(machine().number[read_path(self.kind, path, self.group.path)])
        out = np.full(len(self.begins), -1, np.int64)
        _put_first(out, np.searchsorted(self.begins, found, side="right") - 1, found)
        return self._sorted(out)

    def _sorted(self, numbers: Array) -> Array:
        return numbers if self.order is None else numbers[self.order]

    def strings(self, member: str) -> pa.Array:
        """Return a member as strings."""
        if member not in self._strings:
            self._strings[member] = self.values.strings(self.chosen(member))
        return self._strings[member]

    def names(self) -> pa.Array:
        """Return the names of the elements."""
        return self.values.strings(self._sorted(self.begins))

    def lists(self, strings: pa.Array) -> pa.Array:
        """Return, per record, the list of its instances' strings; null where it has none."""
        return _lists(self.row, strings, self.size)


def _order(rows: Array) -> Array | None:
    """Return what sorts rows, each run of equal ones as it was; None if they are sorted."""
    if (rows[1:] >= rows[:-1]).all():
        return None
    return np.argsort(rows, kind="stable")


def _ordinals(rows: Array) -> Array:
    """Return, of sorted rows, the how-manieth of its kind each one is."""
    places = np.arange(len(rows))
    begins = np.ones(len(rows), bool)
    begins[1:] = rows[1:] != rows[:-1]
    return (places - np.maximum.accumulate(np.where(begins, places, 0))).astype(np.int32)


def _put_first(out: Array, places: Array, values: Array) -> None:
    """Write each value to its place; of several for one place, the first."""
    out[places[::-1]] = values[::-1]


def _lists(row: Array, strings: pa.Array, rows: int) -> pa.Array:
    known = strings.is_valid().to_numpy(zero_copy_only=False)
    sizes = np.bincount(row[known], minlength=rows)
    offsets = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int32)
    flat = strings.drop_null()
    return pa.ListArray.from_arrays(pa.array(offsets), flat, mask=pa.array(sizes == 0))


def _record_table(kind: str, records: _Records, accession: pa.Array) -> pa.Table:
    columns: dict[str, pa.Array] = {}
    warned: dict[str, Array] = {}
    for column in COLUMNS[kind]:
        chosen = records.chosen(column.paths)
        if column.type == "string":
            columns[column.name] = records.values.strings(chosen)
            continue
        read = {"int": "integers", "float": "floats", "time": "times"}[column.type]
        columns[column.name], bad = getattr(records.values, read)(chosen)
        code = BAD[column.type]
        warned[code] = warned.get(code, np.zeros(len(bad), bool)) | bad
    for name, group, space in NAMED.get(kind, ()):
        columns[name] = _named(records, kind, group, space)
    _DERIVE[kind](records, columns, warned)
    warned["no_accession"] = _missing(accession)
    if "title" in columns and kind in ("experiment", "sample", "study"):
        warned["no_title"] = _missing(columns["title"])
    columns["submission"] = records.submission
    columns["warnings"] = _warnings(warned, len(accession))
    tagged = records.group(_group(kind, "attribute"))
    schema = with_tags(kind)
    columns[TAGS] = tagged.lists(tagged.strings("tag"))
    return pa.table([columns[n].cast(schema.field(n).type) for n in schema.names], schema=schema)


def with_tags(name: str) -> pa.Schema:
    """Return the schema of a table as it is here: records have a list of their tags beside."""
    schema = SCHEMAS[name]
    return schema.append(pa.field(TAGS, pa.list_(pa.string()))) if name in KINDS else schema


def _missing(column: pa.Array) -> Array:
    return column.is_null().to_numpy(zero_copy_only=False)  # type: ignore[no-any-return]


def _group(kind: str, name: str) -> Group:
    return next(g for g in GROUPS[kind] if g.name == name)


def _named(records: _Records, kind: str, group: str, space: str) -> pa.Array:
    """Return, per record, its first identifier in a name space."""
    found = records.group(_group(kind, group))
    match = pc.fill_null(pc.equal(found.strings("db"), space), False)
    hits = np.flatnonzero(match.to_numpy(zero_copy_only=False))
    chosen = np.full(len(records.rows), -1, np.int64)
    _put_first(chosen, found.row[hits], found.chosen("id")[hits])
    return records.values.strings(chosen)


def _derive_experiment(
    records: _Records, columns: dict[str, pa.Array], warned: dict[str, Array]
) -> None:
    rows = len(records.rows)
    loci = [records.group(_group("experiment", n)) for n in ("locus", "lib_locus")]
    row = np.concatenate([f.row for f in loci])
    order = np.argsort(row, kind="stable")
    names = pa.concat_arrays([f.strings("name") for f in loci]).take(pa.array(order))
    columns["targeted_loci"] = _lists(row[order], names, rows)
    reads = records.group(_group("experiment", "read"))
    technical = pc.equal(reads.strings("class"), "Technical Read").fill_null(False)
    total = np.bincount(reads.row, minlength=rows)
    of_class = np.bincount(reads.row[technical.to_numpy(zero_copy_only=False)], minlength=rows)
    columns["n_reads"] = pa.array(total, pa.int32(), mask=total == 0)
    columns["n_technical_reads"] = pa.array(of_class, pa.int32(), mask=total == 0)
    unknown = np.zeros(rows, bool)
    for name in TERMS:
        columns[f"{name}_norm"], strange = normal_column(name, columns[name])
        unknown |= strange.to_numpy(zero_copy_only=False)
    design = np.zeros(rows, bool)
    design[records.group(_group("experiment", "design")).row] = True
    pool = np.zeros(rows, bool)
    pool[records.group(_group("experiment", "pool")).row] = True
    warned |= {"unknown_term": unknown, "no_design": ~design, "pool": pool}
    warned["no_layout"] = design & _missing(columns["library_layout"])


def _derive_study(
    records: _Records, columns: dict[str, pa.Array], warned: dict[str, Array]
) -> None:
    links = records.group(_group("study", "xref"))
    pubmed = pc.equal(pc.ascii_lower(links.strings("db")), "pubmed").fill_null(False)
    ids = pc.if_else(pubmed, links.strings("id"), pa.scalar(None, pa.string()))
    columns["pubmed"] = links.lists(ids)


def _derive_submission(
    records: _Records, columns: dict[str, pa.Array], warned: dict[str, Array]
) -> None:
    actions = records.group(_group("submission", "action"))
    columns["actions"] = actions.lists(actions.names())


def _derive_nothing(
    records: _Records, columns: dict[str, pa.Array], warned: dict[str, Array]
) -> None:
    pass


_DERIVE: dict[str, Any] = {
    "experiment": _derive_experiment,
    "sample": _derive_nothing,
    "run": _derive_nothing,
    "study": _derive_study,
    "submission": _derive_submission,
}


def _warnings(warned: dict[str, Array], rows: int) -> pa.Array:
    """Return, per row, the codes that hold for it, joined by blanks; null where none does."""
    codes = [code for code in WARNINGS if code in warned and warned[code].any()]
    bits = np.zeros(rows, np.int64)
    for i, code in enumerate(codes):
        bits |= warned[code].astype(np.int64) << i
    kinds, which = np.unique(bits, return_inverse=True)
    texts = [" ".join(c for i, c in enumerate(codes) if k >> i & 1) or None for k in kinds.tolist()]
    return pa.array(texts, pa.string()).take(pa.array(which))


def _child(name: str, records: _Records, found: _Instances, accession: pa.Array) -> pa.Table:
    rows = pa.array(found.row)
    columns: dict[str, pa.Array] = {
        "owner_kind": pa.repeat(pa.scalar(records.kind), len(rows)),
        "owner": accession.take(rows),
        "ordinal": pa.array(found.ordinal),
        "submission": records.submission.take(rows),
    }
    schema = SCHEMAS[name]
    members = dict(found.group.members)
    for field in schema:
        if field.name in columns:
            continue
        if name == "xref" and field.name == "link":
            columns["link"] = pa.repeat(pa.scalar(found.group.name), len(rows))
        elif field.name == "is_default":
            columns["is_default"] = pc.equal(found.names(), "DEFAULT_MEMBER")
        elif field.name not in members:
            columns[field.name] = pa.nulls(len(rows), field.type)
        elif pa.types.is_string(field.type):
            columns[field.name] = found.strings(field.name)
        else:
            read = "integers" if pa.types.is_integer(field.type) else "floats"
            columns[field.name], _ = getattr(records.values, read)(found.chosen(field.name))
    if name == "pool":
        columns["sample"] = pc.coalesce(columns["sample"], found.strings("primary"))
    return pa.table([columns[n] for n in schema.names], schema=schema)


def _by_owner(links: list[pa.Table], records: _Records) -> pa.Table:
    """Return links of all sorts in the order of the records."""
    rows = np.concatenate([records.group(g).row for g in GROUPS[records.kind] if g.name in XREFS])
    order = _order(rows)
    found = pa.concat_tables(links)
    return found if order is None else found.take(pa.array(order))


def _submission_of(values: Values, submissions: Sequence[str | None]) -> pa.Array:
    """Return, per record, the accession of its submission.

    A package begins with its EXPERIMENT, and holds at most one SUBMISSION.
    """
    events = values.events
    known = pa.array(submissions, pa.string())
    by_document = known.take(pa.array(events.document))
    if by_document.null_count == 0:
        return by_document
    begins = events.kind == KINDS.index("experiment")
    begins[1:] |= events.document[1:] != events.document[:-1]
    package = np.cumsum(begins)
    own = _Records(values, KINDS.index("submission"), by_document)
    accession = own.column(("@accession", "IDENTIFIERS/PRIMARY_ID"))
    of_package = np.full(int(package[-1]) + 1 if len(package) else 1, -1, np.int64)
    of_package[package[own.rows]] = np.arange(len(own.rows))
    index = of_package[package]
    by_package = accession.take(pa.array(index, mask=index < 0))
    return pc.coalesce(by_document, by_package)
