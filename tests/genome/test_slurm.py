"""SLURM: what the environment says, and scripts that run as they are."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from tests.genome.plans import plan_of
from tests.genome.test_launch import PLAN as HOSTILE_PLAN
from tests.genome.test_launch import ROWS, TEMPLATE, program

from polytene.exceptions import UsageError
from polytene.genome.merging.aggregate import aggregate
from polytene.genome.tasks.files import TaskGenerator
from polytene.genome.tasks.sbatch import EXECUTORS, example_sbatch, write_example_sbatch
from polytene.genome.tasks.slurm_env import (
    get_chunk_for_task,
    get_slurm_resources,
    get_slurm_task_id,
    is_slurm_job,
)

PLAN = plan_of([("c1", 0, 50)], [("c1", 50, 90), ("c2", 0, 9)], [("c3", 0, 70)])


@pytest.fixture(autouse=True)
def no_job(monkeypatch):
    for name in list(os.environ):
        if name.startswith("SLURM"):
            monkeypatch.delenv(name)


def test_outside_a_job():
    assert not is_slurm_job()
    assert get_slurm_task_id() is None
    assert get_slurm_resources() == {"cpus": 1, "memory_mb": None, "task_id": None, "node": None}


@pytest.mark.parametrize(
    ("env", "expected"),
    [
        ({"SLURM_CPUS_PER_TASK": "8", "SLURM_MEM_PER_NODE": "16000"}, (8, 16000)),
        ({"SLURM_CPUS_PER_TASK": "8", "SLURM_MEM_PER_NODE": "16G"}, (8, 16384)),
        ({"SLURM_MEM_PER_NODE": "512K", "SLURM_CPUS_ON_NODE": "4"}, (4, None)),
        ({"SLURM_MEM_PER_NODE": "1.5T"}, (1, 1572864)),
        ({"SLURM_CPUS_PER_TASK": "4", "SLURM_MEM_PER_CPU": "2000"}, (4, 8000)),
        ({"SLURM_MEM_PER_NODE": "0"}, (1, None)),
        ({"SLURM_MEM_PER_NODE": ""}, (1, None)),
    ],
)
def test_resources_of_a_job(monkeypatch, env, expected):
    for name, value in {**env, "SLURM_JOB_ID": "7", "SLURMD_NODENAME": "n1"}.items():
        monkeypatch.setenv(name, value)
    found = get_slurm_resources()
    assert (found["cpus"], found["memory_mb"]) == expected
    assert found["node"] == "n1"


def test_what_slurm_never_writes_is_an_error(monkeypatch):
    monkeypatch.setenv("SLURM_JOB_ID", "7")
    monkeypatch.setenv("SLURM_MEM_PER_NODE", "lots")
    with pytest.raises(UsageError, match="SLURM_MEM_PER_NODE is 'lots'"):
        get_slurm_resources()
    monkeypatch.setenv("SLURM_ARRAY_TASK_ID", "x")
    with pytest.raises(UsageError, match="SLURM_ARRAY_TASK_ID"):
        get_slurm_task_id()


def test_a_task_is_the_chunk_of_its_index_whatever_the_environment_says(monkeypatch, tmp_path):
    monkeypatch.setenv("SLURM_ARRAY_TASK_ID", "2")
    monkeypatch.setenv("SLURM_ARRAY_TASK_MIN", "1")
    PLAN.save(tmp_path / "plan.json")
    assert get_slurm_task_id() == 2
    for plan in (PLAN, tmp_path / "plan.json", str(tmp_path / "plan.json")):
        assert [get_chunk_for_task(plan, i).chunk_id for i in (0, 2)] == [
            "chunk_0000",
            "chunk_0002",
        ]


@pytest.mark.parametrize("task_id", [-1, 3, 10**9, None, True, "1", 1.0])
def test_an_index_that_no_chunk_has_is_an_error(task_id):
    with pytest.raises(UsageError):
        get_chunk_for_task(PLAN, task_id)


@pytest.mark.parametrize("executor", EXECUTORS)
def test_scripts_are_bash_that_asks_for_resources(tmp_path, executor):
    path = write_example_sbatch(tmp_path / "run.sbatch", executor)
    text = path.read_text()
    assert text.startswith("#!/bin/bash\n#SBATCH --job-name=")
    assert "@" not in text.replace("B:USR1@300", "")
    assert subprocess.run(["bash", "-n", path], check=False, timeout=20).returncode == 0
    assert os.access(path, os.X_OK)


def test_an_array_has_a_task_per_chunk_from_zero():
    assert "#SBATCH --array=0-11%20\n" in example_sbatch("array", n_chunks=12)
    assert "12 chunks" in example_sbatch("array", n_chunks=12)


def test_an_unknown_executor_is_refused():
    with pytest.raises(UsageError, match="hypershell, parallel, array, dask"):
        example_sbatch("pbs")


def submit(script: Path, **env: str) -> subprocess.CompletedProcess[str]:
    job = {"SLURM_JOB_ID": "123", "SLURM_CPUS_PER_TASK": "2"}
    return subprocess.run(
        ["bash", script],
        env={**program("parallel"), **job, **env},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.mark.parametrize("executor", ["hypershell", "parallel"])
def test_scripts_run_task_files(tmp_path, monkeypatch, executor):
    program({"hypershell": "hs", "parallel": "parallel"}[executor])
    monkeypatch.chdir(tmp_path)
    TaskGenerator(HOSTILE_PLAN).generate(TEMPLATE, "tasks.txt", output_dir="outputs")
    done = submit(write_example_sbatch("run.sbatch", executor))
    assert done.returncode == 0, done.stderr
    merged = aggregate("outputs", "*.tsv", "all.tsv", "merge_tsv")
    assert merged.output.read_text().splitlines()[1:] == ROWS


def test_a_script_ends_badly_if_a_task_does(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for executor, name in (("hypershell", "hs"), ("parallel", "parallel")):
        program(name)
        Path("tasks.txt").write_text("true\nfalse\n")
        assert submit(write_example_sbatch("run.sbatch", executor)).returncode == 1


def test_an_array_runs_the_wrapper_for_each_index(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    PLAN.save("chunks.json")
    command = "echo ${SEQID} > ${OUTPUT_DIR}/${CHUNK_ID}.txt"
    TaskGenerator.generate_wrapper_script("wrapper.sh", "chunks.json", [command], output_dir="out")
    script = write_example_sbatch("run.sbatch", "array", n_chunks=3)
    for index in range(3):
        assert submit(script, SLURM_ARRAY_TASK_ID=str(index)).returncode == 0
    assert submit(script, SLURM_ARRAY_TASK_ID="3").returncode != 0
    PLAN.save("out/chunk_plan.json")
    merged = aggregate("out", "*.txt", "all.txt", "concat")
    assert merged.output.read_text() == "c1\nc1\nc2\nc3\n"
