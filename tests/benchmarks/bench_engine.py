"""What the engine costs per task and per unit, and what a million units take.

Run it alone on the machine: ``python tests/benchmarks/bench_engine.py [--quick]``.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import threading
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import dask
import psutil
from bench import Report
from distributed import Client

from polytene import Plan, Reduction, Stage, Unit, cluster, run
from polytene.core.sandbox import Sandbox

PROCESS = psutil.Process()


class Lazy:
    """Units that are made as they are listed."""

    def __init__(self, n: int) -> None:
        self.n = n

    def __len__(self) -> int:
        return self.n

    def __iter__(self) -> Iterator[Unit]:
        return (Unit(f"u{i:07d}") for i in range(self.n))


def one(unit: Unit) -> int:
    """Do nothing for a unit."""
    return 1


def bare(i: int) -> int:
    """Do nothing for a number."""
    return 1


def cpu(client: Client) -> float:
    """Return CPU seconds of driver, scheduler and workers so far."""
    return time.process_time() + sum(client.run(time.process_time).values())


def cost(client: Client, job) -> float:
    """Return the CPU seconds that a job takes everywhere."""
    start = cpu(client)
    job()
    return cpu(client) - start


def go(client: Client, n: int, folder: Path, block: int = 1, **settings: object):
    """Run ``n`` units that do nothing."""
    plan = Plan("nothing", Lazy(n), block=block)
    with dask.config.set({f"polytene.{k.replace('_', '-')}": v for k, v in settings.items()}):
        run_dir = tempfile.mkdtemp(dir=folder)
        return run(plan, [one], Reduction(sum), run_dir=run_dir, client=client)


def bench_tasks(report: Report, client: Client, folder: Path, n: int) -> None:
    """Compare a task of the engine with one of bare ``client.map``."""

    def mapped() -> None:
        client.gather(client.map(bare, range(n), pure=False))

    mapped()
    ratios, synced = [], []
    for _ in range(3):
        base = cost(client, mapped)
        ratios.append(
            cost(client, lambda: go(client, n, folder, task_seconds=0, fsync=False)) / base
        )
        synced.append(cost(client, lambda: go(client, n, folder, task_seconds=0)) / base)
    ratio, with_sync = sorted(ratios)[1], sorted(synced)[1]
    report.add(
        "run() over bare client.map, CPU per task, without fsync",
        ratio,
        "x",
        "<= 1.5",
        ratio <= 1.5,
    )
    report.add("run() over bare client.map, CPU per task, with fsync", with_sync, "x")


def bench_blocks(report: Report, client: Client, folder: Path, n: int) -> None:
    """Measure the cost of a unit in blocks of a thousand."""
    seconds = cost(client, lambda: go(client, n, folder, block=1000))
    each = seconds / n * 1e6
    report.add(f"{n:,} units in blocks of 1,000: CPU per unit", each, "us", "<= 100", each <= 100)


def bench_million(report: Report, client: Client, folder: Path, n: int) -> None:
    """Measure the driver's memory with many units, and the resume of a finished run."""
    go(client, 1000, folder, block=1000)
    base, peak, done = PROCESS.memory_info().rss, [0], threading.Event()

    def watch() -> None:
        while not done.wait(0.02):
            peak[0] = max(peak[0], PROCESS.memory_info().rss)

    thread = threading.Thread(target=watch)
    thread.start()
    plan, run_dir = Plan("nothing", Lazy(n), block=1000), tempfile.mkdtemp(dir=folder)
    start = time.perf_counter()
    out = run(plan, [one], Reduction(sum), run_dir=run_dir, client=client)
    first = time.perf_counter() - start
    start = time.perf_counter()
    again = run(Plan("nothing", Lazy(n), block=1000), [one], Reduction(sum), run_dir=run_dir)
    resumed = time.perf_counter() - start
    done.set()
    thread.join()
    assert (out.result, again.result, again.resumed) == (n, n, n)
    over = (peak[0] - base) / 1e6
    report.add(f"{n:,} units: seconds", first, "s")
    report.add(f"{n:,} units: driver's peak over an empty run", over, "MB", "<= 50", over <= 50)
    report.add(f"{n:,} units: resume of the finished run", resumed, "s", "< 10", resumed < 10)


def bench_sandbox(report: Report, n: int) -> None:
    """Measure a call into a sandbox that runs already."""
    box = Sandbox(600 << 20)
    box.call(bare, 1)
    start = time.perf_counter()
    for i in range(n):
        box.call(bare, i)
    each = (time.perf_counter() - start) / n * 1e6
    box.close()
    report.add("a call into a sandbox", each, "us", "<= 150", each <= 150)


DOWNLOADS, SLOTS, SECONDS = 30, 5, 0.2


def stamp(log: str, word: str, key: str) -> None:
    """Append a moment to a file that all workers share."""
    handle = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(handle, f"{time.monotonic_ns()} {word} {key}\n".encode())
    os.close(handle)


def download(unit: Unit, log: str) -> str:
    """Hold a slot for a while."""
    stamp(log, "begin", unit.key)
    time.sleep(SECONDS)
    stamp(log, "end", unit.key)
    return unit.key


def parse(unit: Unit, key: str, log: str) -> int:
    """Hold no slot."""
    stamp(log, "next", unit.key)
    return 1


def short(unit: Unit) -> int:
    """Be another run's work, which is not limited."""
    time.sleep(SECONDS)
    return 1


def unrelated(client: Client, folder: Path) -> float:
    """Return the seconds of a run of 20 units that has nothing to do with downloads."""
    plan, run_dir = Plan("other", Lazy(20)), tempfile.mkdtemp(dir=folder)
    start = time.perf_counter()
    run(plan, [short], Reduction(sum), run_dir=run_dir, client=client)
    return time.perf_counter() - start


def bench_limits(report: Report, client: Client, folder: Path) -> None:
    """Hold 30 downloads to five at a time, beside work that has no part in the limit."""
    log = str(folder / "stamps")
    stages = [Stage(partial(download, log=log), uses={"net": 1}), partial(parse, log=log)]

    def downloads() -> None:
        plan, run_dir = Plan("downloads", Lazy(DOWNLOADS)), tempfile.mkdtemp(dir=folder)
        limits = {"net": SLOTS}
        run(plan, stages, Reduction(sum), run_dir=run_dir, client=client, limits=limits)

    go(client, 10, folder)
    downloads()
    Path(log).unlink()
    downloads()
    moments = [line.split() for line in sorted(Path(log).read_text().splitlines())]
    now = peak = 0
    at: dict[tuple[str, str], int] = {}
    for moment, word, key in moments:
        now += {"begin": 1, "end": -1}.get(word, 0)
        peak = max(peak, now)
        at[word, key] = int(moment)
    keys = {key for _, key in at}
    wall = (max(at["end", k] for k in keys) - min(at["begin", k] for k in keys)) / 1e9
    ideal = DOWNLOADS / SLOTS * SECONDS
    gaps = sorted((at["next", k] - at["end", k]) / 1e6 for k in keys)
    what = f"{DOWNLOADS} downloads of {SECONDS} s, {SLOTS} at a time"
    report.add(f"{what}: most at once", peak, "", f"== {SLOTS}", peak == SLOTS)
    report.add(f"{what}: seconds over the ideal", wall / ideal, "x", "<= 1.2", wall <= 1.2 * ideal)
    middle = gaps[len(gaps) // 2]
    report.add(f"{what}: end to the next stage's begin", middle, "ms", "<= 50", middle <= 50)
    bench_beside(report, client, folder, downloads)


def bench_beside(report: Report, client: Client, folder: Path, downloads) -> None:
    """Compare another run alone with the same beside downloads that wait for a slot."""
    alone, beside = [], []
    for _ in range(3):
        alone.append(unrelated(client, folder))
        thread = threading.Thread(target=downloads)
        thread.start()
        time.sleep(SECONDS)
        beside.append(unrelated(client, folder))
        thread.join()
    ratio = sorted(beside)[1] / sorted(alone)[1]
    report.add("a run beside downloads that wait, over the same alone", ratio, "x", "<= 1.2",
               ratio <= 1.2)  # fmt: skip


def main() -> None:
    """Run the benchmarks, print the table and write it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a tenth of the sizes")
    parser.add_argument("-o", "--output", default="docs/_figures", help="folder of JSON and table")
    args = parser.parse_args()
    scale = 10 if args.quick else 1
    report = Report("engine benchmarks")
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        bench_sandbox(report, 3000)
        with cluster("local", workers=2, memory_limit="2GB") as client:
            bench_tasks(report, client, folder, 3000 // scale)
            bench_blocks(report, client, folder, 100_000 // scale)
            bench_million(report, client, folder, 1_000_000 // scale)
        with cluster("local", workers=2, threads=8, memory_limit="2GB") as client:
            bench_limits(report, client, folder)
    report.write(args.output)


if __name__ == "__main__":
    main()
