"""Sixty units, six of them poison: exactly these fail, each under its own name."""

from __future__ import annotations

import ctypes
import functools
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import dask
import pytest

from polytene import Plan, Reduction, Stage, Unit, cluster, run
from polytene.core.retry import POLICIES
from polytene.watch.status import quarantine, verify

UNITS = 60
TIMEOUT = 3.0


@dataclass(frozen=True)
class Number(Unit):
    n: int = 0


def fail():
    raise ValueError("odd")


def crash():
    ctypes.string_at(0)


def leave():
    os._exit(3)


def kill_itself():
    os.kill(os.getpid(), signal.SIGKILL)


def hang():
    while True:
        time.sleep(60)


def devour():
    held = b"x" * (2 << 30)
    hang()
    return held


POISON = {
    3: (fail, "tool", "ValueError", "odd (test_poison.py:"),
    14: (crash, "tool", "died", "signal SIGSEGV"),
    25: (leave, "tool", "died", "exit code 3"),
    36: (kill_itself, "tool", "died", "signal SIGKILL"),
    47: (hang, "tool", "timeout", f"no answer within {TIMEOUT:g} s"),
    58: (devour, "memory", "MemoryError", "--memory-limit"),
}
KILLERS = (crash, leave, kill_itself, devour)


def square(unit, log, poison):
    handle = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(handle, f"{unit.key}\n".encode())
    os.close(handle)
    if unit.n in poison:
        POISON[unit.n][0]()
    return [unit.n**2]


def joined(values):
    return [n for value in values for n in value]


def tries(number: int, *, isolated: bool) -> int:
    """The first try, what the policy adds, and where a worker died of it the try in it.

    Memory is tried again where there is more of it: on workers of one thread there is not.
    """
    func, category, _, _ = POISON[number]
    in_worker = func in KILLERS and not isolated
    again = isolated or category != "memory"
    return in_worker + 1 + again * POLICIES[category].times


@pytest.fixture
def go(tmp_path):
    """Run the sixty units on small workers; return the outcome and what was executed.

    Where a poison takes its worker with it, a task is one unit and a worker runs one task, so
    that nobody else is begun twice.
    """

    def run_it(poison, **stage):
        log = tmp_path / "executed"
        func = functools.partial(square, log=str(log), poison=sorted(poison))
        block = 4 if stage else 1
        plan = Plan("poison", [Number(f"u{n}", n) for n in range(UNITS)], block=block)
        size = {"workers": 1, "threads": 2} if stage else {"workers": 2, "threads": 1}
        small = cluster("local", **size, memory_limit="500MiB", dashboard_port=0)
        with dask.config.set({"polytene.task-seconds": 10 if stage else 0}):
            out = run(plan, [Stage(func, **stage)], Reduction(joined), run_dir=tmp_path / "run",
                      client=small, max_quarantined=1)  # fmt: skip
        return out, Counter(log.read_text().split())

    return run_it


@pytest.mark.parametrize(
    ("poison", "stage"),
    [(sorted(POISON), {"timeout": TIMEOUT}), (sorted({*POISON} - {47}), {})],
    ids=["isolated from the start", "isolated after a death"],
)
def test_exactly_the_poison_fails(go, tmp_path, poison, stage):
    out, ran = go(poison, **stage)
    assert [(f.key, f.category, f.reason) for f in out.quarantined] == [
        (f"u{n}", *POISON[n][1:3]) for n in poison
    ]
    for failure, n in zip(out.quarantined, poison, strict=True):
        assert POISON[n][3] in failure.detail
    assert out.result == [n**2 for n in range(UNITS) if n not in poison]
    assert (out.planned, out.computed, out.resumed) == (UNITS, UNITS - len(poison), 0)
    expected = dict.fromkeys((f"u{n}" for n in range(UNITS)), 1)
    expected |= {f"u{n}": tries(n, isolated=bool(stage)) for n in poison}
    assert dict(ran) == expected
    assert quarantine(tmp_path / "run") == out.quarantined
    assert verify(tmp_path / "run", deep=True)[1] == []


SCRIPT = """
import sys
from beside import square
from polytene import Plan, Reduction, Unit, cluster, run

if __name__ == "__main__":
    plan = Plan("k", [Unit(f"u{n}") for n in range(8)], block=4)
    out = run(plan, [square], Reduction(sum), run_dir=sys.argv[1], max_quarantined=1,
              client=cluster("local", workers=1, memory_limit="500MB", dashboard_port=0))
    print(out.result, *(f"{f.key} {f.reason}" for f in out.quarantined))
"""
BESIDE = """
import os
def square(unit):
    if unit.key == "u3":
        os._exit(9)
    return int(unit.key[1:]) ** 2
"""


def test_a_sandbox_finds_the_modules_beside_the_script(tmp_path):
    """Neighbours of a poison run in a sandbox, too: it must load what their worker could."""
    (tmp_path / "job.py").write_text(SCRIPT)
    (tmp_path / "beside.py").write_text(BESIDE)
    command = [sys.executable, str(tmp_path / "job.py"), str(tmp_path / "run")]
    done = subprocess.run(command, capture_output=True, text=True, cwd=Path("/"), timeout=60)
    assert done.stdout == f"{sum(n * n for n in range(8)) - 9} u3 died\n", done.stderr
