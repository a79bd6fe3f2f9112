"""A cluster that loses its parts: scheduler, nanny, worker; workers that stand still or come late.

The scheduler and its workers are processes of their own here, as on a cluster of machines.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import psutil
import pytest
from distributed import Client

from polytene.core.ledger import read
from polytene.watch.status import status, verify

SUBJECT = Path(__file__).with_name("two_legs.py")
UNITS, MOST_UNITS, LEGS = 48, 8, 2
SETTINGS = {
    "DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES": "0",
    "DASK_DISTRIBUTED__SCHEDULER__WORKER_TTL": "4s",
}


class Cluster:
    """A scheduler and workers, each a process that can be killed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.processes: list[subprocess.Popen[bytes]] = []
        file = folder / "scheduler.json"
        self.scheduler = self._start(
            "scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard",
            "--scheduler-file", str(file),
        )  # fmt: skip
        until(file.exists, "the scheduler is up")
        self.address = json.loads(file.read_text())["address"]

    def _start(self, *words: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", f"distributed.cli.dask_{words[0]}", *words[1:]]
        with open(self.folder / f"{words[0]}.err", "ab") as errors:
            process = subprocess.Popen(
                command, stdout=errors, stderr=errors, env={**os.environ, **SETTINGS}
            )
        self.processes.append(process)
        return process

    def workers(self, count: int) -> list[subprocess.Popen[bytes]]:
        """Start workers under nannies; return the nannies once the scheduler knows all workers."""
        nannies = [self.worker() for _ in range(count)]
        self.known(count)
        return nannies

    def known(self, count: int) -> None:
        """Wait until the scheduler knows so many workers."""
        with Client(self.address, set_as_default=False) as client:
            client.wait_for_workers(count, timeout=60)

    def worker(self, *, nanny: bool = True) -> subprocess.Popen[bytes]:
        """Start a worker of one thread; return its nanny, or itself without one."""
        return self._start(
            "worker", self.address, "--host", "127.0.0.1", "--nthreads", "1", "--no-dashboard",
            "--memory-limit", "500MB", "--nanny" if nanny else "--no-nanny",
            "--local-directory", str(self.folder), "--death-timeout", "20",
        )  # fmt: skip

    def close(self) -> None:
        """Kill what is left."""
        for process in self.processes:
            for below in children(process):
                kill(below)
            process.kill()
            process.wait()


def children(process: subprocess.Popen[bytes]) -> list[psutil.Process]:
    try:
        return psutil.Process(process.pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def kill(process: psutil.Process) -> None:
    with contextlib.suppress(psutil.NoSuchProcess):
        process.kill()


def runs(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def until(condition, promise: str, seconds: float = 60.0) -> None:
    """Wait for a fact, not for a time."""
    limit = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < limit, f"after {seconds:g} s it is not so that {promise}"
        time.sleep(0.02)


@pytest.fixture
def cluster(tmp_path):
    made = Cluster(tmp_path)
    yield made
    made.close()


class Driver:
    """The subject, on a cluster that somebody else started."""

    def __init__(self, folder: Path, where: str) -> None:
        self.folder, self.log = folder, Path(f"{folder}.log")
        self.process = subprocess.Popen(
            [sys.executable, str(SUBJECT), str(folder), where],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip

    def executed(self) -> Counter[str]:
        return Counter(self.log.read_text().split() if self.log.exists() else [])

    def came_to(self, executions: int) -> None:
        """Wait until so many units were begun."""
        until(lambda: self.executed().total() >= executions or self.process.poll() is not None,
              f"{executions} units were begun")  # fmt: skip
        assert self.process.poll() is None, self.process.communicate()[1]

    def end(self, code: int = 0, seconds: float = 90.0) -> list:
        """Wait for the end; return the accounts."""
        said, errors = self.process.communicate(timeout=seconds)
        assert self.process.returncode == code, errors
        self.errors = errors
        return json.loads(said) if said else []


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    folder = tmp_path_factory.mktemp("undisturbed") / "run"
    assert Driver(folder, "2").end() == [UNITS, UNITS, 0, []]
    return (folder / "result").read_bytes()


def is_right(driver: Driver, said: list, undisturbed: bytes, flew: int) -> None:
    """All is done, the bytes are the same, and no more was done again than flew."""
    planned, computed, resumed, bad = said
    assert (planned, bad) == (computed + resumed, [])
    assert (driver.folder / "result").read_bytes() == undisturbed
    assert verify(driver.folder, deep=True)[1] == []
    ran = driver.executed()
    assert len(ran) == LEGS * UNITS
    assert ran.total() <= LEGS * UNITS + flew


def test_the_scheduler_dies(tmp_path, undisturbed):
    folder = tmp_path / "run"
    first = Cluster(tmp_path)
    try:
        first.workers(2)
        driver = Driver(folder, first.address)
        driver.came_to(20)
        first.scheduler.kill()
        driver.end(75)
        assert driver.errors.splitlines()[-1].startswith("Error: the cluster is gone; ")
    finally:
        first.close()
    assert None not in list(read(folder))
    assert status(folder).state == "stopped"
    (tmp_path / "scheduler.json").unlink()
    second = Cluster(tmp_path)
    try:
        second.workers(1)
        again = Driver(folder, second.address)
        said = again.end()
    finally:
        second.close()
    assert said[2] > 0, "what was done before is used"
    is_right(again, said, undisturbed, 2 * MOST_UNITS)


def test_a_nanny_dies_and_what_was_below_it_ends(tmp_path, cluster, undisturbed):
    doomed, _ = cluster.workers(2)
    driver = Driver(tmp_path / "run", cluster.address)
    driver.came_to(20)
    below = children(doomed)
    assert below
    doomed.kill()
    until(lambda: not any(map(runs, below)), "worker, sandbox and tool ended with their nanny", 15)
    is_right(driver, driver.end(), undisturbed, 2 * MOST_UNITS)


def test_a_worker_is_lost_for_good_and_another_comes_late(tmp_path, cluster, undisturbed):
    doomed = cluster.worker(nanny=False)
    cluster.known(1)
    driver = Driver(tmp_path / "run", cluster.address)
    driver.came_to(20)
    doomed.kill()
    cluster.worker()
    is_right(driver, driver.end(), undisturbed, MOST_UNITS)


def test_a_worker_that_stands_still_is_replaced(tmp_path, cluster, undisturbed):
    """Its nanny lives; the scheduler gives it up after ``worker-ttl``."""
    nanny, _ = cluster.workers(2)
    driver = Driver(tmp_path / "run", cluster.address)
    driver.came_to(20)
    still = next(p for p in children(nanny) if "spawn_main" in " ".join(p.cmdline()))
    still.send_signal(signal.SIGSTOP)
    is_right(driver, driver.end(), undisturbed, 2 * MOST_UNITS)
