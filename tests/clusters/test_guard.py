"""The memory limit holds for what a worker starts, and the worker lives."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from polytene import Plan, Reduction, Unit, cluster, run
from polytene.clusters.guard import descendants
from polytene.core.tools import run_tool

HOG = "import time; x = bytearray(b'x') * 1_500_000_000; time.sleep(20)"


@pytest.fixture(scope="module")
def small():
    with cluster("local", workers=1, memory_limit="500MiB", dashboard_port=0) as client:
        yield client


def tool(unit):
    code = HOG if unit.key == "big" else "print('small')"
    folder = Path(os.environ.get("TMPDIR", "/tmp"))
    run_tool([sys.executable, "-c", code], log=folder / f"{os.getpid()}-{unit.key}.log")
    return os.getpid()


def test_a_program_over_the_limit_is_ended_and_named_and_the_worker_lives(tmp_path, small):
    plan = Plan("tools", [Unit("a"), Unit("big"), Unit("b")])
    out = run(plan, [tool], Reduction(list), run_dir=tmp_path, client=small, max_quarantined=1)
    (failure,) = out.quarantined
    assert (failure.key, failure.category) == ("big", "memory")
    assert "500.00 MiB" in failure.detail
    assert "bytearray" in failure.detail, "the program is named"
    pids = set(small.run(os.getpid).values())
    assert pids == {out.result[0][0]}, "it is still the worker that ran the first unit"
    assert (out.computed, len(out.result)) == (2, 2)


def leave_a_child(unit):
    child = subprocess.Popen(["sleep", "1234"], start_new_session=True)
    Path(unit.key).write_text(str(child.pid))
    time.sleep(1)  # longer than the guard takes to look
    if unit.kill:
        os.kill(os.getpid(), signal.SIGKILL)
    return child.pid


@dataclass(frozen=True)
class Leaver(Unit):
    """A unit whose function starts a program and leaves it behind."""

    kill: bool = False


@pytest.mark.parametrize("kill", [True, False])
def test_what_a_worker_left_behind_ends_with_it(tmp_path, monkeypatch, kill):
    """By its death, and by the end of the cluster."""
    monkeypatch.chdir(tmp_path)
    plan = Plan("leavers", [Leaver("pid", kill=kill)])
    with cluster("local", workers=1, dashboard_port=0) as client:
        client.run(os.chdir, str(tmp_path))
        done = client.submit(leave_a_child, next(iter(plan)), retries=0)
        with suppress(Exception):
            done.result(timeout=20)
        pid = int((tmp_path / "pid").read_text())
        assert not kill or gone(pid)
    assert gone(pid)


def gone(pid: int) -> bool:
    """Whether a process has ended, or ends within seconds."""
    with suppress(psutil.NoSuchProcess):
        psutil.wait_procs([psutil.Process(pid)], timeout=10)
        return not psutil.pid_exists(pid) or psutil.Process(pid).status() == "zombie"
    return True


def test_the_tree_is_that_of_psutil():
    nested = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'input()'])"
    with subprocess.Popen([sys.executable, "-c", nested], stdin=subprocess.PIPE) as child:
        deadline = time.monotonic() + 10
        while len(descendants(os.getpid())) < 2 and time.monotonic() < deadline:
            time.sleep(0.05)
        ours = set(descendants(os.getpid()))
        assert ours == set(psutil.Process().children(recursive=True))
        assert len(ours) >= 2
        child.communicate(b"\n")
