"""What is known of the death of workers is told with the units that it cost."""

from __future__ import annotations

import os
import signal
import time

import psutil
from distributed import get_worker

from polytene import Plan, Reduction, Unit, run
from polytene.core.deaths import ENDED


def deadly(unit):
    """End the worker, also from within a sandbox; one that reached its walltime is told of."""
    if unit.key != "a":
        return [unit.key]
    me = psutil.Process()
    if any("sandbox_child" in word for word in me.cmdline()):
        os.kill(me.ppid(), signal.SIGKILL)
    else:
        about = {"worker": str(get_worker().name), "why": "job 7 reached its walltime on n1"}
        get_worker().log_event(ENDED, about)
        time.sleep(0.5)
        os.kill(me.pid, signal.SIGKILL)
    time.sleep(60)
    return []


def test_the_cause_of_a_death_is_told_where_it_is_known(local_client, tmp_path):
    plan = Plan("deaths", [Unit("a"), Unit("b")], block=1)
    out = run(plan, [deadly], Reduction(list), run_dir=tmp_path,
              client=local_client, max_quarantined=1)  # fmt: skip
    (failure,) = out.quarantined
    assert (failure.key, failure.reason) == ("a", "worker-lost")
    assert failure.detail == (
        "its worker died 5 times while it ran; job 7 reached its walltime on n1"
    )
