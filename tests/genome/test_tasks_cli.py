"""``polytene genome tasks``, ``aggregate`` and ``example-sbatch``."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from tests.genome.plans import plan_of

from polytene.cli import polytene
from polytene.genome.merging.outputs import PLAN_COPY
from polytene.genome.tasks.sbatch import EXECUTORS

PLAN = plan_of([("c1", 0, 50)], [("c1", 50, 90), ("c2", 0, 9)], [("c3", 0, 70)])
COMMAND = "printf 's\\n{seqid}\\n' > {output_dir}/{chunk_id}.tsv"
TASKS = ["tasks", "--chunk-plan", "plan.json", "--output", "tasks.txt"]
MERGE = ["aggregate", "--input-dir", "out", "--pattern", "*.tsv", "-o", "all.tsv"]


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    PLAN.save("plan.json")


def genome(*arguments: str) -> Result:
    return CliRunner().invoke(polytene, ["genome", *arguments])


def good(*arguments: str) -> str:
    result = genome(*arguments)
    assert result.exit_code == 0, result.output
    return result.output


def test_tasks_says_what_it_wrote_and_how_to_run_it():
    said = good(*TASKS, "--command", COMMAND, "--output-dir", "out/")
    assert said.startswith("tasks.txt: 4 tasks\n  printf 's\\nc1\\n' > out/chunk_0000.tsv\n")
    for program in ("hs cluster", "parallel --jobs", "xargs -d"):
        assert program in said
    assert Path("out", PLAN_COPY).is_file()


def test_the_whole_way_to_one_table():
    good(*TASKS, "--command", COMMAND, "--output-dir", "out")
    subprocess.run(["bash", "-e", "tasks.txt"], check=True, timeout=60)
    said = good(*MERGE, "--type", "merge_tsv")
    assert said == "all.tsv: 4 files, 4 records\n"
    assert Path("all.tsv").read_text() == "s\nc1\nc1\nc2\nc3\n"


def test_a_missing_chunk_is_exit_3_and_missing_writes_its_task():
    good(*TASKS, "--command", COMMAND, "--output-dir", "out")
    subprocess.run(["bash", "-e", "tasks.txt"], check=True, timeout=60)
    Path("out/chunk_0001.1.tsv").unlink()
    result = genome(*MERGE, "--type", "merge_tsv")
    assert result.exit_code == 3
    assert "1 of 3 chunks have no output: chunk_0001.1" in result.output
    said = good(
        *TASKS, "--command", COMMAND, "--output-dir", "out", "--missing", "--pattern", "*.tsv"
    )
    assert said.startswith("tasks.txt: 1 tasks\n")
    allowed = good(*MERGE, "--type", "merge_tsv", "--allow-missing", "chunk_0001.1,chunk_0000")
    assert "without 1 that are missing: chunk_0001.1" in allowed
    subprocess.run(["bash", "-e", "tasks.txt"], check=True, timeout=60)
    nothing = good(*TASKS, "--command", COMMAND, "--output-dir", "out", "--missing")
    assert nothing == "tasks.txt: 0 tasks: every chunk has its output\n"


def test_without_a_plan_it_says_that_nothing_was_checked():
    Path("out").mkdir()
    Path("out/a.tsv").write_text("s\n1\n")
    assert "whether a file is missing was not checked" in good(*MERGE, "--type", "merge_tsv")


def test_json_is_json():
    said = good(*TASKS, "--command", COMMAND, "--output-dir", "out", "--json")
    assert json.loads(said) == {"output": "tasks.txt", "n_tasks": 4}
    subprocess.run(["bash", "-e", "tasks.txt"], check=True, timeout=60)
    merged = json.loads(good(*MERGE, "--type", "merge_tsv", "--json"))
    assert merged == {
        "output": "all.tsv", "files": 4, "records": 4, "missing": [], "checked": True, "notes": [],
    }  # fmt: skip


def test_a_wrapper_and_its_tasks():
    good(
        *TASKS, "--command", "printf 's\\n%s\\n' ${SEQID} > ${OUTPUT_DIR}/${CHUNK_ID}.tsv",
        "--wrapper", "wrapper.sh", "--wrapper-setup", "umask 022", "--output-dir", "out",
    )  # fmt: skip
    assert Path("tasks.txt").read_text().splitlines()[0] == "bash wrapper.sh chunk_0000"
    assert "umask 022" in Path("wrapper.sh").read_text()
    subprocess.run(["bash", "-e", "tasks.txt"], check=True, timeout=60)
    assert good(*MERGE, "--type", "merge_tsv") == "all.tsv: 4 files, 4 records\n"


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--command", "x {oops}"], "{oops} is no placeholder"),
        (["--command", "x", "--command", "y"], "need --wrapper"),
        (["--command", "x", "--wrapper-setup", "y"], "need --wrapper"),
        (["--command", "x", "--wrapper", "w", "--mark-done"], "without --wrapper"),
        (["--command", "x {seqid}", "--missing"], "output_dir"),
        (["--command", "x", "--wrapper", "w", "--chunk-plan", "none.json"], "none.json"),
    ],
)
def test_usage_errors_are_exit_2(more, said):
    result = genome(*TASKS, *more)
    assert result.exit_code == 2
    assert said in result.output


@pytest.mark.parametrize("executor", EXECUTORS)
def test_example_scripts(executor):
    said = good(
        "example-sbatch", "-o", "run.sbatch", "--executor", executor, "--chunk-plan", "plan.json"
    )
    assert "sbatch run.sbatch" in said
    text = Path("run.sbatch").read_text()
    assert ("--array=0-2" in text) == (executor == "array")
