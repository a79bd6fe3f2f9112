"""Whether a coding sequence translates to what its record says."""

from __future__ import annotations

import re
from collections.abc import Iterator

from polytene.codons.code import GeneticCode
from polytene.exceptions import BadInput
from polytene.formats.coding import Coding
from polytene.formats.location import parse_location

COMPLEMENT = bytes.maketrans(b"ACGTURYKMBDHVacgturykmbdhv", b"TGCAAYRMKVHDBtgcaayrmkvhdb")
EXCEPTION = re.compile(r"\(pos:(.+?),aa:(\w+)\)")
LETTERS = {
    "Ala": "A",
    "Arg": "R",
    "Asn": "N",
    "Asp": "D",
    "Cys": "C",
    "Gln": "Q",
    "Glu": "E",
    "Gly": "G",
    "His": "H",
    "Ile": "I",
    "Leu": "L",
    "Lys": "K",
    "Met": "M",
    "Phe": "F",
    "Pro": "P",
    "Ser": "S",
    "Thr": "T",
    "Trp": "W",
    "Tyr": "Y",
    "Val": "V",
    "Sec": "U",
    "Pyl": "O",
    "Asx": "B",
    "Glx": "Z",
    "Xle": "J",
    "TERM": "*",
}


def splice(sequence: bytes, pieces: tuple[tuple[int, int, int], ...]) -> bytes:
    """Return the joined pieces of a sequence in translation order.

    Examples
    --------
    >>> splice(b"AACCGT", ((0, 2, 1), (2, 6, -1)))
    b'AAACGG'
    """
    out = []
    for start, end, strand in pieces:
        piece = sequence[start:end]
        out.append(piece if strand > 0 else piece.translate(COMPLEMENT)[::-1])
    return b"".join(out)


def agrees(sequence: bytes, cds: Coding, code: GeneticCode) -> bool | None:
    """Whether a coding sequence translates to its record's ``/translation``; None without one.

    The first codon may be any start of the code, ``/transl_except`` is followed, and the stop at
    the end is not part of a translation. A codon that cannot be read says nothing against it.
    """
    if cds.translation is None:
        return None
    bases = splice(sequence, cds.pieces)[cds.codon_start - 1 :]
    found = list(code.translate(bases + b"N" * (-len(bases) % 3)))
    if bases[:3].decode().upper() in code.starts and not cds.partial5:
        found[:1] = "M"
    for place, letter in _exceptions(cds):
        if 0 <= place < len(found):
            found[place] = letter
    ours, stated = "".join(found).removesuffix("*"), cds.translation.removesuffix("*")
    spare = max(0, len(ours) - len(stated))
    if spare > len(ours) - len(ours.rstrip("*X")) or len(stated) > len(ours):
        return False
    return all(a in ("X", b) or b == "X" for a, b in zip(ours, stated, strict=False))


def _exceptions(cds: Coding) -> Iterator[tuple[int, str]]:
    """Yield codon number and letter of each ``/transl_except`` that lies in the sequence."""
    for where, acid in EXCEPTION.findall(cds.transl_except or ""):
        try:
            pieces = parse_location(where).pieces
        except BadInput:
            continue
        start, end, strand = pieces[0]
        if (offset := _offset(cds, start if strand > 0 else end - 1)) is not None:
            yield (offset - cds.codon_start + 1) // 3, LETTERS.get(acid, "X")


def _offset(cds: Coding, base: int) -> int | None:
    """Return where a base of the record lies in the spliced sequence."""
    before = 0
    for start, end, strand in cds.pieces:
        if start <= base < end:
            return before + (base - start if strand > 0 else end - 1 - base)
        before += end - start
    return None
