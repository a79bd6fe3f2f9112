"""What the live page costs: of 10,000 units, per update, and of the process that runs all.

``python tests/benchmarks/bench_page.py [FOLDER]`` takes about two minutes.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import dask
from bench import Report
from bokeh.client import pull_session
from bokeh.document import Document
from bokeh.protocol import Protocol
from distributed import Client

from polytene import Partial, Plan, Reduction, Unit, cluster, run
from polytene.core.ledger import segments
from polytene.watch.live import PERIOD
from polytene.watch.page import Canvas
from polytene.watch.snapshot import Reader

UNITS = 10_000
STEPS = 40
ROUNDS = 2
MOST = 0.10


def small(unit: Unit) -> Partial:
    """Do nothing, and count."""
    return Partial(unit.cost, items=10, nbytes=1000)


def work(client: Client, root: Path, units: int = UNITS) -> None:
    """Run units, each a block and a task of its own."""
    plan = Plan("page", [Unit(f"unit{i:05d}") for i in range(units)])
    with dask.config.set({"polytene.task-seconds": 0, "polytene.fsync": False}):
        run(plan, [small], Reduction(sum), run_dir=root, client=client)


@contextmanager
def looked_at(client: Client, wanted: bool) -> Iterator[None]:
    """Keep the page open, as a browser would."""
    if not wanted:
        yield
        return
    link = client.dashboard_link.rpartition("/")[0] + "/polytene"
    session = pull_session(url=link)
    try:
        yield
    finally:
        session.close()


def replay(root: Path, report: Report) -> None:
    """Let the ledger of a run grow again, and time what each update of the page takes."""
    (segment,) = segments(root)
    lines = segment.read_bytes().splitlines(keepends=True)
    segment.write_bytes(b"")
    message = {
        "run": str(root), "kind": "page", "noun": "unit", "token": "", "units": UNITS,
        "settled": 0, "items": 0, "nbytes": 0, "failures": 0, "flying": 500, "limits": {},
        "over": False,
    }  # fmt: skip
    reader, canvas, document = Reader(str(root)), Canvas(), Document()
    document.add_root(canvas.model)
    events: list[object] = []
    document.on_change(events.append)
    protocol = Protocol()
    read, draw, sent = [], [], []
    each = -(-len(lines) // STEPS)
    for step in range(STEPS):
        with open(segment, "ab") as out:
            out.writelines(lines[step * each : (step + 1) * each])
        running = [(0, (step * 250 + n) % UNITS) for n in range(16)]
        start = time.thread_time()
        snapshot = reader.read(message, 0.0, running)
        middle = time.thread_time()
        canvas.draw(snapshot)
        size = 0
        if events:
            made = protocol.create("PATCH-DOC", list(events))
            size = len(made.content_json)
            events.clear()
        end = time.thread_time()
        if step > 1:  # the first one makes the figures
            read.append(middle - start)
            draw.append(end - middle)
            sent.append(size)
    one = statistics.median(read) + statistics.median(draw)
    report.add("reading the run directory on, an update", 1e3 * statistics.median(read), "ms")
    report.add("drawing and packing, an update and browser", 1e3 * statistics.median(draw), "ms")
    report.add("sent, an update and browser", statistics.median(sent) / 1e3, "kB")
    report.add("share of a core while one looks", one / PERIOD, "", "<= 0.1", one / PERIOD <= MOST)


def whole(report: Report) -> Path:
    """Run with the page open and closed; compare the CPU of driver and scheduler."""
    seconds: dict[bool, list[float]] = {False: [], True: []}
    walls: dict[bool, list[float]] = {False: [], True: []}
    home = Path(tempfile.mkdtemp(prefix="polytene-"))
    with cluster("local", workers=2, memory_limit="1GB", dashboard_port=0) as client:
        work(client, home / "warm", 500)
        for n in range(ROUNDS):
            for wanted in (False, True):
                with looked_at(client, wanted):
                    start, wall = time.process_time(), time.perf_counter()
                    work(client, home / f"run{n}{wanted}")
                    seconds[wanted].append(time.process_time() - start)
                    walls[wanted].append(time.perf_counter() - wall)
                time.sleep(6)  # the page notices that nobody looks
    closed, shown = (statistics.median(seconds[wanted]) for wanted in (False, True))
    wall = statistics.median(walls[True])
    report.add(f"CPU of {UNITS:,} units, nobody looks", closed, "s")
    report.add("the same with the page open", shown, "s")
    more = (shown - closed) / wall
    report.add("CPU for the page, of the run's time", more, "", "<= 0.1", more <= MOST)
    return home / f"run{ROUNDS - 1}True"


def main() -> None:
    """Print the table and write it."""
    report = Report("page of a run while it works")
    replay(whole(report), report)
    report.write(sys.argv[1] if len(sys.argv) > 1 else "docs/_figures")


if __name__ == "__main__":
    main()
