"""``polytene codons``: every option does what its help says, and errors are one message."""

from __future__ import annotations

import csv
import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from polytene import codons
from polytene.cli import polytene
from polytene.codons.cli import group
from polytene.core.lock import Lock
from polytene.testing import write_fasta, write_genbank, write_set

COMMAND = [str(Path(sys.executable).with_name("polytene"))]


@pytest.fixture
def run(local_client, monkeypatch, tmp_path):
    """Run a command in this process, on the workers of the session; returns click's result."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    (tmp_path / "tmp").mkdir()

    def invoke(*args, cluster=True):
        where = ("--client", local_client.scheduler.address) if cluster else ()
        result = CliRunner().invoke(polytene, ["codons", *map(str, args), *where])
        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    return invoke


@pytest.fixture
def folder(tmp_path):
    return write_set(tmp_path / "s", sequences=12, files=2, group_rows=3)


def test_the_real_records_on_a_cluster_of_processes(shared_data, tmp_path, naive):
    data = shared_data / "codons"
    files = [str(p) for p in sorted(data.iterdir()) if p.suffix in (".gb", ".gbk")]
    where = ["--workers", "2", "--memory-limit", "800MB"]
    env = {**os.environ, "PYTHONWARNINGS": "error::DeprecationWarning"}

    def call(*args):
        done = subprocess.run([*COMMAND, "codons", *args, *where], cwd=tmp_path, env=env,
                              capture_output=True, text=True)  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done

    ingest = call("ingest", *files, "-o", "set")
    assert "20 sequences, 600,096 bases" in ingest.stdout
    done = call("count", "set", "-o", "cds.parquet", "--mode", "cds", "--by", "seq_id", "--rscu")
    truth = json.loads((data / "ground_truth_counts.json").read_text())
    rows = {r["seq_id"]: r for r in pq.read_table(tmp_path / "cds.parquet").to_pylist()}
    assert {k: [*(r[c] for c in naive.codons), r["n_ambiguous"]] for k, r in rows.items()} == {
        k: v["cds"] for k, v in truth.items()
    }
    assert done.stdout.splitlines()[0].startswith("count codons of coding sequences, by seq_id")
    assert "20 rows" in done.stdout.splitlines()[-1]
    assert re.search(r"^batch 6/6 ", done.stderr, re.MULTILINE)


def test_help_lists_rooms_and_is_quick():
    code = "import resource, sys, runpy; sys.argv = ['polytene', '--help']\n" + (
        "try: runpy.run_module('polytene', run_name='__main__')\n"
        "finally: print('CPU', sum(resource.getrusage(resource.RUSAGE_SELF)[:2]), *sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    text, _, rest = done.stdout.partition("CPU")
    assert re.search(r"Rooms:\n +codons +Codon usage", text)
    assert float(rest.split()[0]) < 1
    assert not {"numba", "distributed", "bokeh"} & set(rest.split())


@pytest.mark.parametrize("verb", ["ingest", "count"])
def test_every_option_has_help(verb):
    command = group.commands[verb]
    assert all(p.help for p in command.params if p.param_type_name == "option")
    text = CliRunner().invoke(command, ["--help"]).output
    for option in ("--cluster", "--workers", "--memory-limit", "--run-dir", "--limit", "--dry-run",
                   "--json", "--max-quarantined", "--fresh", "--retry-quarantined", "--on-change",
                   "--max-minutes", "--no-progress", "--verbose", "--client"):  # fmt: skip
        assert option in text


def test_a_printed_table_leaves_no_run_directory(run, folder, tmp_path):
    result = run("count", folder, "--top", 3, "--genetic-code", 2)
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert lines[0].startswith("count in-frame trinucleotides from base 1 of whole sequences")
    assert lines[2].split() == ["codon", "aa", "count", "freq"]
    assert len(lines) == 2 + 1 + 3 + 1
    assert re.fullmatch(r"12 rows, [\d,]+ codons, 0 ambiguous", lines[-1])
    assert list((tmp_path / "tmp").iterdir()) == []


def test_what_a_message_points_at_is_there(run, folder, tmp_path):
    (folder / "shard_00000.parquet").write_bytes(b"")
    for more in ((), ("--max-quarantined", 1)):
        result = run("count", folder, *more)
        assert result.exit_code == 3
        place = Path(re.search(r"polytene quarantine (\S+)", result.stderr)[1])
        assert place.is_dir()
    result = run("count", folder, "--max-quarantined", 1, "--json")
    assert Path(json.loads(result.stdout)["run_dir"]).is_dir()


def test_plain_progress_lines_and_none(run, folder, tmp_path):
    result = run("count", folder, "-o", tmp_path / "o.parquet", "--batch-size", 3)
    assert re.search(r"^batch 4/4 ", result.stderr, re.MULTILINE)
    assert "4 batches of at most 3 rows" in result.stdout
    assert "batch" not in run("count", folder, "--no-progress").stderr


@pytest.mark.parametrize("args", [("--by", "source"), ("-o", "o.csv"), ("--dry-run",)])
def test_json_is_one_document_and_nothing_else(run, folder, tmp_path, args):
    args = [str(tmp_path / a) if a == "o.csv" else a for a in args]
    result = run("count", folder, "--json", *args)
    assert result.exit_code == 0
    document = json.loads(result.stdout)
    assert document["planned"] == 2
    if "--dry-run" not in args:
        assert document["rows"] == 12
    made = run("ingest", write_fasta(tmp_path / "a.fa", 2), "-o", tmp_path / "set", "--json")
    assert json.loads(made.stdout)["totals"]["sequences"] == 2


@pytest.mark.parametrize("kind", ["date", "bytes", "decimal"])
def test_json_of_groups_that_json_has_no_word_for(run, parquet, kind):
    import datetime
    import decimal

    value = {"date": datetime.date(2020, 1, 31), "bytes": b"\xff", "decimal": decimal.Decimal("1")}
    path = parquet({"sequence": ["ATG"], "g": [value[kind]]})
    result = run("count", path, "--by", "g", "--json", "--top", 1)
    assert json.loads(result.stdout)["table"][0]["count"] == 1


@pytest.mark.parametrize("verb", ["count", "ingest"])
def test_a_dry_run_starts_nothing(run, folder, tmp_path, verb):
    inputs = folder if verb == "count" else write_fasta(tmp_path / "a.fa", 1)
    before = set(tmp_path.rglob("*"))
    result = run(verb, inputs, "-o", tmp_path / "out", "--dry-run", "--cluster",
                 "tcp://127.0.0.1:1", cluster=False)  # fmt: skip
    assert result.exit_code == 0
    assert f"codons-{verb}: " in result.stdout
    assert set(tmp_path.rglob("*")) == before


def test_limit_is_a_trial_in_a_folder_of_its_own(run, folder, tmp_path):
    out = tmp_path / "o.parquet"
    assert json.loads(run("count", folder, "-o", out, "--limit", 1, "--json").stdout)["rows"] == 6
    whole = json.loads(run("count", folder, "-o", out, "--json").stdout)
    assert (whole["computed"], whole["resumed"], whole["rows"]) == (2, 0, 12)


def test_a_trial_leaves_the_result_of_the_whole_alone(run, folder, tmp_path):
    out = tmp_path / "o.parquet"
    run("count", folder, "-o", out)
    before = out.read_bytes()
    trial = json.loads(run("count", folder, "-o", out, "--limit", 1, "--json").stdout)
    assert trial["output"] == str(tmp_path / "o.trial.parquet")
    assert (tmp_path / "o.trial.parquet").is_file()
    assert out.read_bytes() == before


def test_the_same_command_resumes_and_fresh_does_not(run, folder, tmp_path):
    args = ("count", folder, "-o", tmp_path / "o.parquet", "--json")
    accounts = [json.loads(run(*args, *m).stdout) for m in ((), (), ("--fresh",))]
    assert [(a["computed"], a["resumed"]) for a in accounts] == [(2, 0), (0, 2), (2, 0)]
    assert accounts[0]["run_dir"] == str(tmp_path / "o.parquet.run")


def test_fresh_on_an_empty_folder_and_on_somebody_elses(run, tmp_path):
    path = write_fasta(tmp_path / "a.fa", 1)
    (tmp_path / "empty").mkdir()
    assert run("ingest", path, "-o", tmp_path / "empty", "--fresh").exit_code == 0
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("x")
    result = run("ingest", path, "-o", tmp_path / "mine", "--fresh")
    assert result.exit_code == 2
    assert [p.name for p in (tmp_path / "mine").iterdir()] == ["thesis.txt"]


def test_run_dir_is_where_it_is_asked_for(run, folder, tmp_path):
    run("count", folder, "--run-dir", tmp_path / "mine", "-o", tmp_path / "o.csv")
    assert (tmp_path / "mine" / "plan.json").exists()
    assert not (tmp_path / "o.csv.run").exists()
    result = run("ingest", folder, "--run-dir", tmp_path / "x", "-o", tmp_path / "y")
    assert (result.exit_code, "leave it out" in result.stderr) == (2, True)


def test_a_change_needs_a_choice(run, folder, tmp_path):
    args = ("count", folder, "-o", tmp_path / "o.parquet", "--frame")
    run(*args, 0)
    result = run(*args, 1)
    assert (result.exit_code, "frame: 0 -> 1" in result.stderr) == (4, True)
    assert run(*args, 1, "--on-change", "rerun").exit_code == 0


def test_max_minutes_stops_in_good_order(run, folder, tmp_path):
    args = ("count", folder, "-o", tmp_path / "o.parquet", "--batch-size", 3)
    result = run(*args, "--max-minutes", 0.00001)
    assert (result.exit_code, "the same command goes on" in result.stderr) == (75, True)
    assert not (tmp_path / "o.parquet").exists()
    assert run(*args).exit_code == 0


def test_a_run_directory_in_use_is_exit_6(run, folder, tmp_path):
    with Lock(tmp_path / "r"):
        result = run("count", folder, "--run-dir", tmp_path / "r")
    assert (result.exit_code, str(tmp_path / "r") in result.stderr) == (6, True)


def test_quarantine_is_exit_3_and_retried_on_request(run, folder, tmp_path):
    good = (folder / "shard_00000.parquet").read_bytes()
    (folder / "shard_00000.parquet").write_bytes(b"")
    args = ("count", folder, "-o", tmp_path / "o.parquet")
    result = run(*args)
    assert (result.exit_code, "empty-file" in result.stderr) == (3, True)
    assert not (tmp_path / "o.parquet").exists()
    assert run(*args, "--max-quarantined", 0.5).exit_code == 3
    assert (tmp_path / "o.parquet").exists()
    assert run(*args, "--max-quarantined", 0.5, "--retry-quarantined").exit_code == 3
    (folder / "shard_00000.parquet").write_bytes(good)
    assert run(*args, "--on-change", "rerun").exit_code == 0


@pytest.mark.parametrize("layout", ["wide", "long"])
def test_layouts_and_files_of_text(run, folder, tmp_path, layout):
    for suffix, mark in (("csv", ","), ("tsv", "\t")):
        out = tmp_path / f"{layout}.{suffix}"
        result = run("count", folder, "-o", out, "--by", "source", "--genetic-code", 2, "--rscu",
                     "--format", layout)  # fmt: skip
        assert result.exit_code == 0
        with open(out, newline="") as file:
            rows = list(csv.DictReader(file, delimiter=mark))
        assert len(rows) == (2 if layout == "wide" else 128)
        wide = {"TTT", "rscu_TTT", "gc3"}
        assert set(rows[0]) >= (wide if layout == "wide" else {"codon", "aa", "freq", "rscu"})


def test_options_of_a_count_reach_the_plan(run, folder):
    args = {"by": "source", "frame": 2, "genetic_code": 11, "sample": 5, "softmask": "skip",
            "batch_size": 2, "batch_bytes": "1MB"}  # fmt: skip
    given = [x for k, v in args.items() for x in (f"--{k.replace('_', '-')}", v)]
    found = json.loads(run("count", folder, *given, "--json", "--format", "wide").stdout)
    table = codons.to_wide(codons.count(folder, run_dir=tempfile.mkdtemp(), **args).result)
    assert found["table"] == table.to_pylist()
    assert found["rows"] == 5


def test_options_of_an_ingest_reach_the_set(run, tmp_path):
    path = write_fasta(tmp_path / "a.fa", 3)
    run("ingest", path, "-o", tmp_path / "s", "--row-group-mb", 0.001, "--genetic-code", 5)
    file = pq.ParquetFile(tmp_path / "s" / "a.fa.parquet")
    assert file.num_row_groups == 3
    assert set(file.read()["transl_table"].to_pylist()) == {5}


WRONG = {
    "code 7": (2, ["--genetic-code", "7"], "genetic code 7"),
    "code 17": (2, ["--genetic-code", "17"], "genetic code 17"),
    "code 34": (2, ["--genetic-code", "34"], "34"),
    "bytes": (2, ["--batch-bytes", "lots"], "lots"),
    "column": (2, ["--by", "habitat"], "habitat"),
    "wide and hidden": (2, ["--top", "3", "--format", "wide"], "--format long"),
    "frame of cds": (2, ["--mode", "cds", "--frame", "1"], "frame"),
    "rscu without code": (2, ["--rscu"], "--genetic-code"),
    "two clusters": (2, ["--cluster", "local"], "--client"),
    "output is a folder": (2, ["-o", "{tmp}"], "{tmp}"),
    "run directory is a file": (2, ["--run-dir", "{tmp}/file"], "{tmp}/file"),
    "output below a file": (2, ["-o", "{tmp}/file/o.parquet"], "{tmp}/file"),
    "output of another format": (2, ["-o", "{tmp}/x.xlsx"], "give .parquet, .csv or .tsv"),
    "output with a long name": (2, ["-o", "{tmp}/" + "x" * 245], "too long"),
}


@pytest.mark.parametrize("case", WRONG)
def test_errors_are_one_message(run, folder, tmp_path, case):
    (tmp_path / "file").write_text("x")
    code, args, word = WRONG[case]
    result = run("count", folder, *(a.format(tmp=tmp_path) for a in args))
    assert result.exit_code == code
    assert word.format(tmp=tmp_path) in result.stderr
    assert "Traceback" not in result.stderr


def test_a_file_name_that_begins_with_a_dash(run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_fasta("-rf.fa", 1)
    assert run("ingest", "-o", "set", "--genetic-code", 1, "./-rf.fa").exit_code == 0
    assert run("count", "set", "--by", "source").exit_code == 0


def test_a_terminal_sees_no_escape_of_an_id(run, tmp_path):
    path = tmp_path / "x.fa"
    path.write_text(">\x1b[2J\x07evil\nATG\n>bad\x1b]0;t\x07\nMKVEEL\n")
    made = run("ingest", path, "-o", tmp_path / "set")
    assert made.exit_code == 3
    shown = run("count", tmp_path / "set", "--by", "seq_id")
    listed = CliRunner().invoke(polytene, ["quarantine", str(tmp_path / "set")])
    for text in (made.output, shown.output, listed.output):
        assert "\x1b" not in text
        assert "\x07" not in text
    assert r"\x1b[2J" in shown.stdout
    assert r"bad\x1b]0;t" in listed.stdout


def test_ids_that_stand_for_several_sequences_are_told(run, parquet):
    path = parquet({"seq_id": ["a", "a", "b"], "sequence": ["ATG", "AAA", "CCC"]})
    assert "1 ids stand for more than one sequence" in run("count", path, "--by", "seq_id").stdout


def test_files_without_annotation_are_told_in_cds_mode(run, tmp_path):
    fasta, genbank = write_fasta(tmp_path / "a.fa", 1), write_genbank(tmp_path / "b.gb", 1)
    run("ingest", fasta, genbank, "-o", tmp_path / "s")
    text = run("count", tmp_path / "s", "--mode", "cds").stdout
    assert re.search(r"1 file without annotation", text)
