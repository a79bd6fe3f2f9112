"""Lines of GFF3 with attributes added; what stood there before stays byte for byte."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import quote

from polytene.genome.annotation.models import Line

SAFE = " !\"#$'()*+-./:<>?@[\\]^_`{|}~"


def with_attributes(line: Line, values: Mapping[str, object]) -> bytes:
    r"""Return a line with attributes: those of the same names are replaced, others added.

    Examples
    --------
    >>> line = Line(
    ...     0, [b"c", b".", b"gene", b"1", b"9", b".", b"+", b".", b"ID=g;aed=1"], 0, 9, b"g", ()
    ... )
    >>> with_attributes(line, {"aed": "0.5000"}).split(b"\\t")[8]
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
