"""Build a GenBank record out of its lines."""

from __future__ import annotations

import re
from dataclasses import dataclass

from polytene.exceptions import BadInput, Rejected
from polytene.formats.coding import Coding, read_codings
from polytene.formats.features import Feature, parse_feature
from polytene.formats.text import decode, printable

_LOCUS = re.compile(r"LOCUS\s+(\S.*?)\s+([0-9]{1,18})\s+(bp|aa)\b(.*)", re.I)
_TAXON = re.compile(r"taxon:([0-9]{1,18})$")
_KEPT_SECTIONS = (b"DEFINITION", b"ACCESSION", b"VERSION", b"SOURCE")
_NO_NAME = ("", ".", "unknown")
_MARGIN = b" 0123456789\t"
# The INSDC vocabulary of /organelle, as the SOURCE line abbreviates it.
_ORGANELLES = (
    "apicoplast",
    "chloroplast",
    "chromatophore",
    "chromoplast",
    "cyanelle",
    "hydrogenosome",
    "kinetoplast",
    "leucoplast",
    "mitochondrion",
    "nucleomorph",
    "plastid",
    "proplastid",
)


@dataclass(frozen=True, slots=True)
class GenBankRecord:
    """One record of a GenBank file.

    Attributes
    ----------
    id
        Accession and version (``NC_001422.1``), else the accession, else the LOCUS name.
    description
        The DEFINITION, without the period that ends it.
    organism
        From the source feature, else from the ORGANISM line; None if neither names one.
    taxid
        NCBI taxon; None if the record names none.
    organelle
        Such as ``plastid:chloroplast``; None if the record is of no organelle.
    circular
        Whether the last base is followed by the first.
    sequence
        As in the file, in its case.
    line
        1-based number of the LOCUS line.
    cds
        The coding sequences that can be used, in the order of the file.
    rejected
        Those that cannot.
    pseudo
        Number of those that the record marks as ``/pseudo`` or ``/pseudogene``; in neither list.
    """

    id: str
    description: str
    organism: str | None
    taxid: int | None
    organelle: str | None
    circular: bool
    sequence: bytes
    line: int
    cds: list[Coding]
    rejected: list[Rejected]
    pseudo: int


class Draft:
    """A record of which some lines have been read."""

    def __init__(self, name: str, number: int, locus: bytes) -> None:
        self._name = name
        self._line = number
        self._locus = decode(locus)
        self._section = b""
        self._texts: dict[bytes, list[bytes]] = {}
        self._features: dict[bytes, list[tuple[int, list[bytes]]]] = {b"source": [], b"CDS": []}
        self._open_feature: list[bytes] | None = None
        self._odd_line = 0
        self._letters = bytearray()

    def take(self, number: int, line: bytes) -> None:
        """Add a line that is neither the first nor the last."""
        begins = line[:1].strip()
        if self._section == b"ORIGIN" and not begins.isalpha():
            self._letters += line.lstrip(_MARGIN)
        elif begins:
            self._begin_section(line)
        elif self._section == b"FEATURES":
            self._take_feature(number, line)
        elif self._section in _KEPT_SECTIONS:
            self._texts[self._section].append(line.strip())

    def finish(self) -> GenBankRecord | Rejected:
        """Return the whole record."""
        try:
            return self._record()
        except BadInput as error:
            return self._rejected(error)

    def cut_short(self, number: int) -> Rejected:
        """Return what the record is if another one begins in line `number`."""
        why = f"the next record begins in line {number} before its closing '//'"
        return self._rejected(BadInput("truncated-record", why))

    def cut_off(self) -> BadInput:
        """Return the error for a file that ends here."""
        why = "the file ends before the closing '//' of this record; copy or download it again"
        rejected = self._rejected(BadInput("truncated-record", why))
        return BadInput(rejected.reason, rejected.detail)

    def _begin_section(self, line: bytes) -> None:
        self._section, _, text = line.partition(b" ")
        self._open_feature = None
        if self._section in _KEPT_SECTIONS:
            self._texts[self._section] = [text.strip()]

    def _take_feature(self, number: int, line: bytes) -> None:
        if line[:5].isspace() and line[5:6].strip():
            self._open_feature = [line]
            self._features.get(line.split(None, 1)[0], []).append((number, self._open_feature))
        elif not line.startswith(b"      ") and line.strip():
            self._odd_line = self._odd_line or number
        elif self._open_feature:
            self._open_feature.append(line)

    def _record(self) -> GenBankRecord:
        sequence = bytes(self._letters.translate(None, b" \t"))
        circular = self._check(len(sequence))
        sources = [parse_feature(lines, line) for line, lines in self._features[b"source"]]
        found = read_codings(self._features[b"CDS"], self._id(), len(sequence), self._name)
        return GenBankRecord(
            id=self._id(),
            description=self._text(b"DEFINITION").removesuffix("."),
            organism=_first(sources, "organism") or self._organism(),
            taxid=_taxid(sources),
            organelle=_first(sources, "organelle") or self._organelle(),
            circular=circular,
            sequence=sequence,
            line=self._line,
            cds=found.good,
            rejected=found.rejected,
            pseudo=found.pseudo,
        )

    def _check(self, length: int) -> bool:
        """Compare the record with its LOCUS line; return whether that says circular."""
        locus = _LOCUS.match(self._locus)
        if not locus:
            raise BadInput("bad-locus", "expected 'LOCUS name LENGTH bp ...', apart by blanks")
        _, stated, unit, rest = locus.groups()
        if unit.lower() == "aa":
            raise BadInput("protein-record", "expected nucleotides; this is a protein")
        if self._odd_line:
            why = f"line {self._odd_line} is no feature (5 blanks) and no part of one (21 blanks)"
            raise BadInput("bad-feature-table", why)
        if not length:
            why = "no bases after ORIGIN; download the full record (gbwithparts)"
            raise BadInput("no-sequence", why)
        if int(stated) != length:
            raise BadInput("length-mismatch", f"LOCUS says {stated} bp, ORIGIN has {length} bp")
        return "circular" in rest.lower().split()

    def _id(self) -> str:
        locus = _LOCUS.match(self._locus)
        names = (self._word(b"VERSION"), self._word(b"ACCESSION"), locus[1] if locus else "")
        return next((name for name in names if name not in _NO_NAME), f"line {self._line}")

    def _text(self, section: bytes) -> str:
        return decode(b" ".join(self._texts.get(section, ())).strip())

    def _word(self, section: bytes) -> str:
        return next(iter(self._text(section).split()), "")

    def _organism(self) -> str | None:
        lines = self._texts.get(b"SOURCE", ())
        names = (decode(line[8:]).strip() for line in lines if line.startswith(b"ORGANISM"))
        return next(filter(None, names), None)

    def _organelle(self) -> str | None:
        word = self._word(b"SOURCE").lower()
        return word if word in _ORGANELLES else None

    def _rejected(self, error: BadInput) -> Rejected:
        detail = f"{self._name}: line {self._line}: {printable(self._id())}: {error.detail}"
        return Rejected(self._id(), error.reason, detail)


def _first(sources: list[Feature], name: str) -> str | None:
    return next(filter(None, (source.first(name) for source in sources)), None)


def _taxid(sources: list[Feature]) -> int | None:
    marks = (mark for source in sources for mark in source.qualifiers.get("db_xref", ()))
    return next((int(taxon[1]) for mark in marks if (taxon := _TAXON.match(mark))), None)
