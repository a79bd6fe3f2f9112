"""Codon counting against memcpy, numpy, Python, PySpark and the bare Parquet read.

Run it alone on the machine: ``python tests/benchmarks/bench_codons.py [--quick] [--spark]``.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from bench import Report, interleaved, ratio

from polytene import cluster, codons
from polytene.codons.kernels import count_spans
from polytene.formats.parquet import read_slices

BASES = np.frombuffer(b"ACGT", np.uint8)
GROUP_BYTES = 34 << 20


def lengths(total: int, random: np.random.Generator) -> np.ndarray:
    """Return lengths like those of organelle genomes: 55% of 16.5 kb, 45% of 155 kb."""
    n = max(1, int(total / 78_825))
    return np.where(random.random(n) < 0.55, 16_500, 155_000).astype(np.int64)


def bases(n: int, random: np.random.Generator) -> np.ndarray:
    """Return bases with 2% lower case and 0.05% N, both in runs."""
    data = BASES[random.integers(0, 4, n, dtype=np.uint8)]
    for start in random.integers(0, n, n // 25_000):
        data[start : start + 500] |= 32
    for start in random.integers(0, n, n // 100_000):
        data[start : start + 50] = ord("N")
    return data


def table(sizes: np.ndarray, random: np.random.Generator, first: int) -> pa.Table:
    """Return rows of a set."""
    data = bases(int(sizes.sum()), random)
    offsets = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
    sequence = pa.LargeStringArray.from_buffers(
        len(sizes), pa.py_buffer(offsets), pa.py_buffer(data)
    )
    ids = [f"GEN{first + i:08d}" for i in range(len(sizes))]
    columns = {"seq_id": ids, "length": sizes, "source": ["generated"] * len(sizes)}
    return pa.table({**columns, "sequence": sequence})


def write_set(path: Path, total: int, compression: str, *, one_group: bool = False) -> Path:
    """Write a set of about ``total`` bases in row groups of 34 MB, or in one."""
    random = np.random.default_rng(1)
    sizes = lengths(total, random)
    ends = np.flatnonzero(np.diff(np.cumsum(sizes) // GROUP_BYTES)) + 1
    writer = None
    start = 0
    for chunk in np.split(sizes, ends):
        rows = table(chunk, random, start)
        start += len(chunk)
        writer = writer or pq.ParquetWriter(
            path,
            rows.schema,
            compression=compression,
            use_dictionary=["source"],
            write_statistics=False,
        )
        if one_group:
            for batch in rows.to_batches():
                writer.write_batch(batch, row_group_size=1 << 40)
        else:
            writer.write_table(rows)
    writer.close()
    return path


def bench_kernel(report: Report, n: int) -> None:
    """Compare the kernel with a copy, numpy and the original's loop."""
    random = np.random.default_rng(1)
    data = bases(n, random)
    ends = np.cumsum(lengths(n, random))
    ends = ends[ends < n]
    starts = np.concatenate([[0], ends[:-1]])
    target = np.empty_like(data)
    small = data[: 3 * 10**5]
    text = small.tobytes().decode()
    jobs = {
        "copy": lambda: np.copyto(target, data),
        "kernel": lambda: count_spans(data, starts, ends),
        "numpy": lambda: numpy_counts(data),
    }
    seconds = interleaved(jobs)
    python = interleaved(
        {"python": lambda: python_counts(text), "kernel": lambda: kernel_of(small)}, 3
    )
    share = ratio(seconds["copy"], seconds["kernel"])
    report.add("kernel / memcpy of the same bytes, one core", share, "x", ">= 0.25", share >= 0.25)
    gain = ratio(seconds["numpy"], seconds["kernel"])
    report.add("kernel over numpy LUT + bincount", gain, "x", ">= 10", gain >= 10)
    loop = python["python"][0] / len(small) * ends[-1] / np.median(seconds["kernel"])
    report.add("kernel over a loop over codons in Python", loop, "x", ">= 1000", loop >= 1000)
    report.add("kernel", ends[-1] / np.median(seconds["kernel"]) / 1e9, "Gb/s")


def numpy_counts(data: np.ndarray) -> np.ndarray:
    """Count with a look-up table and bincount, as fast as numpy does it."""
    lut = np.full(256, 64, np.uint16)
    for i, base in enumerate(b"TCAG"):
        lut[base] = lut[base | 32] = i
    code = lut[data[: len(data) // 3 * 3]]
    index = code[0::3] << 4
    index += code[1::3] << 2
    index += code[2::3]
    return np.bincount(np.minimum(index, 64), minlength=65)


def python_counts(text: str) -> Counter[str]:
    """Count as the original does: one slice and one test per codon."""
    counts: Counter[str] = Counter()
    text = text.upper()
    for i in range(0, len(text) - 2, 3):
        codon = text[i : i + 3]
        if all(base in "ATGC" for base in codon):
            counts[codon] += 1
    return counts


def kernel_of(data: np.ndarray) -> np.ndarray:
    """Count one sequence."""
    return count_spans(data, np.array([0]), np.array([len(data)]))


def bench_read(report: Report, folder: Path, n: int) -> None:
    """Compare reading and counting with reading alone."""
    for compression, most in (("zstd", 1.25), ("snappy", 1.2)):
        path = write_set(folder / f"{compression}.parquet", n, compression)
        groups = range(pq.ParquetFile(path).metadata.num_row_groups)

        def read(path: Path = path, groups: range = groups) -> None:
            for _ in read_slices(path, groups, ["sequence", "length"], length="length"):
                pass

        def count(path: Path = path, groups: range = groups) -> None:
            for rows in read_slices(path, groups, ["sequence", "length"], length="length"):
                codons.count_array(rows.column("sequence"))

        seconds = interleaved({"read": read, "count": count}, 9)
        figure = ratio(seconds["count"], seconds["read"])
        name = f"read + count over the Parquet read alone, {compression}"
        report.add(name, figure, "x", f"<= {most}", figure <= most)


def bench_packed(report: Report, folder: Path, n: int) -> None:
    """Count whole sequences of a packed set and of its zstd twin, from the file to the table."""
    write_set(folder / "x.parquet", n, "zstd")
    sets = {"zstd": folder / "text", "packed": folder / "packed"}
    for name, path in sets.items():
        codons.rechunk(folder / "x.parquet", path, pack=name == "packed")

    def job(path: Path) -> Callable[[], None]:
        plan = codons.plan(path)
        return lambda: [codons.stages(plan)[0].func(batch) for batch in plan]  # type: ignore

    seconds = interleaved({name: job(path) for name, path in sets.items()}, 7)
    figure = ratio(seconds["zstd"], seconds["packed"])
    report.add("zstd set over its packed twin, end to end", figure, "x", ">= 5", figure >= 5)
    sizes = {k: sum(f.stat().st_size for f in p.glob("*.parquet")) for k, p in sets.items()}
    figure = sizes["packed"] / sizes["zstd"]
    report.add("size of the packed set over that of the zstd set", figure, "x", "<= 1", figure <= 1)


def bench_long(report: Report, folder: Path, n: int) -> None:
    """Ingest and count one sequence under a worker of 600 MB."""
    path = folder / "long.fa"
    random = np.random.default_rng(1)
    with open(path, "wb") as file:
        file.write(b">chr1\n")
        for _ in range(0, n, 10_000_000):
            file.write(bases(10_000_000, random).tobytes() + b"\n")
    with cluster("local", workers=1, memory_limit="600MB") as client:
        codons.ingest(path, folder / "long", genetic_code=1, client=client)
        for mode in ("frame", "six-frame"):
            made = codons.count(folder / "long", run_dir=folder / mode, mode=mode, client=client)
            assert made.complete
        peak = max(client.run(peak_rss).values()) / 1e6
    name = f"one sequence of {n / 1e6:.0f} Mb, ingested and counted: worker peak RSS"
    report.add(name, peak, "MB", "< 600", peak < 600)


def bench_cluster(report: Report, folder: Path, n: int) -> None:
    """Count a set of the original's size under two workers of 600 MB."""
    for name, one_group in (("row groups of 34 MB", False), ("one row group", True)):
        path = write_set(folder / "whole.parquet", n, "zstd", one_group=one_group)
        with cluster("local", workers=2, memory_limit="600MB") as client:
            start = time.perf_counter()
            run_dir = tempfile.mkdtemp(dir=folder)
            batch = {"batch_bytes": "128MB"}
            outcome = codons.count(path, run_dir=run_dir, client=client, by="source", **batch)
            seconds = time.perf_counter() - start
            peak = max(client.run(peak_rss).values()) / 1e6
        total = int((outcome.result["n_codons"] + outcome.result["n_ambiguous"]).sum())
        assert outcome.complete
        report.add(f"{n / 1e9:.1f} Gb, {name}: codons counted", total / 1e6, "million")
        report.add(f"{n / 1e9:.1f} Gb, {name}: seconds", seconds, "s")
        report.add(f"{n / 1e9:.1f} Gb, {name}: worker peak RSS", peak, "MB", "< 400", peak < 400)
        path.unlink()


def peak_rss() -> int:
    """Return the peak resident memory of this process in bytes."""
    text = Path("/proc/self/status").read_text()
    return int(text.partition("VmHWM:")[2].split()[0]) * 1024


def bench_spark(report: Report, folder: Path, n: int) -> None:
    """Count with PySpark's mapInPandas as the original does, on the same file."""
    from spark_codons import spark_counts

    path = write_set(folder / "spark.parquet", n, "zstd")
    spark = spark_counts(str(path))
    with cluster("local", workers=2, memory_limit="1GB") as client:
        start = time.perf_counter()
        outcome = codons.count(path, run_dir=folder / "spark.run", client=client)
        ours = time.perf_counter() - start
    assert spark.counts == int(outcome.result["n_codons"].sum()), "PySpark counts something else"
    report.add(
        f"PySpark mapInPandas over polytene, {n / 1e6:.0f} Mb, 2 cores", spark.seconds / ours
    )


def main() -> None:
    """Run the benchmarks, print the table and write it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a tenth of the sizes")
    parser.add_argument(
        "--spark", action="store_true", help="PySpark beside it (extra bench, Java)"
    )
    parser.add_argument("-o", "--output", default="docs/_figures", help="folder of JSON and table")
    args = parser.parse_args()
    scale = 10 if args.quick else 1
    report = Report("codons benchmarks")
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        bench_kernel(report, 104_000_000 // scale)
        bench_read(report, folder, 417_000_000 // scale)
        bench_packed(report, folder, 417_000_000 // scale)
        bench_long(report, folder, 300_000_000 // scale)
        bench_cluster(report, folder, 2_800_000_000 // scale)
        if args.spark:
            bench_spark(report, folder, 10_000_000)
    report.write(args.output)


if __name__ == "__main__":
    main()
