"""RNA-seq along a stretch of a sequence: coverage and junctions, of all samples."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from polytene.exceptions import BadInput
from polytene.formats.junctions import read_junctions
from polytene.formats.text import printable
from polytene.genome.annotation.inputs import Inputs
from polytene.genome.genome import Genome

Ints = np.ndarray[Any, np.dtype[np.int64]]
INTRON, DELETION = 3, 2
ALIGNED = (0, 7, 8)
NOT_COUNTED = 0x4 | 0x100 | 0x200 | 0x400 | 0x800
MOTIFS = {
    b"GTAG": "+", b"GCAG": "+", b"ATAC": "+",
    b"CTAC": "-", b"CTGC": "-", b"GTAT": "-",
}  # fmt: skip
Key = tuple[int, int, str]


@dataclass
class Stretch:
    """What reads say of a stretch of a sequence.

    Parameters
    ----------
    seqid, start, end
        The stretch, 0-based and half-open.
    coverage
        Reads over each base, of all samples together, int32; None where there are no alignments.
    junctions
        Reads of each sample by start, end and strand of the intron.
    """

    seqid: str
    start: int
    end: int
    coverage: Any
    junctions: dict[Key, Ints]

    def covered(self, start: int, end: int) -> Any:
        """Return the coverage of some bases."""
        return self.coverage[start - self.start : end - self.start]


def check_bam(
    path: str | Path, lengths: Mapping[str, int] | None, genome: str | Path | None
) -> dict[str, int]:
    """Refuse alignments that are not whole, indexed, and of this genome; return its sequences.

    Raises
    ------
    BadInput
        ``unreadable``, ``not-bam``, ``truncated-bam``, ``no-index`` or ``other-genome``.
    """
    name = printable(str(path))
    with _opened(path, genome) as bam:
        if bam.format == "SAM":
            raise BadInput("not-bam", f"{name} is SAM: samtools sort and index it into BAM")
        try:
            bam.check_index()
        except (ValueError, AttributeError):
            raise BadInput("no-index", f"{name} has no index: samtools index {name}") from None
        known = dict(zip(bam.references, bam.lengths, strict=True))
    if lengths is not None:
        _check_genome(name, known, lengths)
    return known


def _check_genome(name: str, known: Mapping[str, int], lengths: Mapping[str, int]) -> None:
    wrong = [s for s, n in known.items() if lengths.get(s, n) != n]
    if wrong:
        here, there = known[wrong[0]], lengths[wrong[0]]
        what = f"{printable(wrong[0])!r} has {here:,} bases there and {there:,} in the genome"
    elif any(s in lengths for s in known):
        return
    else:
        what = "they share no sequence"
    raise BadInput("other-genome", f"{name} is not aligned to this genome: {what}")


def _opened(path: str | Path, genome: str | Path | None) -> Any:
    import pysam

    name = printable(str(path))
    pysam.set_verbosity(0)
    try:
        return pysam.AlignmentFile(str(path), reference_filename=str(genome) if genome else None)
    except OSError as error:
        if "truncated" in str(error):
            raise BadInput("truncated-bam", f"{name} ends too early: copy it again") from None
        raise BadInput("unreadable", f"{name}: {error}") from None
    except ValueError as error:
        raise BadInput("not-bam", f"{name} is no BAM or CRAM: {error}") from None


class Reads:
    """The samples of a run: alignments, and tables of junctions.

    Parameters
    ----------
    inputs
        Made by :func:`polytene.genome.annotation_inputs`.
    genome
        Tells the strand of a junction by its motif, where reads do not.
    with_coverage
        Whether coverage is asked for.
    """

    def __init__(self, inputs: Inputs, genome: Genome | None, with_coverage: bool) -> None:
        fasta = inputs["genome"][0] if "genome" in inputs else None
        self._stack = ExitStack()
        self._paths = [f[0] for f in inputs.get("bams", ())]
        self._bams = [self._stack.enter_context(_opened(p, fasta)) for p in self._paths]
        self._known = [set(bam.references) for bam in self._bams]
        self._tables = [_junctions(*f) for f in inputs.get("junctions", ())]
        self._genome = genome
        self.with_coverage = with_coverage and bool(self._bams)
        self.n_samples = len(self._bams) + len(self._tables)
        self.fetches = 0

    def close(self) -> None:
        """Close the files."""
        self._stack.close()

    def over(self, seqid: str, start: int, end: int) -> Stretch:
        """Return what the samples say of a stretch; each alignment file is read once.

        Raises
        ------
        BadInput
            ``truncated-bam`` if a file cannot be read there.
        """
        start = max(0, start)
        junctions: dict[Key, Ints] = {}
        steps = np.zeros(end - start + 1, np.int32) if self.with_coverage else None
        for i, bam in enumerate(self._bams):
            if seqid in self._known[i]:
                self._count(i, bam, (seqid, start, end), steps, junctions)
        for i, table in enumerate(self._tables, len(self._bams)):
            for low, high, strand, reads in table.get(seqid, _Junctions()).within(start, end):
                self._add(junctions, (low, high, strand), i, reads)
        coverage = None if steps is None else np.cumsum(steps[:-1], dtype=np.int32)
        return Stretch(seqid, start, end, coverage, self._with_strands(seqid, junctions))

    def _count(
        self, i: int, bam: Any, where: tuple[str, int, int], steps: Any, junctions: dict[Key, Ints]
    ) -> None:
        seqid, start, end = where
        begins: list[int] = []
        ends: list[int] = []
        self.fetches += 1
        last = min(end, bam.get_reference_length(seqid))
        try:
            for read in bam.fetch(seqid, min(start, last), last):
                if read.flag & NOT_COUNTED:
                    continue
                at = read.reference_start
                for op, size in read.cigartuples or ():
                    if op in ALIGNED:
                        begins.append(at)
                        ends.append(at + size)
                    elif op == INTRON:
                        key = (at, at + size, _strand(read))
                        self._add(junctions, key, i, 1)
                    elif op != DELETION:
                        continue
                    at += size
        except OSError as error:
            raise BadInput(
                "truncated-bam", f"{printable(self._paths[i])} cannot be read at {seqid}: {error}"
            ) from None
        if steps is not None and begins:
            low = np.clip(np.array(begins) - start, 0, end - start)
            high = np.clip(np.array(ends) - start, 0, end - start)
            steps += np.bincount(low, minlength=steps.size).astype(np.int32)
            steps -= np.bincount(high, minlength=steps.size).astype(np.int32)

    def _add(self, junctions: dict[Key, Ints], key: Key, sample: int, reads: int) -> None:
        if key not in junctions:
            junctions[key] = np.zeros(self.n_samples, np.int64)
        junctions[key][sample] += reads

    def _with_strands(self, seqid: str, found: dict[Key, Ints]) -> dict[Key, Ints]:
        """Give junctions without a strand the one that their motif says, if it says any."""
        if self._genome is None:
            return dict(sorted(found.items()))
        out: dict[Key, Ints] = {}
        for (start, end, strand), reads in sorted(found.items()):
            if strand == "." and end - start >= 4:
                bases = self._genome.get_sequence
                ends = bases(seqid, start, start + 2) + bases(seqid, end - 2, end)
                strand = MOTIFS.get(ends.upper().encode(), ".")
            key = (start, end, strand)
            out[key] = out[key] + reads if key in out else reads
        return out


def _strand(read: Any) -> str:
    """Return the strand of a spliced read: tag XS, or minimap2's ts, which counts from the read."""
    if read.has_tag("XS"):
        found = str(read.get_tag("XS"))
        return found if found in ("+", "-") else "."
    if read.has_tag("ts"):
        forward = (read.get_tag("ts") == "+") != read.is_reverse
        return "+" if forward else "-"
    return "."


class _Junctions:
    """Junctions of a sequence, by start."""

    def __init__(self, rows: list[tuple[int, int, str, int]] | None = None) -> None:
        self._rows = sorted(rows or [])
        self._starts = np.array([r[0] for r in self._rows], np.int64)
        self._longest = max((r[1] - r[0] for r in self._rows), default=0)

    def within(self, start: int, end: int) -> Iterator[tuple[int, int, str, int]]:
        """Yield those that overlap a stretch."""
        low, high = np.searchsorted(self._starts, [start - self._longest, end])
        for row in self._rows[low:high]:
            if row[1] > start:
                yield row


@lru_cache(maxsize=64)
def _junctions(path: str, size: int, mtime_ns: int) -> dict[str, _Junctions]:
    rows: dict[str, list[tuple[int, int, str, int]]] = {}
    for seqid, start, end, strand, reads in read_junctions(path):
        rows.setdefault(seqid, []).append((start, end, strand, reads))
    return {seqid: _Junctions(found) for seqid, found in rows.items()}
