"""Read FASTA as a stream of records."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum, auto

from polytene.exceptions import BadInput
from polytene.formats.sniff import describe, empty_file
from polytene.formats.spill import Letters, Spilled, blocks
from polytene.formats.text import (
    PathLike,
    check_line,
    decode,
    printable,
    read_blocks,
    unix_newlines,
)

# IUPAC-IUB nucleotide codes (Cornish-Bowden 1985) and X, with the two gap characters.
NUCLEOTIDES = b"ACGTUNRYSWKMBDHVXacgtunryswkmbdhvx-."

_CHECKED = 1 << 20
_BLANKS = (b" ", b"\t", b"\v", b"\f")
_HEADER_SIGN, _COMMENT_SIGN, _NEWLINE = b">;\n"


@dataclass(frozen=True, slots=True)
class FastaRecord:
    """One record of a FASTA file.

    Attributes
    ----------
    id
        The first word of the header; bytes that are not UTF-8 are written as escapes.
    description
        What follows the first word, without blanks around it.
    sequence
        All letters as they are in the file, without blanks and line ends. May be empty. Where
        `read_fasta` was told to spill, those of a long record lie in a temporary file.
    line
        1-based number of the header's line.
    """

    id: str
    description: str
    sequence: Letters
    line: int


def read_fasta(
    path: PathLike, block_bytes: int | None = None, *, spill: int | None = None
) -> Iterator[FastaRecord]:
    r"""Yield the records of a FASTA file, plain, gzip or BGZF.

    Lines may end in LF, CRLF or CR and have any length; blank lines, and comment lines that begin
    with ``;``, are skipped. The letters are not checked: see :func:`nucleotide_check`. Memory is
    bounded by the longest record, or by `spill`.

    Parameters
    ----------
    path
        File to read.
    block_bytes
        As in :func:`polytene.formats.text.read_blocks`; the records do not depend on it.
    spill
        Letters of one record that are held in memory; longer ones go to a temporary file.

    Raises
    ------
    BadInput
        ``empty-file``, ``not-fasta`` or ``no-id``, and whatever `read_blocks` raises. The error
        comes when the reading gets there, after the records before it.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> path = pathlib.Path(tempfile.mkdtemp(), "two.fa")
    >>> _ = path.write_bytes(b">a first\nACG\nTac\n\n>b\n")
    >>> for record in read_fasta(path):
    ...     print(record)
    FastaRecord(id='a', description='first', sequence=b'ACGTac', line=1)
    FastaRecord(id='b', description='', sequence=b'', line=5)
    """
    parser = _Parser(printable(path), spill)
    for block in unix_newlines(read_blocks(path, block_bytes)):
        yield from parser.feed(block)
    yield parser.last()


def nucleotide_check(sequence: Letters) -> tuple[int, int] | None:
    """Return where the first byte lies that no nucleotide sequence holds, and that byte.

    Allowed in both cases are the IUPAC codes ``ACGTUNRYSWKMBDHV``, ``X`` for N, and the gaps ``-``
    and ``.``. Letters that only proteins have, ``*``, digits and blanks are not.

    Returns
    -------
    tuple of int, or None
        The 0-based position and the value of the byte; None if all bytes are allowed.

    Examples
    --------
    >>> nucleotide_check(b"ACGTnryk-")
    >>> nucleotide_check(b"ACGTEACGTE")
    (4, 69)
    """
    start = 0
    for block in blocks(sequence, _CHECKED):
        if rest := block.translate(None, NUCLEOTIDES):
            return start + block.index(rest[:1]), rest[0]
        start += len(block)
    return None


class _Place(Enum):
    """Where in the text a block may end."""

    LINE_START = auto()
    HEADER = auto()
    COMMENT = auto()
    SEQUENCE = auto()


class _Parser:
    """What is known between two blocks: the record under way and the place in the text."""

    def __init__(self, name: str, spill: int | None) -> None:
        self._name, self._spill = name, spill
        self._place = _Place.LINE_START
        self._line = 1
        self._header: list[bytes] = []
        self._header_line = 0
        self._begin_sequence()

    def feed(self, block: bytes) -> Iterator[FastaRecord]:
        """Yield the records that end in `block`."""
        at = 0
        while at < len(block):
            if self._place is _Place.LINE_START:
                if block.startswith(b">", at) and self._header_line:
                    yield self._record()
                self._begin_line(block[at])
            elif self._place is _Place.SEQUENCE:
                at = self._take_sequence(block, at)
            else:
                at = self._take_line(block, at)

    def last(self) -> FastaRecord:
        """Return the record that the end of the file ends."""
        if not self._header_line:
            raise empty_file(self._name)
        return self._record()

    def _begin_line(self, sign: int) -> None:
        if sign == _HEADER_SIGN:
            self._place = _Place.HEADER
            self._header, self._header_line = [], self._line
            self._begin_sequence()
        else:
            self._place = _Place.COMMENT if sign == _COMMENT_SIGN else _Place.SEQUENCE

    def _take_line(self, block: bytes, at: int) -> int:
        """Read on in a header or a comment; return where the text after it begins."""
        end = block.find(b"\n", at)
        stop = len(block) if end < 0 else end
        if self._place is _Place.HEADER:
            self._header.append(block[at:stop])
            check_line(sum(map(len, self._header)), self._name, self._line)
        if end < 0:
            return stop
        self._line += 1
        self._place = _Place.LINE_START
        return stop + 1

    def _take_sequence(self, block: bytes, at: int) -> int:
        """Read on in a sequence up to the next header or comment; return where that begins."""
        stop = _line_start(block, b">", at, len(block))
        stop = _line_start(block, b";", at, stop)
        piece = block[at:stop]
        if piece.endswith(b"\n"):
            self._place = _Place.LINE_START
        if letters := self._letters(piece):
            if not self._header_line:
                raise self._not_fasta(piece)
            self._append(letters)
        return stop

    def _begin_sequence(self) -> None:
        self._pieces: list[bytes] = []
        self._held = 0
        self._spilled: Spilled | None = None

    def _append(self, letters: bytes) -> None:
        if self._spilled is not None:
            self._spilled.append(letters)
            return
        self._pieces.append(letters)
        self._held += len(letters)
        if self._spill is not None and self._held > self._spill:
            self._spilled = Spilled(self._pieces)
            self._pieces = []

    def _letters(self, piece: bytes) -> bytes:
        """Return `piece` without blanks, and count its lines."""
        letters = piece.replace(b"\n", b"") if b"\n" in piece else piece
        self._line += len(piece) - len(letters)
        for blank in _BLANKS:
            if blank in letters:
                letters = letters.replace(blank, b"")
        return letters

    def _record(self) -> FastaRecord:
        words = b"".join(self._header)[1:].split(None, 1)
        if not words:
            raise BadInput(
                "no-id",
                f"{self._name}: line {self._header_line}: expected a name after '>'",
            )
        description = decode(words[1].rstrip()) if len(words) > 1 else ""
        sequence = self._spilled or b"".join(self._pieces)
        return FastaRecord(decode(words[0]), description, sequence, self._header_line)

    def _not_fasta(self, piece: bytes) -> BadInput:
        line = self._line - piece.lstrip().count(b"\n")
        what = describe(piece.lstrip()[:512])
        return BadInput(
            "not-fasta",
            f"{self._name}: line {line}: expected '>' and a name before any other text; "
            f"this is {what}",
        )


def _line_start(block: bytes, sign: bytes, start: int, stop: int) -> int:
    """Return where in ``block[start + 1:stop]`` the first line with `sign` begins, or `stop`."""
    at = block.find(sign, start + 1, stop)
    while at >= 0 and block[at - 1] != _NEWLINE:
        at = block.find(sign, at + 1, stop)
    return stop if at < 0 else at
