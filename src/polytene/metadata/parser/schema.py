"""Which element of an SRA record fills which column of which table.

The documents follow the SRA schema 1.5 of the INSDC (EXPERIMENT, SAMPLE, RUN, STUDY, SUBMISSION and
their sets), with what the NCBI adds to runs in its packages.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import pyarrow as pa

KINDS = ("experiment", "sample", "run", "study", "submission")
PACKAGES = ("EXPERIMENT_PACKAGE_SET", "EXPERIMENT_PACKAGE")

Type = Literal["string", "int", "float", "time"]
ARROW = {
    "string": pa.string(),
    "int": pa.int64(),
    "float": pa.float64(),
    "time": pa.timestamp("us"),
    "strings": pa.list_(pa.string()),
}


@dataclass(frozen=True)
class Column:
    """A column of a record's table: the first of ``paths`` that has a value fills it.

    A path leads from the record's element: ``A/B`` is the text of B, ``A@x`` an attribute of A,
    ``A/*#name`` the name of the first element inside A.
    """

    name: str
    paths: tuple[str, ...]
    type: Type = "string"


@dataclass(frozen=True)
class Group:
    """An element that may repeat; each one is a row, and ``members`` are paths from it."""

    name: str
    path: str
    members: tuple[tuple[str, str], ...]


def _columns(*lines: str) -> tuple[Column, ...]:
    """Read lines of ``name[:type] path [path ...]``."""
    out = []
    for line in lines:
        name, *paths = line.split()
        name, _, kind = name.partition(":")
        out.append(Column(name, tuple(paths), kind or "string"))  # type: ignore[arg-type]
    return tuple(out)


_COMMON = (
    "accession @accession IDENTIFIERS/PRIMARY_ID",
    "alias @alias",
    "center_name @center_name",
    "broker_name @broker_name",
)
_LIBRARY = "DESIGN/LIBRARY_DESCRIPTOR"
_SPEC = "DESIGN/SPOT_DESCRIPTOR/SPOT_DECODE_SPEC"

COLUMNS: dict[str, tuple[Column, ...]] = {
    "experiment": _columns(
        *_COMMON,
        "title TITLE",
        "study STUDY_REF@accession STUDY_REF/IDENTIFIERS/PRIMARY_ID STUDY_REF@refname",
        "sample DESIGN/SAMPLE_DESCRIPTOR@accession DESIGN/SAMPLE_DESCRIPTOR/IDENTIFIERS/PRIMARY_ID",
        "design DESIGN/DESIGN_DESCRIPTION",
        f"library_name {_LIBRARY}/LIBRARY_NAME",
        f"library_strategy {_LIBRARY}/LIBRARY_STRATEGY",
        f"library_source {_LIBRARY}/LIBRARY_SOURCE",
        f"library_selection {_LIBRARY}/LIBRARY_SELECTION",
        f"library_layout {_LIBRARY}/LIBRARY_LAYOUT/*#name",
        f"nominal_length:int {_LIBRARY}/LIBRARY_LAYOUT/PAIRED@NOMINAL_LENGTH",
        f"nominal_sdev:float {_LIBRARY}/LIBRARY_LAYOUT/PAIRED@NOMINAL_SDEV",
        f"library_construction_protocol {_LIBRARY}/LIBRARY_CONSTRUCTION_PROTOCOL",
        f"spot_length:int {_SPEC}/SPOT_LENGTH",
        "platform PLATFORM/*#name",
        "instrument PLATFORM/*/INSTRUMENT_MODEL",
    ),
    "sample": _columns(
        *_COMMON,
        "title TITLE",
        "taxid:int SAMPLE_NAME/TAXON_ID",
        "organism SAMPLE_NAME/SCIENTIFIC_NAME",
        "common_name SAMPLE_NAME/COMMON_NAME",
        "description DESCRIPTION",
    ),
    "run": _columns(
        *_COMMON,
        "title TITLE",
        "experiment EXPERIMENT_REF@accession EXPERIMENT_REF/IDENTIFIERS/PRIMARY_ID "
        "EXPERIMENT_REF@refname",
        "run_date:time @run_date",
        "run_center @run_center",
        "total_spots:int @total_spots",
        "total_bases:int @total_bases",
        "size:int @size",
        "published:time @published",
        "is_public @is_public",
        "cluster_name @cluster_name",
        "n_reads:int Statistics@nreads",
    ),
    "study": _columns(
        *_COMMON,
        "title DESCRIPTOR/STUDY_TITLE",
        "abstract DESCRIPTOR/STUDY_ABSTRACT",
        "description DESCRIPTOR/STUDY_DESCRIPTION",
        "study_type DESCRIPTOR/STUDY_TYPE@existing_study_type DESCRIPTOR/STUDY_TYPE@new_study_type",
        "center_project_name DESCRIPTOR/CENTER_PROJECT_NAME",
    ),
    "submission": _columns(
        *_COMMON,
        "title TITLE",
        "submission_date:time @submission_date",
        "lab_name @lab_name",
        "submission_comment @submission_comment",
    ),
}

_EXTERNAL = (("db", "@namespace"), ("label", "@label"), ("id", ""))
_IDENTIFIERS = tuple(
    Group(name, f"IDENTIFIERS/{element}", _EXTERNAL)
    for name, element in (
        ("external", "EXTERNAL_ID"),
        ("secondary", "SECONDARY_ID"),
        ("submitter", "SUBMITTER_ID"),
        ("uuid", "UUID"),
    )
)
XREFS = ("external", "secondary", "submitter", "uuid", "xref", "entrez", "url")


def _groups(kind: str) -> tuple[Group, ...]:
    upper = kind.upper()
    link = f"{upper}_LINKS/{upper}_LINK"
    tagged = (("tag", "TAG"), ("value", "VALUE"), ("units", "UNITS"))
    return (
        Group("attribute", f"{upper}_ATTRIBUTES/{upper}_ATTRIBUTE", tagged),
        *_IDENTIFIERS,
        Group("xref", f"{link}/XREF_LINK", (("db", "DB"), ("id", "ID"), ("label", "LABEL"))),
        Group("entrez", f"{link}/ENTREZ_LINK", (("db", "DB"), ("id", "ID"), ("label", "LABEL"))),
        Group("url", f"{link}/URL_LINK", (("id", "URL"), ("label", "LABEL"))),
    )


_MEMBER = (
    ("sample", "@accession"),
    ("primary", "IDENTIFIERS/PRIMARY_ID"),
    ("member_name", "@member_name"),
    ("proportion", "@proportion"),
    ("organism", "@organism"),
    ("taxid", "@tax_id"),
    ("spots", "@spots"),
    ("bases", "@bases"),
)
_FILE = ("filename", "url", "md5", "size", "semantic_name", "supertype", "cluster")

GROUPS: dict[str, tuple[Group, ...]] = {kind: _groups(kind) for kind in KINDS}
GROUPS["experiment"] += (
    Group("pool", "DESIGN/SAMPLE_DESCRIPTOR/POOL/*", _MEMBER),
    Group("study_external", "STUDY_REF/IDENTIFIERS/EXTERNAL_ID", _EXTERNAL),
    Group("sample_external", "DESIGN/SAMPLE_DESCRIPTOR/IDENTIFIERS/EXTERNAL_ID", _EXTERNAL),
    Group("locus", "DESIGN/TARGETED_LOCI/LOCUS", (("name", "@locus_name"),)),
    Group("lib_locus", f"{_LIBRARY}/TARGETED_LOCI/LOCUS", (("name", "@locus_name"),)),
    Group("read", f"{_SPEC}/READ_SPEC", (("class", "READ_CLASS"),)),
    Group("design", "DESIGN", ()),
)
GROUPS["run"] += (
    Group("pool", "Pool/Member", _MEMBER),
    Group("file", "SRAFiles/SRAFile", tuple((name, f"@{name}") for name in _FILE)),
)
GROUPS["submission"] += (Group("action", "ACTIONS/ACTION/*", ()),)

NAMED: dict[str, tuple[tuple[str, str, str], ...]] = {
    "experiment": (
        ("bioproject", "study_external", "BioProject"),
        ("biosample", "sample_external", "BioSample"),
    ),
    "sample": (("biosample", "external", "BioSample"), ("geo", "external", "GEO")),
    "study": (("bioproject", "external", "BioProject"), ("geo", "external", "GEO")),
}
"""Columns filled by an identifier of one name space: ``(column, group, name space)``."""

_DERIVED: dict[str, dict[str, pa.DataType]] = {
    "experiment": {
        "targeted_loci": ARROW["strings"],
        "n_reads": pa.int32(),
        "n_technical_reads": pa.int32(),
        "library_strategy_norm": pa.string(),
        "library_source_norm": pa.string(),
        "library_selection_norm": pa.string(),
    },
    "study": {"pubmed": ARROW["strings"]},
    "submission": {"actions": ARROW["strings"]},
}


def _schema(kind: str) -> pa.Schema:
    fields = [pa.field(c.name, ARROW[c.type]) for c in COLUMNS[kind]]
    fields += [pa.field(name, pa.string()) for name, _, _ in NAMED.get(kind, ())]
    fields += [pa.field(name, kind) for name, kind in _DERIVED.get(kind, {}).items()]
    fields += [pa.field("submission", pa.string())] if kind != "submission" else []
    return pa.schema([*fields, pa.field("warnings", pa.string())])


_OWNER = [
    pa.field("owner_kind", pa.string()),
    pa.field("owner", pa.string()),
    pa.field("ordinal", pa.int32()),
]


def _child(*fields: tuple[str, pa.DataType]) -> pa.Schema:
    return pa.schema([*_OWNER, *(pa.field(n, t) for n, t in fields), ("submission", pa.string())])


SCHEMAS: dict[str, pa.Schema] = {
    **{kind: _schema(kind) for kind in KINDS},
    "attribute": _child(("tag", pa.string()), ("value", pa.string()), ("units", pa.string())),
    "xref": _child(
        ("link", pa.string()), ("db", pa.string()), ("id", pa.string()), ("label", pa.string())
    ),
    "pool": _child(
        ("is_default", pa.bool_()),
        ("sample", pa.string()),
        ("member_name", pa.string()),
        ("proportion", pa.float64()),
        ("organism", pa.string()),
        ("taxid", pa.int64()),
        ("spots", pa.int64()),
        ("bases", pa.int64()),
    ),
    "file": _child(
        *((n, pa.int64() if n == "size" else pa.string()) for n in _FILE),
    ),
}
"""The tables of a knowledge base, by name."""

REASONS = (
    "empty",
    "not_xml",
    "truncated",
    "mismatched_tag",
    "bad_encoding",
    "control_char",
    "bad_entity",
    "dtd_forbidden",
    "junk_after_root",
    "wrong_root",
    "wrong_kind",
    "too_deep",
    "too_large",
    "io_error",
)
"""Why a document cannot be used."""

WARNINGS = (
    "no_accession",
    "no_title",
    "no_design",
    "no_layout",
    "bad_int",
    "bad_float",
    "bad_date",
    "pool",
    "unknown_term",
    "dup_accession",
    "dangling_ref",
)
"""What a row lacks; the row is kept."""
