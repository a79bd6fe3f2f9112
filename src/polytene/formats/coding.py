"""Read the coding sequences (``CDS`` features) of a record."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from polytene.exceptions import BadInput, Rejected
from polytene.formats.features import Feature, parse_feature
from polytene.formats.location import Piece, parse_location
from polytene.formats.text import printable


@dataclass(frozen=True, slots=True)
class Coding:
    """One coding sequence of a record.

    Attributes
    ----------
    id
        The protein_id, locus_tag or gene; unique in its record (``rps12``, ``rps12#2``).
    gene
        None if it has no name.
    pieces
        Start, end and strand (1 or -1) in the order of translation; bp, 0-based half-open.
    codon_start
        1, 2 or 3: the base of the spliced sequence that begins the first whole codon.
    transl_table
        NCBI genetic code that it names, unchecked; None if it names none.
    partial5, partial3
        Whether it begins before its first piece or goes on after its last one.
    transl_except
        All exceptions as they are written, with commas between them.
    translation
        The protein that its submitters state.
    line
        1-based number of its first line.
    """

    id: str
    gene: str | None
    pieces: tuple[Piece, ...]
    codon_start: int
    transl_table: int | None
    partial5: bool
    partial3: bool
    transl_except: str | None
    translation: str | None
    line: int


@dataclass(slots=True)
class Codings:
    """The coding sequences of one record, sorted out.

    Attributes
    ----------
    good
        Those that can be used, in the order of the file.
    rejected
        Those that cannot.
    pseudo
        Number of those marked ``/pseudo`` or ``/pseudogene``; in neither list.
    """

    good: list[Coding] = field(default_factory=list)
    rejected: list[Rejected] = field(default_factory=list)
    pseudo: int = 0


def read_codings(
    features: Iterable[tuple[int, list[bytes]]], record: str, length: int, place: str
) -> Codings:
    """Read all ``CDS`` features of a record, whatever state each is in.

    Parameters
    ----------
    features
        For each the number of its first line and its lines.
    record
        The record's id, by which coding sequences without a name are named.
    length
        Length of the record's sequence, in bp.
    place
        How errors name the file.
    """
    found = Codings()
    names = _Names()
    for count, (line, lines) in enumerate(features, 1):
        name = f"{record}:cds{count}"
        try:
            feature = parse_feature(lines, line)
            if _is_pseudo(feature):
                found.pseudo += 1
                continue
            name = names.unique(_label(feature) or name)
            found.good.append(parse_coding(feature, name, length))
        except BadInput as error:
            detail = f"{place}: line {line}: CDS {printable(name)}: {error.detail}"
            found.rejected.append(Rejected(name, error.reason, detail))
    return found


def parse_coding(feature: Feature, name: str, length: int) -> Coding:
    """Read a ``CDS`` feature.

    Parameters
    ----------
    feature
        As :func:`parse_feature` returns it.
    name
        The id to give it.
    length
        Length of its record's sequence, in bp.

    Raises
    ------
    BadInput
        What :func:`parse_location` raises, ``cds-out-of-range`` if it reaches beyond the sequence,
        ``bad-codon-start`` or ``bad-transl-table``.
    """
    location = parse_location(feature.location)
    reach = max(end for _, end, _ in location.pieces)
    if reach > length:
        raise BadInput("cds-out-of-range", f"it reaches base {reach} of a sequence of {length} bp")
    exceptions = feature.qualifiers.get("transl_except")
    return Coding(
        id=name,
        gene=feature.first("gene"),
        pieces=location.pieces,
        codon_start=_codon_start(feature.first("codon_start")),
        transl_table=_transl_table(feature.first("transl_table")),
        partial5=location.partial5,
        partial3=location.partial3,
        transl_except=",".join(exceptions) if exceptions else None,
        translation=feature.first("translation"),
        line=feature.line,
    )


class _Names:
    """Makes names unique by numbering those that come again."""

    def __init__(self) -> None:
        self._taken: set[str] = set()
        self._repeats: Counter[str] = Counter()

    def unique(self, name: str) -> str:
        """Return `name`, or ``name#2`` and so on if it is taken."""
        chosen = name
        while chosen in self._taken:
            self._repeats[name] += 1
            chosen = f"{name}#{self._repeats[name] + 1}"
        self._taken.add(chosen)
        return chosen


def _label(feature: Feature) -> str | None:
    labels = (feature.first(name) for name in ("protein_id", "locus_tag", "gene"))
    return next(filter(None, labels), None)


def _is_pseudo(feature: Feature) -> bool:
    return "pseudo" in feature.qualifiers or "pseudogene" in feature.qualifiers


def _codon_start(text: str | None) -> int:
    if text not in (None, "1", "2", "3"):
        raise BadInput("bad-codon-start", f"/codon_start is {printable(text)!r}, not 1, 2 or 3")
    return int(text or 1)


def _transl_table(text: str | None) -> int | None:
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= 4):
        raise BadInput("bad-transl-table", f"/transl_table is {printable(text[:20])!r}, no number")
    return int(text)
