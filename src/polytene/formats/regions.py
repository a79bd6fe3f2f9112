"""Regions of a genome, and how people write them."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from polytene.exceptions import UsageError
from polytene.formats.text import printable

_NUMBER = r"(\d+|\d{1,3}(?:,\d{3})+)"
_RANGE = re.compile(rf"{_NUMBER}(?:-|\.\.){_NUMBER}?", re.ASCII)
_BRACED = re.compile(r"\{(.*)\}(?::(.*))?", re.DOTALL)


class Region(NamedTuple):
    """Part of a sequence, 0-based and half-open; ``str`` writes it 1-based and inclusive.

    Examples
    --------
    >>> region = Region("chr1", 999, 2000)
    >>> region.size, str(region)
    (1001, 'chr1:1000-2000')
    """

    seqid: str
    start: int
    end: int

    @property
    def size(self) -> int:
        """Bases in it."""
        return self.end - self.start

    def __str__(self) -> str:
        return f"{self.seqid}:{self.start + 1}-{self.end}"


def parse_region(
    text: str, lengths: Mapping[str, int] | None = None, *, clip: bool = False
) -> Region:
    """Return the region that a text such as ``chr1:1000-2000`` names.

    Coordinates in the text are 1-based and inclusive, as in GFF3, samtools and browsers;
    ``1,000..2,000`` is understood, too. With ``lengths``, ``chr1`` is the whole sequence and
    ``chr1:1000-`` goes to its end; of several sequences that the text could begin with, the one
    with the longest name is meant; ``{chr:1}:5-9`` puts a name with a colon beyond doubt.

    Parameters
    ----------
    text
        What to read.
    lengths
        Length of each sequence, in bases; without it names and ends are not checked.
    clip
        Cut a region at the end of its sequence rather than refuse it.

    Raises
    ------
    UsageError
        If the text is no region, the sequence is not known or the region not inside it.

    Examples
    --------
    >>> parse_region("chr1:1000-2000")
    Region(seqid='chr1', start=999, end=2000)
    >>> parse_region("chr1:1,000..2,000", {"chr1": 1500}, clip=True)
    Region(seqid='chr1', start=999, end=1500)
    """
    seqid, rest = _split(text, lengths)
    length = None if lengths is None else lengths[seqid]
    if rest is None:
        if length is None:
            raise _wrong(text, "has no coordinates: write seqid:start-end, such as chr1:1000-2000")
        return Region(seqid, 0, length)
    found = _RANGE.fullmatch(rest)
    if found is None:
        raise _wrong(text, _why(rest))
    start = int(found[1].replace(",", ""))
    if found[2] is None and length is None:
        raise _wrong(text, "goes to the end of its sequence, whose length is not known here")
    end = int(found[2].replace(",", "")) if found[2] else max(start, length or 0)
    _check(text, start, end, length, clip)
    return Region(seqid, start - 1, end if length is None else min(end, length))


def _split(text: str, lengths: Mapping[str, int] | None) -> tuple[str, str | None]:
    """Return the name of the sequence, and what follows its colon; None where nothing does."""
    if lengths is None:
        if braced := _BRACED.fullmatch(text):
            return braced[1], braced[2]
        seqid, colon, rest = text.rpartition(":")
        return (seqid, rest) if colon and seqid else (text, None)
    if text in lengths:
        return text, None
    if (braced := _BRACED.fullmatch(text)) and braced[1] in lengths:
        return braced[1], braced[2]
    place = len(text)
    while (place := text.rfind(":", 0, place)) > 0:
        if text[:place] in lengths:
            return text[:place], text[place + 1 :]
    raise _unknown(text, lengths)


def _unknown(text: str, lengths: Mapping[str, int]) -> UsageError:
    seqid = text.rpartition(":")[0] or text
    near = close_names(seqid, lengths)
    hint = f"did you mean {', '.join(near)}?" if near else f"there are {len(lengths):,} others"
    return _wrong(text, f"names no sequence of this genome; {hint}")


def close_names(seqid: str, known: Iterable[str]) -> list[str]:
    """Return up to three known names that are nearly this one.

    Examples
    --------
    >>> close_names("Chr1", ["chr1", "chr2", "scaffold_7"])
    ['chr1']
    """
    names = list(known)
    bare = seqid.lower().removeprefix("chr").lstrip("0_")
    same = [n for n in names if n.lower().removeprefix("chr").lstrip("0_") == bare]
    return [printable(n) for n in (same or difflib.get_close_matches(seqid, names[:5000]))[:3]]


def _why(rest: str) -> str:
    if re.fullmatch(_NUMBER, rest, re.ASCII):
        return f"has one coordinate: write {rest}-{rest} for one base, {rest}- for all that follows"
    return "is no region: coordinates are written start-end, 1-based, such as chr1:1000-2000"


def _check(text: str, start: int, end: int, length: int | None, clip: bool) -> None:
    if start < 1:
        raise _wrong(text, "begins at 0: coordinates are 1-based, the first base is 1")
    if length is not None and start > length:
        raise _wrong(text, f"begins after the end of its sequence, which has {length:,} bases")
    if end < start:
        raise _wrong(text, "ends before it begins")
    if length is not None and end > length and not clip:
        raise _wrong(text, f"ends after its sequence, which has {length:,} bases")


def _wrong(text: str, why: str) -> UsageError:
    return UsageError(f"region {printable(text)!r} {why}")
