"""Lines that stand once at the top of a result: those that all parts share."""

from __future__ import annotations

from collections.abc import Sequence

from polytene.formats.text import decode, printable
from polytene.genome.merging.files import Part


def shared_lines(
    parts: Sequence[Part], lines: Sequence[Sequence[bytes]]
) -> tuple[list[bytes], list[str]]:
    """Return the lines that all parts have, in their first order, and a note on the others.

    A part without any such line does not count.
    """
    some = [set(found) for found in lines if found]
    shared = set.intersection(*some) if some else set()
    first = next((found for found in lines if found), [])
    kept = [line for line in dict.fromkeys(first) if line in shared]
    lost = [(p, one) for p, found in zip(parts, lines, strict=True) for one in found]
    lost = [(p, one) for p, one in lost if one not in shared]
    if not lost:
        return kept, []
    part, one = lost[0]
    note = (
        f"{len(lost):,} comment lines are not in all files and were left out, the first of "
        f"{part.name}: {shown(one)}"
    )
    return kept, [note]


def shown(line: bytes) -> str:
    """Return a line as messages show it, cut where it is long."""
    text = printable(decode(line))
    return f"'{text}'" if len(text) <= 80 else f"'{text[:77]}...'"
