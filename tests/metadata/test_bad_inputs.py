"""Each reason for which a document is refused, and each warning about a row that is kept."""

from __future__ import annotations

import gzip
import random

import pytest

from polytene.exceptions import BadInput, TooManyFailures, UsageError
from polytene.metadata.parser.parse import parse_bytes
from polytene.metadata.parser.schema import KINDS, REASONS, WARNINGS
from polytene.metadata.parser.tables import to_tables
from polytene.testing import write_archive, write_dump, write_package_set

ODD = {
    "40_empty.run.xml": "empty",
    "41_ws_only.run.xml": "empty",
    "43_mismatch.run.xml": "mismatched_tag",
    "44_html_502.run.xml": "wrong_root",
    "47_ctrl_char.sample.xml": "control_char",
    "53_billion_laughs.sample.xml": "dtd_forbidden",
    "55_nul.sample.xml": "control_char",
    "56_two_docs_concat.run.xml": "junk_after_root",
    "58_wrong_kind.experiment.xml": "wrong_kind",
}
WARNED = {
    "03_missing_design.experiment.xml": {"no_design"},
    "04_empty_title.experiment.xml": {"no_title"},
    "06_layout_empty.experiment.xml": {"no_layout"},
    "10_pool.experiment.xml": {"pool"},
    "22_bad_taxid.sample.xml": {"bad_int", "no_title"},
}
MADE = {
    "truncated": b"<RUN_SET><RUN accession='1'>",
    "mismatched_tag": b"<RUN_SET></RUN>",
    "bad_encoding": b"<RUN_SET><RUN accession='\xff'/></RUN_SET>",
    "control_char": b"<RUN_SET>\x01</RUN_SET>",
    "bad_entity": b"<RUN_SET>&foo;</RUN_SET>",
    "dtd_forbidden": b"<!DOCTYPE RUN_SET><RUN_SET/>",
    "junk_after_root": b"<RUN_SET/>junk",
    "wrong_root": b"<html/>",
    "wrong_kind": b"<SAMPLE_SET/>",
    "not_xml": b"no XML at all",
    "empty": b" \n",
    "too_deep": b"<RUN_SET>" + b"<a>" * 600 + b"</a>" * 600 + b"</RUN_SET>",
}


@pytest.mark.parametrize("engine", ["auto", "python"])
@pytest.mark.parametrize("reason", MADE)
def test_each_reason_of_a_document(reason, engine):
    (refused,) = parse_bytes(MADE[reason], kind=KINDS.index("run"), engine=engine).refused
    assert refused.reason == reason
    assert refused.detail


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"<RUN_SET>a & b</RUN_SET>", "bad_entity"),
        (b"<RUN_SET>&#0;</RUN_SET>", "bad_entity"),
        (b"<?xml version='1.0' encoding='klingon'?><RUN_SET/>", "bad_encoding"),
        (b"<RUN_SET><RUN accession='1", "truncated"),
        (b"<RUN_SET>caf\xc3", "truncated"),
        (b"<RUN_SET/><RUN_SET/>", "junk_after_root"),
        (b"<RUN_SET><RUN a='1' a='2'/></RUN_SET>", "not_xml"),
        (b"<RUN_SET><x:RUN/></RUN_SET>", "not_xml"),
        (b"<html><br></html>", "wrong_root"),
        (b"<RECEIPT><SUBMISSION/></RECEIPT>", "wrong_root"),
    ],
)
def test_reasons_of_close_cases(data, reason):
    assert [r.reason for r in parse_bytes(data).refused] == [reason]


def test_the_odd_files_have_exactly_these_reasons(shared_data, build):
    kb, outcome = build(shared_data / "metadata" / "odd")
    assert {f.item: f.reason for f in outcome.rejected} == ODD
    assert {r["path"]: r["reason"] for r in kb.quarantine().to_pylist()} == ODD
    assert set(ODD.values()) <= set(REASONS)
    assert outcome.items == len(list((shared_data / "metadata" / "odd").iterdir()))


@pytest.mark.parametrize("name", WARNED)
def test_odd_records_are_kept_with_a_warning(shared_data, name):
    parsed = parse_bytes((shared_data / "metadata" / "odd" / name).read_bytes())
    kind = name.split(".")[1]
    (row,) = to_tables(parsed.events, [None])[kind].to_pylist()
    assert set(row["warnings"].split()) == WARNED[name]
    assert WARNED[name] <= set(WARNINGS)


def test_a_case_variant_of_a_term_is_kept_and_spelled(shared_data):
    parsed = parse_bytes(
        (shared_data / "metadata/odd/12_unknown_strategy.experiment.xml").read_bytes()
    )
    (row,) = to_tables(parsed.events, [None])["experiment"].to_pylist()
    assert (row["library_strategy"], row["library_strategy_norm"]) == ("rna-seq", "RNA-Seq")
    assert row["warnings"] is None


def test_a_damaged_file_among_many_loses_only_itself(tmp_path, build):
    root = write_dump(tmp_path / "dump", submissions=60)
    whole, _ = build(root)
    victim = root / "SRA900031" / "SRA900031.run.xml"
    victim.write_bytes(victim.read_bytes()[:-20])
    kb, outcome = build(root)
    (bad,) = outcome.rejected
    assert (bad.item, bad.reason) == ("SRA900031/SRA900031.run.xml", "truncated")
    lost = set(whole.view("run")["run"].to_pylist()) - set(kb.view("run")["run"].to_pylist())
    assert lost
    assert {run[3:9] for run in lost} == {"000031"}
    assert kb.view("experiment").num_rows == whole.view("experiment").num_rows


def test_records_are_salvaged_only_when_asked_for(tmp_path, build):
    root = write_dump(tmp_path / "dump", submissions=8)
    victim = max(root.glob("*/*.experiment.xml"), key=lambda p: p.stat().st_size)
    data = victim.read_bytes()
    victim.write_bytes(data[: len(data) * 2 // 3])
    strict, _ = build(root)
    kb, outcome = build(root, salvage=True)
    (row,) = kb.quarantine().to_pylist()
    kept = kb.view("experiment").num_rows - strict.view("experiment").num_rows
    assert row["salvaged"] == kept > 0
    assert "salvaged" in outcome.rejected[0].detail
    assert strict.quarantine()["salvaged"].to_pylist() == [0]


def test_a_file_that_cannot_be_read_is_named(tmp_path, build):
    root = write_dump(tmp_path / "dump", submissions=3)
    target = root / "SRA900001" / "SRA900001.run.xml"
    target.unlink()
    target.symlink_to("nowhere")
    _, outcome = build(root)
    (bad,) = outcome.rejected
    assert (bad.item, bad.reason) == ("SRA900001/SRA900001.run.xml", "io_error")


def test_a_compressed_document_that_breaks_off(tmp_path, build):
    root = write_dump(tmp_path / "dump", submissions=3)
    plain = root / "SRA900001" / "SRA900001.run.xml"
    packed = gzip.compress(plain.read_bytes())
    plain.unlink()
    plain.with_suffix(".xml.gz").write_bytes(packed[:-9])
    _, outcome = build(root)
    assert [f.reason for f in outcome.rejected] == ["truncated"]


@pytest.mark.parametrize("cut", [0.3, 0.9])
def test_an_archive_that_breaks_off_is_refused_whole(tmp_path, build, cut):
    path = write_archive(tmp_path / "dump.tar.gz", submissions=10)
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * cut)])
    with pytest.raises(TooManyFailures, match="truncated"):
        build(path)


def test_a_file_that_is_no_source_is_refused(tmp_path, build):
    path = tmp_path / "noise.bin"
    path.write_bytes(random.Random(1).randbytes(9 << 20))
    with pytest.raises((TooManyFailures, BadInput), match="too_large"):
        build(path)


@pytest.mark.parametrize("where", ["head", "middle", "end"])
def test_a_record_that_breaks_in_a_large_set_loses_only_its_piece(tmp_path, build, where):
    path = write_package_set(tmp_path / "set.xml", packages=1800)
    data = path.read_bytes()
    assert len(data) > 8 << 20
    at = {"head": 500, "middle": len(data) // 2, "end": len(data) - 300}[where]
    at = data.index(b"<TAG>", at - 3000)
    path.write_bytes(data[:at] + b"<" + data[at:])
    kb, outcome = build(path, shard_bytes="2MiB")
    (bad,) = outcome.rejected
    assert bad.reason in ("not_xml", "mismatched_tag")
    assert bad.item.startswith("set.xml#")
    assert kb.view("experiment").num_rows == 1799


def test_usage_errors_say_what_to_do(tmp_path, build, dump):
    with pytest.raises(UsageError, match="no such file"):
        build(tmp_path / "nothing")
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match="no submission in it"):
        build(tmp_path / "empty")
    with pytest.raises(UsageError, match="engine"):
        build(dump, engine="cuda")
    with pytest.raises(UsageError, match="shard_bytes"):
        build(dump, shard_bytes="1 KB")


def test_dates_and_numbers_that_are_none_are_null_and_said():
    data = (
        b"<RUN_SET><RUN accession='R1' run_date='yesterday' total_spots='many' size='12'/>"
        b"<RUN accession='R2' run_date='2015-10-08T14:07:03+01:00'/><RUN/></RUN_SET>"
    )
    rows = to_tables(parse_bytes(data).events, [None])["run"].to_pylist()
    assert rows[0]["run_date"] is rows[0]["total_spots"] is None
    assert rows[0]["size"] == 12
    assert rows[0]["warnings"] == "bad_int bad_date"
    assert rows[1]["run_date"].hour == 13
    assert rows[2]["warnings"] == "no_accession"


def test_a_folder_that_cannot_be_listed_is_named(tmp_path, build):
    root = write_dump(tmp_path / "dump", submissions=3)
    (root / "SRA900002").rename(tmp_path / "away")
    (root / "SRA900002").symlink_to(tmp_path / "gone")
    kb, outcome = build(root)
    assert [(f.item, f.reason) for f in outcome.rejected] == [("SRA900002", "io_error")]
    assert kb.view("run").num_rows > 0
