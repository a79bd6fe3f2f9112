"""Lines of GFF3 with attributes added, or with mended parts; all else stays byte for byte."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from urllib.parse import quote

from polytene.genome.annotation.models import Gene, Interval, Line, Transcript

PARTS = {b"exon", b"CDS", b"five_prime_UTR", b"three_prime_UTR", b"intron"}
SAFE = " !\"#$'()*+-./:<>?@[\\]^_`{|}~"
Pieces = list[tuple[int, Interval]]


def can_rewrite(transcript: Transcript) -> str | None:
    """Return why the lines of a transcript cannot be written anew, if they cannot."""
    if any(c.type not in PARTS for c in transcript.children):
        return "UNKNOWN_PARTS"
    if any(len(c.parents) > 1 for c in transcript.children):
        return "SHARED_PARTS"
    return None


def rewritten(
    gene: Gene, pairs: Sequence[tuple[Transcript, Transcript]], lines: Sequence[Line]
) -> dict[int, list[Line]]:
    """Return the new lines of a gene by the place of what they stand for.

    Parameters
    ----------
    gene
        As it was.
    pairs
        Each mended transcript as it was and as it is.
    lines
        All lines of the gene.
    """
    out: dict[int, list[Line]] = {}
    taken = {line.id for line in lines if line.id is not None}
    for old, new in pairs:
        for kind, pieces in _parts(new):
            had = [c for c in old.children if c.type == kind]
            if not had and not _is_wanted(kind, old):
                continue
            out |= _matched(kind, had, pieces, old, taken)
        if old.line.place != gene.line.place:
            out[old.line.place] = [_placed(old.line, (new.exons[0][0], new.exons[-1][1]))]
    mended = {id(old): new for old, new in pairs}
    ends = [mended.get(id(t), t).exons for t in gene.transcripts]
    low, high = min(e[0][0] for e in ends), max(e[-1][1] for e in ends)
    before = [t.exons for t in gene.transcripts]
    start = low if gene.start == min(e[0][0] for e in before) else min(low, gene.start)
    end = high if gene.end == max(e[-1][1] for e in before) else max(high, gene.end)
    out[gene.line.place] = [_placed(gene.line, (start, end))]
    return out


def _is_wanted(kind: bytes, old: Transcript) -> bool:
    """Whether a transcript without parts of a kind gets them where it has some now."""
    types = {c.type for c in old.children}
    return kind == b"CDS" or (kind.endswith(b"UTR") and (
        b"exon" not in types or bool(types & {b"five_prime_UTR", b"three_prime_UTR"})
    ))  # fmt: skip


def _parts(new: Transcript) -> Iterator[tuple[bytes, Pieces]]:
    """Yield the kinds of parts with number of exon or intron and place, in genome order."""
    yield b"exon", list(enumerate(new.exons))
    yield b"intron", list(enumerate(new.introns))
    low, high = new.cds[0][0], new.cds[-1][1]
    clipped = [(i, (max(a, low), min(b, high))) for i, (a, b) in enumerate(new.exons)]
    yield b"CDS", [(i, p) for i, p in clipped if p[0] < p[1]]
    left = [(i, (a, min(b, low))) for i, (a, b) in enumerate(new.exons) if a < low]
    right = [(i, (max(a, high), b)) for i, (a, b) in enumerate(new.exons) if b > high]
    five, three = (left, right) if new.strand == "+" else (right, left)
    yield b"five_prime_UTR", five
    yield b"three_prime_UTR", three


def _matched(
    kind: bytes, had: Sequence[Line], pieces: Pieces, old: Transcript, taken: set[bytes]
) -> dict[int, list[Line]]:
    """Give each piece the line of the same exon; drop lines without a piece, copy for new ones."""
    inner = old.introns if kind == b"intron" else old.exons
    by_exon: dict[int, Line] = {}
    for line in had:
        exon = next((i for i, (a, b) in enumerate(inner) if a <= line.start < b), -1)
        by_exon.setdefault(exon, line)
    out: dict[int, list[Line]] = {line.place: [] for line in had}
    phases = _phases(pieces, old.strand) if kind == b"CDS" else {}
    template = had[0] if had else _new_line(kind, old)
    shares_id = len({line.id for line in had}) < len(had) or template.id is None
    for i, place in pieces:
        own = by_exon.get(i)
        line = own or (template if shares_id else _copied(template, taken))
        made = _placed(line, place)
        if i in phases:
            made.fields[7] = b"%d" % phases[i]
        out.setdefault(line.place, []).append(made)
    return out


def _phases(pieces: Pieces, strand: str) -> dict[int, int]:
    done, phases = 0, {}
    for i, (a, b) in pieces if strand == "+" else pieces[::-1]:
        phases[i] = -done % 3
        done += b - a
    return phases


def _new_line(kind: bytes, old: Transcript) -> Line:
    """Return a line for a kind of part that the transcript did not have."""
    like = old.children[-1]
    about = b"Parent=" + like.parents[0]
    fields = [*like.fields[:2], kind, *like.fields[3:7], b".", about]
    return Line(like.place, fields, like.start, like.end, None, like.parents)


def _copied(line: Line, taken: set[bytes]) -> Line:
    """Return a line under an ID that is not taken."""
    assert line.id is not None
    n = 2
    while (name := b"%b_%d" % (line.id, n)) in taken:
        n += 1
    taken.add(name)
    parts = line.fields[8].split(b";")
    parts = [b"ID=" + name if p.strip().startswith(b"ID=") else p for p in parts]
    fields = [*line.fields[:8], b";".join(parts)]
    return Line(line.place, fields, line.start, line.end, name, line.parents)


def _placed(line: Line, place: Interval) -> Line:
    start, end = place
    fields = [*line.fields[:3], b"%d" % (start + 1), b"%d" % end, *line.fields[5:]]
    return Line(line.place, fields, start, end, line.id, line.parents)


def in_file_order(lines: Sequence[Line], new: dict[int, list[Line]]) -> Iterable[Line]:
    """Yield the lines of a gene with new ones in the place of the old."""
    for line in lines:
        yield from new.get(line.place, [line])


def with_attributes(line: Line, values: Mapping[str, object]) -> bytes:
    r"""Return a line with attributes: those of the same names are replaced, others added.

    Examples
    --------
    >>> fields = b"c . gene 1 9 . + . ID=g;aed=1".split()
    >>> with_attributes(Line(0, fields, 0, 9, b"g", ()), {"aed": "0.5000"}).split(b"\t")[8]
    b'ID=g;aed=0.5000'
    """
    kept = [
        part
        for part in line.fields[8].split(b";")
        if part.strip() and part.split(b"=")[0].strip().decode("latin-1") not in values
    ]
    if kept == [b"."]:
        kept = []
    added = [f"{name}={quote(str(value), safe=SAFE)}".encode() for name, value in values.items()]
    return b"\t".join([*line.fields[:8], b";".join([*kept, *added])])


def plain(line: Line) -> bytes:
    """Return a line as it stood in the file."""
    return b"\t".join(line.fields)
