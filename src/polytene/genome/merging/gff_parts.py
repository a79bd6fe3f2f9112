"""The parts of a GFF3 merge: features to graphs, directives once, sequences once."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from polytene.formats.text import decode
from polytene.genome.merging.files import Part, Write, lines_of, wrong
from polytene.genome.merging.gff_graphs import Graph, Section, read_feature
from polytene.genome.merging.ranks import Ranks


class Directives:
    """What stands before and after the features of a result."""

    def __init__(self, ranks: Ranks, folder: Path) -> None:
        self._ranks = ranks
        self._regions: dict[bytes, tuple[int, tuple[bytes, bytes], Part]] = {}
        self._others: dict[bytes, None] = {}
        self.comments: list[list[bytes]] = []
        self.sequences = Sequences(folder)

    def take(self, line: bytes, part: Part, number: int) -> None:
        """Take a line that begins with ``##``.

        Raises
        ------
        BadInput
            ``not-gff3``, ``bad-gff3``, or ``regions-differ`` if two parts give one sequence two
            extents.
        """
        words = line.split()
        if words[0] == b"##gff-version":
            if len(words) < 2 or words[1].split(b".")[0] != b"3":
                raise wrong(part, number, "not-gff3", f"{decode(line)!r}; expected version 3")
        elif words[0] == b"##sequence-region":
            self._region(words, part, number)
        else:
            self._others.setdefault(line)

    def _region(self, words: list[bytes], part: Part, number: int) -> None:
        if len(words) != 4 or not (words[2].isdigit() and words[3].isdigit()):
            detail = f"{decode(b' '.join(words))!r}: expected ##sequence-region seqid start end"
            raise wrong(part, number, "bad-gff3", detail)
        seqid, extent = words[1], (words[2], words[3])
        rank = self._ranks.rank(seqid, part, number)
        _, known, other = self._regions.setdefault(seqid, (rank, extent, part))
        if known != extent:
            one, two = (decode(b"-".join(e)) for e in (extent, known))
            detail = f"{decode(seqid)} is {one} here and {two} in {other.name}"
            raise wrong(part, number, "regions-differ", detail)

    def write_head(self, comments: list[bytes], write: Write) -> None:
        """Write version, extents by sequence, other directives and comments, each once."""
        write(b"##gff-version 3\n")
        for seqid, (_, extent, _) in sorted(self._regions.items(), key=lambda r: r[1][0]):
            write(b"##sequence-region %b %b %b\n" % (seqid, *extent))
        for line in (*self._others, *comments):
            write(line + b"\n")


class Sequences:
    """FASTA records behind the features: each once, in the order in which they come."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._file: IO[bytes] | None = None
        self._known: dict[bytes, bytes] = {}

    def take(self, lines: Iterator[tuple[int, bytes]], part: Part) -> None:
        """Take the records of a part.

        Raises
        ------
        BadInput
            ``fasta-differs`` if a record is not the one that another part has under its name.
        """
        name: bytes | None = None
        new, at = False, 0
        content = hashlib.blake2b(digest_size=16)
        for number, line in lines:
            if line.startswith(b">"):
                self._close(name, content.digest(), part, at)
                name, at = (line[1:].split() or [b""])[0], number
                new = name not in self._known
                content = hashlib.blake2b(digest_size=16)
            elif name is None:
                if line.strip():
                    raise wrong(part, number, "bad-gff3", "expected a line with > after ##FASTA")
                continue
            else:
                content.update(line.strip())
            if new and line.strip():
                self._spool().write(line + b"\n")
        self._close(name, content.digest(), part, at)

    def _close(self, name: bytes | None, content: bytes, part: Part, number: int) -> None:
        if name is not None and self._known.setdefault(name, content) != content:
            detail = f"sequence {decode(name)!r} is not the one that another part has"
            raise wrong(part, number, "fasta-differs", detail)

    def _spool(self) -> IO[bytes]:
        if self._file is None:
            self._file = tempfile.TemporaryFile(dir=self._folder, prefix=".polytene-")  # noqa: SIM115
        return self._file

    def write(self, write: Write) -> None:
        """Write ``##FASTA`` and the records, if there are any."""
        if self._file is None:
            return
        write(b"##FASTA\n")
        self._file.seek(0)
        while block := self._file.read(1 << 20):
            write(block)


def graphs_of(part: Part, ranks: Ranks, directives: Directives) -> Iterator[Graph]:
    """Yield the feature graphs of a part; hand its other lines to ``directives``.

    Memory holds what lies between two ``###``, the whole part if it has none.

    Raises
    ------
    BadInput
        With the line and what is wrong with it.
    """
    section, begun = Section(part), False
    first: list[bytes] = []
    held: list[bytes] = []
    lines = enumerate(lines_of(part), 1)
    for number, line in lines:
        if line.startswith(b"#"):
            if line.startswith(b"###"):
                yield from section.graphs()
                section, begun = Section(part), True
            elif line.startswith(b"##FASTA"):
                directives.sequences.take(lines, part)
            elif line.startswith(b"##") and line[2:3].strip():
                directives.take(line, part, number)
            else:
                (held if begun else first).append(line)
        elif line.startswith(b">"):
            directives.sequences.take(_and_then((number, line), lines), part)
        elif line.strip():
            section.add(read_feature(line, part, number, ranks), held)
            held, begun = [], True
    yield from section.graphs()
    directives.comments.append(first + held)


def _and_then(
    first: tuple[int, bytes], rest: Iterator[tuple[int, bytes]]
) -> Iterator[tuple[int, bytes]]:
    yield first
    yield from rest
