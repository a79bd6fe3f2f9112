"""A small genome with genes, Helixer's files and RNA-seq, and errors planted in the genes."""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

Interval = tuple[int, int]
STOPS = ("TAA", "TAG", "TGA")
CODONS = [a + b + c for a in "ACGT" for b in "ACGT" for c in "ACGT" if a + b + c not in STOPS]
ACCEPTOR = "TTCTTTTTCTTTTGCAG"
DONOR = "GTAAGT"
READ = 60
_OTHER = bytes.maketrans(b"ACGTN", b"TGCAN")


@dataclass(frozen=True)
class Model:
    """A gene of one transcript; places are 0-based and half-open, in genome order."""

    id: str
    seqid: str
    strand: str
    exons: tuple[Interval, ...]
    cds: Interval


@dataclass(frozen=True)
class World:
    """A generated genome.

    Parameters
    ----------
    sequences
        Bases by name.
    truth
        The genes as they are.
    genes
        The genes as they are annotated.
    planted
        Kind of error by gene: ``donor``, ``acceptor``, ``start`` or ``stop``.
    reads
        For each sample: sequence, strand of the gene, and pieces of each read.
    seed
        Of the noise in the predictions.
    """

    sequences: dict[str, bytes]
    truth: tuple[Model, ...]
    genes: tuple[Model, ...]
    planted: dict[str, str]
    reads: tuple[tuple[tuple[str, str, tuple[Interval, ...]], ...], ...]
    seed: int = 1


@dataclass(frozen=True)
class Annotated:
    """The files of a generated genome."""

    world: World
    fasta: Path
    gff3: Path
    predictions: Path
    input_h5: Path
    bams: list[Path] = field(default_factory=list)
    junctions: list[Path] = field(default_factory=list)


def make_world(
    *,
    sequences: int = 2,
    genes: int = 8,
    errors: float = 0.0,
    samples: int = 2,
    depth: int = 12,
    silent: float = 0.0,
    spacing: int = 275,
    seed: int = 1,
) -> World:
    """Return a genome of ``genes`` genes on each sequence; equal arguments, equal genomes.

    ``errors`` is the share of the genes that are annotated wrongly, ``silent`` that of the genes
    without reads, ``depth`` the mean number of reads of a sample over a base, ``spacing`` the mean
    number of bases between genes.

    Examples
    --------
    >>> world = make_world(errors=1.0)
    >>> len(world.genes), sorted(set(world.planted.values()))
    (16, ['acceptor', 'donor', 'start', 'stop'])
    """
    random = np.random.default_rng(seed)
    texts: dict[str, bytes] = {}
    truth: list[Model] = []
    for s in range(sequences):
        pieces, at = [_random(random, 300)], 300
        seqid = f"chr{s + 1}"
        for _ in range(genes):
            name = f"gene{len(truth) + 1}"
            strand = "+-"[int(random.integers(2))]
            text, exons, cds = _gene(random)
            text, exons, cds = _turned(text, exons, cds) if strand == "-" else (text, exons, cds)
            placed = tuple((a + at, b + at) for a, b in exons)
            truth.append(Model(name, seqid, strand, placed, (cds[0] + at, cds[1] + at)))
            gap = _random(random, int(random.integers(spacing * 6 // 11, spacing * 16 // 11)))
            pieces += [text, gap]
            at += len(text) + len(gap)
        texts[seqid] = "".join(pieces).encode()
    annotated, planted = [], {}
    for model in truth:
        wrong = _spoilt(model, random) if random.random() < errors else None
        annotated.append(wrong[0] if wrong else model)
        if wrong:
            planted[model.id] = wrong[1]
    heard = [m for m in truth if random.random() >= silent]
    reads = tuple(
        tuple(sorted((r for m in heard for r in _reads(m, depth, random)), key=_place))
        for _ in range(samples)
    )
    return World(texts, tuple(truth), tuple(annotated), planted, reads, seed)


def _place(read: tuple[str, str, tuple[Interval, ...]]) -> tuple[str, tuple[Interval, ...]]:
    return read[0], read[2]


def _random(random: Any, n: int) -> str:
    return "".join(random.choice(list("ACGT"), n, p=(0.3, 0.2, 0.2, 0.3)))


def _gene(random: Any) -> tuple[str, list[Interval], Interval]:
    """Return the bases of a gene as they are read, its exons, and its coding sequence."""
    n = int(random.integers(60, 200))
    coding = "ATG" + "".join(random.choice(CODONS, n)) + STOPS[int(random.integers(3))]
    five, three = int(random.integers(35, 70)), int(random.integers(35, 70))
    mrna = _random(random, five - 4) + "AACA" + coding + _random(random, three)
    n_introns = int(random.integers(0, 4))
    cuts = sorted(random.choice(np.arange(five + 40, len(mrna) - three - 40), n_introns, False))
    cuts = [c for i, c in enumerate(cuts) if i == 0 or c - cuts[i - 1] >= 40]
    text, exons, at = "", [], 0
    for cut in [*cuts, len(mrna)]:
        begin = len(text)
        text += mrna[at:cut]
        exons.append((begin, len(text)))
        at = int(cut)
        if cut < len(mrna):
            text += DONOR + _random(random, int(random.integers(40, 120))) + ACCEPTOR
    places = [i for a, b in exons for i in range(a, b)]
    return text, exons, (places[five], places[five + len(coding) - 1] + 1)


def _turned(
    text: str, exons: Sequence[Interval], cds: Interval
) -> tuple[str, list[Interval], Interval]:
    n = len(text)
    other = text.encode().translate(_OTHER)[::-1].decode()
    return other, [(n - b, n - a) for a, b in reversed(exons)], (n - cds[1], n - cds[0])


def _spoilt(model: Model, random: Any) -> tuple[Model, str] | None:
    """Return a gene with one error and its kind."""
    kinds = ["start", "stop"] + (["donor", "acceptor"] if len(model.exons) > 1 else [])
    kind = kinds[int(random.integers(len(kinds)))]
    shift = int(random.choice([-9, -7, -6, -4, -3, -2, 2, 3, 4, 5, 7, 8]))
    left = (kind in ("start", "acceptor")) == (model.strand == "+")
    if kind in ("start", "stop"):
        start, end = model.cds
        cds = (start + shift, end) if left else (start, end + shift)
        return replace(model, cds=cds), kind
    exons = [list(e) for e in model.exons]
    i = int(random.integers(len(exons) - 1))
    if left:
        exons[i + 1][0] += shift
    else:
        exons[i][1] += shift
    return replace(model, exons=tuple((a, b) for a, b in exons)), kind


def _reads(model: Model, depth: int, random: Any) -> list[tuple[str, str, tuple[Interval, ...]]]:
    places = np.concatenate([np.arange(a, b) for a, b in model.exons])
    n = max(1, depth * len(places) // READ)
    starts = [*random.integers(0, max(1, len(places) - READ), n).tolist(), 0, len(places) - READ]
    out = []
    for start in starts * 1:
        covered = places[max(start, 0) : start + READ]
        edges = np.flatnonzero(np.diff(covered) > 1)
        firsts = [int(covered[0]), *covered[edges + 1].tolist()]
        lasts = [*covered[edges].tolist(), int(covered[-1])]
        pieces = tuple((a, b + 1) for a, b in zip(firsts, lasts, strict=True))
        out.append((model.seqid, model.strand, pieces))
    return out


def mirrored(world: World) -> World:
    """Return the genome as it is read from the other side: all that was forward is backward.

    Examples
    --------
    >>> world = make_world()
    >>> mirrored(mirrored(world)) == world
    True
    """
    sizes = {s: len(t) for s, t in world.sequences.items()}

    def turn(places: Sequence[Interval], seqid: str) -> tuple[Interval, ...]:
        return tuple((sizes[seqid] - b, sizes[seqid] - a) for a, b in reversed(places))

    def model(m: Model) -> Model:
        strand = "-" if m.strand == "+" else "+"
        cds = (sizes[m.seqid] - m.cds[1], sizes[m.seqid] - m.cds[0])
        return Model(m.id, m.seqid, strand, turn(m.exons, m.seqid), cds)

    reads = tuple(
        tuple(sorted(((s, "-+"["-+".index(x) ^ 1], turn(p, s)) for s, x, p in sample), key=_place))
        for sample in world.reads
    )
    texts = {s: t.translate(_OTHER)[::-1] for s, t in world.sequences.items()}
    truth, genes = (tuple(map(model, ms)) for ms in (world.truth, world.genes))
    return World(texts, truth, genes, world.planted, reads, world.seed)


def write_annotation(
    folder: str | Path | None = None,
    world: World | None = None,
    *,
    block: int = 2000,
    padding: str = "end",
    **made: Any,
) -> Annotated:
    """Write the files of a generated genome; see :func:`make_world` for the arguments.

    ``block`` is the number of bases in a row of the predictions, ``padding`` the side on which
    the last row of the reverse strand is filled up.
    """
    world = world or make_world(**made)
    home = Path(folder or tempfile.mkdtemp(prefix="polytene-"))
    home.mkdir(parents=True, exist_ok=True)
    fasta, gff3 = home / "genome.fa", home / "predictions.gff3"
    fasta.write_bytes(b"".join(_record(s, t) for s, t in world.sequences.items()))
    gff3.write_text(to_gff3(world), encoding="utf-8")
    predictions, input_h5 = home / "predictions.h5", home / "input.h5"
    _write_h5(world, predictions, input_h5, block, padding)
    bams = [_write_bam(world, i, home / f"sample{i + 1}.bam") for i in range(len(world.reads))]
    tables = [_write_sj(world, i, home / f"sample{i + 1}_SJ.out.tab") for i in range(len(bams))]
    return Annotated(world, fasta, gff3, predictions, input_h5, bams, tables)


def _record(name: str, text: bytes) -> bytes:
    lines = [text[i : i + 60] for i in range(0, len(text), 60)]
    return b">%s\n%s\n" % (name.encode(), b"\n".join(lines))


def to_gff3(world: World) -> str:
    """Return the annotated genes as GFF3, written as Helixer does."""
    lines = ["##gff-version 3"]
    lines += [f"##sequence-region {s} 1 {len(t)}" for s, t in world.sequences.items()]
    order = list(world.sequences)
    for m in sorted(world.genes, key=lambda m: (order.index(m.seqid), m.exons)):
        low, high = min(m.exons[0][0], m.cds[0]), max(m.exons[-1][1], m.cds[1])
        rows = [("gene", low, high, ".", f"ID={m.id};Name={m.id}")]
        rows.append(("mRNA", low, high, ".", f"ID={m.id}.1;Parent={m.id}"))
        exons = m.exons if m.strand == "+" else m.exons[::-1]
        done, five = 0, True
        for i, (a, b) in enumerate(exons, 1):
            rows.append(("exon", a, b, ".", f"ID={m.id}.1.exon.{i};Parent={m.id}.1"))
            c, d = max(a, m.cds[0]), min(b, m.cds[1])
            before, after = ((a, c), (d, b)) if m.strand == "+" else ((d, b), (a, c))
            if c >= d:
                kind = "five_prime_UTR" if five else "three_prime_UTR"
                rows.append((kind, a, b, ".", f"ID={m.id}.1.{kind}.{i};Parent={m.id}.1"))
                continue
            if before[0] < before[1]:
                about = f"ID={m.id}.1.five_prime_UTR.{i};Parent={m.id}.1"
                rows.append(("five_prime_UTR", *before, ".", about))
            rows.append(("CDS", c, d, str(-done % 3), f"ID={m.id}.1.CDS.{i};Parent={m.id}.1"))
            done, five = done + d - c, False
            if after[0] < after[1]:
                about = f"ID={m.id}.1.three_prime_UTR.{i};Parent={m.id}.1"
                rows.append(("three_prime_UTR", *after, ".", about))
        lines += [
            f"{m.seqid}\tHelixer\t{kind}\t{a + 1}\t{b}\t.\t{m.strand}\t{phase}\t{about}"
            for kind, a, b, phase, about in rows
        ]
        lines.append("###")
    return "\n".join(lines) + "\n"


def classes_of(world: World, seqid: str, strand: str) -> Any:
    """Return the class of each base of a strand, in genome order: none, UTR, CDS or intron."""
    found = np.zeros(len(world.sequences[seqid]), np.int64)
    for m in world.truth:
        if (m.seqid, m.strand) == (seqid, strand):
            found[m.exons[0][0] : m.exons[-1][1]] = 3
            for a, b in m.exons:
                found[a:b] = 1
                found[max(a, m.cds[0]) : max(min(b, m.cds[1]), max(a, m.cds[0]))] = 2
    return found


def _write_h5(world: World, predictions: Path, input_h5: Path, block: int, padding: str) -> None:
    import h5py

    rows, bounds, names = [], [], []
    for seqid, text in world.sequences.items():
        size = len(text)
        for strand in "+-":
            classes = classes_of(world, seqid, strand)
            noise = np.random.default_rng(world.seed).random((size, 4), np.float32)
            mirror = strand == "-"
            order = classes[::-1] if mirror else classes
            p = np.float32(0.02) + np.float32(0.05) * noise
            p[np.arange(size), order] = 0
            p[np.arange(size), order] = 1 - p.sum(axis=1)
            p = p[::-1] if mirror else p
            starts = list(range(0, size, block))
            for a in starts[::-1] if mirror else starts:
                b = min(a + block, size)
                piece = p[a:b][::-1] if mirror else p[a:b]
                row = np.zeros((block, 4), np.float16)
                shift = block - (b - a) if mirror and padding == "start" else 0
                row[shift : shift + b - a] = piece
                rows.append(row)
                bounds.append((b, a) if mirror else (a, b))
                names.append(seqid.encode()[:50])
    data = np.stack(rows)
    with h5py.File(predictions, "w") as out:
        options = {"chunks": (1, block, 4), "compression": "gzip", "shuffle": True}
        out.create_dataset("predictions", data=data, **options)
        out.attrs["test_data_path"] = "input.h5"
    with h5py.File(input_h5, "w") as out:
        out.create_dataset("data/X", shape=(len(rows), block, 4), dtype="f2", chunks=(1, block, 4))
        out["data/start_ends"] = np.array(bounds, np.int64)
        out["data/seqids"] = np.array(names, "S50")


def _write_bam(world: World, sample: int, path: Path) -> Path:
    import pysam

    names = list(world.sequences)
    header = {
        "HD": {"VN": "1.6", "SO": "coordinate"},
        "SQ": [{"SN": s, "LN": len(t)} for s, t in world.sequences.items()],
    }
    with pysam.AlignmentFile(str(path), "wb", header=header) as out:
        for i, (seqid, strand, pieces) in enumerate(world.reads[sample]):
            read = pysam.AlignedSegment()
            read.query_name, read.flag, read.reference_id = f"r{i}", 0, names.index(seqid)
            read.reference_start, read.mapping_quality = pieces[0][0], 60
            cigar = []
            for k, (a, b) in enumerate(pieces):
                cigar += [(3, a - pieces[k - 1][1])] if k else []
                cigar.append((0, b - a))
            read.cigartuples = cigar
            text = world.sequences[seqid]
            read.query_sequence = b"".join(text[a:b] for a, b in pieces).decode()
            if len(pieces) > 1:
                read.set_tag("XS", strand, "A")
            out.write(read)
    pysam.index(str(path))
    return path


def _write_sj(world: World, sample: int, path: Path) -> Path:
    found: dict[tuple[str, int, int, str], int] = {}
    for seqid, strand, pieces in world.reads[sample]:
        for one, two in itertools.pairwise(pieces):
            key = (seqid, one[1], two[0], strand)
            found[key] = found.get(key, 0) + 1
    rows = [
        f"{s}\t{a + 1}\t{b}\t{1 if x == '+' else 2}\t{1 if x == '+' else 2}\t1\t{n}\t0\t30\n"
        for (s, a, b, x), n in sorted(found.items())
    ]
    path.write_text("".join(rows))
    return path
