"""Other tools that cut genomes, and generated genomes of the sizes that they have to cope with."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from polytene.formats.gff3 import Features
from polytene.genome import Genome

Cuts = list[list[tuple[str, int, int]]]
Tool = Callable[["Synthetic", Path, int], Cuts]


@dataclass(frozen=True)
class Synthetic:
    """Names, lengths and genes of a genome: its index and its annotation, and no bases."""

    genome: Genome
    genes: Features


def synthetic(kind: str, seed: int = 1) -> Synthetic:
    """Return a genome like maize (2.2 Gb, 685 sequences) or wheat (17 Gb, 120,021 sequences)."""
    random = np.random.default_rng(seed)
    chromosomes, scaffolds, small, n_genes = {
        "maize": (np.linspace(308e6, 150e6, 10), 675, 52e6, 40_000),
        "wheat": (np.linspace(850e6, 480e6, 21), 120_000, 3e9, 300_000),
    }[kind]
    drawn = random.lognormal(0, 1.3, scaffolds)
    sizes = np.concatenate([chromosomes, np.maximum(drawn / drawn.sum() * small, 500)])
    sizes = sizes.astype(np.int64)
    names = [f"chr{i + 1}" for i in range(len(chromosomes))]
    names += [f"scaf_{i:06d}" for i in range(scaffolds)]
    on = int(0.9 * n_genes)
    share = [sizes[: len(chromosomes)], sizes[len(chromosomes) :]]
    seq = np.concatenate([
        random.choice(len(chromosomes), on, p=share[0] / share[0].sum()),
        len(chromosomes) + random.choice(scaffolds, n_genes - on, p=share[1] / share[1].sum()),
    ])  # fmt: skip
    where = np.concatenate([random.beta(0.45, 0.45, on), random.uniform(0, 1, n_genes - on)])
    length = np.clip(random.lognormal(8.0, 0.95, n_genes), 150, 600_000).astype(np.int64)
    start = np.minimum((where * sizes[seq]).astype(np.int64), sizes[seq] - 50)
    order = np.lexsort((start, seq))
    seq, start, length = seq[order], np.maximum(start[order], 0), length[order]
    end = np.minimum(start + length, sizes[seq])
    genome = Genome.from_lengths(zip(names, sizes.tolist(), strict=True))
    return Synthetic(genome, Features(names, seq, start, end, np.arange(n_genes)))


def quality(made: Synthetic, cuts: Cuts) -> tuple[float, int]:
    """Return max over mean of base and gene cost, and how many genes are cut."""
    genome, genes = made.genome, made.genes
    each = genome.total_bases / len(genes)
    offsets = np.concatenate([[0], np.cumsum(genome.index.lengths)])
    starts = np.sort(offsets[genes.seq] + genes.starts)
    edges = set()
    spent = []
    for chunk in cuts:
        cost = 0.0
        for name, a, b in chunk:
            base = int(offsets[genome.index.places[name]])
            cost += b - a + each * np.diff(np.searchsorted(starts, (base + a, base + b)))[0]
            edges |= {base + a, base + b}
        spent.append(cost)
    inner = np.array(sorted(edges - set(offsets.tolist())), np.int64)
    first = np.searchsorted(inner, offsets[genes.seq] + genes.starts, side="right")
    last = np.searchsorted(inner, offsets[genes.seq] + genes.ends, side="left")
    return max(spent) / (sum(spent) / len(spent)), int(np.count_nonzero(first < last))


def write_sizes(made: Synthetic, folder: Path) -> Path:
    """Write chromosome sizes, a BED file and a dictionary as the tools want them."""
    lengths = made.genome.lengths
    path = folder / "sizes.txt"
    path.write_text("".join(f"{n}\t{size}\n" for n, size in lengths.items()))
    (folder / "all.bed").write_text("".join(f"{n}\t0\t{size}\n" for n, size in lengths.items()))
    head = "@HD\tVN:1.6\n" + "".join(f"@SQ\tSN:{n}\tLN:{size}\n" for n, size in lengths.items())
    (folder / "all.dict").write_text(head)
    rows = "".join(f"{n}\t1\t{size}\t+\t{n}\n" for n, size in lengths.items())
    (folder / "all.interval_list").write_text(head + rows)
    return path


def bedtools(made: Synthetic, folder: Path, n: int) -> Cuts:
    """Windows of the size that gives about ``n`` of them."""
    width = str(-(-made.genome.total_bases // n))
    command = ["bedtools", "makewindows", "-g", str(folder / "sizes.txt"), "-w", width]
    return [[row] for row in _rows(_run(command).stdout)]


def chunked_scatter(made: Synthetic, folder: Path, n: int) -> Cuts:
    """Scatters of about one n-th of the genome."""
    out = folder / "scatter"
    out.mkdir(exist_ok=True)
    width = str(-(-made.genome.total_bases // n))
    _run([program("scatter-regions"), "-S", "-p", f"{out}/", "-s", width, str(folder / "all.bed")])
    return [_rows(p.read_text()) for p in sorted(out.glob("*.bed"))]


def picard(made: Synthetic, folder: Path, n: int) -> Cuts:
    """IntervalListTools with INTERVAL_SUBDIVISION."""
    out = folder / "picard"
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir()
    _run([program("PicardCommandLine"), "IntervalListTools", f"I={folder / 'all.interval_list'}",
          f"O={out}", f"SCATTER_COUNT={n}", "SUBDIVISION_MODE=INTERVAL_SUBDIVISION",
          "QUIET=true"])  # fmt: skip
    cuts = []
    for path in sorted(out.glob("*/*.interval_list")):
        rows = [r.split("\t") for r in path.read_text().splitlines() if r[0] != "@"]
        cuts.append([(r[0], int(r[1]) - 1, int(r[2])) for r in rows])
    return cuts


TOOLS: dict[str, tuple[str, Tool]] = {
    "bedtools makewindows": ("bedtools", bedtools),
    "chunked-scatter": ("scatter-regions", chunked_scatter),
    "Picard IntervalListTools": ("PicardCommandLine", picard),
}


def program(name: str) -> str:
    """Return the path of a program, also one beside this Python; empty if there is none."""
    beside = Path(sys.executable).with_name(name)
    return str(beside) if beside.is_file() else shutil.which(name) or ""


def _run(command: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=400)


def _rows(text: str) -> list[tuple[str, int, int]]:
    rows = (line.split("\t") for line in text.splitlines())
    return [(r[0], int(r[1]), int(r[2])) for r in rows]


def timed(job: Callable[[], Cuts]) -> tuple[Cuts, float]:
    """Return what a job made, and its seconds."""
    start = time.perf_counter()
    made = job()
    return made, time.perf_counter() - start
