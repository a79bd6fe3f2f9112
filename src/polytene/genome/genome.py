"""A genome: the sequences of a FASTA file, by name and place."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from polytene.core.canonical import digest
from polytene.exceptions import BadInput, UsageError
from polytene.formats.bgzf import is_gzip_only
from polytene.formats.fai import FastaIndex, load_index
from polytene.formats.fasta import nucleotide_check
from polytene.formats.regions import Region, close_names, parse_region
from polytene.formats.text import printable
from polytene.genome.chunks import GenomeFacts
from polytene.genome.reader import Bytes, Layout, Reader, bases, open_text

SAMPLES, SAMPLE_BASES = 8, 4096
_COMPLEMENT = bytes.maketrans(b"ACGTUNRYSWKMBDHVacgtunryswkmbdhv",
                              b"TGCAANYRSWMKVHDBtgcaanyrswmkvhdb")  # fmt: skip


class Genome:
    """The sequences of a FASTA file, plain or bgzipped.

    Opening it reads its ``.fai``, or makes one if there is none or it is out of date.

    Parameters
    ----------
    path
        The file.
    reader
        ``"memmap"``, or ``"pread"`` for network file systems.

    Raises
    ------
    BadInput
        ``unreadable``, ``empty-file``, ``not-fasta``, ``not-bgzip``, ``not-nucleotide``,
        ``duplicate-id``, ``ragged-lines`` and the like, with the line.

    Examples
    --------
    >>> from polytene.testing.assembly import write_assembly
    >>> genome = Genome(write_assembly().fasta)
    >>> genome
    <Genome genome.fa: 8 sequences, 60,000 bp>
    >>> genome.fetch("chr1:1-12")
    'CGTTCCCAAACC'
    """

    def __init__(self, path: str | Path, *, reader: Reader = "memmap") -> None:
        self.path = str(Path(path).absolute())
        self.reader: Reader = reader
        try:
            about = os.stat(self.path)
            if is_gzip_only(self.path):
                raise BadInput(
                    "not-bgzip",
                    f"{printable(path)} is gzip, in which no place can be gone to: gunzip it, or "
                    "compress it by bgzip",
                )
        except OSError as error:
            raise BadInput("unreadable", f"{printable(path)}: {error.strerror}") from None
        self.size, self.mtime_ns = about.st_size, about.st_mtime_ns
        self.index = load_index(self.path)
        self._check_letters()

    @classmethod
    def from_lengths(cls, lengths: Mapping[str, int] | Iterable[tuple[str, int]]) -> Genome:
        """Return a genome of which only names and lengths are known; it can be planned.

        Examples
        --------
        >>> Genome.from_lengths({"chr1": 1000, "chr2": 500}).total_bases
        1500
        """
        rows = list(lengths.items() if isinstance(lengths, Mapping) else lengths)
        if not rows or any(n < 0 for _, n in rows):
            raise UsageError("lengths: at least one sequence, and none shorter than 0")
        genome = cls.__new__(cls)
        genome.path, genome.size, genome.mtime_ns, genome.reader = "", 0, 0, "memmap"
        sizes = np.array([n for _, n in rows], np.int64)
        ones = np.ones(len(rows), np.int64)
        genome.index = FastaIndex([n for n, _ in rows], sizes, ones, ones, ones)
        if len(genome.index.places) < len(rows):
            raise UsageError("lengths: a name occurs twice")
        return genome

    @property
    def names(self) -> list[str]:
        """Names of the sequences, in file order."""
        return self.index.names

    @cached_property
    def lengths(self) -> dict[str, int]:
        """Bases of each sequence by its name, in file order."""
        return dict(zip(self.names, self.index.lengths.tolist(), strict=True))

    @property
    def total_bases(self) -> int:
        """Bases of all sequences."""
        return int(self.index.lengths.sum())

    @property
    def has_bases(self) -> bool:
        """Whether there is a file to read."""
        return bool(self.path)

    def __len__(self) -> int:
        return len(self.index)

    def __contains__(self, seqid: object) -> bool:
        return seqid in self.index.places

    def __repr__(self) -> str:
        name = Path(self.path).name or "lengths only"
        return f"<Genome {name}: {len(self):,} sequences, {self.total_bases:,} bp>"

    @cached_property
    def facts(self) -> GenomeFacts:
        """What a plan keeps of it."""
        index = self.index
        parts = ["\n".join(index.names).encode()]
        parts += [a.astype("<i8").tobytes() for a in (index.lengths, index.offsets)]
        parts += [a.astype("<i8").tobytes() for a in (index.line_bases, index.line_width)]
        counts = (len(self), self.total_bases)
        return GenomeFacts(self.path, self.size, *counts, digest(b"\0".join(parts)))

    def place(self, seqid: str) -> int:
        """Return the number of a sequence; raise UsageError if there is none of this name."""
        try:
            return self.index.places[seqid]
        except KeyError:
            near = close_names(seqid, self.names)
            hint = f"; did you mean {', '.join(near)}?" if near else ""
            raise UsageError(f"{self!r} has no sequence {printable(seqid)!r}{hint}") from None

    def layout(self, seqid: str) -> Layout:
        """Return where a sequence lies in its file."""
        i, index = self.place(seqid), self.index
        rows = (index.offsets, index.line_bases, index.line_width)
        return Layout(*(int(r[i]) for r in rows))

    def region(self, where: str | Region, *, clip: bool = False) -> Region:
        """Return a region of this genome; a text is read as :func:`parse_region` does."""
        if isinstance(where, str):
            return parse_region(where, self.lengths, clip=clip)
        length = int(self.index.lengths[self.place(where.seqid)])
        end = min(where.end, length) if clip else where.end
        if not 0 <= where.start <= end <= length:
            raise UsageError(f"{where} is not inside its sequence, which has {length:,} bases")
        return Region(where.seqid, where.start, end)

    def bases(self, where: str | Region) -> Bytes:
        """Return the bases of a region as an array of bytes, uint8 ``(base,)``."""
        if not self.has_bases:
            raise UsageError("only the lengths of this genome are known, not its bases")
        region = self.region(where)
        text = open_text(self.path, self.reader, (self.size, self.mtime_ns))
        return bases(text, self.layout(region.seqid), region.start, region.end)

    def fetch(self, where: str | Region, *, strand: str = "+") -> str:
        """Return the bases of a region as text; its reverse complement for strand ``-``."""
        if strand not in ("+", "-", "."):
            raise UsageError(f"strand is {strand!r}: '+' or '-'")
        text = self.bases(where).tobytes()
        if strand == "-":
            text = text.translate(_COMPLEMENT)[::-1]
        return text.decode("latin-1")

    def get_sequence(self, seqid: str, start: int, end: int, strand: str = "+") -> str:
        """Return bases ``start`` to ``end``, 0-based and half-open."""
        return self.fetch(Region(seqid, start, end), strand=strand)

    def get_length(self, seqid: str) -> int:
        """Return the length of a sequence."""
        return int(self.index.lengths[self.place(seqid)])

    def _check_letters(self) -> None:
        """Look at the beginnings of some sequences: refuse what holds no nucleotides."""
        step = max(1, len(self) // SAMPLES)
        for i in range(0, len(self), step)[:SAMPLES]:
            seqid, length = self.names[i], int(self.index.lengths[i])
            head: Any = self.bases(Region(seqid, 0, min(length, SAMPLE_BASES))).tobytes()
            if bad := nucleotide_check(head):
                raise BadInput(
                    "not-nucleotide",
                    f"{printable(self.path)}: base {bad[0] + 1} of {printable(seqid)!r} is "
                    f"{chr(bad[1])!r}, which no nucleotide sequence holds; is it a protein?",
                )


GenomeAccessor = Genome
