"""A driver that dies at each point between write, fsync, rename, ledger and commit."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from tests.faults import points_subject
from tests.faults.points_subject import BLOCK, UNITS

from polytene.core.chaos import POINTS, VARIABLE
from polytene.core.cleaning import clean
from polytene.watch.status import verify

LEGS = 2
WRITTEN_IN_VAIN = 2 * BLOCK * LEGS  # what two threads have in flight


@pytest.fixture(scope="module")
def run():
    """Run the subject in a process of its own; returns its exit code."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([points_subject.__name__])

    def go(folder: Path, where: str = "") -> int | None:
        process = context.Process(target=points_subject.main, args=(str(folder), where))
        process.start()
        process.join(90)
        return process.exitcode

    return go


@pytest.fixture(scope="module")
def undisturbed(run, tmp_path_factory) -> bytes:
    folder = tmp_path_factory.mktemp("undisturbed") / "run"
    assert run(folder) == 0
    return (folder / "result").read_bytes()


INSTANTS = [f"{p}@1" for p in POINTS] + [f"{p}@4" for p in POINTS if p[:4] in ("file", "part")]


@pytest.mark.parametrize("instant", INSTANTS)
def test_it_dies_and_the_same_command_goes_on(run, undisturbed, tmp_path, instant):
    folder = tmp_path / "run"
    assert run(folder, instant) == -signal.SIGKILL
    if (folder / "plan.json").exists():
        assert verify(folder, deep=True)[1] == []
    assert run(folder) == 0
    assert (folder / "result").read_bytes() == undisturbed
    assert verify(folder, deep=True)[1] == []
    ran = Counter(Path(f"{folder}.log").read_text().split())
    assert len(ran) == UNITS * LEGS
    assert sum(ran.values()) - UNITS * LEGS <= WRITTEN_IN_VAIN
    clean(folder)
    assert not list(folder.rglob("*.tmp"))


def test_a_point_that_does_not_exist_is_named():
    done = subprocess.run(
        [sys.executable, "-c", "import polytene.core.files"],
        env={**os.environ, VARIABLE: "part.dat"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode
    assert "NAME one of file.created" in done.stderr
