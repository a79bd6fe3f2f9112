"""The commands, from the dump to a list of samples."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from polytene import metadata
from polytene.cli import polytene
from polytene.metadata.parser.schema import REASONS
from polytene.testing import write_archive, write_dump

RUN = ["--no-progress", "--shard-bytes", "200KiB"]


def call(*args: object, code: int = 0) -> str:
    result = CliRunner().invoke(polytene, ["metadata", *map(str, args)])
    assert result.exit_code == code, result.output + str(result.exception)
    return result.output


@pytest.fixture(scope="module")
def address(request):
    from distributed import Client

    with Client(processes=False, n_workers=1, threads_per_worker=2, memory_limit=None,
                dashboard_address="127.0.0.1:0", worker_dashboard_address="127.0.0.1:0",
                protocol="tcp", host="127.0.0.1", set_as_default=False) as client:  # fmt: skip
        yield client.scheduler.address


@pytest.fixture(scope="module")
def base(address, tmp_path_factory):
    folder = tmp_path_factory.mktemp("cli")
    archive = write_archive(folder / "dump.tar.gz", submissions=20)
    call("build", archive, "-o", folder / "kb", "--cluster", address, *RUN)
    return folder / "kb"


def test_plan_and_dry_run_list_without_reading(tmp_path):
    dump = write_dump(tmp_path / "dump", submissions=5)
    assert "5 submissions and documents" in call("plan", dump)
    found = json.loads(call("plan", dump, "--json"))
    assert (found["sources"][0]["entries"], found["shard_bytes"]) == (5, 64 << 20)
    assert "5 submissions" in call("build", dump, "-o", tmp_path / "kb", "--dry-run")
    assert not (tmp_path / "kb").exists()


def test_build_sums_up_and_leaves_3_with_a_bad_document(tmp_path, address):
    dump = write_dump(tmp_path / "dump", submissions=6)
    (dump / "SRA900002" / "SRA900002.run.xml").write_bytes(b"")
    args = ["build", dump, "-o", tmp_path / "kb", "--cluster", address, "--json", *RUN]
    result = CliRunner().invoke(polytene, ["metadata", *map(str, args)])
    assert result.exit_code == 3
    found = json.loads(result.stdout)
    assert found["rejected"][0]["reason"] == "empty"
    assert found["parse_errors"] == 1
    assert found["total_files"] == sum(1 for _ in dump.glob("*/*.xml"))
    assert found["unique_organisms"] == metadata.open(tmp_path / "kb").catalog("organism").num_rows
    (row,) = json.loads(call("quarantine", tmp_path / "kb", "--json"))
    assert row["reason"] in REASONS
    (dump / "SRA900002" / "SRA900002.run.xml").unlink()
    update = ["update", dump, "-o", tmp_path / "kb", "--cluster", address, *RUN]
    assert "experiments" in call(*update)
    assert "experiments" in call(*args[:4], *args[4:6], "--fresh", *RUN)


def test_questions(base, tmp_path):
    kb = metadata.open(base)
    assert (
        json.loads(call("counts", base, "strategy", "--json")) == kb.counts("strategy").to_pylist()
    )
    rows = json.loads(call("crosstab", base, "organism", "layout", "--unit", "run", "--json"))
    assert rows == kb.crosstab("organism", "layout", unit="run").to_pylist()
    assert len(call("counts", base, "organism", "--top", 2).splitlines()) == 3
    n = int(call("runs", base, "--strategy", "WGS", "--layout", "PAIRED", "--count"))
    assert n == kb.runs(strategy="WGS", layout="PAIRED").count()
    call("runs", base, "--attribute", "tissue=brain", "-o", tmp_path / "s.txt",
         "--format", "accessions")  # fmt: skip
    assert (
        len((tmp_path / "s.txt").read_text().split())
        == kb.runs(attributes={"tissue": "brain"}).count()
    )
    call(
        "runs", base, "--where", "total_bases > 0", "-o", tmp_path / "all.csv", "--format", "table"
    )
    assert (tmp_path / "all.csv").read_text().startswith('"run"')
    call("export", base, "-o", tmp_path / "e.json", "--format", "kb")
    assert json.loads((tmp_path / "e.json").read_text())["statistics"]["total_runs"] > 0
    assert "0 problems" in call("verify", base)
    assert call("diff", base, base).split() == ["kind", "accession", "change"]
    query = "SELECT count(*) AS n FROM run_flat"
    assert json.loads(call("sql", base, query, "--json")) == [{"n": kb.view("run").num_rows}]
    assert "nothing is quarantined" in call("quarantine", base)


@pytest.mark.parametrize(
    "args",
    [
        ["counts", "{kb}", "colour"],
        ["runs", "{kb}", "--where", "bases <"],
        ["runs", "{kb}", "--attribute", "=x"],
        ["sql", "{kb}", "SELEC"],
        ["counts", "{empty}", "strategy"],
        ["plan", "{empty}/none"],
        ["build", "{empty}", "-o", "{empty}/kb", "--run-dir", "x"],
        ["update", "{kb}", "-o", "{kb}", "--fresh"],
    ],
)
def test_usage_errors_leave_with_2(base, tmp_path, args):
    call(*(a.format(kb=base, empty=tmp_path) for a in args), code=2)


def test_fresh_removes_a_base_and_nothing_else(tmp_path):
    dump = write_dump(tmp_path / "dump", submissions=2)
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious" / "thesis.txt").write_text("years of work")
    call("build", dump, "-o", tmp_path / "precious", "--fresh", "--no-progress", code=2)
    assert (tmp_path / "precious" / "thesis.txt").exists()


def test_a_trial_is_a_knowledge_base_of_its_own(tmp_path, address):
    archive = write_archive(tmp_path / "dump.tar.gz", submissions=60)
    args = ["build", archive, "-o", tmp_path / "kb", "--cluster", address, "--no-progress"]
    call(*args, "--shard-bytes", "64KiB", "--limit", 1)
    assert not (tmp_path / "kb").exists()
    tried = metadata.open(tmp_path / "kb.trial").counts("strategy")
    call(*args, "--shard-bytes", "64KiB")
    whole = metadata.open(tmp_path / "kb").counts("strategy")
    assert 0 < sum(tried["count"].to_pylist()) < sum(whole["count"].to_pylist())


def test_a_build_that_is_refused_leaves_what_is_there(tmp_path, address):
    dump = write_dump(tmp_path / "dump", submissions=6)
    args = ["build", dump, "-o", tmp_path / "kb", "--cluster", address, "--no-progress"]
    call(*args)
    before = metadata.open(tmp_path / "kb").counts("strategy")
    assert "Nothing was started" in call(*args, "--shard-bytes", "64KiB", code=4)
    assert metadata.open(tmp_path / "kb").counts("strategy").equals(before)


def test_a_source_without_any_record_is_an_outcome_too(tmp_path, address):
    (tmp_path / "x.xml").write_bytes(b"")
    said = call("build", tmp_path / "x.xml", "-o", tmp_path / "kb", "--cluster", address, *RUN,
                code=3)  # fmt: skip
    assert "1 parse error" in said
