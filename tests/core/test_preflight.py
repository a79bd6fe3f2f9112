"""What could never run is refused before anything runs, with the reason."""

from __future__ import annotations

import sys

import pytest

from polytene import Plan, Reduction, Stage, Unit, run
from polytene.exceptions import PreflightError

PLAN = Plan("k", [Unit("a"), Unit("b")])


def test_code_that_workers_cannot_load_is_named(tmp_path, local_client, monkeypatch):
    (tmp_path / "only_here.py").write_text("def stage(unit):\n    return 1\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    stage = __import__("only_here").stage
    try:
        with pytest.raises(PreflightError, match=r"cannot load .* No module named 'only_here'"):
            run(PLAN, [stage], Reduction(sum), run_dir=tmp_path / "run", client=local_client)
    finally:
        sys.modules.pop("only_here")
    assert len(local_client.nthreads()) == 2, "no worker was lost on it"


def test_units_that_need_more_than_a_worker_has(tmp_path, local_client):
    stage = Stage(len, memory=3e9)
    with pytest.raises(PreflightError, match=r"stage len needs up to 2\.79 GiB .* --memory-limit"):
        run(PLAN, [stage], Reduction(sum), run_dir=tmp_path, client=local_client)
    assert not list((tmp_path).glob("parts/*/*/*"))
