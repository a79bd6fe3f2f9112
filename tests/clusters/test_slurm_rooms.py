"""One job of each room on a real SLURM, with a job killed in between: the bytes of a local run."""

from __future__ import annotations

import os
import threading

import pytest
from tests import rooms
from tests.conftest import require_tool

from polytene import cluster

QUICK = {"memory_limit": "1.5GB", "walltime": "00:30:00", "dashboard_port": 0, "threads": 2}


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    require_tool("kallisto")
    return rooms.make_data(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def jobs(slurm, tmp_path_factory):
    """Two jobs for all rooms."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("cwd"))
        with cluster("slurm", workers=2, **QUICK) as client:
            yield client


@pytest.mark.parametrize("room", rooms.JOBS)
def test_a_room_on_slurm_gives_the_bytes_of_a_local_run(slurm, jobs, here, data, tmp_path, room):
    expected = rooms.bytes_of(rooms.JOBS[room](data, tmp_path / "here", here))
    jobs.wait_for_workers(1, timeout=120)
    victim = min(jobs.run(os.getenv, "SLURM_JOB_ID", on_error="ignore").values(), key=int)
    killer = threading.Timer(0.3, lambda: slurm("scancel", "--signal=KILL", "--batch", victim))
    killer.start()
    found = rooms.bytes_of(rooms.JOBS[room](data, tmp_path / "slurm", jobs))
    killer.join()
    assert found == expected
    slurm.wait(lambda: victim not in slurm.jobs("RUNNING"), "end of the job")
