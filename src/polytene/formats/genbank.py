"""Read GenBank flat files as a stream of records."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from polytene.exceptions import BadInput, Rejected
from polytene.formats.coding import Coding
from polytene.formats.genbank_draft import Draft, GenBankRecord
from polytene.formats.sniff import RELEASE_BANNER, describe, empty_file
from polytene.formats.text import PathLike, printable, read_blocks, read_lines, unix_newlines

__all__ = ["Coding", "GenBankRecord", "Rejected", "read_genbank", "record_code"]

INSDC_DEFAULT_CODE = 1


def read_genbank(
    path: PathLike, block_bytes: int | None = None
) -> Iterator[GenBankRecord | Rejected]:
    """Yield the records of a GenBank flat file, plain, gzip or BGZF.

    Memory is bounded by the largest record.

    Parameters
    ----------
    path
        File to read, in the format of the GenBank release notes (gbrel.txt), section 3.4.
    block_bytes
        As in :func:`polytene.formats.text.read_blocks`; the records do not depend on it.

    Yields
    ------
    GenBankRecord or Rejected
        ``Rejected`` stands for a record that is whole but of no use: ``bad-locus``,
        ``protein-record``, ``no-sequence``, ``length-mismatch``, ``truncated-record`` (the next
        one begins before its end), ``bad-feature-table``, ``bad-qualifier``.

    Raises
    ------
    BadInput
        ``empty-file``, ``not-genbank`` or ``truncated-record`` (the file ends inside a record),
        and whatever `read_blocks` raises; after the records before it.
    """
    name = printable(path)
    draft: Draft | None = None
    begun = banner = False
    lines = read_lines(unix_newlines(read_blocks(path, block_bytes)), name)
    for number, line in enumerate(lines, 1):
        if line.startswith(b"LOCUS "):
            if draft:
                yield draft.cut_short(number)
            draft, begun, banner = Draft(name, number, line), True, False
        elif draft and line.startswith(b"//"):
            yield draft.finish()
            draft = None
        elif draft:
            draft.take(number, line)
        elif line.strip() and not banner:
            banner = RELEASE_BANNER in line
            if not banner:
                raise _not_genbank(name, number, line)
    if draft:
        raise draft.cut_off()
    if not begun:
        raise empty_file(name)


def record_code(record: GenBankRecord) -> int | None:
    """Return the genetic code of the coding sequences in a record that do not name theirs.

    It is the code that most others in the record name (the smallest of several), or else code 1,
    which the INSDC Feature Table Definition has for ``/transl_table`` left out. The organelles'
    codes differ too much for that: None says that the code of such a record is unknown.
    """
    named = Counter(cds.transl_table for cds in record.cds if cds.transl_table is not None)
    if named:
        return min(named, key=lambda code: (-named[code], code))
    return INSDC_DEFAULT_CODE if record.organelle is None else None


def _not_genbank(name: str, number: int, line: bytes) -> BadInput:
    return BadInput(
        "not-genbank",
        f"{name}: line {number}: expected a LOCUS line to begin a record; "
        f"this is {describe(line[:512])}",
    )
