"""Chunk plans beside other splitters, and reading FASTA and GFF3 beside a plain read.

Run it alone on the machine: ``python tests/benchmarks/bench_genome.py [--quick]``. Tools that are
not installed (bedtools, chunked-scatter, Picard, pysam) are left out and named.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pyfaidx
from bench import Report, interleaved, ratio
from splitters import TOOLS, Synthetic, program, quality, synthetic, timed, write_sizes

from polytene.formats.fai import load_index
from polytene.formats.fai_build import build_index
from polytene.formats.gff3 import read_features
from polytene.genome import Genome, plan_chunks
from polytene.genome.composition.compose import composition_plan
from polytene.genome.composition.stage import compose

CHUNKS = {"maize": 256, "wheat": 512}


def bench_plans(report: Report, folder: Path, kinds: list[str]) -> None:
    """Plan genomes of which only the index and the genes are known."""
    for kind in kinds:
        made, n = synthetic(kind), CHUNKS[kind]
        given = (made.genome, made.genes)
        cpu = interleaved({"plan": lambda: plan_chunks(*given, n_chunks=n)}, 5)["plan"]  # noqa: B023
        plan = plan_chunks(*given, n_chunks=n)
        found = plan.quality()
        most = 0.2 if kind == "wheat" else None
        ok = None if most is None else min(cpu) <= most
        bound = found["max_over_lower_bound"]
        report.add(f"{kind}, {n} chunks: plan in memory", min(cpu), "s", "<= 0.2" * bool(most), ok)
        report.add(f"{kind}: max over mean cost", found["max_over_mean"])
        report.add(f"{kind}: dearest over lower bound", bound, "x", "<= 1.01", bound <= 1.01)
        report.add(f"{kind}: genes cut", found["split"], "", "0", found["split"] == 0)
        optimal = found["certificate"]["optimal"]
        report.add(f"{kind}: certificate holds", float(optimal), "", "1", optimal)
        bench_splitters(report, made, folder, kind, n)


def bench_splitters(report: Report, made: Synthetic, folder: Path, kind: str, n: int) -> None:
    """Cut the same genome by other tools."""
    write_sizes(made, folder)
    for name, (needs, tool) in TOOLS.items():
        if not program(needs):
            print(f"{name}: {needs} is not installed, left out")
            continue
        cuts, seconds = timed(lambda: tool(made, folder, n))  # noqa: B023
        worst, split = quality(made, cuts)
        report.add(f"{kind}, {name}: chunks", len(cuts), "")
        report.add(f"{kind}, {name}: max over mean cost", worst)
        report.add(f"{kind}, {name}: genes cut", split, "")
        report.add(f"{kind}, {name}: wall time", seconds, "s")


def write_fasta(path: Path, bases: int, sequences: int) -> Path:
    """Write sequences in lines of 60, with masked stretches and runs of N."""
    random = np.random.default_rng(1)
    with open(path, "wb") as out:
        for i in range(sequences):
            n = bases // sequences
            data = np.frombuffer(b"ACGT", np.uint8)[random.integers(0, 4, n, dtype=np.uint8)]
            for start in random.integers(0, n, n // 25_000):
                data[start : start + 500] |= 32
            for start in random.integers(0, n, n // 200_000):
                data[start : start + 200] = ord("N")
            lines = np.full((n // 60, 61), 10, np.uint8)
            lines[:, :60] = data[: n // 60 * 60].reshape(-1, 60)
            out.write(b">seq_%d\n" % i + lines.tobytes())
    return path


def bench_fasta(report: Report, folder: Path, bases: int) -> None:
    """Index and scan a file, beside reading it."""
    path = write_fasta(folder / "scan.fa", bases, 200)
    genome = Genome(path)
    plan = plan_chunks(genome, n_chunks=8, cost="bp")

    def scan(k: int) -> None:
        units = composition_plan(plan, by="chunk", k=k, cpg=False)
        for unit in units:
            compose(unit, by="chunk", window=1, k=k, cpg=False, reader="memmap")

    def faidx() -> None:
        for record in pyfaidx.Fasta(str(path), as_raw=True):
            text = record[:].upper()
            text.count("G"), text.count("C")

    jobs = {
        "read": path.read_bytes,
        "index": lambda: build_index(path),
        "gc": lambda: scan(0),
        "8-mers": lambda: scan(8),
        "pyfaidx": faidx,
    }
    if find_spec("pysam"):
        jobs["pysam"] = lambda: pysam_gc(path)
    seconds = interleaved(jobs, 5)
    rows = [
        ("index", "index (.fai)", 6.0),
        ("gc", "GC, N and mask", 2.5),
        ("8-mers", "8-mers", 6.0),
    ]
    for job, name, most in rows:
        found = ratio(seconds[job], seconds["read"])
        if job == "8-mers":
            found -= ratio(seconds["gc"], seconds["read"]) - 1
        report.add(f"{name} / plain read of the file", found, "x", f"<= {most:g}", found <= most)
    for job in ("pyfaidx", "pysam"):
        if job in seconds:
            report.add(f"GC by {job} / plain read", ratio(seconds[job], seconds["read"]))


def pysam_gc(path: Path) -> None:
    """Count G and C as one does with pysam."""
    import pysam

    with pysam.FastaFile(str(path)) as genome:
        for name in genome.references:
            text = genome.fetch(name).upper()
            text.count("G"), text.count("C")


def bench_gff(report: Report, folder: Path, genes: int) -> None:
    """Read the genes of a GFF3 file, beside reading it."""
    path = folder / "genes.gff3"
    row = "chr{}\tx\t{}\t{}\t{}\t.\t+\t.\tID={}{};Parent=gene{};Note=generated for the benchmark\n"
    with open(path, "w") as out:
        for i in range(genes):
            start = 1 + 3000 * (i % 1000)
            kinds = ["gene", "mRNA", *["exon", "CDS"] * 5]
            out.writelines(
                row.format(i // 1000, kind, start + 9 * j, start + 2000, kind, i, i)
                for j, kind in enumerate(kinds)
            )
    jobs = {"read": path.read_bytes, "genes": lambda: read_features(path)}
    seconds = interleaved(jobs, 7)
    found = ratio(seconds["genes"], seconds["read"])
    report.add("genes of a GFF3 file / plain read", found, "x", "<= 3", found <= 3)


def bench_open(report: Report, folder: Path, sequences: int) -> None:
    """Open a genome of many sequences as each task does."""
    path = folder / "many.fa"
    path.write_bytes(b"".join(b">scaffold_%d\nACGTACGT\n" % i for i in range(sequences)))
    plan = plan_chunks(path, n_chunks=600, cost="bp")
    load_index(path)
    chunk, took = plan[300], []
    for _ in range(5):
        from polytene.genome.reader import _opened

        _opened.cache_clear()
        start = time.perf_counter()
        next(chunk.sequences())
        took.append(1e3 * (time.perf_counter() - start))
    name = f"first bases of a chunk of {sequences:,} sequences, per process"
    report.add(name, min(took), "ms", "< 1", min(took) < 1)
    start = time.perf_counter()
    pyfaidx.Fasta(str(path))
    report.add("the same file opened by pyfaidx", 1e3 * (time.perf_counter() - start), "ms")


def bench_aggregate(report: Report, folder: Path, total: int) -> None:
    """Merge parts of a table in a process of its own, and look at its memory."""
    parts = folder / "parts"
    parts.mkdir()
    rows = "".join(f"gene_{i:07d}\tchr1\t{i}\t{i + 900}\t0.75\n" for i in range(200_000))
    for i in range(max(1, total // len(rows))):
        (parts / f"chunk_{i:04d}.tsv").write_text(f"gene\tseqid\tstart\tend\tscore\n{rows}")
    code = (
        "import sys, time\nfrom polytene.genome import aggregate\nstart = time.perf_counter()\n"
        "aggregate(sys.argv[1], '*.tsv', sys.argv[2], 'merge_tsv')\n"
        "status = open('/proc/self/status').read()\n"
        "print(time.perf_counter() - start, status.partition('VmHWM:')[2].split()[0])"
    )
    command = [sys.executable, "-c", code, str(parts), str(folder / "all.tsv")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    seconds, kib = map(float, done.stdout.split())
    peak = kib * 1024 / 1e6
    name = f"{total / 1e9:.1f} GB of TSV parts merged"
    report.add(f"{name}: peak RSS", peak, "MB", "< 200", peak < 200)
    report.add(f"{name}: wall time", seconds, "s")


def main() -> None:
    """Run the benchmarks, print the table and write it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a tenth of the sizes, maize only")
    parser.add_argument("-o", "--output", default="docs/_figures", help="folder of JSON and table")
    args = parser.parse_args()
    scale = 10 if args.quick else 1
    report = Report("genome benchmarks")
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        bench_plans(report, folder, ["maize"] if args.quick else ["maize", "wheat"])
        bench_gff(report, folder, 40_000 // scale)
        bench_fasta(report, folder, 300_000_000 // scale)
        bench_open(report, folder, 120_000 // scale)
        bench_aggregate(report, folder, 1_000_000_000 // scale)
    report.write(args.output)


if __name__ == "__main__":
    main()
