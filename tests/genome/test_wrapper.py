"""The wrapper script, run by bash."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from tests.genome.plans import HOSTILE, plan_of

from polytene.exceptions import UsageError
from polytene.genome.chunks import ChunkPlan
from polytene.genome.merging.outputs import DONE
from polytene.genome.tasks.files import TaskGenerator

PLAN = plan_of(
    [("c1", 999, 2000)], [("c2", 0, 9), ("c3", 0, 5)], *([(name, 5, 50)] for name in HOSTILE)
)
SAY = "printf '%s\\n' {} > ${{OUTPUT_DIR}}/${{CHUNK_ID}}.txt"


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("OUTPUT_DIR", raising=False)
    PLAN.save("plan.json")


def wrapper(*commands: str, **how) -> None:
    TaskGenerator.generate_wrapper_script("wrapper.sh", "plan.json", list(commands), **how)


def run(task: str, **env: str) -> subprocess.CompletedProcess[str]:
    command = ["env", *(f"{k}={v}" for k, v in env.items()), "bash", "wrapper.sh", task]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def said(task: str, path: str, **env: str) -> list[str]:
    done = run(task, **env)
    assert done.returncode == 0, done.stderr
    return Path(path).read_text().splitlines()


def test_coordinates_are_one_based_and_the_zero_based_have_names_of_their_own():
    wrapper(SAY.format("$SEQID ${START} $END ${START_0} $END_0 $SIZE ${REGIONS}"))
    assert said("chunk_0000", "chunk_0000.txt") == [
        "c1", "1000", "2000", "999", "2000", "1001", "c1:1000-2000",
    ]  # fmt: skip


def test_the_place_in_the_plan_names_a_chunk_too():
    wrapper(SAY.format("${SEQID}"))
    assert said("0", "chunk_0000.txt") == ["c1"]


@pytest.mark.parametrize("i", range(len(HOSTILE)))
def test_hostile_names_reach_the_commands_as_they_are(tmp_path, i):
    wrapper(SAY.format('${SEQID}:${START} "$SEQID" "x${SEQID}y" ${REGIONS}'))
    name = HOSTILE[i]
    task = f"chunk_{i + 2:04d}"
    assert said(task, f"{task}.txt") == [f"{name}:6", name, f"x{name}y", f"{name}:6-50"]
    assert not list(tmp_path.rglob("HACKED*"))


@pytest.mark.parametrize(
    "command",
    ["bash -c 'echo '$SEQID", 'eval "echo $SEQID"', "echo `echo $SEQID`", "echo ${SEQID%x}"],
)
def test_or_are_refused_where_quotes_do_not_help(tmp_path, command):
    wrapper(command)
    done = run("chunk_0004")
    assert done.returncode != 0
    assert "could be run by the commands" in done.stderr
    assert run("chunk_0000").returncode == 0
    assert not list(tmp_path.rglob("HACKED*"))


def test_a_pool_runs_interval_by_interval_where_the_commands_name_a_place():
    wrapper(SAY.format("${SEQID}"))
    assert said("chunk_0001", "chunk_0001.2.txt") == ["c3"]
    assert Path("chunk_0001.1.txt").read_text() == "c2\n"
    Path("chunk_0001.1.txt").unlink()
    assert said("chunk_0001.2", "chunk_0001.2.txt") == ["c3"]
    assert not Path("chunk_0001.1.txt").exists()


def test_and_as_a_whole_where_they_do_not():
    wrapper(SAY.format("$REGIONS $SIZE"), "cat ${BED} >> ${CHUNK_ID}.txt")
    assert said("chunk_0001", "chunk_0001.txt") == [
        "c2:1-9", "c3:1-5", "14", "c2\t0\t9", "c3\t0\t5",
    ]  # fmt: skip


def test_regions_are_words_in_a_loop():
    wrapper('for r in ${REGIONS}; do echo "[$r]"; done > ${CHUNK_ID}.txt')
    assert said("chunk_0001", "chunk_0001.txt") == ["[c2:1-9]", "[c3:1-5]"]


def test_the_output_folder_is_given_or_of_the_environment_or_here():
    wrapper(SAY.format("x"))
    assert said("chunk_0000", "chunk_0000.txt") == ["x"]
    assert said("chunk_0000", "else/where/chunk_0000.txt", OUTPUT_DIR="else/where") == ["x"]
    wrapper(SAY.format("x"), output_dir="my out/")
    assert said("chunk_0000", "my out/chunk_0000.txt", OUTPUT_DIR="other") == ["x"]
    assert not Path("other").exists()


def test_setup_comes_first_and_may_use_what_is_not_set():
    wrapper(SAY.format("$GREETING"), setup_commands=["x=$NOT_SET", "GREETING=hello$x"])
    assert said("chunk_0000", "chunk_0000.txt") == ["hello"]


def test_a_command_that_fails_ends_it_and_leaves_no_mark():
    wrapper("false | cat", SAY.format("x"))
    assert run("chunk_0000").returncode != 0
    assert not Path("chunk_0000.txt").exists()
    assert not Path(DONE, "chunk_0000").exists()


def test_what_ends_well_leaves_a_mark_and_takes_an_old_one_away_first():
    wrapper("test -e go")
    Path("go").touch()
    assert run("chunk_0001").returncode == 0
    assert Path(DONE, "chunk_0001").exists()
    Path("go").unlink()
    assert run("chunk_0001").returncode != 0
    assert not Path(DONE, "chunk_0001").exists()


def test_commands_may_read_standard_input():
    wrapper("cat > ${CHUNK_ID}.txt; echo $SEQID >> ${CHUNK_ID}.txt")
    done = subprocess.run(
        ["bash", "wrapper.sh", "chunk_0001"], input="in\n", text=True, timeout=60, check=False
    )
    assert done.returncode == 0
    assert Path("chunk_0001.2.txt").read_text() == "c3\n"


@pytest.mark.parametrize("task", ["chunk_9999", "999", "chunk_0001.3", "", "chunk_0000; touch x"])
def test_a_task_that_is_not_in_the_plan_is_an_error(tmp_path, task):
    wrapper("touch ran")
    done = run(task)
    assert done.returncode != 0
    assert done.stderr
    assert not Path("ran").exists()


def test_the_guides_own_plans_are_read():
    chunks = '[{"chunk_id": "chunk_0000", "seqid": "c9", "start": 4, "end": 8}]'
    Path("plan.json").write_text(f'{{"chunks": {chunks}}}')
    assert len(ChunkPlan.load("plan.json")) == 1
    wrapper(SAY.format("$SEQID $START"))
    assert said("chunk_0000", "chunk_0000.txt") == ["c9", "5"]


def test_placeholders_of_task_files_are_refused():
    with pytest.raises(UsageError, match=r"\$\{CHUNK_ID\}"):
        wrapper("x {chunk_id}")
    with pytest.raises(UsageError, match="no command"):
        wrapper(" ")
    wrapper("awk '{print $1}' x")


def test_a_here_document_stays_as_it_is():
    wrapper("cat > ${CHUNK_ID}.txt <<END\nit's ${SEQID}\nEND")
    assert said("chunk_0000", "chunk_0000.txt") == ["it's c1"]
