"""The verbs of run directories, as real processes on real runs."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from polytene.core.ledger import read
from polytene.core.lock import Lock
from polytene.testing import write_set
from polytene.watch.status import verify

LAB = [sys.executable, str(Path(__file__).with_name("lab.py"))]
POLYTENE = [sys.executable, "-m", "polytene"]


@pytest.fixture
def call(tmp_path):
    """Give a function that runs a command in a folder of its own."""

    def run_command(*args, program=POLYTENE, cwd=None, timeout=120):
        return subprocess.run([*program, *map(str, args)], cwd=cwd or tmp_path, timeout=timeout,
                              capture_output=True, text=True, check=False)  # fmt: skip

    return run_command


@pytest.fixture
def lab(call):
    def run_lab(*args, run_dir="r", **more):
        given = ("lab", "log", "--run-dir", run_dir, "--workers", "1", *args)
        return call(*given, program=LAB, **more)

    return run_lab


def files(folder):
    return {p: (p.stat().st_mtime_ns, p.stat().st_size) for p in Path(folder).rglob("*")}


def test_quarantine_explain_and_the_line_that_reproduces(call, lab, tmp_path):
    assert lab("--mode", "bad", "--max-quarantined", "1").returncode == 3
    listed = call("quarantine", "r").stdout
    rows = [json.loads(line) for line in call("quarantine", "r", "--json").stdout.splitlines()]
    assert [(r["key"], r["item"], r["reason"]) for r in rows] == [
        ("u1", None, "no-reads"), ("u2", "read 7", "short"), ("u3", None, "ZeroDivisionError")
    ]  # fmt: skip
    for row in rows:
        assert row["reproduce"] in listed
        assert row["reproduce"] == call("explain", "r", row["key"]).stdout.splitlines()[-1][7:]
    assert "polytene retry r" in listed
    before = files(tmp_path / "r")
    words = shlex.split(rows[2]["reproduce"])
    assert words[0] == "polytene"
    done = call(*words[1:], program=LAB)
    assert done.returncode == 3
    assert "ZeroDivisionError: u3 has no coverage" in done.stdout
    assert "in deeper" in done.stdout, "the whole traceback"
    assert files(tmp_path / "r") == before
    elsewhere = call("explain", tmp_path / "r", "u3", cwd="/").stdout.splitlines()[-1]
    assert f"cd {tmp_path} && polytene lab" in elsewhere


def test_an_unknown_unit_is_one_message(call, lab):
    lab("--max-quarantined", "1")
    done = call("explain", "r", "u")
    assert (done.returncode, "similar: 'u0', 'u1', 'u2'" in done.stderr) == (2, True)
    shown = json.loads(call("explain", "r", "u0", "--json").stdout)
    assert (shown["state"], shown["legs"][0]["items"]) == ("done", 3)


def test_only_tries_units_and_keeps_nothing(lab, tmp_path):
    done = lab("--only", "u0", "--only", "u4")
    assert (done.returncode, done.stdout.splitlines()[-1]) == (
        0, "tried 2 samples alone, 0 failed; nothing is kept"
    )  # fmt: skip
    assert [p.name for p in tmp_path.iterdir()] == ["log"]
    ran = [line.split()[0] for line in (tmp_path / "log").read_text().splitlines()]
    assert sorted(ran) == ["u0", "u4"]
    done = lab("--mode", "bad", "--only", "u1", "--only", "u2", "--json")
    one, two = json.loads(done.stdout)["tried"]
    assert (done.returncode, one["state"], one["failure"]["reason"]) == (3, "failed", "no-reads")
    assert "BadInput" in one["traceback"]
    assert (two["state"], two["rejected"][0]["item"], two["items"]) == ("done", "read 7", 3)
    done = lab("--only", "u44")
    assert (done.returncode, "similar: 'u4'" in done.stderr) == (2, True)


def test_only_leaves_no_temporary_folder(call, tmp_path, monkeypatch):
    write_set(tmp_path / "set", sequences=4, files=1)
    (tmp_path / "tmp").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))
    key = json.loads(call("codons", "count", "set", "--json", "--limit", "1", "--no-progress",
                          "--run-dir", "r").stdout)["run_dir"]  # fmt: skip
    plan = next(Path(key).glob("plan-*.jsonl")).read_text()
    unit = json.loads(plan)[0]["key"]
    for wanted, code in ((unit, 0), ("nobody", 2)):
        assert call("codons", "count", "set", "--only", wanted).returncode == code
    assert [p.name for p in (tmp_path / "tmp").iterdir() if p.name.startswith("polytene-")] == []


def test_a_trial_has_a_folder_of_its_own(lab, tmp_path):
    done = lab("--limit", "2", "--json")
    assert json.loads(done.stdout)["run_dir"] == str(tmp_path / "r.trial")
    assert "a trial: 2 samples of 5" in done.stderr
    whole = json.loads(lab("--json").stdout)
    assert (whole["computed"], whole["resumed"]) == (5, 0)
    assert json.loads(lab("--limit", "5", "--json").stdout)["resumed"] == 5, "the whole plan"


def test_retry_gives_the_command_again(call, tmp_path):
    write_set(tmp_path / "set", sequences=8, files=2)
    (tmp_path / "set" / "shard_00001.parquet").write_bytes(b"")
    first = call("codons", "count", "set", "-o", "o.csv", "--max-quarantined", "0.6", "--fresh",
                 "--workers", "1")  # fmt: skip
    assert first.returncode == 3
    table = (tmp_path / "o.csv").read_bytes()
    (tmp_path / "o.csv").unlink()
    again = call("retry", tmp_path / "o.csv.run", cwd="/")
    assert again.returncode == 3, "its exit code is passed on"
    assert "0 computed, 1 resumed, 1 quarantined" in again.stderr
    assert f"$ cd {tmp_path} && polytene codons count" in again.stderr
    assert "--fresh" not in again.stderr
    assert (tmp_path / "o.csv").read_bytes() == table
    epochs = [r["part"].split(".")[1] for r in read(tmp_path / "o.csv.run") if r and "part" in r]
    assert epochs[-1] == "00002", "the unit whose data were wrong was tried again"


def test_a_printed_table_is_retried_where_it_is(call, tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    write_set(tmp_path / "set", sequences=8, files=2)
    (tmp_path / "set" / "shard_00001.parquet").write_bytes(b"")
    done = call("codons", "count", "set", "--json", "--max-quarantined", "1", "--workers", "1")
    run_dir = json.loads(done.stdout)["run_dir"]
    again = call("retry", run_dir)
    assert (again.returncode, json.loads(again.stdout)["resumed"]) == (3, 1)
    assert json.loads(again.stdout)["run_dir"] == run_dir


def test_retry_of_a_script_says_what_to_do(call, tmp_path):
    code = (
        "from polytene import *; run(Plan('k', [Unit('a')]), [str], Reduction(None), run_dir='r')"
    )
    call("-c", code, program=[sys.executable])
    done = call("retry", "r")
    assert (done.returncode, "run(..., retry_quarantined=True)" in done.stderr) == (2, True)
    assert "plan.subset(['a'])" in call("explain", "r", "a").stdout


def test_the_record_is_no_part_of_the_run(call, lab, tmp_path):
    one = json.loads(lab("--json").stdout)
    (tmp_path / "r" / "command.json").unlink()
    two = json.loads(lab("--json", "-v").stdout)
    assert (one["computed"], two["resumed"]) == (5, 5)
    argv = json.loads((tmp_path / "r" / "command.json").read_text())["argv"]
    assert argv[-2:] == ["--json", "-v"]
    before = (tmp_path / "r" / "command.json").read_bytes()
    assert lab("--units", "4", "--mode", "bad").returncode == 4
    assert (tmp_path / "r" / "command.json").read_bytes() == before, "it was refused"


def test_clean_frees_what_no_result_needs(call, lab, tmp_path):
    assert lab("--mode", "bad", "--max-quarantined", "1").returncode == 3
    assert lab("--on-change", "rerun").returncode == 0
    size = sum(s for _, s in files(tmp_path / "r" / "parts").values())
    said = call("clean", "r", "--dry-run")
    assert "could be freed" in said.stdout
    assert sum(s for _, s in files(tmp_path / "r" / "parts").values()) == size
    assert "parts" in call("clean", "r").stdout
    assert len(list((tmp_path / "r").glob("parts/*/*/*.json"))) == 5
    assert verify(tmp_path / "r", deep=True)[1] == []
    assert json.loads(lab("--json").stdout)["resumed"] == 5
    assert call("clean", "r").stdout == "0 B freed\n"


def test_clean_refuses_while_a_driver_works(call, tmp_path, lab):
    lab()
    with Lock(tmp_path / "r"):
        done = call("clean", "r")
    assert (done.returncode, f"process {os.getpid()}" in done.stderr) == (6, True)


def test_counts_of_one_are_singular(call, lab):
    lab("--units", "1")
    assert call("verify", "r").stdout.startswith("1 part looked at")
    assert call("verify", "r", "--deep").stdout == "2 parts read; 0 problems\n"


@pytest.mark.parametrize("verb", ["status", "verify", "quarantine", "retry", "stop", "clean"])
def test_another_folder_is_one_message(call, tmp_path, verb):
    done = call(verb, tmp_path)
    assert (done.returncode, "is not a run directory" in done.stderr) == (2, True)
    assert list(tmp_path.iterdir()) == []
