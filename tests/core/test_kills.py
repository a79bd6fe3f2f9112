"""Real processes, killed at random instants: nothing torn is seen, and the bytes are the same."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import psutil
import pytest

from polytene.watch.status import quarantine, status, verify

VICTIM = Path(__file__).with_name("victim.py")
KILLS = 12


def start(folder, mode):
    command = [sys.executable, str(VICTIM), str(folder), mode]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def finish(folder, mode="kill"):
    with start(folder, mode) as process:
        said, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors
    return said


def executions(folder):
    return Counter(Path(f"{folder}.log").read_text().split())


def wait_for(condition, process, patience=30.0):
    """Poll for a fact, not for a time."""
    limit = time.monotonic() + patience
    while not condition():
        assert process.poll() is None, process.communicate()[1]
        assert time.monotonic() < limit
        time.sleep(0.005)


def lines(folder):
    path = Path(f"{folder}.log")
    return path.read_bytes().count(b"\n") if path.exists() else 0


def torn(folder):
    """Return what is wrong with the parts that can be seen, whether or not they are listed."""
    from polytene.core import parts

    wrong = []
    for path in (folder / "parts").glob("*/*/*.json"):
        name = str(path.relative_to(folder).with_suffix(""))
        wrong.append(parts.damage(folder, parts.read_receipt(folder, name)[0]))
    return [w for w in wrong if w]


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    folder = tmp_path_factory.mktemp("undisturbed") / "run"
    assert finish(folder, "here").startswith("120 120 0 []")
    assert set(executions(folder).values()) == {1}
    return (folder / "result").read_bytes()


def test_a_driver_killed_at_random_instants(tmp_path, undisturbed):
    seed = random.SystemRandom().randrange(10**6)
    print(f"seed {seed}")
    rng = random.Random(seed)
    folder = tmp_path / "run"
    for _ in range(KILLS):
        with start(folder, "kill") as process:
            before, early = lines(folder), rng.random() < 0.25
            if not early:
                more = before + rng.randrange(1, 14)
                wait_for(lambda m=more: lines(folder) >= m or process.poll() is not None, process)
            time.sleep(rng.random() * (1.0 if early else 0.05))
            process.kill()
        if (folder / "plan.json").exists():
            assert torn(folder) == []
            assert verify(folder, deep=True)[1] == []
            assert status(folder).state in ("died", "finished")
    said = finish(folder)
    planned, computed, resumed = map(int, said.split()[:3])
    assert planned == computed + resumed == 120
    assert (folder / "result").read_bytes() == undisturbed
    ran = executions(folder)
    assert len(ran) == 120
    assert sum(ran.values()) - 120 <= KILLS * 2 * 12, "only what was in flight was done again"
    assert verify(folder, deep=True)[1] == []


def workers_of(process):
    """Return the worker processes below a driver."""
    try:
        return [p for p in psutil.Process(process.pid).children(recursive=True)
                if "spawn_main" in " ".join(p.cmdline())]  # fmt: skip
    except psutil.Error:
        return []


def test_a_worker_killed_in_the_middle(tmp_path, undisturbed):
    folder = tmp_path / "run"
    with start(folder, "kill") as process:
        for more in (10, 40):
            wait_for(lambda m=more: lines(folder) >= m and workers_of(process), process)
            workers_of(process)[0].send_signal(signal.SIGKILL)
        said, errors = process.communicate(timeout=60)
    assert said == "120 120 0 []\n", errors
    assert (folder / "result").read_bytes() == undisturbed
    ran = executions(folder)
    assert len(ran) == 120
    assert sum(ran.values()) - 120 <= 2 * 12, "what was finished is not done again"


# The child's own cap or the guard over the worker's whole tree: whichever is reached first.
MEMORY = ("memory memory-limit", "memory MemoryError")


# In its worker and in a sandbox; once more where that can help: no worker has more memory.
TIMES = {"poison": 3, "hungry": 2}


@pytest.mark.parametrize(("mode", "reasons"), [("poison", ("tool died",)), ("hungry", MEMORY)])
def test_a_unit_that_kills_its_workers(tmp_path, mode, reasons):
    folder = tmp_path / "run"
    said = finish(folder, mode)
    assert said in [f"24 23 0 ['u5 {reason}']\n" for reason in reasons]
    ran = executions(folder)
    assert ran.pop("u5") == TIMES[mode]
    assert len(ran) == 23
    assert sum(ran.values()) <= 23 + 4, "bystanders run once more at most"
    assert [f.key for f in quarantine(folder)] == ["u5"]
    assert status(folder).left == 0
    assert verify(folder, deep=True)[1] == []


def test_units_and_folds_beside_a_poison_are_not_blamed(tmp_path):
    folder = tmp_path / "run"
    said = finish(folder, "crowd")
    lost = [f"u{n} tool died" for n in (2, 5, 8)]
    assert said == f"24 21 0 {lost}\n"
    assert status(folder).state == "finished"
