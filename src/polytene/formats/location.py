"""Parse the feature locations of GenBank, EMBL and DDBJ."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from polytene.exceptions import BadInput
from polytene.formats.text import printable

MAX_DEPTH = 64

Strand = Literal[1, -1]
Piece = tuple[int, int, Strand]

_LISTS = ("join", "order")
_OPEN = re.compile(r"(complement|join|order)\(")
_SPAN = re.compile(r"([<>]?)([0-9]{1,18})(?:\.\.([<>]?)([0-9]{1,18}))?(?=[,)]|$)")
_REMOTE = re.compile(r"[A-Za-z0-9_.|-]+:")
_INEXACT = re.compile(r"\(?[<>]?[0-9]+[.^][<>]?[0-9]+")


@dataclass(frozen=True, slots=True)
class Location:
    """Where a feature lies.

    Attributes
    ----------
    pieces
        Start, end and strand (1 or -1) of each piece in the order of translation; bp, 0-based
        half-open, on the forward strand's axis.
    partial5, partial3
        Whether the feature begins before its first piece or goes on after its last one, in the
        direction of translation.
    """

    pieces: tuple[Piece, ...]
    partial5: bool
    partial3: bool


@dataclass(frozen=True, slots=True)
class _Span:
    """One piece with its open ends, which ``complement`` exchanges."""

    start: int
    end: int
    strand: Strand
    open5: bool
    open3: bool

    def complement(self) -> _Span:
        strand: Strand = -1 if self.strand == 1 else 1
        return _Span(self.start, self.end, strand, self.open3, self.open5)


@dataclass(slots=True)
class _Group:
    """An operator whose parenthesis is open, and the spans in it so far."""

    operator: str
    spans: list[_Span]

    def close(self) -> list[_Span]:
        if self.operator != "complement":
            return self.spans
        return [span.complement() for span in reversed(self.spans)]


def parse_location(text: str) -> Location:
    """Parse a location without its line ends and blanks.

    ``order`` is taken like ``join``. Joins need not be ascending: a feature may cross the origin
    of a circular sequence, be trans-spliced or shift its frame. Whether the location lies inside
    the sequence is not checked.

    Parameters
    ----------
    text
        Location as the INSDC Feature Table Definition, section 3.4, defines it; 1-based inclusive.

    Raises
    ------
    BadInput
        ``remote-location`` if it points into another record, ``inexact-location`` if it lies
        between two bases (``7^8``) or at an unknown one of several (``7.9``), ``bad-location`` if
        it is anything else that the definition does not allow.

    Examples
    --------
    >>> parse_location("complement(join(1..6,<10..12))")
    Location(pieces=((9, 12, -1), (0, 6, -1)), partial5=False, partial3=False)
    >>> parse_location("complement(<1..6)")
    Location(pieces=((0, 6, -1),), partial5=False, partial3=True)
    """
    spans = _parse_spans(text)
    return Location(
        tuple((span.start, span.end, span.strand) for span in spans),
        spans[0].open5,
        spans[-1].open3,
    )


def _parse_spans(text: str) -> list[_Span]:
    """Parse with a stack, since with recursion the text would choose the depth."""
    stack = [_Group("", [])]
    at = 0
    while True:
        at = _open_groups(text, at, stack)
        span, at = _parse_span(text, at)
        stack[-1].spans.append(span)
        at = _close_groups(text, at, stack)
        if at == len(text) and len(stack) == 1:
            return stack[0].spans
        if not (text.startswith(",", at) and stack[-1].operator in _LISTS):
            raise _bad(text, at)
        at += 1


def _open_groups(text: str, at: int, stack: list[_Group]) -> int:
    while opened := _OPEN.match(text, at):
        if len(stack) > MAX_DEPTH:
            raise _bad(text, at, f"operators are nested more than {MAX_DEPTH} deep")
        stack.append(_Group(opened[1], []))
        at = opened.end()
    return at


def _close_groups(text: str, at: int, stack: list[_Group]) -> int:
    while text.startswith(")", at) and len(stack) > 1:
        spans = stack.pop().close()
        stack[-1].spans += spans
        at += 1
    return at


def _parse_span(text: str, at: int) -> tuple[_Span, int]:
    found = _SPAN.match(text, at)
    if not found:
        raise _bad_span(text, at)
    mark, first, last_mark, last = found.groups()
    start, end = int(first) - 1, int(last or first)
    if start < 0:
        raise _bad(text, at, "bases are numbered from 1")
    if end <= start:
        raise _bad(text, at, "the span runs backwards; across an origin it takes a join")
    if last:
        return _Span(start, end, 1, bool(mark), bool(last_mark)), found.end()
    return _Span(start, end, 1, mark == "<", mark == ">"), found.end()


def _bad_span(text: str, at: int) -> BadInput:
    if _REMOTE.match(text, at):
        return _error("remote-location", text, "it points into another record")
    if _INEXACT.match(text, at):
        return _error("inexact-location", text, "it names no certain bases")
    return _bad(text, at)


def _bad(text: str, at: int, why: str = "") -> BadInput:
    found = repr(text[at : at + 20]) if at < len(text) else "the end"
    return _error("bad-location", text, why or f"did not expect {found} at character {at + 1}")


def _error(reason: str, text: str, why: str) -> BadInput:
    shown = text if len(text) <= 60 else f"{text[:57]}..."
    return BadInput(reason, f"location {printable(shown)!r}: {why}")
