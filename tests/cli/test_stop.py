"""Stopping a driver from another shell and by signals; no worker and no tool survives it."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from polytene.watch.status import status

LAB = [sys.executable, str(Path(__file__).with_name("lab.py")), "lab"]
POLYTENE = [sys.executable, "-m", "polytene"]
UNITS = 80


@pytest.fixture
def start(tmp_path):
    """Give a function that starts a run and returns when two of its units are at work."""
    processes = []

    def begin(mode):
        command = [*LAB, "log", "--mode", mode, "--run-dir", "r", "--units", str(UNITS)]
        process = subprocess.Popen([*command, "--workers", "2"], cwd=tmp_path, text=True,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE)  # fmt: skip
        processes.append(process)
        wait_for(lambda: len(worked(tmp_path)) >= 2, process)
        if mode == "hangs":
            wait_for(lambda: len(tools(process)) == 2, process)
        return process

    yield begin
    for process in processes:
        if process.poll() is None:
            process.kill()
        process.communicate()


def wait_for(fact, process, patience=90.0):
    limit = time.monotonic() + patience
    while not fact():
        assert process.poll() is None, process.communicate()[1]
        assert time.monotonic() < limit
        time.sleep(0.05)


def worked(folder):
    log = folder / "log"
    return log.read_text().splitlines() if log.exists() else []


def family(process):
    return psutil.Process(process.pid).children(recursive=True)


def tools(process):
    return [p for p in family(process) if p.cmdline()[:1] == ["sleep"]]


def stop(folder, *options):
    command = [*POLYTENE, "stop", "r", *options]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120,
                          check=False)  # fmt: skip


def all_gone(processes):
    return not psutil.wait_procs(processes, timeout=20)[1]


def test_stop_settles_what_runs_and_the_same_command_goes_on(tmp_path, start):
    process = start("slow")
    members = family(process)
    said = stop(tmp_path)
    assert said.returncode == 0, said.stderr
    assert f"process {process.pid} on " in said.stdout
    assert "it has left: stopped" in said.stdout
    assert process.wait(60) == 75
    assert all_gone(members)
    found = status(tmp_path / "r")
    assert found.done == len(worked(tmp_path)) < UNITS, "what ran was settled"
    assert not (tmp_path / "r" / "stop").exists()
    (tmp_path / "log.quick").touch()
    again = subprocess.run([*LAB, "log", "--run-dir", "r", "--units", str(UNITS), "--mode", "slow",
                            "--no-progress", "--workers", "2"], cwd=tmp_path, timeout=120,
                           capture_output=True, text=True, check=True)  # fmt: skip
    assert again.stdout == f"sum {sum(n * n for n in range(UNITS))}\n"
    assert len(worked(tmp_path)) == UNITS, "nothing was done twice"


def test_stop_now_leaves_without_what_runs(tmp_path, start):
    process = start("hangs")
    members = family(process)
    assert stop(tmp_path, "--no-wait").returncode == 0
    time.sleep(2)
    assert process.poll() is None, "it settles what runs"
    said = stop(tmp_path, "--now")
    assert "it has left: stopped" in said.stdout
    assert process.wait(60) == 75
    assert "left at once" in process.stderr.read()
    assert all_gone(members), "workers and tools end with their run"
    assert status(tmp_path / "r").state == "stopped"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_second_signal_leaves_at_once_and_nothing_survives(tmp_path, start, number):
    process = start("hangs")
    members = family(process)
    process.send_signal(number)
    wait_for(lambda: "stopping" in (tmp_path / "r" / "run.log").read_text(), process)
    process.send_signal(number)
    assert process.wait(60) == 128 + number
    assert all_gone(members)
    assert status(tmp_path / "r").state == "stopped"
    assert "once more to leave at once" in process.stderr.read()


def test_nobody_to_stop(tmp_path):
    done = [*LAB, "log", "--run-dir", "r", "--workers", "1"]
    subprocess.run(done, cwd=tmp_path, capture_output=True, timeout=120, check=True)
    said = stop(tmp_path)
    assert (said.returncode, said.stdout) == (0, "nobody works on r\n")
    assert not (tmp_path / "r" / "stop").exists()
