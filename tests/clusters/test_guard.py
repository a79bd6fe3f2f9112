"""The memory limit holds for what a worker starts, and the worker lives."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from polytene import Plan, Reduction, Unit, cluster, run
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
