"""Small genomes with genes of a known codon usage, as FASTA, GenBank and Parquet."""

from __future__ import annotations

import gzip
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from polytene.codons.code import CODONS, genetic_code

KINDS = (("mitochondrion", 2, 0.62), ("plastid:chloroplast", 11, 0.69), ("mitochondrion", 5, 0.74))
BASES = np.frombuffer(b"TCAG", np.uint8)


@dataclass(frozen=True)
class Generated:
    """A generated genome.

    Parameters
    ----------
    id, organism, organelle
        Its names; the organism begins with ``Generatus``.
    code
        Genetic code of its genes.
    sequence
        Bases, upper case but for a masked stretch.
    genes
        Start, end (0-based, half-open) and strand of its coding sequences.
    """

    id: str
    organism: str
    organelle: str
    code: int
    sequence: bytes
    genes: tuple[tuple[int, int, int], ...]


def genomes(n: int, *, first: int = 1, genes: int = 13, seed: int = 1) -> Iterator[Generated]:
    """Yield ``n`` organelle-like genomes from number ``first``; equal arguments, equal bytes.

    Examples
    --------
    >>> [(g.id, len(g.sequence)) for g in genomes(2, genes=3)]
    [('GEN_000001.1', 3639), ('GEN_000002.1', 4017)]
    """
    for i in range(first, first + n):
        random = np.random.default_rng([seed, i])
        organelle, code, at = KINDS[i % len(KINDS)]
        names = f"GEN_{i:06d}.1", f"Generatus exempli {i}"
        yield _genome(*names, organelle, code, at, genes, random)


def _genome(
    name: str, organism: str, organelle: str, code: int, at: float, genes: int, random: Any
) -> Generated:
    weights = _codon_weights(code, at, random)
    pieces: list[bytes] = [_spacer(random, at)]
    places = []
    for _ in range(genes):
        gene = _gene(code, weights, random)
        strand = 1 if random.random() < 0.7 else -1
        start = sum(map(len, pieces))
        places.append((start, start + len(gene), strand))
        pieces += [gene if strand > 0 else _reverse_complement(gene), _spacer(random, at)]
    sequence = bytearray(b"".join(pieces))
    masked = slice(len(sequence) // 2, len(sequence) // 2 + len(sequence) // 50)
    sequence[masked] = sequence[masked].lower()
    return Generated(name, organism, organelle, code, bytes(sequence), tuple(places))


def _codon_weights(code: int, at: float, random: Any) -> np.ndarray[Any, Any]:
    """Return how likely each codon is: amino acids evenly, third bases as AT-rich as asked."""
    found = genetic_code(code)
    weights = np.zeros(64)
    for members in found.families.values():
        third = [at if CODONS[i][2] in "AT" else 1 - at for i in members]
        weights[members] = np.array(third) * random.uniform(0.7, 1.3, len(members))
        weights[members] /= weights[members].sum()
    weights[[CODONS.index(c) for c in found.stops]] = 0
    shares: np.ndarray[Any, Any] = weights / weights.sum()
    return shares


def _gene(code: int, weights: np.ndarray[Any, Any], random: Any) -> bytes:
    chosen = random.choice(64, size=int(random.integers(120, 480)), p=weights)
    stop = sorted(genetic_code(code).stops)[0]
    return ("ATG" + "".join(CODONS[i] for i in chosen) + stop).encode()


def _spacer(random: Any, at: float) -> bytes:
    shares = [at / 2, (1 - at) / 2, at / 2, (1 - at) / 2]
    return bytes(BASES[random.choice(4, size=int(random.integers(20, 200)), p=shares)])


def _reverse_complement(sequence: bytes) -> bytes:
    return sequence.translate(bytes.maketrans(b"ACGT", b"TGCA"))[::-1]


def write_fasta(path: str | Path, n: int = 6, *, genes: int = 13, seed: int = 1) -> Path:
    """Write generated genomes as FASTA, compressed where the name ends with ``.gz``."""
    text = b"".join(
        b">%b %b, generated\n%b\n" % (g.id.encode(), g.organism.encode(), _lines(g.sequence))
        for g in genomes(n, genes=genes, seed=seed)
    )
    path = Path(path)
    path.write_bytes(gzip.compress(text, mtime=0) if path.suffix == ".gz" else text)
    return path


def _lines(sequence: bytes, width: int = 70) -> bytes:
    return b"\n".join(sequence[i : i + width] for i in range(0, len(sequence), width))


def write_genbank(path: str | Path, n: int = 6, *, first: int = 1, genes: int = 13) -> Path:
    """Write generated genomes as GenBank records with their genes."""
    path = Path(path)
    records = (_genbank(g) for g in genomes(n, first=first, genes=genes))
    path.write_text("".join(records), encoding="ascii")
    return path


def _genbank(genome: Generated) -> str:
    accession, n = genome.id.partition(".")[0], len(genome.sequence)
    head = (
        f"LOCUS       {accession:<16} {n:>11} bp    DNA     circular SYN 01-JAN-2000\n"
        f"DEFINITION  {genome.organism}, generated.\n"
        f"ACCESSION   {accession}\nVERSION     {genome.id}\n"
        f"FEATURES             Location/Qualifiers\n"
        f"     source          1..{n}\n"
        f'                     /organism="{genome.organism}"\n'
        f'                     /organelle="{genome.organelle}"\n'
    )
    return head + "".join(_feature(genome, i) for i in range(len(genome.genes))) + _origin(genome)


def _feature(genome: Generated, i: int) -> str:
    start, end, strand = genome.genes[i]
    place = f"{start + 1}..{end}" if strand > 0 else f"complement({start + 1}..{end})"
    return (
        f"     CDS             {place}\n"
        f'                     /gene="gene{i + 1}"\n'
        f"                     /transl_table={genome.code}\n"
    )


def _origin(genome: Generated) -> str:
    text = genome.sequence.decode().lower()
    rows = [
        f"{i + 1:>9} " + " ".join(text[j : j + 10] for j in range(i, min(i + 60, len(text)), 10))
        for i in range(0, len(text), 60)
    ]
    return "ORIGIN\n" + "\n".join(rows) + "\n//\n"


def write_set(
    folder: str | Path | None = None,
    *,
    sequences: int = 30,
    files: int = 1,
    group_rows: int = 10,
    genes: int = 3,
    seed: int = 1,
) -> Path:
    """Write generated genomes as a plain Parquet set, in a temporary folder by default.

    The columns are ``seq_id, description, length, sequence, source``.
    """
    folder = Path(folder or tempfile.mkdtemp(prefix="polytene-set-"))
    folder.mkdir(parents=True, exist_ok=True)
    made = list(genomes(sequences, genes=genes, seed=seed))
    for i in range(files):
        rows = [_set_row(g) for g in made[i::files]]
        table = pa.Table.from_pylist(rows)
        pq.write_table(table, folder / f"shard_{i:05d}.parquet", row_group_size=group_rows)
    return folder


def _set_row(genome: Generated) -> dict[str, Any]:
    return {
        "seq_id": genome.id,
        "description": f"{genome.organism}, generated",
        "length": len(genome.sequence),
        "sequence": genome.sequence.decode(),
        "source": genome.organelle,
    }
