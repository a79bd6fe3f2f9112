"""The paths of the schema as one automaton that both parsers walk.

A state is the set of paths that are still open at an element; names lead from state to state.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any, NamedTuple

import numpy as np

from polytene.metadata.parser.schema import COLUMNS, GROUPS, KINDS, PACKAGES

Array = np.ndarray[Any, Any]

OUTSIDE, DEAD = 0, -1
ANY_KIND, NO_ROOT = -1, -2
NAME_SLOTS, ATTRIBUTE_SLOTS = 512, 256


class Path(NamedTuple):
    """A place inside a record: element names, and what is taken there."""

    kind: str
    elements: tuple[str, ...]
    takes: str


@cache
def read_path(kind: str, text: str, base: str = "") -> Path:
    """Return the path that ``text`` spells, see :class:`polytene.metadata.parser.schema.Column`."""
    text, _, attribute = text.partition("@")
    whole = "/".join(filter(None, (base, text)))
    takes = f"@{attribute}" if attribute else "text"
    if whole.endswith("#name"):
        whole, takes = whole.removesuffix("#name"), "name"
    return Path(kind, tuple(whole.split("/")) if whole else (), takes)


def _paths() -> Iterator[Path]:
    for kind in KINDS:
        for column in COLUMNS[kind]:
            for text in column.paths:
                yield read_path(kind, text)
        for group in GROUPS[kind]:
            yield read_path(kind, f"{group.path}#name")
            for _, text in group.members:
                yield read_path(kind, text, group.path)


class Tables(NamedTuple):
    """The automaton as arrays; -1 stands for nothing.

    ``step[state, name]`` is the next state; ``text``, ``name`` and ``attribute[state, attribute]``
    say which field is taken; ``starts`` is the kind of the record that begins in a state; ``root``
    is the kind that a root element promises. The rest are hash tables of names.
    """

    step: Array
    text: Array
    name: Array
    attribute: Array
    has_attributes: Array
    starts: Array
    root: Array
    name_slots: Array
    name_bytes: Array
    name_ends: Array
    attribute_slots: Array
    attribute_bytes: Array
    attribute_ends: Array


class Machine:
    """The automaton with its names.

    Parameters
    ----------
    fields
        The paths; a field's number is its place among them.
    """

    def __init__(self, fields: list[Path]) -> None:
        self.fields = fields
        self.number = {path: i for i, path in enumerate(fields)}
        self.names = _numbered(e for p in fields for e in p.elements if e != "*")
        roots = [k.upper() for k in KINDS] + [f"{k.upper()}_SET" for k in KINDS] + list(PACKAGES)
        new = [r for r in roots if r not in self.names]
        self.names |= {name: len(self.names) + 1 + i for i, name in enumerate(new)}
        self.attributes = _numbered(p.takes[1:] for p in fields if p.takes.startswith("@"))
        self._states: dict[frozenset[tuple[int, int]], int] = {}
        self._steps: list[dict[str, int]] = [{}]
        self._starts = [-1]
        self._open: list[frozenset[tuple[int, int]]] = [frozenset()]
        for kind_number, kind in enumerate(KINDS):
            items = frozenset((i, 0) for i, p in enumerate(fields) if p.kind == kind)
            self._steps[0][kind.upper()] = self._state(items, kind_number)
        self.tables = self._tables(roots)

    def _state(self, items: frozenset[tuple[int, int]], starts: int = -1) -> int:
        if items in self._states:
            return self._states[items]
        number = self._states[items] = len(self._steps)
        self._steps.append({})
        self._starts.append(starts)
        self._open.append(items)
        names = {self.fields[i].elements[d] for i, d in items if d < len(self.fields[i].elements)}
        for name in names:
            after = frozenset(
                (i, d + 1)
                for i, d in items
                if d < len(self.fields[i].elements) and self.fields[i].elements[d] in (name, "*")
            )
            self._steps[number][name] = self._state(after)
        return number

    def _tables(self, roots: list[str]) -> Tables:
        n, names = len(self._steps), len(self.names) + 1
        step = np.full((n, names), DEAD, np.int16)
        text, name = np.full(n, -1, np.int16), np.full(n, -1, np.int16)
        attribute = np.full((n, len(self.attributes) + 1), -1, np.int16)
        step[OUTSIDE] = OUTSIDE
        for state, (steps, items) in enumerate(zip(self._steps, self._open, strict=True)):
            if "*" in steps:
                step[state] = steps["*"]
            for element, after in steps.items():
                if element != "*":
                    step[state, self.names[element]] = after
            for i, depth in items:
                if depth < len(self.fields[i].elements):
                    continue
                takes = self.fields[i].takes
                if takes == "text":
                    text[state] = i
                elif takes == "name":
                    name[state] = i
                else:
                    attribute[state, self.attributes[takes[1:]]] = i
        root = np.full(names, NO_ROOT, np.int8)
        for element in roots:
            kind = element.removesuffix("_SET").lower()
            root[self.names[element]] = KINDS.index(kind) if kind in KINDS else ANY_KIND
        starts = np.array(self._starts, np.int8)
        has = (attribute >= 0).any(axis=1)
        return Tables(
            *(step, text, name, attribute, np.asarray(has), starts, root),
            *_hashed(self.names, NAME_SLOTS),
            *_hashed(self.attributes, ATTRIBUTE_SLOTS),
        )


def _numbered(names: Iterator[str]) -> dict[str, int]:
    return {name: i + 1 for i, name in enumerate(dict.fromkeys(names))}


def name_hash(name: bytes) -> int:
    """Return a number of a name's length and three of its bytes."""
    size = len(name)
    return size * 7 + name[0] * 31 + name[size >> 1] * 131 + name[-1] * 557


def _hashed(numbers: dict[str, int], slots: int) -> tuple[Array, Array, Array]:
    """Return an open-addressed table of the names' numbers, their bytes and where each ends."""
    table = np.zeros(slots, np.int32)
    ends = np.zeros(len(numbers) + 1, np.int32)
    joined = b""
    for name, number in numbers.items():
        joined += name.encode()
        ends[number] = len(joined)
        slot = name_hash(name.encode()) % slots
        while table[slot]:
            slot = (slot + 1) % slots
        table[slot] = number
    return table, np.frombuffer(joined, np.uint8).copy(), ends


@cache
def machine() -> Machine:
    """Return the automaton of the schema."""
    return Machine(list(dict.fromkeys(_paths())))
