"""Schedules of the rnaseq room against their bounds, and real runs from a slow archive.

Run it alone on the machine: ``python tests/benchmarks/bench_rnaseq.py [--quick]``; about two
minutes. It needs kallisto.
"""

from __future__ import annotations

import argparse
import random
import statistics
import tempfile
import threading
import time
from pathlib import Path

from bench import Report
from distributed import Client

from polytene import cluster, rnaseq
from polytene.formats.remote import Patience
from polytene.rnaseq.schedule import lower_bound, simulate
from polytene.testing import Archive, write_reads, write_transcripts

USES = [{"net": 1.0}, {"quant": 1.0}]
SLOTS = {"net": 5.0, "quant": 2.0}


def batch_barrier(download: list[float], quant: list[float], quants: int) -> float:
    """Return the makespan where five are downloaded, then five are quantified."""
    total = 0.0
    for start in range(0, len(download), 5):
        total += max(download[start : start + 5])
        ends = [0.0] * quants
        for seconds in quant[start : start + 5]:
            ends[ends.index(min(ends))] += seconds
        total += max(ends)
    return total


def thread_coupled(download: list[float], quant: list[float]) -> float:
    """Return the makespan where each of five threads downloads, then quantifies (two at once)."""
    leg = [d + q for d, q in zip(download, quant, strict=True)]
    return simulate([leg], [{"net": 1.0}], {"net": 5.0}).makespan


def bench_simulated(report: Report, draws: int) -> None:
    """The original's case: 81 samples, 15 and 3 minutes, 5 and 2 at once."""
    download, quant = [15.0] * 81, [3.0] * 81
    waves = 258.0
    serial = batch_barrier(download, quant, 1)
    report.add("batch barrier, serial quantification (the original's figure)", serial, "min")
    report.add("batch barrier, 2 quantifications", batch_barrier(download, quant, 2), "min")
    coupled = thread_coupled(download, quant)
    report.add("thread-coupled (the original's code), at least", coupled, "min")
    for quota in (25.0, 30.0, 35.0):
        found = simulate([download, quant], USES, {**SLOTS, "disk": quota}, [5.0] * 81)
        target = ("<= 1.01", found.makespan <= 1.01 * waves) if quota >= 30 else ("", None)
        name, kept = f"staged, quota {quota:g} GB", found.peak_disk <= quota
        report.add(f"{name}, over whole waves", found.makespan / waves, "x", *target)
        report.add(f"{name}, peak disk", found.peak_disk, "GB", f"<= {quota:g}", kept)
    streamed = simulate([download, [0.0] * 81], USES, SLOTS).makespan
    report.add("streamed", streamed, "min")
    ratios, peaks = [], []
    for seed in range(draws):
        chance = random.Random(seed)
        sizes = [chance.lognormvariate(-0.125, 0.5) for _ in range(81)]
        seconds = [[15 * s for s in sizes], [3 * s for s in sizes]]
        found = simulate(seconds, USES, {**SLOTS, "disk": 1e9}, [5 * s for s in sizes])
        ratios.append(found.makespan / lower_bound(seconds, [5, 2]))
        peaks.append(found.peak_disk)
    mean = statistics.mean(ratios)
    report.add("lognormal sizes, longest first, over the bound", mean, "x", "<= 1.03", mean <= 1.03)
    report.add("the same, peak disk without a quota", max(peaks), "GB")


def copies(folder: Path, run: str, times: int) -> int:
    """Let the files of a run hold their reads so many times; return their bytes."""
    for path in folder.glob(f"{run}_*"):
        path.write_bytes(path.read_bytes() * times)  # members of gzip follow one another
    return bytes_of(folder, run)


def bytes_of(folder: Path, run: str) -> int:
    """Return the bytes of a run's files."""
    return sum(p.stat().st_size for p in folder.glob(f"{run}_*"))


class Watch:
    """How many connections an archive has, seen every few milliseconds."""

    def __init__(self, archive: Archive) -> None:
        self.archive, self.seen, self.over = archive, [0], threading.Event()
        self.thread = threading.Thread(target=self._look)

    def _look(self) -> None:
        while not self.over.wait(0.005):
            self.seen.append(self.archive.open_now)

    def __enter__(self) -> list[int]:
        self.thread.start()
        return self.seen

    def __exit__(self, *error: object) -> None:
        self.over.set()
        self.thread.join()


def timed(plan: rnaseq.SamplePlan, client: Client) -> float:
    """Return the seconds that a run of a plan takes."""
    start = time.perf_counter()
    rnaseq.run(plan, client=client)
    return time.perf_counter() - start


def bench_loopback(report: Report, samples: int, seconds: float, times: int) -> None:
    """Real kallisto, from an archive that gives each run the same bandwidth in both modes."""
    folder, reads = Path(tempfile.mkdtemp()), 10_000
    fasta = write_transcripts(folder / "t.fa", 200)
    index, files = rnaseq.index(fasta, folder / "t.idx").path, folder / "reads"
    runs = write_reads(files, fasta, runs=samples, reads=reads)
    one, counts = runs[0], dict.fromkeys(runs, reads)
    with Archive(files, counts) as archive, cluster("local", workers=2, threads=4) as client:
        given = {"index": index, "ena_url": archive.url, "patience": Patience(wait=0.1)}
        warm = {"downloads": 4, "out": folder / "warm", "mode": "stream"}
        rnaseq.run(rnaseq.plan(runs[:4], **given, **warm), client=client)
        nbytes = sum(bytes_of(files, run) for run in runs)
        rate = nbytes / samples / seconds
        for mode, connections in (("staged", 3), ("stream", 6)):
            archive.rate = 3 * rate / connections  # the mates of a stream come at once
            about = {"out": folder / mode, "mode": mode, "downloads": 3, "quants": 2}
            plan = rnaseq.plan(runs, **given, **about)
            with Watch(archive) as seen:
                ratio = timed(plan, client) / (nbytes / rate / 3)
            name = f"{samples} runs of {seconds:g} s from loopback, {mode}"
            report.add(f"{name}, over the fluid bound", ratio, "x", "<= 1.2", ratio <= 1.2)
            report.add(f"{name}, connections in use", statistics.mean(seen) / connections)
        fastq = sum(p.stat().st_size for p in (folder / "stream").rglob("*.fastq*"))
        report.add("FASTQ bytes on disk after streaming", fastq, "B", "0", fastq == 0)
        rate = copies(files, one, times) / (2 * seconds)
        archive.reads[one] = reads * times
        took = {}
        for name, mode, per_connection in (
            ("staged", "staged", rate),
            ("streamed, each mate at half the rate", "stream", rate / 2),
            ("streamed, each mate at the full rate", "stream", rate),
        ):
            archive.rate = per_connection
            plan = rnaseq.plan([one], out=folder / f"one {name}", mode=mode, **given)
            took[name] = timed(plan, client)
            report.add(f"one run of {reads * times:,} pairs, {name}", took[name], "s")
        staged, half, full = took.values()
        gain = staged / half
        report.add("staged over streamed, same bandwidth", gain, "x", ">= 1.3", gain >= 1.3)
        report.add("staged over streamed, a connection per mate", staged / full)


def draw(path: Path) -> None:
    """Draw the original's case: what runs when, in a batch barrier and in this scheduler."""
    import matplotlib.pyplot as plt

    download, quant = [15.0] * 81, [3.0] * 81
    barrier, now = [], 0.0
    for start in range(0, 81, 5):
        some = range(start, min(start + 5, 81))
        barrier += [(0, run, now, now + 15.0) for run in some]
        now += 15.0
        for run in some:
            barrier.append((1, run, now, now + 3.0))
            now += 3.0
    limits = {**SLOTS, "disk": 30.0}
    ours = simulate([download, quant], USES, limits, [5.0] * 81).spans
    streamed = simulate([download, [0.0] * 81], USES, SLOTS).spans
    panels = (
        ("five downloaded, then quantified one by one", barrier),
        ("staged: 5 downloads, 2 quantifications, 30 GB", ours),
        ("streamed: 5 downloads, no FASTQ on disk", streamed),
    )
    plt.rcParams["font.size"] = 9
    figure, axes = plt.subplots(len(panels), sharex=True, figsize=(8, 5.0), layout="constrained")
    for ax, (title, spans) in zip(axes, panels, strict=True):
        for leg, first, colour in ((0, 0, "#4477aa"), (1, 5, "#ee9944")):
            mine = sorted(s[2:] for s in spans if s[0] == leg and s[3] > s[2])
            left, widths = [a / 60 for a, _ in mine], [(b - a) / 60 for a, b in mine]
            ys = [first + lane for lane in lanes(mine)]
            ax.barh(ys, widths, left=left, height=0.9, color=colour, edgecolor="w", linewidth=0.5)
        ax.set_title(f"{title}: {max(s[3] for s in spans) / 60:.2f} h", loc="left")
        ax.set_yticks([2, 5.5], ["downloads", "quantifications"])
        ax.set_ylim(6.6, -0.6)
        ax.tick_params(axis="y", length=0)
        ax.spines[["top", "right", "left"]].set_visible(False)
    axes[-1].set_xlabel("hours")
    figure.savefig(path)


def lanes(spans: list[tuple[float, float]]) -> list[int]:
    """Return for each span, by its begin, the first lane that is free then."""
    ends: list[float] = []
    out = []
    for begin, end in spans:
        lane = next((i for i, busy in enumerate(ends) if busy <= begin), len(ends))
        ends[lane : lane + 1] = [end]
        out.append(lane)
    return out


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("-o", "--output", default="docs/_figures", help="folder of JSON and table")
    options = parser.parse_args()
    report = Report("rnaseq schedules and streams")
    bench_simulated(report, 20 if options.quick else 200)
    bench_loopback(report, *((6, 2.0, 10) if options.quick else (12, 6.0, 40)))
    report.write(options.output)
    draw(Path(options.output).parent / "_static" / "rnaseq-schedules.png")


if __name__ == "__main__":
    main()
