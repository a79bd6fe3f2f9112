"""Joins find what lies in other submissions; duplicates and tables of accessions are settled."""

from __future__ import annotations

from pathlib import Path

import pytest

from polytene.testing import write_archive, write_dump, write_package_set
from polytene.testing.dump import accessions_table, generated, members_table


def by(table, key: str) -> dict:
    return {row[key]: row for row in table.to_pylist()}


def test_studies_and_samples_of_other_submissions_are_found(build, dump, naive):
    kb, _ = build(dump)
    read = naive(dump)
    elsewhere = 0
    for row in kb.view("experiment").to_pylist():
        element = read.records["experiment"][row["experiment"]]
        study = read.records["study"].get(row["study"])
        assert row["organism"] == read.organism_of(element)
        assert row["study_title"] == (study and study.findtext("DESCRIPTOR/STUDY_TITLE").strip())
        own = Path(dump) / row["submission"] / f"{row['submission']}.study.xml"
        elsewhere += study is not None and not own.exists()
    assert elsewhere > 20
    assert kb.view("experiment")["study_title"].null_count == 0


def test_real_dumps_join_across_submissions(shared_data, build, naive):
    kb, outcome = build(shared_data / "metadata" / "dump_like")
    assert not outcome.rejected
    read = naive(shared_data / "metadata" / "dump_like")
    assert kb.view("experiment").num_rows == len(read.records["experiment"])
    runs = by(kb.view("run"), "run")
    for accession, element in read.records["run"].items():
        experiment = read.records["experiment"][element.find("EXPERIMENT_REF").get("accession")]
        strategy = experiment.findtext("DESIGN/LIBRARY_DESCRIPTOR/LIBRARY_STRATEGY")
        assert runs[accession]["library_strategy"] == strategy


def test_runs_have_the_columns_of_their_experiments(build, dump):
    kb, _ = build(dump)
    experiments = by(kb.view("experiment"), "experiment")
    for row in kb.view("run").to_pylist():
        own = experiments[row["experiment"]]
        for name in ("organism", "library_strategy", "study_title", "biosample", "center_name"):
            assert row[name] == own[name]


def test_tables_of_accessions_tell_spots_bases_status_and_dates(tmp_path, build):
    kb, _ = build(write_archive(tmp_path / "dump.tar.gz", submissions=30))
    expected = {r["run"]: r for s in generated(30) for r in s.rows}
    rows = by(kb.view("run"), "run")
    assert rows.keys() == expected.keys()
    for run, row in rows.items():
        assert row["total_spots"] == expected[run]["spots"]
        assert row["total_bases"] == expected[run]["bases"]
        assert row["status"] == ("suppressed" if int(run[3:]) % 50 == 0 else "live")
        assert str(row["updated"]) == "2021-03-04 05:06:07"
        assert row["visibility"] == "public"
    total = sum(r["bases"] for r in expected.values())
    assert sum(kb.counts("strategy", unit="bases")["count"].to_pylist()) == total
    live = kb.runs(status="live").count()
    assert live + kb.runs(status="suppressed").count() == len(expected)


def test_members_alone_tell_spots_and_bases(tmp_path, build):
    made = list(generated(5))
    root = write_dump(tmp_path / "dump", submissions=5)
    table = tmp_path / "members.tab"
    table.write_bytes(members_table(made))
    kb, _ = build(root, accessions=table)
    expected = {r["run"]: r["bases"] for s in made for r in s.rows}
    assert {r["run"]: r["total_bases"] for r in kb.view("run").to_pylist()} == expected
    assert kb.view("run")["status"].null_count == len(expected)


def test_tables_that_lie_in_a_tree_are_found(tmp_path, build):
    made = list(generated(5))
    root = write_dump(tmp_path / "dump", submissions=5)
    (root / "SRA_Accessions").write_bytes(accessions_table(made))
    kb, _ = build(root)
    assert kb.view("run")["status"].null_count == 0


def duplicated(root: Path, accession: str, source: str, target: str) -> None:
    """Put a record of one submission into another one, with another title."""
    data = (root / source / f"{source}.sample.xml").read_text()
    start = data.rindex("<SAMPLE ", 0, data.index(f'accession="{accession}"'))
    record = data[start : data.index("</SAMPLE>", start) + 9]
    path = root / target / f"{target}.sample.xml"
    changed = record.replace("<TITLE>", "<TITLE>the other one ")
    text = path.read_text().replace("</SAMPLE_SET>", f"{changed}</SAMPLE_SET>")
    path.write_text(text)


@pytest.mark.parametrize("named", [None, "SRA900002", "SRA900005"])
def test_of_duplicates_the_one_that_the_archive_names_holds_else_the_last(tmp_path, build, named):
    root = write_dump(tmp_path / "dump", submissions=6)
    duplicated(root, "SRS000002000", "SRA900002", "SRA900005")
    if named:
        head = accessions_table([]).decode()
        (root / "SRA_Accessions").write_text(
            f"{head}SRS000002000\t{named}\tlive\t-\t-\t-\tSAMPLE" + "\t-" * 13 + "\n"
        )
    kb, _ = build(root)
    row = by(kb.view("sample"), "sample")["SRS000002000"]
    assert row["submission"] == (named or "SRA900005")
    assert row["title"].startswith("the other one") == (row["submission"] == "SRA900005")
    assert row["duplicates"] == 1
    assert row["warnings"] == "dup_accession"
    whole, _ = build(write_dump(tmp_path / "plain", submissions=6))
    assert kb.view("sample").num_rows == whole.view("sample").num_rows
    assert kb.counts("organism").equals(whole.counts("organism"))
    assert kb.table("sample").num_rows == whole.table("sample").num_rows + 1


def test_package_sets_repeat_studies_and_count_them_once(tmp_path, build):
    path = write_package_set(tmp_path / "set.xml.gz", packages=60)
    kb, outcome = build(path)
    assert outcome.items == 1
    assert kb.view("experiment").num_rows == kb.view("run").num_rows == 60
    assert kb.view("study").num_rows == 60 // 7 + 1
    assert kb.table("study").num_rows == 60
    assert set(kb.view("experiment")["submission"].to_pylist()) == {
        f"SRA{i // 7:06d}" for i in range(1, 61)
    }


def test_a_large_set_is_cut_and_gives_the_same_as_a_small_one(tmp_path, build):
    path = write_package_set(tmp_path / "set.xml", packages=1800)
    assert path.stat().st_size > 8 << 20
    kb, outcome = build(path, shard_bytes="1MiB")
    assert outcome.items == 1800
    assert outcome.planned > 5
    data = path.read_bytes()
    head, tail = data.index(b"<EXPERIMENT_PACKAGE>"), data.rindex(b"</EXPERIMENT_PACKAGE_SET>")
    middle = data.index(b"<EXPERIMENT_PACKAGE>", len(data) // 2)
    halves = []
    for i, part in enumerate((data[head:middle], data[middle:tail])):
        half = tmp_path / f"half{i}.xml"
        half.write_bytes(data[:head] + part + data[tail:])
        halves.append(half)
    other, _ = build(halves, shard_bytes="1MiB")
    assert kb.counts("organism").equals(other.counts("organism"))
    assert kb.view("run").equals(other.view("run"))


def test_the_catalogs_are_complete_and_agree_with_the_views(tmp_path, build):
    kb, _ = build(write_archive(tmp_path / "dump.tar", submissions=60))
    for field in ("organism", "strategy", "source", "selection", "layout", "instrument"):
        table = kb.catalog(field).to_pylist()
        for unit, column in (("experiment", "experiments"), ("run", "runs"), ("bases", "bases")):
            counts = kb.counts(field, unit=unit)
            expected = dict(zip(*(c.to_pylist() for c in counts.columns), strict=True))
            assert {next(iter(r.values())): r[column] for r in table} == expected
    tags = {
        (r["owner_kind"], r["tag"]): r["count"] for r in kb.catalog("attribute_tag").to_pylist()
    }
    assert tags["sample", "tissue"] == kb.view("sample").num_rows
    assert tags["experiment", "GEO Accession"] == kb.view("experiment").num_rows
