from __future__ import annotations

import contextlib
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polytene.exceptions import BadInput
from polytene.formats.location import MAX_DEPTH, Piece, parse_location


@dataclass(frozen=True)
class Span:
    first: int
    last: int
    low: bool
    high: bool
    single: bool

    def text(self) -> str:
        if self.single:
            return f"{'<' * self.low}{self.first}"
        return f"{'<' * self.low}{self.first}..{'>' * self.high}{self.last}"

    def ends(self) -> list[tuple[Piece, bool, bool]]:
        last, high = (self.first, False) if self.single else (self.last, self.high)
        return [((self.first - 1, last, 1), self.low, high)]


@dataclass(frozen=True)
class Complement:
    of: Node

    def text(self) -> str:
        return f"complement({self.of.text()})"

    def ends(self) -> list[tuple[Piece, bool, bool]]:
        return [
            ((start, end, 1 if strand == -1 else -1), after, before)
            for (start, end, strand), before, after in self.of.ends()[::-1]
        ]


@dataclass(frozen=True)
class Joined:
    operator: str
    parts: list[Node]

    def text(self) -> str:
        return f"{self.operator}({','.join(part.text() for part in self.parts)})"

    def ends(self) -> list[tuple[Piece, bool, bool]]:
        return [end for part in self.parts for end in part.ends()]


Node = Span | Complement | Joined

spans = st.builds(
    lambda first, length, *marks: Span(first, first + length, *marks),
    st.integers(1, 10**6),
    st.integers(0, 10**4),
    st.booleans(),
    st.booleans(),
    st.booleans(),
)
nodes = st.recursive(
    spans,
    lambda inner: st.one_of(
        st.builds(Complement, inner),
        st.builds(Joined, st.sampled_from(["join", "order"]), st.lists(inner, min_size=1)),
    ),
    max_leaves=12,
)


@given(nodes)
def test_what_is_written_is_parsed(node: Node) -> None:
    location = parse_location(node.text())
    ends = node.ends()
    assert location.pieces == tuple(piece for piece, _, _ in ends)
    assert (location.partial5, location.partial3) == (ends[0][1], ends[-1][2])


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        ("467", ((466, 467, 1),)),
        ("join(3981..5386,1..136)", ((3980, 5386, 1), (0, 136, 1))),
        ("join(complement(7..9),1..3)", ((6, 9, -1), (0, 3, 1))),
        ("join(1..9,9..12)", ((0, 9, 1), (8, 12, 1))),
        ("complement(complement(4..6))", ((3, 6, 1),)),
    ],
)
def test_locations_of_the_definition(text: str, pieces: tuple[Piece, ...]) -> None:
    assert parse_location(text).pieces == pieces


@pytest.mark.parametrize(
    ("text", "partial5", "partial3"),
    [
        ("<1..9", True, False),
        ("1..>9", False, True),
        ("complement(<1..9)", False, True),
        ("complement(1..>9)", True, False),
        (">9", False, True),
        ("join(1..>3,5..6)", False, False),
        ("complement(join(<1..3,5..>9))", True, True),
    ],
)
def test_open_ends_follow_the_direction_of_translation(
    text: str, partial5: bool, partial3: bool
) -> None:
    location = parse_location(text)
    assert (location.partial5, location.partial3) == (partial5, partial3)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("J00194.1:1..20", "remote-location"),
        ("join(1..9,NC_000932.1:5..9)", "remote-location"),
        ("7^8", "inexact-location"),
        ("join(1..3,7.9)", "inexact-location"),
        ("(7.9)..12", "inexact-location"),
        ("1..7.9", "bad-location"),
        ("", "bad-location"),
        ("join()", "bad-location"),
        ("join(1..2", "bad-location"),
        ("join(1..2))", "bad-location"),
        ("join(1..2,)", "bad-location"),
        ("1..2,4..5", "bad-location"),
        ("complement(1..2,4..5)", "bad-location"),
        ("0..9", "bad-location"),
        ("9..1", "bad-location"),
        ("1...9", "bad-location"),
        ("1..", "bad-location"),
        ("-1..4", "bad-location"),
        ("\uff11..\uff19", "bad-location"),
        ("1" * 5000, "bad-location"),
        ("gap(5)", "bad-location"),
        ("JOIN(1..2)", "bad-location"),
        ("complement(" * 100_000 + "1" + ")" * 100_000, "bad-location"),
    ],
)
def test_what_is_wrong_is_said(text: str, reason: str) -> None:
    with pytest.raises(BadInput) as caught:
        parse_location(text)
    assert caught.value.reason == reason
    assert len(caught.value.detail) < 200
    assert caught.value.detail.isprintable()


def test_nesting_has_a_limit() -> None:
    deep = "complement(" * MAX_DEPTH + "1..2" + ")" * MAX_DEPTH
    assert parse_location(deep).pieces == ((0, 2, 1),)
    with pytest.raises(BadInput, match="nested"):
        parse_location(f"join({deep})")


@given(st.text("complentjirdv()0123456789.,<>^:", max_size=30))
def test_any_text_is_a_location_or_bad_input(text: str) -> None:
    with contextlib.suppress(BadInput):
        assert parse_location(text).pieces
