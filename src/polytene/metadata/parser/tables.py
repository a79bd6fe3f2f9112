"""Events to the tables of the schema: a row per record, and per repeated element of one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from polytene.metadata.parser.columns import Values
from polytene.metadata.parser.events import Events
from polytene.metadata.parser.machine import Array
from polytene.metadata.parser.records import Instances, Records, lists, order_of, put_first
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
        records = Records(values, number, parent)
        if len(records.rows):
            _tables_of(kind, records, out)
    return {
        name: pa.concat_tables(parts) if parts else with_tags(name).empty_table()
        for name, parts in out.items()
    }


def _tables_of(kind: str, records: Records, out: dict[str, list[pa.Table]]) -> None:
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


def _record_table(kind: str, records: Records, accession: pa.Array) -> pa.Table:
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


def _named(records: Records, kind: str, group: str, space: str) -> pa.Array:
    """Return, per record, its first identifier in a name space."""
    found = records.group(_group(kind, group))
    match = pc.fill_null(pc.equal(found.strings("db"), space), False)
    hits = np.flatnonzero(match.to_numpy(zero_copy_only=False))
    chosen = np.full(len(records.rows), -1, np.int64)
    put_first(chosen, found.row[hits], found.chosen("id")[hits])
    return records.values.strings(chosen)


def _derive_experiment(
    records: Records, columns: dict[str, pa.Array], warned: dict[str, Array]
) -> None:
    rows = len(records.rows)
    loci = [records.group(_group("experiment", n)) for n in ("locus", "lib_locus")]
    row = np.concatenate([f.row for f in loci])
    order = np.argsort(row, kind="stable")
    names = pa.concat_arrays([f.strings("name") for f in loci]).take(pa.array(order))
    columns["targeted_loci"] = lists(row[order], names, rows)
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


def _derive_study(records: Records, columns: dict[str, pa.Array], warned: dict[str, Array]) -> None:
    links = records.group(_group("study", "xref"))
    pubmed = pc.equal(pc.ascii_lower(links.strings("db")), "pubmed").fill_null(False)
    ids = pc.if_else(pubmed, links.strings("id"), pa.scalar(None, pa.string()))
    columns["pubmed"] = links.lists(ids)


def _derive_submission(
    records: Records, columns: dict[str, pa.Array], warned: dict[str, Array]
) -> None:
    actions = records.group(_group("submission", "action"))
    columns["actions"] = actions.lists(actions.names())


def _derive_nothing(
    records: Records, columns: dict[str, pa.Array], warned: dict[str, Array]
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


def _child(name: str, records: Records, found: Instances, accession: pa.Array) -> pa.Table:
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


def _by_owner(links: list[pa.Table], records: Records) -> pa.Table:
    """Return links of all sorts in the order of the records."""
    rows = np.concatenate([records.group(g).row for g in GROUPS[records.kind] if g.name in XREFS])
    order = order_of(rows)
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
    own = Records(values, KINDS.index("submission"), by_document)
    accession = own.column(("@accession", "IDENTIFIERS/PRIMARY_ID"))
    of_package = np.full(int(package[-1]) + 1 if len(package) else 1, -1, np.int64)
    of_package[package[own.rows]] = np.arange(len(own.rows))
    index = of_package[package]
    by_package = accession.take(pa.array(index, mask=index < 0))
    return pc.coalesce(by_document, by_package)
