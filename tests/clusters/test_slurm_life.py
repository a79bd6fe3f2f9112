"""The life of jobs on a real SLURM: short walltimes, GPUs of their own."""

from __future__ import annotations

import os
import time

import pytest
from distributed import KilledWorker
from tests.clusters.test_slurm_jobs import computed, noted, plan_of, sorted_lists

from polytene import Plan, Reduction, Stage, Unit, cluster, run
from polytene.core.deaths import ENDED


@pytest.fixture(autouse=True)
def in_own_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def test_short_lifetimes_finish_and_nothing_committed_is_computed_again(slurm, tmp_path):
    """Workers of at most 20 s under 60 units of 1 s: results that workers keep would never meet."""
    plan = plan_of(tmp_path / "seen", 60, seconds=1.0)
    lives = {"walltime": "00:01:00", "margin": "40s"}
    with cluster("slurm", workers=4, memory_limit="800MB", dashboard_port=0, **lives) as client:
        out = run(plan, [noted], Reduction(sorted_lists), run_dir=tmp_path / "run", client=client)
    assert out.result == [unit.key for unit in plan]
    assert computed(tmp_path / "seen") == {unit.key: 1 for unit in plan}
    jobs = {p.read_text().strip() for p in (tmp_path / "seen").iterdir()}
    assert len(jobs) > 4, "jobs came and went"


def gpus(unit, *before):
    time.sleep(0.2)
    mine = os.environ.get("CUDA_VISIBLE_DEVICES", "")
    return [[*(before[0][0] if before else ()), mine, os.environ["SLURM_JOB_ID"]]]


def test_gpu_stages_run_in_gpu_jobs_each_with_a_gpu_of_its_own(slurm, tmp_path):
    """Pretend devices: it is SLURM who hands them out."""
    plan = Plan("routes", [Unit(f"u{i}") for i in range(16)], block=1)
    stages = [gpus, Stage(gpus, needs={"GPU": 1})]
    pools = {"gpu": {"workers": 2, "memory-limit": "1GB", "gres": "gpu:1", "resources": {"GPU": 1}}}
    options = {"workers": 1, "memory_limit": "1GB", "dashboard_port": 0, "pools": pools}
    with cluster("slurm-gpu", **options) as client:
        client.wait_for_workers(3, timeout=120)
        owned = [w["resources"] for w in client.scheduler_info(n_workers=-1)["workers"].values()]
        out = run(plan, stages, Reduction(joined), run_dir=tmp_path / "run", client=client)
    assert sorted(map(str, owned)) == ["{'CPU': 1.0}", "{'GPU': 1.0}", "{'GPU': 1.0}"]
    assert {first for first, *_ in out.result} == {""}, "CPU stages stay in CPU jobs"
    pinned = {(gpu, job) for _, _, gpu, job in out.result}
    assert {gpu for gpu, _ in pinned} == {"0", "1"}
    assert len(pinned) == 2, "each GPU job has one of its own"


def joined(values):
    return [entry for value in values for entry in value]


def test_what_outlasts_its_job_is_lost_as_by_a_death_and_not_begun_for_ever(slurm):
    """SLURM rounds this walltime up to a minute."""
    lives = {"walltime": "20s", "margin": "14s", "memory_limit": "1GB", "dashboard_port": 0}
    with cluster("slurm", workers=1, **lives) as client:
        with pytest.raises(KilledWorker):
            client.submit(time.sleep, 600).result(timeout=120)
        said = [event["why"] for _, event in client.get_events(ENDED)]
    assert any("it needs a longer walltime or margin" in why for why in said)
