"""What a genome costs: bases, genes, reads, a function, or the times of an earlier run."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from polytene.exceptions import UsageError
from polytene.formats.text import printable, read_blocks, read_lines, unix_newlines
from polytene.genome.genome import Genome
from polytene.genome.planning.atoms import Axis, Track, gene_starts, make_axis
from polytene.genome.planning.genes import Genes, axis_offsets
from polytene.genome.planning.measured import is_run, measured_rows

Cost = str | Path | Mapping[str, Any] | Callable[[str, int, int], float]
Floats = np.ndarray[Any, np.dtype[np.float64]]
Ints = np.ndarray[Any, np.dtype[np.int64]]
WINDOWS = 1 << 14
EXACT = 2.0**50
TERMS = ("bp", "gene", "read", "reads")


@dataclass(frozen=True, eq=False)
class Model:
    """Integer costs; divide by ``scale`` for the units that were asked for.

    Parameters
    ----------
    per_base, per_gene
        Cost of each.
    track
        Cost that lies in some places.
    scale
        How many integer units make one.
    terms
        The same in words, for the plan.
    """

    per_base: int
    per_gene: int
    track: Track | None
    scale: int
    terms: dict[str, Any]

    def axis(self, genome: Genome, genes: Genes | None, cut: str, flank: int) -> Axis:
        """Return the axis of a genome under these costs.

        ``cut="safe"`` keeps genes whole; ``"owned"`` lets them be cut, and each counts where its
        first base is.
        """
        loci = None
        if genes is not None and len(genes):
            if cut == "safe":
                starts, ends, counts = genes.loci(flank, axis_offsets(genome))
                loci = (starts, ends, counts * self.per_gene)
            else:
                loci = gene_starts(genes.starts, self.per_gene)
        return make_axis(genome.total_bases, self.per_base, loci, self.track)

    def real(self, cost: int) -> float:
        """Return a cost in the units that were asked for."""
        return cost if self.scale == 1 else cost / self.scale


def cost_model(cost: Cost | None, genome: Genome, genes: Genes | None) -> Model:
    """Return the model that ``cost`` means.

    Parameters
    ----------
    cost
        ``"bp"``, ``"genes"``, ``"bp+genes"`` (all genes together cost as much as all bases; the
        default where genes are given); a mapping such as ``{"bp": 1, "gene": 5000}``, with
        ``"reads"`` a BED file whose last column is the weight of each interval and ``"read"`` the
        cost of one; a function ``cost(seqid, start, end)``; a BED file; or the directory of an
        earlier run over chunks, whose times count.

    Raises
    ------
    UsageError
        If it is none of these, or says that all costs nothing.
    """
    n_genes = 0 if genes is None else len(genes)
    if cost is None:
        cost = "bp+genes" if n_genes else "bp"
    if callable(cost):
        name = getattr(cost, "__name__", "function")
        return _model({"function": name}, 0, 0, _called(cost, genome), genome, n_genes)
    if isinstance(cost, Mapping):
        return _mapped(cost, genome, n_genes)
    if cost in ("bp", "genes", "bp+genes"):
        if "genes" in str(cost) and not n_genes:
            raise UsageError(f"cost is {cost!r}, and no genes are given")
        each = max(1, genome.total_bases // n_genes) if n_genes and "genes" in str(cost) else 0
        per_base = 0 if cost == "genes" else 1
        return _model({"bp": per_base, "gene": each}, per_base, each, None, genome, n_genes)
    path = Path(cost)
    if is_run(path):
        rows = _placed(path, measured_rows(path), genome)
        return _model({"measured": path.name}, 0, 0, rows, genome, n_genes)
    if not path.is_file():
        raise UsageError(
            f"cost is {printable(str(cost))!r}: neither 'bp', 'genes' or 'bp+genes', nor a run "
            "directory or a BED file"
        )
    return _model({"file": path.name}, 0, 0, _bed(path, genome), genome, n_genes)


def _mapped(cost: Mapping[str, Any], genome: Genome, n_genes: int) -> Model:
    if unknown := set(cost) - set(TERMS):
        raise UsageError(f"cost knows no {sorted(unknown)[0]!r}: {', '.join(TERMS)}")
    rows = None
    if "reads" in cost:
        starts, ends, weights = _bed(Path(cost["reads"]), genome)
        rows = (starts, ends, weights * float(cost.get("read", 1)))
    terms = {k: Path(v).name if k == "reads" else v for k, v in cost.items()}
    per_base, per_gene = (cost.get(k, 0) for k in ("bp", "gene"))
    return _model(terms, per_base, per_gene, rows, genome, n_genes)


def _model(
    terms: dict[str, Any],
    per_base: float,
    per_gene: float,
    rows: tuple[Ints, Ints, Floats] | None,
    genome: Genome,
    n_genes: int,
) -> Model:
    weights = rows[2] if rows else np.zeros(0)
    if min(per_base, per_gene, *weights.tolist()[:1]) < 0 or np.any(~(weights >= 0)):
        raise UsageError("a cost is negative, or no number")
    total = per_base * genome.total_bases + per_gene * n_genes + float(weights.sum())
    if not 0 < total < math.inf:
        raise UsageError("all of the genome together costs nothing: give bp or gene a cost")
    whole = rows is None and float(per_base).is_integer() and float(per_gene).is_integer()
    scale = 1 if whole else 1 << max(0, math.floor(math.log2(EXACT / total)))
    track = None
    if rows is not None:
        starts, ends, _ = rows
        slopes = np.rint(weights * scale / (ends - starts)).astype(np.int64)
        track = Track(starts, ends, slopes)
    return Model(round(per_base * scale), round(per_gene * scale), track, scale, terms)


def _called(cost: Callable[[str, int, int], float], genome: Genome) -> tuple[Ints, Ints, Floats]:
    """Ask a function for the cost of windows, none of which crosses two sequences."""
    width = max(1, genome.total_bases // WINDOWS)
    starts, ends, weights = [], [], []
    offset = 0
    for seqid, length in genome.lengths.items():
        for start in range(0, length, width):
            end = min(start + width, length)
            starts.append(offset + start)
            ends.append(offset + end)
            weights.append(float(cost(seqid, start, end)))
        offset += length
    return np.array(starts, np.int64), np.array(ends, np.int64), np.array(weights)


def _bed(path: Path, genome: Genome) -> tuple[Ints, Ints, Floats]:
    """Read a BED file whose last column is the weight of each interval."""
    rows = list(_bed_rows(path))
    return _placed(path, rows, genome)


def _bed_rows(path: Path) -> Iterator[tuple[str, int, int, float]]:
    lines = read_lines(unix_newlines(read_blocks(path)), printable(str(path)))
    for number, raw in enumerate(lines, 1):
        line = raw.decode("utf-8", "backslashreplace")
        if not line.strip() or line.startswith(("#", "track", "browser")):
            continue
        row = line.split("\t")
        try:
            yield row[0], int(row[1]), int(row[2]), float(row[3:][-1])
        except (ValueError, IndexError):
            raise UsageError(
                f"{printable(str(path))}: line {number}: expected BED with seqid, start, end and "
                "a weight in the last column"
            ) from None


def _placed(
    path: Path, rows: list[tuple[str, int, int, float]], genome: Genome
) -> tuple[Ints, Ints, Floats]:
    offsets, lengths = axis_offsets(genome), genome.index.lengths
    places = genome.index.places
    starts, ends, weights = [], [], []
    for seqid, start, end, weight in rows:
        i = places.get(seqid, -1)
        if i < 0 or not 0 <= start < end <= lengths[i]:
            raise UsageError(
                f"{printable(str(path))}: {printable(seqid)}, {start} to {end}, is not in {genome}"
            )
        starts.append(int(offsets[i]) + start)
        ends.append(int(offsets[i]) + end)
        weights.append(weight)
    if not rows:
        raise UsageError(f"{printable(str(path))} is empty")
    return np.array(starts, np.int64), np.array(ends, np.int64), np.array(weights, float)
