"""The lock: one driver a directory, named to the second one, gone with its holder."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import threading

import pytest

from polytene import Plan, Reduction, Unit, run
from polytene.core.lock import Lock, holder, is_held
from polytene.exceptions import RunLocked

HOLDER = """
import sys
from pathlib import Path
from polytene.core.lock import Lock
with Lock(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def size(unit):
    return len(unit.key)


@pytest.fixture
def other(tmp_path):
    """Another process that holds the lock of ``tmp_path``."""
    command = [sys.executable, "-c", HOLDER, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"held\n"
        yield process
        process.kill()


def test_the_second_driver_hears_who_holds_it(tmp_path, other):
    with pytest.raises(RunLocked) as caught:
        run(Plan("k", [Unit("a")]), [size], Reduction(sum), run_dir=tmp_path)
    said = str(caught.value)
    assert f"process {other.pid} on {socket.gethostname()} since " in said
    assert re.search(r"since \d{4}-\d\d-\d\d \d\d:\d\d:\d\d: wait for it", said)
    assert caught.value.exit_code == 6
    assert sorted(p.name for p in tmp_path.iterdir()) == ["lock"], "nothing was touched"


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_it_goes_with_its_holder(tmp_path, other, number):
    assert is_held(tmp_path)
    other.send_signal(number)
    other.wait()
    assert not is_held(tmp_path)
    assert holder(tmp_path)["pid"] == other.pid, "the last holder is still named"
    with Lock(tmp_path):
        assert holder(tmp_path)["pid"] == os.getpid()


def test_two_drivers_of_one_process(tmp_path):
    with Lock(tmp_path), pytest.raises(RunLocked, match=str(os.getpid())):
        Lock(tmp_path)
    with Lock(tmp_path):
        pass


def test_a_failed_run_frees_it(tmp_path):
    with pytest.raises(ValueError, match="max_quarantined"):
        run(Plan("k", [Unit("a")]), [size], Reduction(sum), run_dir=tmp_path, max_quarantined=2)
    with pytest.raises(ValueError, match="repeat"):
        run(Plan("k", [Unit("a")] * 2), [size], Reduction(sum), run_dir=tmp_path)
    assert not is_held(tmp_path)


def test_the_beat_counts_up(tmp_path):
    with Lock(tmp_path) as lock:
        first = holder(tmp_path)["beat"]
        lock.beat()
        assert holder(tmp_path)["beat"] == first + 1
        assert len((tmp_path / "lock").read_text().splitlines()) == 1


@pytest.mark.parametrize("text", ["", "{", "null", "[]", '{"host": 5}', "\x00" * 50])
def test_a_damaged_lock_file_is_no_obstacle(tmp_path, text):
    (tmp_path / "lock").write_text(text)
    assert not is_held(tmp_path, patience=0)
    with Lock(tmp_path):
        assert is_held(tmp_path)


def test_elsewhere_the_sign_of_life_decides(tmp_path, monkeypatch):
    with Lock(tmp_path) as lock:
        monkeypatch.setattr(socket, "gethostname", lambda: "elsewhere")
        assert not is_held(tmp_path, patience=0)
        beats = iter(range(9))
        monkeypatch.setattr("time.sleep", lambda s: [lock.beat() for _ in range(next(beats) + 1)])
        assert is_held(tmp_path)


def test_looking_does_not_keep_a_driver_out(tmp_path):
    with Lock(tmp_path):
        pass
    stop = threading.Event()

    def look():
        while not stop.is_set():
            is_held(tmp_path)

    readers = [threading.Thread(target=look) for _ in range(3)]
    [t.start() for t in readers]
    try:
        for _ in range(300):
            with Lock(tmp_path):
                pass
    finally:
        stop.set()
        [t.join() for t in readers]


def test_a_beat_is_never_seen_half(tmp_path):
    stop = threading.Event()
    with Lock(tmp_path) as lock:

        def beat():
            while not stop.is_set():
                lock.beat()

        writer = threading.Thread(target=beat)
        writer.start()
        try:
            assert all(is_held(tmp_path) for _ in range(3000))
        finally:
            stop.set()
            writer.join()
