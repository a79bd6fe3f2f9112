"""Aggregation beside the tools that people merge with: time, memory, and what comes out.

Run it alone on the machine: ``python tests/benchmarks/bench_genome_merge.py [--quick]``. Each merge
is a process of its own, so that its memory can be seen. Tools that are not installed (bedtools,
GenomeTools) are left out and named.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from bench import Report

MERGE = """
import json, sys, time
from polytene.genome.merging.aggregate import aggregate
folder, pattern, output, kind = sys.argv[1:]
start = time.process_time()
done = aggregate(folder, pattern, output, kind)
seconds = time.process_time() - start
peak = int(open("/proc/self/status").read().partition("VmHWM:")[2].split()[0]) / 1024
print(json.dumps({"seconds": seconds, "peak_mb": peak, "records": done.records}))
"""
PARTS = 64


def main() -> None:
    """Run the benchmarks, print the table and write it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a tenth of the sizes")
    parser.add_argument("-o", "--output", default="docs/_figures", help="folder of JSON and table")
    args = parser.parse_args()
    scale = 10 if args.quick else 1
    report = Report("genome_merge benchmarks")
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        bench_tsv(report, folder, 1_000_000_000 // scale)
        bench_bed(report, folder, 2_000_000 // scale)
        bench_gff(report, folder, 40_000 // scale)
    report.write(args.output)


def merge(folder: Path, pattern: str, kind: str) -> dict[str, float]:
    """Return what a merge took; the interpreter's own 100 MB of memory count."""
    command = [sys.executable, "-c", MERGE, str(folder), pattern, str(folder / "all.out"), kind]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    found: dict[str, float] = json.loads(done.stdout)
    return found


def tool(report: Report, name: str, command: str) -> float | None:
    """Return the processor seconds of a shell command; None if its program is not installed."""
    if shutil.which(name) is None:
        print(f"{name} is not installed and left out")
        return None
    before = os.times()
    subprocess.run(["bash", "-c", command], check=True, capture_output=True)
    after = os.times()
    return after[2] + after[3] - before[2] - before[3]


def size_of(folder: Path, pattern: str) -> int:
    """Return the bytes of the parts."""
    return sum(p.stat().st_size for p in folder.glob(pattern))


def bench_tsv(report: Report, folder: Path, nbytes: int) -> None:
    """Join tables of a gigabyte together."""
    rows = [f"g{i}\tchr1\t{i * 100}\t{i * 100 + 90}\t+\t0.{i % 997:03d}\n" for i in range(200_000)]
    body = "".join(rows).encode()
    for i in range(PARTS):
        part = (body * (nbytes // PARTS // len(body) + 1))[: nbytes // PARTS]
        path = folder / f"chunk_{i:04d}.tsv"
        path.write_bytes(b"gene\tseqid\tstart\tend\tstrand\tscore\n" + part)
    found = merge(folder, "*.tsv", "merge_tsv")
    gigabytes = size_of(folder, "*.tsv") / 1e9
    shown = f"merge_tsv, {gigabytes:.1f} GB in {PARTS} parts"
    report.add(f"{shown}: memory", found["peak_mb"], "MB", "< 200", found["peak_mb"] < 200)
    cat = tool(report, "cat", f"cat {folder}/*.tsv > {folder}/cat.out")
    if cat:
        report.add(f"{shown}: time over cat", found["seconds"] / cat)
    clear(folder)


def bench_bed(report: Report, folder: Path, lines: int) -> None:
    """Sort BED files together."""
    each = lines // PARTS
    for i in range(PARTS):
        text = "".join(
            f"chr{i // 8 + 1}\t{(i % 8 * each + j) * 100}\t{(i % 8 * each + j) * 100 + 90}\tg{j}\n"
            for j in range(each)
        )
        (folder / f"chunk_{i:04d}.bed").write_text(text)
    found = merge(folder, "*.bed", "merge_bed")
    shown = f"merge_bed, {size_of(folder, '*.bed') / 1e6:.0f} MB"
    report.add(f"{shown}: memory", found["peak_mb"], "MB", "< 200", found["peak_mb"] < 200)
    for name, command in {
        "sort": f"cat {folder}/*.bed | LC_ALL=C sort -k1,1 -k2,2n -k3,3n > {folder}/x.out",
        "bedtools": f"cat {folder}/*.bed | bedtools sort > {folder}/x.out",
    }.items():
        if seconds := tool(report, name, command):
            report.add(f"{shown}: time over cat and {name}", found["seconds"] / seconds)
    clear(folder)


def genes(first: int, n: int) -> Iterator[str]:
    """Yield genes with a transcript of five exons."""
    for i in range(first, first + n):
        start, name = i * 1000 + 1, f"g{i}"
        row = "chr1\tx\t%s\t%d\t%d\t.\t+\t%s\t%s\n"
        yield row % ("gene", start, start + 900, ".", f"ID={name}")
        yield row % ("mRNA", start, start + 900, ".", f"ID={name}.1;Parent={name}")
        for a in range(start, start + 900, 180):
            yield row % ("exon", a, a + 89, ".", f"Parent={name}.1")
            yield row % ("CDS", a, a + 89, "0", f"ID={name}.cds;Parent={name}.1")


def bench_gff(report: Report, folder: Path, n: int) -> None:
    """Merge annotations into one that is sorted and valid."""
    each = n // PARTS
    for i in range(PARTS):
        path = folder / f"chunk_{i:04d}.gff3"
        path.write_text("##gff-version 3\n" + "".join(genes(i * each, each)))
    found = merge(folder, "*.gff3", "merge_gff")
    shown = f"merge_gff, {found['records']:,} features"
    report.add(f"{shown}: memory", found["peak_mb"], "MB")
    report.add(f"{shown}: a feature", found["seconds"] / found["records"] * 1e6, "us")
    gt = f"gt gff3 -sort -retainids {folder}/*.gff3 > {folder}/gt.out"
    if seconds := tool(report, "gt", gt):
        report.add(f"{shown}: time over gt gff3 -sort -retainids", found["seconds"] / seconds)
        check = ["gt", "gff3validator", str(folder / "all.out")]
        valid = subprocess.run(check, capture_output=True, check=False).returncode == 0
        report.add(f"{shown}: gt gff3validator accepts it", float(valid), "", "1", valid)
    clear(folder)


def clear(folder: Path) -> None:
    """Remove parts and results."""
    for path in folder.iterdir():
        path.unlink()


if __name__ == "__main__":
    main()
