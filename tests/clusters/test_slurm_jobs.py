"""Runs whose workers are jobs of a real SLURM: kept, replaced, drained, and the same result."""

from __future__ import annotations

import os
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import dask
import psutil
import pytest
from tests import rooms
from tests.clusters.slurm_here import NODES
from tests.conftest import require_tool

from polytene import Plan, Reduction, Unit, cluster, run
from polytene.clusters.slurm import FOLDER
from polytene.core.deaths import ENDED

QUICK = {"memory_limit": "1.5GB", "walltime": "00:30:00", "margin": "1m", "dashboard_port": 0}
WORDS = {
    "scancel": "was cancelled on n",
    "over-memory": "was ended by SLURM on n1: over its memory",
    "USR1": "came to its end on n",
    "node": "was lost with its node",
}


@dataclass(frozen=True)
class Number(Unit):
    """A unit that adds a line to a file of its own whenever it is computed."""

    folder: str = ""
    seconds: float = 0.0
    hog: str = ""


def noted(unit):
    with open(f"{unit.folder}/{unit.key}", "a") as file:
        file.write(os.environ["SLURM_JOB_ID"] + "\n")
    time.sleep(unit.seconds)
    return [unit.key]


def plan_of(folder, n, **about):
    folder.mkdir()
    units = [Number(f"u{i:03d}", folder=str(folder), **about) for i in range(n)]
    return Plan("numbers", units, block=1)


def computed(folder):
    """How often each unit was computed."""
    return {path.name: len(path.read_text().split()) for path in folder.iterdir()}


def meanwhile(events, act):
    """Return a listener that acts once, after so many units are settled."""
    left = [events]

    def heard(event):
        left[0] -= type(event).__name__ == "Settled"
        if left[0] == 0:
            act()
            left[0] = -1

    return heard


@pytest.fixture(scope="module")
def jobs(slurm, tmp_path_factory):
    """A cluster of two jobs."""
    folder = tmp_path_factory.mktemp("cwd")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("ONLY_HERE", "1")
        with dask.config.set({"polytene.host-scratch": "/tmp/own"}):
            with cluster("slurm", workers=2, folder=str(folder / "jobs"), **QUICK) as client:
                client.wait_for_workers(2, timeout=120)
                yield client
    slurm.wait(lambda: not slurm.jobs(), "end of all jobs")
    assert not list((folder / "jobs").glob("*")), "nothing is left behind"
    assert not (folder / FOLDER).exists()


def test_what_a_worker_is(slurm, jobs):
    """SLURM's M is MiB; the nanny's own process has its place in the job's memory."""
    workers = jobs.scheduler_info(n_workers=-1)["workers"].values()
    assert sorted(w["name"] for w in workers) == ["worker-0", "worker-1"]
    assert {w["nthreads"] for w in workers} == {1}
    assert {w["memory_limit"] for w in workers} == {(1431 - 160) << 20}
    asked = slurm("squeue", "-h", "-o", "%m %C %l").splitlines()
    assert asked == ["1431M 1 30:00"] * 2


def test_the_configuration_reaches_the_workers(jobs):
    def seen():
        return dask.config.get("polytene.host-scratch"), dask.config.get("polytene.cluster.kind")

    assert set(jobs.run(seen).values()) == {("/tmp/own", "slurm")}


def test_the_first_death_is_heard_of_and_silent_workers_count_as_dead(jobs):
    def about(dask_scheduler):
        plugins = sorted(dask_scheduler.nanny_plugins)
        return dask_scheduler.allowed_failures, dask_scheduler.worker_ttl, plugins

    failures, ttl, plugins = jobs.run_on_scheduler(about)
    assert (failures, ttl) == (0, 60)
    assert "polytene-tree-memory" in plugins, "nannies that come later get it, too"


def test_all_of_it_listens_where_its_nodes_are_and_speaks_tls(jobs):
    """Both nodes are this machine, so loopback is enough."""
    pids = {os.getpid(), *jobs.run(os.getpid).values(), *jobs.run(os.getpid, nanny=True).values()}
    found = [c for pid in pids for c in psutil.Process(pid).net_connections("inet")]
    assert len(pids) == 5
    assert {c.laddr.ip for c in found if c.status == psutil.CONN_LISTEN} == {"127.0.0.1"}
    assert jobs.scheduler.address.startswith("tls://")
    assert {a.split(":")[0] for a in jobs.run(os.getpid)} == {"tls"}


@pytest.mark.parametrize("how", ["scancel", "over-memory", "USR1", "node"])
def test_a_job_that_ends_is_replaced_and_the_result_is_the_same(slurm, jobs, tmp_path, how):
    before = set(slurm.jobs())

    def act():
        victim = min(before, key=int)
        if how == "scancel":
            slurm("scancel", victim)
        elif how == "USR1":
            slurm("scancel", "--signal=USR1", "--batch", victim)
        elif how == "node":
            slurm.power_off(NODES[0])  # with all jobs that are there
        else:
            (tmp_path / "hog").write_text(victim)

    stage = hogging if how == "over-memory" else noted
    plan = plan_of(tmp_path / "seen", 40, seconds=0.1, hog=str(tmp_path / "hog"))
    out = run(plan, [stage], Reduction(sorted_lists), run_dir=tmp_path / "run", client=jobs,
              on_event=meanwhile(10, act))  # fmt: skip
    if how == "node":
        slurm.boot(NODES[0])  # it offers itself again
    assert out.complete
    assert out.result == [unit.key for unit in plan]
    again = {key: n for key, n in computed(tmp_path / "seen").items() if n > 1}
    assert len(again) <= (0 if how == "USR1" else 4), f"{how}: redone {again}"
    slurm.wait(lambda: len(slurm.jobs("RUNNING")) == 2, "replacement")
    jobs.wait_for_workers(2, timeout=120)
    assert set(slurm.jobs()) != before
    said = {event["why"].split(" ", 2)[2] for _, event in jobs.get_events(ENDED)}
    assert any(text.startswith(WORDS[how]) for text in said), said


def sorted_lists(values):
    return sorted(key for value in values for key in value)


def hogging(unit):
    """Take more memory than the job has, in a process that no nanny sees, once it is asked to."""
    with open(f"{unit.folder}/{unit.key}", "a") as file:
        file.write("x\n")
    asked = Path(unit.hog)
    if asked.exists() and asked.read_text() == os.environ["SLURM_JOB_ID"]:
        parent = psutil.Process(os.getppid())
        parent.suspend()  # so that it is SLURM who ends it
        hog = b"x" * (1700 << 20)
        time.sleep(60)
        return [len(hog)]
    time.sleep(unit.seconds)
    return [unit.key]


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    require_tool("kallisto")
    return rooms.make_data(tmp_path_factory.mktemp("data"))


@pytest.mark.parametrize("room", rooms.JOBS)
def test_a_room_on_slurm_gives_the_bytes_of_a_local_run(slurm, jobs, here, data, tmp_path, room):
    """With a worker killed in between."""
    expected = rooms.bytes_of(rooms.JOBS[room](data, tmp_path / "here", here))
    jobs.wait_for_workers(1, timeout=120)
    victim = min(jobs.run(os.getenv, "SLURM_JOB_ID", on_error="ignore").values(), key=int)
    killer = threading.Timer(0.3, lambda: slurm("scancel", "--signal=KILL", "--batch", victim))
    killer.start()
    found = rooms.bytes_of(rooms.JOBS[room](data, tmp_path / "slurm", jobs))
    killer.join()
    assert found == expected
    slurm.wait(lambda: victim not in slurm.jobs("RUNNING"), "end of the job")
