"""Task files run by the programs they are written for, with names that no shell should see bare."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from tests.conftest import require_tool
from tests.genome.plans import HOSTILE, plan_of

from polytene.exceptions import UsageError
from polytene.genome.merging.aggregate import aggregate
from polytene.genome.tasks.files import TaskGenerator
from polytene.genome.tasks.launch import (
    generate_hypershell_command,
    generate_parallel_command,
    generate_xargs_command,
)

PLAN = plan_of(
    [("chr1", 0, 500)],
    [("chr1", 500, 1000), (HOSTILE[0], 0, 100)],
    *([(name, 5, 50)] for name in HOSTILE[1:]),
)
ROWS = [f"{r.seqid}\t{r.start + 1}\t{r.end}" for c in PLAN for r in c.intervals]
TEMPLATE = (
    "printf 'seqid\\tstart\\tend\\n%s\\t%s\\t%s\\n' {seqid} {start} {end} | grep -v '^# no' "
    "| awk '{print $0}' > {output_dir}/{chunk_id}.tsv"
)
COMMANDS = {
    "hs": generate_hypershell_command,
    "parallel": generate_parallel_command,
    "xargs": generate_xargs_command,
}


def program(name: str) -> dict[str, str]:
    """An environment in which a program is found; HyperShell may lie beside this Python."""
    beside = Path(sys.executable).parent
    path = f"{beside}:{os.environ['PATH']}"
    if shutil.which(name, path=path) is None:
        require_tool(name)
    return {**os.environ, "PATH": path, "HYPERSHELL_LOGGING_LEVEL": "warning"}


def run(command: str, folder: Path, name: str) -> None:
    done = subprocess.run(
        ["bash", "-c", command],
        cwd=folder,
        env=program(name),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("name", COMMANDS)
def test_a_task_file_really_runs_and_its_aggregate_is_right(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    made = TaskGenerator(PLAN).generate(TEMPLATE, "tasks.txt", output_dir="outputs/")
    assert made.n_tasks == len(ROWS)
    run(COMMANDS[name]("tasks.txt", 2), tmp_path, name)
    done = aggregate("outputs", "*.tsv", "all.tsv", "merge_tsv")
    assert done.output.read_text().splitlines() == ["seqid\tstart\tend", *ROWS]
    assert not list(tmp_path.rglob("HACKED*"))


def test_hypershell_has_a_database_for_each_run_and_lists_what_failed(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("tasks.txt").write_text("echo one > one\nfalse\n")
    run(generate_hypershell_command("tasks.txt", 2), tmp_path, "hs")
    assert Path("one").read_text() == "one\n"
    assert Path("tasks.txt.failed").read_text() == "false\n"
    (database,) = tmp_path.glob("tasks.txt.*.db")
    assert re.fullmatch(r"tasks\.txt\.\d{8}-\d{6}\.db", database.name)


def test_parallel_resumes_what_failed_and_only_that(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    program("parallel")
    Path("tasks.txt").write_text("echo a >> ran\ntest -e now && echo b >> ran\n")
    command = ["bash", "-c", generate_parallel_command("tasks.txt", 1)]
    assert subprocess.run(command, timeout=60, check=False).returncode == 1
    Path("now").touch()
    assert subprocess.run(command, timeout=60, check=False).returncode == 0
    assert Path("ran").read_text() == "a\nb\n"


def test_parallel_never_takes_the_log_of_another_task_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    program("parallel")
    for name in ("a", "b"):
        Path("tasks.txt").write_text(f"echo {name} >> ran\n")
        run(generate_parallel_command("tasks.txt", 1), tmp_path, "parallel")
    assert Path("ran").read_text() == "a\nb\n"


def test_a_marked_task_that_fails_leaves_no_mark(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    template = "test {chunk_id} != chunk_0002 | tee {output_dir}/{chunk_id}.txt"
    TaskGenerator(PLAN).generate(template, "tasks.txt", output_dir="out", mark_done=True)
    subprocess.run(["bash", "-c", generate_xargs_command("tasks.txt", 2)], timeout=60, check=False)
    left = TaskGenerator(PLAN).generate(template, "left.txt", output_dir="out", missing=True)
    assert left.preview() == ["test chunk_0002 != chunk_0002 | tee out/chunk_0002.txt"]


def test_hypershell_gets_line_numbers_where_it_would_cut_a_line(tmp_path):
    path = tmp_path / "tasks.txt"
    path.write_text("x\n")
    assert f"hs cluster {path} --num-threads" in generate_hypershell_command(path, 4)
    path.write_text("grep '#' x\n")
    assert "sed -n {}p" in generate_hypershell_command(path, 4)


def test_options_of_the_commands():
    command = generate_hypershell_command("my tasks", timeout=60, port=50123)
    assert "'my tasks'" in command
    assert "--num-threads 0" in command
    assert command.endswith("--task-timeout 60 --port 50123")
    assert "--jobs 100%" in generate_parallel_command("t")
    assert "-P $(nproc)" in generate_xargs_command("t")
    for command_of in COMMANDS.values():
        with pytest.raises(UsageError):
            command_of("t", 0)
