"""A worker inside a SLURM job: ``python -m polytene.clusters.slurm_worker SCHEDULER ...``.

It binds to the address that the scheduler reaches, takes its memory limit from what SLURM allotted,
and, some time before the job's end or when SLURM sends ``USR1``, drains: it begins nothing more,
finishes what runs, hands over what it holds, and ends, so that the job ends as completed.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

from polytene.clusters.reach import towards
from polytene.core.deaths import ENDED

GRACE = "POLYTENE_GRACE"
DRAIN_AT = "POLYTENE_DRAIN_AT"
NANNY_BYTES = 160 << 20  # what the process that watches a worker takes itself
LEAST = 0.5
UNLIMITED = 1 << 60
OUTLASTED = "job {} had to end while it ran: it needs a longer walltime or margin"
CGROUPS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")


def allotted() -> int | None:
    """Return the bytes that this job may use; None if nothing says so.

    SLURM's own word counts, in MiB; else that of the control group.
    """
    own = os.environ.get("SLURM_MEM_PER_NODE", "")
    each = os.environ.get("SLURM_MEM_PER_CPU", "")
    if own.isdigit() and int(own):
        return int(own) << 20
    if each.isdigit() and int(each):
        return (int(each) << 20) * int(os.environ.get("SLURM_CPUS_ON_NODE") or 1)
    for path in CGROUPS:
        try:
            text = Path(path).read_text().strip()
        except OSError:
            continue
        if text.isdigit() and int(text) < UNLIMITED:
            return int(text)
    return None


def memory_limit() -> str:
    """Return a worker's limit: what is allotted, less what watches it takes."""
    bound = allotted()
    return "auto" if bound is None else str(max(int(bound * LEAST), bound - NANNY_BYTES))


def job_id() -> str:
    """Return the number of this job."""
    return os.environ.get("SLURM_JOB_ID", "?")


async def dask_setup(made: Any) -> None:
    """Prepare a nanny or a worker for draining; Dask calls it when either starts."""
    from distributed import Nanny

    loop = asyncio.get_running_loop()
    if isinstance(made, Nanny):
        loop.add_signal_handler(signal.SIGUSR1, _drain_worker_of, made)
        if at := os.environ.get(DRAIN_AT):
            loop.call_later(float(at) - time.monotonic(), _drain_worker_of, made)
    else:
        tasks: set[asyncio.Task[None]] = set()
        loop.add_signal_handler(signal.SIGUSR1, lambda: tasks.add(loop.create_task(drain(made))))


def _drain_worker_of(nanny: Any) -> None:
    """Pass the request on, once the worker can hear it."""
    process = nanny.process
    if process is not None and process.status.name == "running":
        os.kill(process.pid, signal.SIGUSR1)
    else:
        asyncio.get_running_loop().call_later(0.5, _drain_worker_of, nanny)


async def drain(worker: Any) -> None:
    """Begin nothing more, finish what runs within the grace, hand over what is held, and end.

    What runs for longer is lost with the worker as by a death, so that it is not begun for ever.
    """
    until = time.monotonic() + float(os.environ.get(GRACE, 30))
    retire = {"workers": [worker.address], "close_workers": False}
    while (worker.state.executing_count or worker.data) and time.monotonic() < until:
        if worker.status.name == "running":  # also where no other worker takes what it holds
            await worker.scheduler.retire_workers(**retire, remove=False)
        await asyncio.sleep(0.2)
    if worker.state.executing_count:
        worker.log_event(ENDED, {"worker": str(worker.name), "why": OUTLASTED.format(job_id())})
    else:
        await worker.scheduler.retire_workers(**retire, remove=True)
    await worker.close(nanny=True, reason="drained")


def main(words: list[str]) -> None:
    """Run ``dask worker`` as this job's only process."""
    own = argparse.ArgumentParser(prog="polytene.clusters.slurm_worker", add_help=False)
    own.add_argument("scheduler")
    own.add_argument("--memory-limit")
    own.add_argument("--interface")
    own.add_argument("--drain-after", type=float)
    own.add_argument("--grace", default="30")
    given, rest = own.parse_known_args(words)
    os.environ[GRACE] = given.grace
    if given.drain_after:
        os.environ[DRAIN_AT] = str(time.monotonic() + given.drain_after)
    from distributed.cli.dask_worker import main as dask_worker
    from distributed.comm import get_address_host

    where = ["--interface", given.interface] if given.interface else []
    if not where and (host := towards(get_address_host(given.scheduler))):
        where = ["--host", host]
    here = "polytene.clusters.slurm_worker"
    dask_worker(
        [given.scheduler, *rest, *where, "--memory-limit", memory_limit(), "--no-dashboard",
         "--dashboard-address", "127.0.0.1:0",
         "--preload", here, "--preload-nanny", here]
    )  # fmt: skip


if __name__ == "__main__":
    main(sys.argv[1:])
