"""Gene models out of lines of GFF3: genes, their transcripts, exons and coding sequences."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from urllib.parse import unquote

from polytene.formats.text import decode

Interval = tuple[int, int]
TRANSCRIBED = {b"exon", b"CDS"}
UTRS = {b"five_prime_UTR", b"three_prime_UTR", b"UTR", b"5UTR", b"3UTR"}


@dataclass(slots=True)
class Line:
    """A line of GFF3; places are 0-based and half-open.

    Parameters
    ----------
    place
        Number of the line among those of its gene.
    fields
        Its nine columns as they stand there.
    type
        Column 3.
    start, end
        Columns 4 and 5.
    id, parents
        Of column 9, as they stand there.
    """

    place: int
    fields: list[bytes]
    start: int
    end: int
    id: bytes | None
    parents: tuple[bytes, ...]
    type: bytes = field(init=False)

    def __post_init__(self) -> None:
        self.type = self.fields[2]

    @property
    def strand(self) -> str:
        """Column 7."""
        return decode(self.fields[6])

    @property
    def name(self) -> str:
        """Its ID unescaped, or its place where it has none."""
        if self.id:
            return unescaped(self.id)
        return f"{unescaped(self.fields[0])}:{self.start + 1}-{self.end}"


@dataclass
class Transcript:
    """A transcript.

    Parameters
    ----------
    id
        Its ID.
    line
        Its line; that of the gene where exons hang on the gene itself.
    strand
        ``+`` or ``-``, or something else where the direction is not known.
    exons, cds
        Places in genome order. Exons that the file leaves out follow from CDS and UTR.
    children
        Lines that have it as a parent.
    """

    id: str
    line: Line
    strand: str
    exons: tuple[Interval, ...]
    cds: tuple[Interval, ...]
    children: list[Line] = field(default_factory=list)

    @property
    def introns(self) -> tuple[Interval, ...]:
        """What lies between the exons, in genome order."""
        pairs = zip(self.exons[:-1], self.exons[1:], strict=True)
        return tuple((a[1], b[0]) for a, b in pairs)


@dataclass
class Gene:
    """A gene with its transcripts; places are 0-based and half-open."""

    id: str
    seqid: str
    start: int
    end: int
    strand: str
    line: Line
    transcripts: list[Transcript]

    @property
    def place(self) -> tuple[str, int, int]:
        """Sequence, start and end."""
        return self.seqid, self.start, self.end


def read_lines(text: bytes) -> tuple[list[Line], list[bytes]]:
    """Return the features of a piece of GFF3, and its comments."""
    lines: list[Line] = []
    comments = []
    text = text.replace(b"\r\n", b"\n") if b"\r" in text else text
    for raw in text.split(b"\n"):
        if raw[:1] == b"#":
            if raw[:2] != b"##":
                comments.append(raw)
        elif raw and not raw.isspace():
            lines.append(_line(len(lines), raw))
    return lines, comments


def unescaped(raw: bytes) -> str:
    """Return a name without the escapes of GFF3."""
    return unquote(decode(raw)) if b"%" in raw else decode(raw)


def _line(place: int, raw: bytes) -> Line:
    fields = raw.split(b"\t")
    own = None
    parents: list[bytes] = []
    for part in fields[8].split(b";"):
        tag, _, value = part.strip().partition(b"=")
        if tag == b"ID":
            own = value or None
        elif tag == b"Parent":
            parents += [v.strip() for v in value.split(b",")] if b"," in value else [value]
    return Line(place, fields, int(fields[3]) - 1, int(fields[4]), own, tuple(parents))


def read_genes(lines: Sequence[Line]) -> list[Gene]:
    """Return the genes among features that belong together.

    A transcript is what has exons or CDS as parts; its gene is what it is part of, or the
    transcript itself. A gene without either is returned with no transcripts. What has no ID has no
    parts.
    """
    by_id: dict[bytes, Line] = {}
    parts: dict[bytes, list[Line]] = {}
    have_exons: set[bytes] = set()
    for line in lines:
        if line.id is not None:
            by_id.setdefault(line.id, line)
        for parent in line.parents:
            parts.setdefault(parent, []).append(line)
        if line.type in TRANSCRIBED:
            have_exons.update(line.parents)
    genes: dict[int, Gene] = {}
    for line in lines:
        if line.id is not None and by_id[line.id] is not line:
            continue
        if line.id is not None and line.id in have_exons:
            children = parts[line.id]
            gene = _gene_of(_top(line, by_id), lines, genes)
            gene.transcripts.append(_transcript(line, children))
        elif line.type.endswith(b"gene"):
            _gene_of(_top(line, by_id), lines, genes)
        elif line.type == b"CDS" and not line.parents and line.id is not None:
            same = [c for c in lines if c.id == line.id]
            gene = _gene_of(line, lines, genes)
            gene.transcripts.append(_transcript(line, same))
    return list(genes.values())


def _top(line: Line, by_id: dict[bytes, Line]) -> Line:
    """Return the nearest gene that a line is part of, or else what it is part of in the end."""
    seen = {line.place}
    while not line.type.endswith(b"gene") and line.parents:
        above = by_id.get(line.parents[0])
        if above is None or above.place in seen:
            break
        seen.add(above.place)
        line = above
    return line


def _gene_of(line: Line, lines: Sequence[Line], genes: dict[int, Gene]) -> Gene:
    if line.place not in genes:
        same = [c for c in lines if c.id == line.id] if line.id is not None else [line]
        seqid = unescaped(line.fields[0])
        start, end = min(c.start for c in same), max(c.end for c in same)
        genes[line.place] = Gene(line.name, seqid, start, end, line.strand, line, [])
    return genes[line.place]


def _transcript(line: Line, children: list[Line]) -> Transcript:
    cds = _sorted(c for c in children if c.type == b"CDS")
    exons = _sorted(c for c in children if c.type == b"exon")
    if not exons:
        exons = _joined([*cds, *_sorted(c for c in children if c.type in UTRS)])
    strand = next((c.strand for c in children if c.type in TRANSCRIBED), line.strand)
    return Transcript(line.name, line, strand, exons, cds, children)


def _sorted(lines: Iterable[Line]) -> tuple[Interval, ...]:
    return tuple(sorted({(c.start, c.end) for c in lines}))


def _joined(places: list[Interval]) -> tuple[Interval, ...]:
    """Return what places cover together; those that touch are one."""
    out: list[Interval] = []
    for start, end in sorted(places):
        if out and start <= out[-1][1]:
            out[-1] = (out[-1][0], max(end, out[-1][1]))
        else:
            out.append((start, end))
    return tuple(out)


def sense(places: Sequence[Interval], strand: str, low: int, high: int) -> list[Interval]:
    """Return places as the strand is read: from ``low`` up, or from ``high`` down.

    Examples
    --------
    >>> sense([(10, 12), (15, 20)], "-", 10, 20)
    [(0, 5), (8, 10)]
    """
    if strand == "-":
        return [(high - e, high - s) for s, e in reversed(places)]
    return [(s - low, e - low) for s, e in places]
