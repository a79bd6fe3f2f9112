"""A small assembly: chromosomes, scaffolds, gaps of N, masked repeats, and genes as GFF3."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

LINE = 60


@dataclass(frozen=True)
class Assembly:
    """A generated assembly.

    Parameters
    ----------
    fasta, gff3
        Its files.
    lengths
        Bases of each sequence, in file order.
    genes
        Sequence, start, end (0-based, half-open) and id of each gene.
    """

    fasta: Path
    gff3: Path
    lengths: dict[str, int]
    genes: tuple[tuple[str, int, int, str], ...]


def write_assembly(
    folder: str | Path | None = None,
    *,
    bases: int = 60_000,
    chromosomes: int = 2,
    scaffolds: int = 6,
    genes: int = 24,
    seed: int = 1,
) -> Assembly:
    """Write ``genome.fa`` and ``genes.gff3``; equal arguments, equal bytes.

    Examples
    --------
    >>> made = write_assembly()
    >>> sum(made.lengths.values()), list(made.lengths)[:3], len(made.genes)
    (60000, ['chr1', 'chr2', 'scaffold_1'], 24)
    """
    random = np.random.default_rng(seed)
    home = Path(folder or tempfile.mkdtemp(prefix="polytene-"))
    home.mkdir(parents=True, exist_ok=True)
    lengths = _lengths(bases, chromosomes, scaffolds, random)
    placed = sorted(_gene(lengths, random) for _ in range(genes))
    named = tuple((list(lengths)[i], a, b, f"gene{n + 1}") for n, (i, a, b) in enumerate(placed))
    made = Assembly(home / "genome.fa", home / "genes.gff3", lengths, named)
    made.fasta.write_bytes(b"".join(_record(s, n, random) for s, n in lengths.items()))
    made.gff3.write_text(_gff3(made, random), encoding="utf-8")
    return made


def _lengths(bases: int, chromosomes: int, scaffolds: int, random: Any) -> dict[str, int]:
    """Chromosomes hold nine tenths, the first more than the last."""
    weights = 9 * np.linspace(1.3, 0.7, chromosomes) / chromosomes
    if scaffolds:
        small = random.dirichlet(np.full(scaffolds, 2.0))
        weights = np.concatenate([weights, small])
    sizes = np.maximum((weights / weights.sum() * bases).astype(int), 1)
    sizes[0] += bases - sizes.sum()
    names = [f"chr{i + 1}" for i in range(chromosomes)]
    names += [f"scaffold_{i + 1}" for i in range(scaffolds)]
    return dict(zip(names, sizes.tolist(), strict=True))


def _gene(lengths: dict[str, int], random: Any) -> tuple[int, int, int]:
    """Genes crowd at the ends of chromosomes, as they do in plants."""
    sizes = np.array(list(lengths.values()))
    i = int(random.choice(len(sizes), p=sizes / sizes.sum()))
    size = int(min(sizes[i], random.lognormal(6.3, 0.6)))
    start = int(random.beta(0.45, 0.45) * (sizes[i] - size))
    return i, start, start + max(size, 1)


def _record(name: str, length: int, random: Any) -> bytes:
    letters = random.choice(np.frombuffer(b"ACGT", np.uint8), length, p=(0.3, 0.2, 0.2, 0.3))
    for _ in range(length // 8000):
        at = int(random.integers(0, length - 400))
        letters[at : at + int(random.integers(100, 400))] = ord("N")
    for _ in range(length // 3000):
        at = int(random.integers(0, length - 300))
        letters[at : at + 300] |= 0x20
    text = letters.tobytes()
    lines = [text[i : i + LINE] for i in range(0, length, LINE)]
    return b">%s generated\n%s\n" % (name.encode(), b"\n".join(lines))


def _gff3(made: Assembly, random: Any) -> str:
    lines = ["##gff-version 3"]
    lines += [f"##sequence-region {s} 1 {n}" for s, n in made.lengths.items()]
    for seqid, start, end, name in made.genes:
        strand = "+-"[int(random.integers(2))]
        third = max(1, (end - start) // 3)
        exons = [(start, start + third), (max(end - third, start + third), end)]
        exons = [e for e in exons if e[0] < e[1]]
        rows = [("gene", start, end, f"ID={name};Name={name}")]
        rows += [("mRNA", start, end, f"ID={name}.1;Parent={name}")]
        rows += [("exon", a, b, f"ID={name}.1.e{k + 1};Parent={name}.1")
                 for k, (a, b) in enumerate(exons)]  # fmt: skip
        lines += [
            f"{seqid}\tgenerated\t{kind}\t{a + 1}\t{b}\t.\t{strand}\t.\t{about}"
            for kind, a, b, about in rows
        ]
        lines.append("###")
    return "\n".join(lines) + "\n"
