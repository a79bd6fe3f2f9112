"""The tables hold what an independent reading of the documents finds."""

from __future__ import annotations

import json
from collections import Counter
from xml.etree import ElementTree

import pytest

from polytene.metadata.parser.parse import parse_bytes
from polytene.metadata.parser.schema import COLUMNS, KINDS, SCHEMAS
from polytene.metadata.parser.tables import to_tables


def rows(data: bytes, table: str, submission: str | None = None) -> list[dict]:
    return to_tables(parse_bytes(data).events, [submission])[table].to_pylist()


def naive(element: ElementTree.Element, path: str) -> str | None:
    """What a path of the schema leads to, walked with ElementTree."""
    steps, _, attribute = path.partition("@")
    if steps.endswith("/*#name"):
        above = element.find(steps.removesuffix("/*#name"))
        return None if above is None or not len(above) else above[0].tag
    for found in element.findall(steps) if steps else [element]:
        text = found.get(attribute) if attribute else "".join(found.itertext())
        if text and text.strip(" \t\r\n"):
            return text.strip(" \t\r\n")
    return None


def expected(element: ElementTree.Element, kind: str) -> dict[str, str | None]:
    out = {}
    for column in COLUMNS[kind]:
        out[column.name] = next((v for p in column.paths if (v := naive(element, p))), None)
    return out


def check(data: bytes) -> int:
    tables = to_tables(parse_bytes(data).events, [None])
    root = ElementTree.fromstring(data)
    seen = 0
    for kind in KINDS:
        elements = list(root.iter(kind.upper()))
        got = tables[kind].to_pylist()
        assert len(got) == len(elements)
        for element, row in zip(elements, got, strict=True):
            for name, value in expected(element, kind).items():
                if SCHEMAS[kind].field(name).type == "string":
                    assert row[name] == value, (kind, name)
                elif value is not None and row[name] is None:
                    assert "bad_" in row["warnings"]
                elif value is not None and not hasattr(row[name], "year"):
                    assert float(row[name]) == float(value)
                seen += 1
            tagged = element.findall(f"{kind.upper()}_ATTRIBUTES/{kind.upper()}_ATTRIBUTE")
            assert (row["tags"] or []) == [
                t for e in tagged if (t := (e.findtext("TAG") or "").strip(" \t\r\n"))
            ]
        attributes = [r for r in tables["attribute"].to_pylist() if r["owner_kind"] == kind]
        found = [
            tuple((e.findtext(n) or "").strip(" \t\r\n") or None for n in ("TAG", "VALUE", "UNITS"))
            for element in elements
            for e in element.findall(f"{kind.upper()}_ATTRIBUTES/{kind.upper()}_ATTRIBUTE")
        ]
        assert [(r["tag"], r["value"], r["units"]) for r in attributes] == found
    return seen


def test_every_column_agrees_with_elementtree_on_real_records(shared_data):
    folder = shared_data / "metadata"
    names = [*folder.glob("real/*"), *folder.glob("dump_like/*/*.xml")]
    seen = 0
    for path in names:
        data = path.read_bytes()
        if not parse_bytes(data).refused:
            seen += check(data)
    assert seen > 5000


def test_the_corpus_agrees_with_elementtree_and_its_truth(corpus, shared_data, naive, build):
    truth = json.loads((shared_data / "metadata" / "corpus-400.truth.json").read_text())
    kb, outcome = build(corpus, shard_bytes="1MiB")
    assert outcome.items == truth["files"]
    assert kb.manifest["bytes"] == truth["bytes"]
    for kind, name in zip(("experiment", "sample", "run", "study"),
                          ("experiments", "samples", "runs", "studies"), strict=True):  # fmt: skip
        assert kb.view(kind).num_rows == truth[name]
    for field, key in (("organism", "org"), ("strategy", "strat"), ("source", "src"),
                       ("selection", "sel"), ("layout", "layout")):  # fmt: skip
        table = kb.counts(field)
        assert dict(zip(*(c.to_pylist() for c in table.columns), strict=True)) == truth[key]
    cross = kb.crosstab("organism", "strategy", "source", "selection").to_pylist()
    assert {"|".join(list(r.values())[:4]): r["count"] for r in cross} == truth["cross"]
    read = naive(corpus)
    counted = {tuple(list(r.values())[:4]): r["count"] for r in cross}
    assert counted == read.cross()
    titles = dict(zip(*(kb.view("experiment")[c].to_pylist()
                        for c in ("experiment", "experiment_title")), strict=True))  # fmt: skip
    assert titles == {a: t and t.strip() for a, t in read.text("experiment", "TITLE").items()}
    assert Counter(kb.view("experiment")["warnings"].to_pylist())["no_title"] == sum(
        t is None for t in titles.values()
    )


EXPERIMENT = (
    b"<EXPERIMENT_SET><EXPERIMENT accession='X'>%b<STUDY_REF refname='alias'/></EXPERIMENT>"
    b"</EXPERIMENT_SET>"
)


def test_a_reference_without_accession_falls_back_to_primary_id_and_name():
    (row,) = rows(EXPERIMENT % b"", "experiment")
    assert row["study"] == "alias"
    primary = b"<IDENTIFIERS><PRIMARY_ID>SRP1</PRIMARY_ID></IDENTIFIERS>"
    inner = b"<STUDY_REF refname='n'>%b</STUDY_REF>" % primary
    (row,) = rows(EXPERIMENT % inner, "experiment")
    assert row["study"] == "SRP1"


def test_a_record_without_accession_takes_its_primary_id():
    data = b"<RUN><IDENTIFIERS><PRIMARY_ID> SRR7 </PRIMARY_ID></IDENTIFIERS></RUN>"
    (row,) = rows(data, "run")
    assert (row["accession"], row["warnings"]) == ("SRR7", None)


def test_repeated_tags_stay_in_order_and_missing_values_are_null(shared_data):
    data = (shared_data / "metadata/odd/20_repeated_tags.sample.xml").read_bytes()
    found = [(r["ordinal"], r["tag"], r["value"]) for r in rows(data, "attribute")]
    root = ElementTree.fromstring(data)
    attributes = root.findall(".//SAMPLE_ATTRIBUTE")
    assert found == [
        (i, e.findtext("TAG").strip(), e.findtext("VALUE") or None)
        for i, e in enumerate(attributes)
    ]
    (row,) = rows(data, "sample")
    assert (row["biosample"], row["geo"], row["taxid"]) == ("SAMN00000001", "GSM1", 144034)


def test_a_pool_is_a_table_of_its_members(shared_data):
    data = (shared_data / "metadata/odd/10_pool.experiment.xml").read_bytes()
    found = rows(data, "pool")
    assert [(r["sample"], r["is_default"], r["proportion"]) for r in found] == [
        ("SRS000009", True, None), ("SRS000001", False, 0.5), ("SRS000002", False, None),
    ]  # fmt: skip
    assert rows(data, "experiment")[0]["sample"] is None


def test_links_and_identifiers_are_kept():
    data = (
        b"<STUDY accession='P'><IDENTIFIERS><EXTERNAL_ID namespace='BioProject' label='primary'>"
        b"PRJ1</EXTERNAL_ID><UUID>u</UUID></IDENTIFIERS><STUDY_LINKS><STUDY_LINK><URL_LINK>"
        b"<LABEL>l</LABEL><URL>http://x</URL></URL_LINK></STUDY_LINK>"
        b"<STUDY_LINK><XREF_LINK><DB>PubMed</DB><ID>7</ID>"
        b"</XREF_LINK></STUDY_LINK></STUDY_LINKS></STUDY>"
    )
    found = {(r["link"], r["db"], r["id"], r["label"]) for r in rows(data, "xref")}
    assert found == {
        ("external", "BioProject", "PRJ1", "primary"),
        ("uuid", None, "u", None),
        ("url", None, "http://x", "l"),
        ("xref", "PubMed", "7", None),
    }
    (row,) = rows(data, "study")
    assert (row["bioproject"], row["pubmed"]) == ("PRJ1", ["7"])


def test_packages_give_their_submission_to_each_record(shared_data):
    path = shared_data / "metadata" / "real" / "pysradb_sra_test.xml"
    data = path.read_bytes()
    root = ElementTree.fromstring(data)
    expected: dict[str, list[tuple]] = {}
    for package in root.iter("EXPERIMENT_PACKAGE"):
        for kind in ("EXPERIMENT", "SAMPLE", "STUDY", "RUN"):
            own = package.find("SUBMISSION").get("accession")
            found = [(e.get("accession"), own) for e in package.iter(kind)]
            expected.setdefault(kind.lower(), []).extend(found)
    for kind, pairs in expected.items():
        assert [(r["accession"], r["submission"]) for r in rows(data, kind)] == pairs
    (first, *_) = rows(data, "run")
    element = root.find(".//RUN")
    assert first["total_bases"] == int(element.get("total_bases"))
    assert len(rows(data, "file")) == len(root.findall(".//RUN/SRAFiles/SRAFile"))


def test_text_is_all_that_an_element_says():
    text = b"a <b>bold</b> <!-- no --> &amp; <![CDATA[<c>]]>"
    data = b"<SAMPLE><DESCRIPTION>%b</DESCRIPTION></SAMPLE>" % text
    assert rows(data, "sample")[0]["description"] == "a bold  & <c>"


@pytest.mark.parametrize("engine", ["numba", "python"])
def test_encodings_are_read(shared_data, engine):
    for name, title in (
        ("46_latin1", "café"),
        ("49_bom", "x"),
        ("52_cdata_comment", "a & <b> tail"),
    ):
        data = (shared_data / f"metadata/odd/{name}.sample.xml").read_bytes()
        found = to_tables(parse_bytes(data, engine=engine).events, [None])["sample"]
        assert found["title"].to_pylist() == [title]
    utf16 = "<?xml version='1.0' encoding='UTF-16'?><SAMPLE><TITLE>é</TITLE></SAMPLE>".encode(
        "utf-16"
    )
    assert to_tables(parse_bytes(utf16, engine=engine).events, [None])["sample"][
        "title"
    ].to_pylist() == ["é"]
