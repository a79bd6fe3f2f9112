"""Two drivers of one run directory: one works, the other hears of it, and none is in the way."""

from __future__ import annotations

import json
import re
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from polytene.core.lock import holder
from polytene.watch.status import verify

SUBJECT = Path(__file__).with_name("two_legs.py")
UNITS, LEGS, WORKERS = 48, 2, 2


def start(folder):
    command = [sys.executable, str(SUBJECT), str(folder), str(WORKERS)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def executed(folder):
    log = Path(f"{folder}.log")
    return Counter(log.read_text().split() if log.exists() else [])


def until(condition, process):
    """Wait for a fact while a driver lives."""
    limit = time.monotonic() + 60
    while not condition():
        assert process.poll() is None, process.communicate()[1]
        assert time.monotonic() < limit
        time.sleep(0.02)


def came_to(process, folder, executions):
    """Wait until so many units were begun."""
    until(lambda: executed(folder).total() >= executions, process)


def ledger_of(folder, epoch):
    (segment,) = (folder / "ledger").glob(f"{epoch:05d}-*.jsonl")
    return segment.read_bytes()


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    folder = tmp_path_factory.mktemp("undisturbed") / "run"
    with start(folder) as process:
        assert json.loads(process.communicate(timeout=60)[0]) == [UNITS, UNITS, 0, []]
    return (folder / "result").read_bytes()


def test_a_second_driver_is_refused_and_harms_nothing(tmp_path, undisturbed):
    folder = tmp_path / "run"
    with start(folder) as first:
        came_to(first, folder, 10)
        with start(folder) as second:
            _, said = second.communicate(timeout=60)
        assert second.returncode == 6
        where = f"process {first.pid} on {re.escape(socket.gethostname())}"
        assert re.search(rf"{where} since \d{{4}}-\d\d-\d\d \d\d:\d\d:\d\d", said)
        assert json.loads(first.communicate(timeout=60)[0]) == [UNITS, UNITS, 0, []]
    assert set(executed(folder).values()) == {1}
    assert (folder / "result").read_bytes() == undisturbed


def test_a_driver_that_stands_still_is_relieved(tmp_path, undisturbed):
    """When it goes on, it finds itself relieved, and harms nothing of its successor."""
    folder = tmp_path / "run"
    with start(folder) as first:
        try:
            came_to(first, folder, 20)
            first.send_signal(signal.SIGSTOP)
            with start(folder) as second:
                until(lambda: holder(folder)["pid"] == second.pid, second)
                came_to(second, folder, executed(folder).total() + 10)
                written = ledger_of(folder, 1)
                first.send_signal(signal.SIGCONT)
                _, complaint = first.communicate(timeout=60)
                said, errors = second.communicate(timeout=90)
        finally:
            first.kill()
    assert first.returncode == 6, complaint
    assert f"taken over by process {second.pid} on {socket.gethostname()}" in complaint
    assert ledger_of(folder, 1) == written, "it writes nothing more"
    assert second.returncode == 0, errors
    planned, computed, resumed, bad = json.loads(said)
    assert (planned, bad) == (computed + resumed, [])
    assert resumed > 0
    assert (folder / "result").read_bytes() == undisturbed
    assert verify(folder, deep=True)[1] == []
    ran = executed(folder)
    assert len(ran) == LEGS * UNITS
    with start(folder) as third:
        said, _ = third.communicate(timeout=60)
    assert json.loads(said) == [UNITS, 0, UNITS, []]
    assert executed(folder) == ran, "nothing of either is done again"
