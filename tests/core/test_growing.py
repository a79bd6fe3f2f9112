"""Workers that come while a run goes on are given work at once, however long a unit takes."""

from __future__ import annotations

import threading
import time
from functools import partial
from pathlib import Path

from distributed import Client, LocalCluster

from polytene import Plan, Reduction, Unit, run

TOGETHER = 4


def meet(unit, folder):
    """Come to an end only once as many units run at a time as there are workers in the end."""
    seen = Path(folder)
    (seen / unit.key).touch()
    end = time.monotonic() + 60
    while len(list(seen.iterdir())) < TOGETHER:
        if time.monotonic() > end:
            return 0
        time.sleep(0.05)
    return 1


def test_a_run_that_began_with_one_worker_uses_all_that_come(tmp_path):
    (tmp_path / "seen").mkdir()
    plan = Plan("meet", [Unit(f"u{i}") for i in range(TOGETHER)], block=1)
    ports = dict.fromkeys(("dashboard_address", "worker_dashboard_address"), "127.0.0.1:0")
    own = {"n_workers": 1, "threads_per_worker": 1, "processes": False, "memory_limit": None}
    with LocalCluster(**own, **ports) as cluster, Client(cluster, set_as_default=False) as client:
        threading.Timer(1.0, cluster.scale, [TOGETHER]).start()
        stage = partial(meet, folder=str(tmp_path / "seen"))
        out = run(plan, [stage], Reduction(sum), run_dir=tmp_path / "run", client=client)
    assert out.result == TOGETHER
