"""Parse the features of the INSDC feature table, which GenBank, EMBL and DDBJ share."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from polytene.exceptions import BadInput
from polytene.formats.text import decode, printable

_WITHOUT_BLANKS = ("/translation=", "/transl_except=")


@dataclass(frozen=True, slots=True)
class Feature:
    """One feature as it stands in the table.

    Attributes
    ----------
    key
        Such as ``CDS`` or ``source``.
    location
        Without line ends and blanks.
    qualifiers
        All values of each qualifier in order, unquoted; "" for one without a value.
    line
        1-based number of the line with the key.
    """

    key: str
    location: str
    qualifiers: dict[str, list[str]]
    line: int

    def first(self, name: str) -> str | None:
        """Return the first value of a qualifier, None if there is none."""
        return self.qualifiers[name][0] if name in self.qualifiers else None


def parse_feature(lines: Iterable[bytes], line: int) -> Feature:
    """Parse the lines of one feature.

    Parameters
    ----------
    lines
        The line with the key and all lines that continue it, as in the INSDC Feature Table
        Definition, section 4.1.
    line
        1-based number of the first of them.

    Raises
    ------
    BadInput
        ``bad-qualifier`` if a quoted value does not end, or has text after its end.

    Examples
    --------
    >>> lines = [b"     CDS   join(1..6,", b"  8..10)", b'  /gene="a"', b"  /pseudo"]
    >>> feature = parse_feature(lines, 7)
    >>> feature.location, feature.qualifiers
    ('join(1..6,8..10)', {'gene': ['a'], 'pseudo': ['']})
    """
    (key, *location), *entries = _entries(lines)
    qualifiers: dict[str, list[str]] = {}
    for entry in entries:
        joint = "" if entry[0].startswith(_WITHOUT_BLANKS) else " "
        name, _, value = joint.join(entry)[1:].partition("=")
        qualifiers.setdefault(name, []).append(_unquoted(name, value))
    return Feature(key, "".join(location), qualifiers, line)


def _entries(lines: Iterable[bytes]) -> list[list[str]]:
    """Split a feature into its key with the location and its qualifiers, each in pieces."""
    entries: list[list[str]] = [[]]
    quoted = False
    for raw in lines:
        text = decode(raw).strip()
        if text.startswith("/") and not quoted:
            entries.append([text])
        else:
            entries[-1] += text.split() if len(entries) == 1 else [text]
        quoted ^= text.count('"') % 2 == 1
    return entries


def _unquoted(name: str, value: str) -> str:
    if not value.startswith('"'):
        return value
    if value.count('"') % 2:
        why = "has no closing quote"
    elif not value.endswith('"'):
        why = "goes on after its closing quote"
    else:
        return value[1:-1].replace('""', '"')
    raise BadInput("bad-qualifier", f"'/{printable(name)}={printable(value[:40])}' {why}")
