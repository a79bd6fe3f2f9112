"""What watching and guarding small tasks costs: TLS, the tree guard, events, the live page.

Run it alone on the machine: ``python tests/benchmarks/bench_overheads.py [--quick]``. The CPU of
all processes of the cluster is counted; what looks at the page counts as somebody else's.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr
from pathlib import Path
from urllib.parse import urlsplit

import dask
from bench import Report
from distributed import Client

from polytene import Plan, Reduction, Unit, cluster, run
from polytene.clusters.guard import TreeMemory
from polytene.watch.progress import progress

TASKS, ROUNDS = 10_000, 5
FEW, MOST = 0.10, 0.25
VIEWER = """
import sys, time
from bokeh.client import pull_session
session = pull_session(url=sys.argv[1])
print("open", flush=True)
while True:
    session.force_roundtrip()
    time.sleep(0.5)
"""


def one(unit: Unit) -> int:
    """Do nothing for a unit."""
    return 1


def cpu(client: Client) -> float:
    """Return CPU seconds of driver, scheduler, nannies and workers so far."""
    return time.process_time() + sum(client.run(time.process_time).values())


def each(client: Client, n: int, **watching: object) -> float:
    """Return the CPU of a task, in microseconds, of a run with one unit a task."""
    plan = Plan("nothing", [Unit(f"u{i:06}") for i in range(n)])
    settings = {"polytene.task-seconds": 0, "polytene.fsync": False}
    with tempfile.TemporaryDirectory() as folder, dask.config.set(settings):
        start = cpu(client)
        run(plan, [one], Reduction(sum), run_dir=folder, client=client, **watching)
        return (cpu(client) - start) / n * 1e6


@contextmanager
def guarded(client: Client) -> Iterator[None]:
    """Have the tree guard look while it lasts."""
    client.register_plugin(TreeMemory())
    try:
        yield
    finally:
        client.unregister_worker_plugin(TreeMemory.name, nanny=True)


@contextmanager
def looked_at(client: Client) -> Iterator[None]:
    """Keep the live page open, in a process of its own."""
    port = urlsplit(client.dashboard_link).port
    command = [sys.executable, "-c", VIEWER, f"http://127.0.0.1:{port}/polytene"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as viewer:
        try:
            assert viewer.stdout is not None
            assert viewer.stdout.readline() == "open\n"
            yield
        finally:
            viewer.kill()


def with_guard(client: Client, n: int) -> float:
    with guarded(client):
        return each(client, n)


def with_events(client: Client, n: int) -> float:
    with open(os.devnull, "w") as nowhere, redirect_stderr(nowhere), progress() as on_event:
        return each(client, n, on_event=on_event)


def with_page(client: Client, n: int) -> float:
    with looked_at(client):
        return each(client, n)


def main() -> None:
    """Take the figures."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true", help="a tenth of the tasks")
    parser.add_argument("--out", type=Path, default=Path("docs/_figures"))
    given = parser.parse_args()
    n = TASKS // ROUNDS // (10 if given.quick else 1)
    about = {"workers": 2, "memory_limit": "1GB", "dashboard_port": 0}
    report = Report(f"overheads of {n * ROUNDS:,} tasks that do nothing")
    with cluster("local", **about, tls="off") as plain, cluster("local", **about, tls="on") as tls:
        for client in (plain, tls):
            client.unregister_worker_plugin(TreeMemory.name, nanny=True)
            each(client, 200)
        ways: dict[str, Callable[[], float]] = {
            "plain": lambda: each(plain, n),
            "TLS": lambda: each(tls, n),
            "tree guard": lambda: with_guard(plain, n),
            "events, to a progress display": lambda: with_events(plain, n),
            "live page, looked at": lambda: with_page(plain, n),
        }
        taken: dict[str, list[float]] = {name: [] for name in ways}
        for _ in range(ROUNDS):
            for name, way in ways.items():
                taken[name].append(way())
    bare = taken.pop("plain")
    report.add("CPU of a task, plain", statistics.median(bare), "us")
    for name, found in taken.items():
        more = statistics.median(a / b - 1 for a, b in zip(found, bare, strict=True))
        most = MOST if name == "TLS" else FEW
        report.add(f"{name}: more CPU", 100 * more, "%", f"< {most:.0%}", more < most)
    if not given.quick:
        report.write(given.out)


if __name__ == "__main__":
    main()
