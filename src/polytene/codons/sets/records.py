"""Sequence files as rows of a set, with what could not be used and why."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

from polytene.codons.code import GENETIC_CODES
from polytene.codons.sets.translation import agrees
from polytene.codons.splits import AFTER, PART_BASES, cuts
from polytene.exceptions import BadInput, Rejected
from polytene.formats.coding import Coding
from polytene.formats.fasta import nucleotide_check, read_fasta
from polytene.formats.genbank import GenBankRecord, read_genbank, record_code
from polytene.formats.sniff import sniff
from polytene.formats.spill import Letters
from polytene.formats.text import decode

SPILL = 32 << 20


@dataclass(frozen=True)
class Record:
    """A row of the set, and the coding sequences on it; positions are those in the row."""

    row: dict[str, Any]
    coding: list[dict[str, Any]] | None = None
    """None where the file's format has no annotation."""


@dataclass
class Records:
    """One sequence file, and the accounts of reading it.

    Parameters
    ----------
    path
        FASTA or GenBank, plain or compressed.
    genetic_code
        NCBI number for sequences whose file names none.
    part_bases
        Bases of a row at most; longer sequences are cut, where no coding sequence is divided.
    """

    path: Path
    genetic_code: int | None = None
    part_bases: int = PART_BASES
    seen: int = 0
    sequences: int = 0
    bases: int = 0
    cds: int = 0
    pseudo: int = 0
    record_code: int = 0
    """Coding sequences that took their record's code."""
    no_code: int = 0
    """Coding sequences whose code is not known."""
    translated: int = 0
    """Coding sequences whose record gives a translation."""
    disagree: int = 0
    """Those of them that translate to something else."""
    rejected: list[Rejected] = field(default_factory=list)
    _ids: set[str] = field(default_factory=set)

    def totals(self) -> dict[str, int]:
        """Return the accounts as numbers."""
        names = ("sequences", "bases", "cds", "pseudo", "record_code", "no_code")
        return {n: getattr(self, n) for n in (*names, "translated", "disagree")}

    def reject(self, item: str, reason: str, detail: str) -> None:
        """Book a record or a coding sequence that cannot be used."""
        self.rejected.append(Rejected(item, reason, detail))

    def accept(self, seq_id: str, sequence: Letters, line: int) -> bool:
        """Book a sequence; whether it can be used."""
        self.seen += 1
        where = f"{self.path}: line {line}"
        if not sequence:
            self.reject(seq_id, "empty-sequence", f"{where}: the record has no bases")
        elif found := nucleotide_check(sequence):
            place, letter = found
            detail = (
                f"{where}: base {place + 1} is {chr(letter)!r}, which no nucleotide sequence holds"
            )
            self.reject(seq_id, "not-nucleotide", detail)
        elif seq_id in self._ids:
            self.reject(seq_id, "duplicate-id", f"{where}: the file has this id before")
        else:
            self._ids.add(seq_id)
            self.sequences += 1
            self.bases += len(sequence)
            return True
        return False


def records(found: Records) -> Iterator[Record]:
    """Yield the usable records of a file.

    Raises
    ------
    BadInput
        If the file as a whole is of no use, or none of its records is.
    """
    reader = _fasta if sniff(found.path) == "fasta" else _genbank
    yield from reader(found)
    if not found.sequences and found.rejected:
        first = found.rejected[0]
        raise BadInput(
            first.reason, f"none of {found.seen} records can be used; the first: {first.detail}"
        )


def _fasta(found: Records) -> Iterator[Record]:
    for record in read_fasta(found.path, spill=SPILL):
        if found.accept(record.id, record.sequence, record.line):
            about = _about(found, record.id, record.description)
            for row in _rows(about, record.sequence, found.part_bases, []):
                yield Record(row)


def _about(found: Records, seq_id: str, description: str) -> dict[str, Any]:
    return {
        "seq_id": seq_id,
        "description": description,
        "source": decode(os.fsencode(found.path.name)),
        "transl_table": found.genetic_code,
    }


def _rows(
    about: dict[str, Any], letters: Letters, most: int, extents: list[tuple[int, int]]
) -> Iterator[dict[str, Any]]:
    """Yield the rows of a sequence: one, or several where it is long."""
    ends = cuts(len(letters), extents, most)
    for part, (start, stop) in enumerate(pairwise(ends)):
        yield {
            **about,
            "part": part,
            "part_start": start,
            "length": stop - start,
            "total": len(letters),
            "after": letters[stop : stop + AFTER].decode("ascii"),
            "sequence": letters[start:stop].decode("ascii"),
        }


def _genbank(found: Records) -> Iterator[Record]:
    for record in read_genbank(found.path):
        if isinstance(record, Rejected):
            found.seen += 1
            found.reject(record.item, record.reason, f"{found.path}: {record.detail}")
        elif found.accept(record.id, record.sequence, record.line):
            yield from _annotated(found, record)


def _annotated(found: Records, record: GenBankRecord) -> Iterator[Record]:
    default = record_code(record)
    if not any(c.transl_table for c in record.cds) and found.genetic_code is not None:
        default = found.genetic_code
    found.pseudo += record.pseudo
    for refused in record.rejected:
        detail = f"{found.path}: {record.id}: {refused.detail}"
        found.reject(f"{record.id} {refused.item}", refused.reason, detail)
    coding = [c for c in (_coding(found, record, c, default) for c in record.cds) if c]
    about = _about(found, record.id, record.description)
    about |= {"organism": record.organism, "taxid": record.taxid, "organelle": record.organelle}
    about["transl_table"] = default
    extents = [(min(c["starts"]), max(c["ends"])) for c in coding]
    for row in _rows(about, record.sequence, found.part_bases, extents):
        yield Record(row, list(_within(coding, row["part_start"], row["length"])))


def _within(coding: list[dict[str, Any]], start: int, size: int) -> Iterator[dict[str, Any]]:
    """Yield the coding sequences on a row, with their positions in it."""
    for cds in coding:
        if start <= min(cds["starts"]) < start + size:
            starts, ends = ([x - start for x in cds[n]] for n in ("starts", "ends"))
            yield {**cds, "starts": starts, "ends": ends}


def _coding(
    found: Records, record: GenBankRecord, cds: Coding, default: int | None
) -> dict[str, Any] | None:
    code = cds.transl_table if cds.transl_table is not None else default
    where = f"{found.path}: line {cds.line}"
    if code is not None and code not in GENETIC_CODES:
        detail = f"{where}: /transl_table={code} is no NCBI genetic code"
        found.reject(f"{record.id} {cds.id}", "unknown-code", detail)
        return None
    found.cds += 1
    found.record_code += cds.transl_table is None and code is not None
    found.no_code += code is None
    verdict = agrees(record.sequence, cds, GENETIC_CODES[code]) if code else None
    found.translated += verdict is not None
    found.disagree += verdict is False
    starts, ends, strands = zip(*cds.pieces, strict=True)
    return {
        "seq_id": record.id,
        "cds_id": cds.id,
        "gene": cds.gene,
        "starts": list(starts),
        "ends": list(ends),
        "strands": list(strands),
        "codon_start": cds.codon_start,
        "transl_table": code,
        "own_table": cds.transl_table is not None,
        "partial5": cds.partial5,
        "partial3": cds.partial3,
        "transl_except": cds.transl_except,
        "translation_agrees": verdict,
    }
