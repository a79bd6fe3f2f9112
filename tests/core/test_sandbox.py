"""What kills a sandbox's child, or hangs in it, harms nothing else."""

from __future__ import annotations

import ctypes
import math
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest

from polytene.core.sandbox import Died, Sandbox, TimedOut


@pytest.fixture
def sandbox():
    box = Sandbox(memory=600 << 20)
    yield box
    box.close()


def crash() -> None:
    ctypes.string_at(0)


def kill_itself(number: int) -> None:
    os.kill(os.getpid(), number)


def raise_odd() -> None:
    class Odd(Exception):
        def __reduce__(self):
            raise TypeError("cannot be pickled")

    raise Odd("what it says")


def start_sleeper() -> int:
    return subprocess.Popen(["sleep", "300"]).pid


def start_sleeper_and_hang(note: str) -> None:
    Path(note).write_text(str(start_sleeper()))
    time.sleep(300)


def is_running(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def gone(pid: int, seconds: float = 5) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if not is_running(pid):
            return True
        time.sleep(0.02)
    return False


def test_answers_come_from_one_child(sandbox):
    pids = {sandbox.call(os.getpid) for _ in range(20)}
    assert len(pids) == 1
    assert os.getpid() not in pids


def test_values_and_exceptions_come_back(sandbox):
    assert sandbox.call(math.sqrt, 2.0) == math.sqrt(2.0)
    assert sandbox.call(bytes, 3 << 20) == bytes(3 << 20)
    with pytest.raises(ZeroDivisionError):
        sandbox.call(lambda: 1 // 0)
    with pytest.raises(RuntimeError, match="Odd: what it says"):
        sandbox.call(raise_odd)


def test_what_a_unit_prints_does_not_mix_with_answers(sandbox):
    assert sandbox.call(lambda: print("x" * 100_000) or 7) == 7


@pytest.mark.parametrize(
    ("poison", "code"),
    [
        (crash, -signal.SIGSEGV),
        (lambda: kill_itself(signal.SIGKILL), -signal.SIGKILL),
        (lambda: os._exit(3), 3),
    ],
)
def test_death_is_told_and_the_next_call_works(sandbox, poison, code):
    with pytest.raises(Died) as caught:
        sandbox.call(poison)
    assert caught.value.code == code
    assert sandbox.call(math.sqrt, 4.0) == 2.0


def test_an_allocation_beyond_the_cap_is_a_memory_error(sandbox):
    with pytest.raises(MemoryError):
        sandbox.call(lambda: len(bytearray(2 << 30)))
    assert sandbox.call(lambda: len(bytearray(50 << 20))) == 50 << 20


def test_a_hang_is_ended_with_all_that_it_started(sandbox, tmp_path):
    note = tmp_path / "pid"
    with pytest.raises(TimedOut, match="no answer within"):
        sandbox.call(start_sleeper_and_hang, str(note), timeout=3)
    assert gone(int(note.read_text()))
    assert sandbox.call(math.sqrt, 4.0) == 2.0


def test_close_ends_what_a_unit_left_behind(sandbox):
    pid = sandbox.call(start_sleeper)
    assert is_running(pid)
    sandbox.close()
    assert gone(pid)


PARENT = """
import os, sys, threading, time
from polytene.core.sandbox import Sandbox
def work():
    print(Sandbox().call(os.getpid), flush=True)
threading.Thread(target=work).start()
time.sleep(300)
"""


def test_the_child_dies_with_a_parent_that_is_killed():
    parent = subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE, text=True)
    child = int(parent.stdout.readline())
    time.sleep(0.3)
    assert is_running(child), "the child must outlive the thread that asked for it"
    parent.kill()
    parent.wait()
    parent.stdout.close()
    assert gone(child)


def test_many_threads_each_have_a_child():
    boxes = [Sandbox() for _ in range(3)]
    with ThreadPoolExecutor(3) as threads:
        pids = list(threads.map(lambda box: box.call(os.getpid), boxes))
    for box in boxes:
        box.close()
    assert len(set(pids)) == 3
