"""BED files, joined and sorted."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from polytene.exceptions import BadInput
from polytene.formats.text import decode
from polytene.genome.merging.files import Merged, Part, lines_of, whole_file, wrong
from polytene.genome.merging.ranks import Ranks
from polytene.genome.merging.shared import shared_lines
from polytene.genome.merging.sorter import Sorter

HEADS = (b"#", b"track", b"browser")


def merge_bed(parts: Sequence[Part], output: Path, ranks: Ranks | None = None) -> Merged:
    """Join BED files, sorted by sequence, start and end.

    Lines stay as they are; those of one place are sorted by their text. Header lines (``#``,
    ``track``, ``browser``) that all files share are written once, others are left out and noted.

    Parameters
    ----------
    parts
        The files, in plan order; gzip is recognised by content.
    output
        File to write; its name decides whether it is compressed.
    ranks
        The order of the sequences; None: that in which they come.

    Raises
    ------
    BadInput
        ``bad-bed``, ``second-track``, ``unknown-seqid``, or what
        :func:`polytene.formats.text.read_blocks` says.
    """
    ranks = ranks or Ranks()
    with whole_file(output) as write:
        sorter = Sorter(output.parent)
        heads = [_read(part, ranks, sorter) for part in parts]
        shared, notes = shared_lines(parts, heads)
        for line in shared:
            write(line + b"\n")
        records = 0
        for _, line in sorter:
            write(line + b"\n")
            records += 1
    return Merged(len(parts), records, notes)


def _read(part: Part, ranks: Ranks, sorter: Sorter) -> list[bytes]:
    """Give a part's records to the sorter; return its header lines."""
    heads: list[bytes] = []
    begun = False
    for number, line in enumerate(lines_of(part), 1):
        if not line.strip():
            continue
        if line.startswith(HEADS) and _is_head(line):
            if begun and not line.startswith(b"#"):
                detail = "a second track: split the file, one track is one result"
                raise wrong(part, number, "second-track", detail)
            heads.append(line)
            continue
        begun = True
        try:
            sorter.add(_key(line, ranks, part, number), line)
        except ValueError as error:
            if isinstance(error, BadInput):
                raise
            shown = decode(line[:80])
            detail = f"expected seqid, start and end with tabs between, found {shown!r}"
            raise wrong(part, number, "bad-bed", detail) from None
    return heads


def _is_head(line: bytes) -> bool:
    return line.startswith(b"#") or line.split(None, 1)[0] in HEADS


def _key(line: bytes, ranks: Ranks, part: Part, number: int) -> tuple[int, int, int]:
    fields = line.split(b"\t", 3)
    if len(fields) < 3:
        fields = line.split(None, 3)
    start, end = int(fields[1]), int(fields[2].split(None, 1)[0]) if len(fields) > 2 else -1
    if not 0 <= start <= end:
        raise ValueError(f"{start} to {end}")
    return ranks.rank(fields[0], part, number), start, end
