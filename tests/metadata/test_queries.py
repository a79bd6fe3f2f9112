"""Questions give what a naive filter over the views gives; lists are what their readers expect."""

from __future__ import annotations

import csv
import json
from collections import Counter

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from polytene import metadata
from polytene.exceptions import UsageError
from polytene.metadata.kb.condition import read_condition
from polytene.testing import write_archive, write_dump


@pytest.fixture(scope="module")
def kb(here, tmp_path_factory):
    base = tmp_path_factory.mktemp("queries")
    archive = write_archive(base / "dump.tar.gz", submissions=50)
    metadata.build(archive, base / "kb", client=here, shard_bytes="100KiB")
    return metadata.open(base / "kb")


@pytest.fixture(scope="module")
def rows(kb):
    return kb.view("run").to_pylist()


ANT = "Pogonomyrmex barbatus"


@pytest.mark.parametrize(
    ("asked", "fits"),
    [
        ({}, lambda r: True),
        ({"organism": ANT}, lambda r: r["organism"] == ANT),
        ({"taxid": [9606, 10090]}, lambda r: r["taxid"] in (9606, 10090)),
        ({"strategy": "rna seq"}, lambda r: r["library_strategy"] == "RNA-Seq"),
        ({"layout": "paired"}, lambda r: r["library_layout"] == "PAIRED"),
        ({"layout": ["PAIRED", None]}, lambda r: r["library_layout"] in ("PAIRED", None)),
        ({"source": "Genomic", "selection": "chip"}, lambda r: r["library_selection"] == "ChIP"),
        ({"platform": "illumina"}, lambda r: True),
        ({"status": "live"}, lambda r: r["status"] == "live"),
        ({"study": "SRP900003"}, lambda r: r["study"] == "SRP900003"),
        (
            {"where": "total_bases >= 1e9 AND NOT (library_layout IS NULL)"},
            lambda r: r["total_bases"] >= 1e9 and r["library_layout"],
        ),
        (
            {"where": "instrument IN ('NextSeq 550') OR taxid BETWEEN 9000 AND 9700"},
            lambda r: r["instrument"] == "NextSeq 550" or 9000 <= (r["taxid"] or 0) <= 9700,
        ),
        ({"where": "organism LIKE '%sapiens'"}, lambda r: r["organism"] == "Homo sapiens"),
    ],
)
def test_runs_that_fit(kb, rows, asked, fits):
    found = kb.runs(**asked)
    expected = sorted(r["run"] for r in rows if fits(r))
    assert found.to_arrow()["run"].to_pylist() == expected
    assert found.count() == len(found) == len(expected)
    assert sorted(found.to_pandas()["run"]) == expected
    assert sorted(found.to_dask().compute()["run"]) == expected
    if not asked.get("where") or "1e9" not in asked["where"]:
        assert kb.duckdb().sql(found.sql()).to_arrow_table()["run"].to_pylist() == expected


def test_runs_by_attributes(kb, rows):
    tagged = Counter()
    for row in kb.table("attribute").to_pylist():
        if row["owner_kind"] == "sample" and row["tag"] == "tissue":
            tagged[row["owner"]] = row["value"]
    brains = {s for s, v in tagged.items() if v == "brain"}
    found = kb.runs(attributes={"Tissue": "BRAIN"}, organism=ANT)
    expected = sorted(r["run"] for r in rows if r["sample"] in brains and r["organism"] == ANT)
    assert found.to_arrow()["run"].to_pylist() == expected
    assert kb.duckdb().sql(found.sql()).to_arrow_table()["run"].to_pylist() == expected
    both = kb.runs(attributes={"tissue": ["brain", "liver"], "GEO Accession": None})
    livers = brains | {s for s, v in tagged.items() if v == "liver"}
    assert both.count() == sum(r["sample"] in livers for r in rows)
    assert kb.runs(attributes={"no such tag": None}).count() == 0


def test_counts_of_every_unit(kb, rows):
    experiments = kb.view("experiment").to_pylist()
    by = Counter(r["library_strategy"] for r in experiments)
    table = kb.counts("strategy")
    assert table.column_names == ["strategy", "count"]
    assert dict(zip(*(c.to_pylist() for c in table.columns), strict=True)) == by
    assert table["count"].to_pylist() == sorted(by.values(), reverse=True)
    assert kb.counts("library_strategy").column_names == ["library_strategy", "count"]

    def as_dict(unit, field="strategy"):
        return dict(zip(*(c.to_pylist() for c in kb.counts(field, unit=unit).columns), strict=True))

    assert as_dict("run") == Counter(r["library_strategy"] for r in rows)
    bases = Counter()
    for row in rows:
        bases[row["library_strategy"]] += row["total_bases"]
    assert as_dict("bases") == bases
    for unit in ("sample", "study"):
        pairs = {(r["library_strategy"], r[unit]) for r in experiments if r[unit]}
        assert as_dict(unit) == Counter(s for s, _ in pairs)
    samples = kb.view("sample").to_pylist()
    assert as_dict("sample", "organism") == Counter(r["organism"] for r in samples)
    assert as_dict("study", "study_type") == {"Transcriptome Analysis": kb.view("study").num_rows}


def test_crosstabs_are_counts_of_combinations(kb):
    experiments = kb.view("experiment").to_pylist()
    table = kb.crosstab("organism", "layout")
    assert table.column_names == ["organism", "layout", "count"]
    expected = Counter((r["organism"], r["library_layout"]) for r in experiments)
    assert {tuple(r.values())[:2]: r["count"] for r in table.to_pylist()} == expected
    array = kb.crosstab_array("organism", "layout")
    assert array.dims == ("organism", "layout")
    assert int(array.sum()) == len(experiments)
    series = array.to_series()
    known = {k: n for k, n in expected.items() if k[1] is not None}
    assert {k: n for k, n in series.items() if n and isinstance(k[1], str)} == known
    missing = {k[0]: n for k, n in expected.items() if k[1] is None}
    assert {k[0]: n for k, n in series.items() if n and not isinstance(k[1], str)} == missing


@pytest.mark.parametrize(
    "call",
    [
        lambda kb: kb.counts("colour"),
        lambda kb: kb.counts("strategy", unit="files"),
        lambda kb: kb.crosstab("strategy", "library_strategy"),
        lambda kb: kb.runs(colour="red"),
        lambda kb: kb.runs(where="bases <"),
        lambda kb: kb.runs(where="colour = 'red'"),
        lambda kb: kb.runs(where="taxid = 'ant'"),
        lambda kb: kb.runs(where="taxid = 1 taxid = 2"),
        lambda kb: kb.runs(where="taxid = 1; DROP"),
        lambda kb: kb.view("files"),
        lambda kb: kb.table("files"),
        lambda kb: kb.catalog("files"),
        lambda kb: kb.export("x.json", "csv"),
        lambda kb: kb.runs().sample_list("x", format="excel"),
        lambda kb: kb.runs(organism="Nobody").sample_list("x"),
    ],
)
def test_wrong_questions_say_what_is_known(kb, call, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match=r"\w{3}"):
        call(kb)
    assert not list(tmp_path.iterdir())


SCHEMA = pa.schema([("a", pa.int64()), ("b", pa.string())])
NAMES = st.sampled_from(["a", "b"])


@given(
    st.recursive(
        st.one_of(
            st.tuples(st.sampled_from(["=", "<>", "<", "<=", ">", ">="]), st.integers(-3, 3)).map(
                lambda t: (f"a {t[0]} {t[1]}", lambda r: _compare(r["a"], *t))
            ),
            st.sampled_from("xyz").map(
                lambda v: (f"b = '{v}'", lambda r: _compare(r["b"], "=", v))
            ),
            st.just(("a IS NULL", lambda r: r["a"] is None)),
        ),
        lambda inner: st.one_of(
            st.tuples(inner, inner).map(lambda t: (f"({t[0][0]}) AND ({t[1][0]})",
                                                   lambda r: _and(t[0][1](r), t[1][1](r)))),
            st.tuples(inner, inner).map(lambda t: (f"({t[0][0]}) or ({t[1][0]})",
                                                   lambda r: _or(t[0][1](r), t[1][1](r)))),
            inner.map(lambda t: (f"NOT ({t[0]})", lambda r: _not(t[1](r)))),
        ),
        max_leaves=5,
    )
)  # fmt: skip
def test_conditions_mean_what_they_mean_in_sql(case):
    text, fits = case
    data = [{"a": a, "b": b} for a in (None, -1, 0, 2) for b in (None, "x", "y")]
    table = pa.Table.from_pylist(data, SCHEMA)
    found = table.filter(read_condition(text, SCHEMA)).to_pylist()
    assert found == [r for r in data if fits(r) is True]


def _compare(value, sign, other):
    if value is None:
        return None
    return {"=": value == other, "<>": value != other, "<": value < other, "<=": value <= other,
            ">": value > other, ">=": value >= other}[sign] if isinstance(value, int) else (
                value == other)  # fmt: skip


def _and(a, b):
    return False if a is False or b is False else None if None in (a, b) else True


def _or(a, b):
    return True if a is True or b is True else None if None in (a, b) else False


def _not(a):
    return None if a is None else not a


def test_sample_lists(kb, tmp_path):
    found = kb.runs(organism=ANT)
    runs = found.to_arrow().to_pylist()
    for form in ("accessions", "fetchngs"):
        assert found.sample_list(tmp_path / form, format=form) == len(runs)
        assert (tmp_path / form).read_text().split() == [r["run"] for r in runs]
    found.sample_list(tmp_path / "p.tsv")
    with open(tmp_path / "p.tsv", newline="") as file:
        table = list(csv.DictReader(file, delimiter="\t"))
    assert next(iter(table[0])) == "run"
    for row, expected in zip(table, runs, strict=True):
        assert row["organism"] == ANT
        assert row["library_layout"] == (expected["library_layout"] or "")
        assert int(row["total_spots"]) == expected["total_spots"]
    found.sample_list(tmp_path / "metadata.tsv", format="amalgkit")
    with open(tmp_path / "metadata.tsv", newline="") as file:
        table = list(csv.DictReader(file, delimiter="\t"))
    assert {(r["exclusion"], r["is_sampled"], r["scientific_name"]) for r in table} == {
        ("no", "yes", ANT)
    }
    assert {r["lib_layout"] for r in table} <= {"paired", "single", ""}


def test_amalgkit_gets_what_the_records_say_of_samples_and_protocols(tmp_path, build):
    root = write_dump(tmp_path / "dump", submissions=4)
    path = root / "SRA900002" / "SRA900002.sample.xml"
    text = path.read_text()
    text = text.replace("<SAMPLE_NAME>", "<DESCRIPTION>of a\n nest</DESCRIPTION><SAMPLE_NAME>")
    more = "".join(
        f"<SAMPLE_ATTRIBUTE><TAG>{t}</TAG><VALUE>{v}</VALUE></SAMPLE_ATTRIBUTE>"
        for t, v in [("Genotype", "wild"), ("genotype", "other"), ("Treatment", ""), ("AGE", "4 d")]
    )
    path.write_text(text.replace("</SAMPLE_ATTRIBUTES>", f"{more}</SAMPLE_ATTRIBUTES>"))
    kb, _ = build(root)
    kb.runs().sample_list(tmp_path / "metadata.tsv", format="amalgkit")
    with open(tmp_path / "metadata.tsv", newline="") as file:
        table = list(csv.DictReader(file, delimiter="\t"))
    sample = {r["accession"]: r for r in kb.table("sample").to_pylist()}
    experiment = {r["accession"]: r for r in kb.table("experiment").to_pylist()}
    first: dict[tuple[str, str], str] = {}
    for row in sorted(kb.table("attribute").to_pylist(), key=lambda r: r["ordinal"]):
        if row["owner_kind"] == "sample" and row["value"]:
            first.setdefault((row["owner"], row["tag"].lower().replace(" ", "_")), row["value"])
    for row in table:
        for tag in ("tissue", "genotype", "sex", "age", "treatment", "source_name"):
            assert row[tag] == first.get((row["sra_sample"], tag), "")
        about = experiment[row["experiment"]]
        protocol = about["library_construction_protocol"] or ""
        assert row["design"] == " ".join((about["design"] or "").split())
        assert row["protocol"] == " ".join(protocol.split())
    changed = [r for r in table if sample[r["sra_sample"]]["submission"] == "SRA900002"]
    assert {(r["genotype"], r["sample_description"]) for r in changed} == {("wild", "of a nest")}


def test_exports_are_complete(kb, tmp_path):
    kb.export(tmp_path / "stage1.json", "stage1")
    found = json.loads((tmp_path / "stage1.json").read_text())
    assert set(found) == {"organisms", "strategies", "sources", "selections", "attributes", "stats"}
    samples = kb.view("sample").to_pylist()
    by = Counter(r["organism"] for r in samples)
    assert {k: v["count"] for k, v in found["organisms"].items()} == by
    for name, about in found["organisms"].items():
        assert about["studies"] == sorted(
            {r["submission"] for r in samples if r["organism"] == name}
        )
    experiments = kb.view("experiment").to_pylist()
    assert found["sources"] == Counter(r["library_source"] for r in experiments)
    assert found["strategies"]["WGS"]["organisms"] == Counter(
        r["organism"] for r in experiments if r["library_strategy"] == "WGS"
    )
    assert found["stats"]["total_experiments"] == len(experiments)
    kb.export(tmp_path / "kb.json", "kb")
    base = json.loads((tmp_path / "kb.json").read_text())
    assert base["statistics"] == found["stats"]
    assert base["organisms"][ANT]["studies"] == len(found["organisms"][ANT]["studies"])


def test_what_was_changed_on_disk_is_found(kb, tmp_path):
    import shutil

    copy = tmp_path / "copy"
    shutil.copytree(kb.folder, copy)
    assert metadata.verify(copy) == []
    part = next((copy / "views" / "run_flat").glob("*.parquet"))
    data = part.read_bytes()
    part.unlink()
    part.write_bytes(data[:-1])
    next((copy / "tables" / "run").glob("*.parquet")).unlink()
    pq.write_table(pa.table({"a": [1]}), copy / "catalog" / "more.parquet")
    found = metadata.verify(copy)
    assert len(found) == 3
    assert {p.rpartition(": ")[2] for p in found} == {
        "is not what was published", "is missing", "does not belong here",
    }  # fmt: skip


def test_status_is_not_invented(build, dump):
    base, _ = build(dump)
    with pytest.raises(UsageError, match="SRA_Accessions"):
        base.runs(status="live")


def test_opening_says_what_is_missing(tmp_path, dump):
    with pytest.raises(UsageError, match="no manifest"):
        metadata.open(tmp_path)
    (tmp_path / "work").mkdir()
    with pytest.raises(UsageError, match="not finished"):
        metadata.open(tmp_path)
