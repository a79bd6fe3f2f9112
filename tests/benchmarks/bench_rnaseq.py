"""Schedules of the rnaseq room against their bounds, and real runs from a slow archive.

Run it alone on the machine: ``python tests/benchmarks/bench_rnaseq.py [--quick]``; about two
minutes. It needs kallisto.
"""

from __future__ import annotations

import argparse
import random
import statistics
import tempfile
import time
from pathlib import Path

from bench import Report

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


def bench_loopback(report: Report, samples: int, reads: int) -> None:
    """Real kallisto, from an archive whose connections are slow."""
    folder = Path(tempfile.mkdtemp())
    fasta = write_transcripts(folder / "t.fa", 200)
    index = rnaseq.index(fasta, folder / "t.idx").path
    runs = write_reads(folder / "reads", fasta, runs=samples, reads=reads)
    with Archive(folder / "reads", dict.fromkeys(runs, reads)) as archive:
        sizes = [sum(p.stat().st_size for p in (folder / "reads").glob(f"{r}_*")) for r in runs]
        archive.rate = statistics.mean(sizes) / 4.0
        given = {"index": index, "ena_url": archive.url, "patience": Patience(wait=0.1)}
        with cluster("local", workers=2, threads=4) as client:
            warm = rnaseq.plan(runs[:1], out=folder / "warm", mode="stream", **given)
            rnaseq.run(warm, client=client)
            for mode in ("staged", "stream"):
                plan = rnaseq.plan(
                    runs, out=folder / mode, mode=mode, downloads=3, quants=2, **given
                )
                start = time.perf_counter()
                rnaseq.run(plan, client=client)
                took = time.perf_counter() - start
                parallel = 2 if mode == "stream" else 1  # both mates of a stream come at once
                bound = sum(sizes) / archive.rate / 3 / parallel
                name = f"{samples} samples on loopback, {mode}, over the fluid bound"
                report.add(name, took / bound, "x", "<= 1.2", took / bound <= 1.2)
            seconds = {}
            for mode in ("staged", "stream"):
                plan = rnaseq.plan(runs[:1], out=folder / f"one-{mode}", mode=mode, **given)
                start = time.perf_counter()
                rnaseq.run(plan, client=client)
                seconds[mode] = time.perf_counter() - start
            gain = seconds["staged"] / seconds["stream"]
            report.add("one sample, staged over streamed", gain, "x", ">= 1.3", gain >= 1.3)
            left = sum(p.stat().st_size for p in (folder / "stream").rglob("*.fastq*"))
            report.add("FASTQ bytes on disk after streaming", left, "B", "0", left == 0)


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("-o", "--output", default="docs/_figures", help="folder of JSON and table")
    options = parser.parse_args()
    report = Report("rnaseq: schedules and streams")
    bench_simulated(report, 20 if options.quick else 200)
    bench_loopback(report, 4 if options.quick else 12, 5_000 if options.quick else 40_000)
    report.write(options.output)


if __name__ == "__main__":
    main()
