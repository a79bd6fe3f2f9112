"""IDs that stand for different features in different parts: found, dropped, renamed."""

from __future__ import annotations

import hashlib
import re
from array import array
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from polytene.exceptions import BadInput
from polytene.formats.text import decode
from polytene.genome.merging.files import Part, lines_of
from polytene.genome.merging.gff_graphs import Graph

_OWN = re.compile(rb"(?:^|;)\s*ID=([^;]*)")
_VALUES = re.compile(rb"((?:^|;)\s*(?:ID|Parent|Derives_from)=)([^;]*)")


class Ids:
    """Which IDs the graphs of a merge use: 24 bytes for each, whatever its length."""

    def __init__(self) -> None:
        self._ids, self._graphs, self._contents = array("Q"), array("Q"), array("Q")
        self._parts = array("L")
        self._taken: set[int] = set()

    def add(self, graph: Graph, part: int) -> int:
        """Take a graph of the part of this index; return its number."""
        number = len(self._parts)
        self._parts.append(part)
        names = graph.ids
        if names:
            content = _hash(b"\n".join(f.line for f in graph.features))
            for name in names:
                self._ids.append(_hash(name))
                self._graphs.append(number)
                self._contents.append(content)
        return number

    def part_of(self, number: int) -> int:
        """Return the index of the part of a graph."""
        return self._parts[number]

    def twice(self) -> tuple[set[int], list[tuple[int, int, int]]]:
        """Return what has an ID that another graph has before it.

        Returns
        -------
        same
            Graphs that are equal to one before them.
        different
            Of each other such graph: an ID's hash, the graph that had it first, and the graph.
        """
        ids = np.frombuffer(self._ids, np.uint64) if self._ids else np.empty(0, np.uint64)
        order = np.argsort(ids, kind="stable")
        again = np.flatnonzero(ids[order][1:] == ids[order][:-1]) + 1
        same: set[int] = set()
        different: dict[int, tuple[int, int, int]] = {}
        for group in np.split(again, np.flatnonzero(np.diff(again) > 1) + 1):
            if group.size:
                self._sort_out(order[group[0] - 1 : group[-1] + 1], same, different)
        return same, [found for number, found in different.items() if number not in same]

    def _sort_out(
        self, rows: np.ndarray[Any, Any], same: set[int], different: dict[int, Any]
    ) -> None:
        first = self._graphs[rows[0]]
        known: set[int] = set()
        for row in rows.tolist():
            number, content = self._graphs[row], self._contents[row]
            if content in known:
                same.add(number)
            elif number != first:
                different.setdefault(number, (self._ids[row], first, number))
            known.add(content)

    def fresh(self, names: Sequence[bytes], suffix: bytes) -> bytes:
        """Return a suffix that makes new names of all these."""
        if not self._taken:
            self._taken = set(self._ids)
        tail, i = suffix, 1
        while any(_hash(name + tail) in self._taken for name in names):
            i += 1
            tail = suffix + b".%d" % i
        self._taken.update(_hash(name + tail) for name in names)
        return tail


def _hash(data: bytes) -> int:
    return int.from_bytes(hashlib.blake2b(data, digest_size=8).digest(), "little")


def own_id(line: bytes) -> bytes | None:
    """Return the ID of a feature's line."""
    found = None if line.startswith(b"#") else _OWN.search(line.rpartition(b"\t")[2])
    return found[1].strip() if found else None


def names_of(lines: Iterable[bytes]) -> list[bytes]:
    """Return the IDs of features, each once."""
    return list(dict.fromkeys(n for n in map(own_id, lines) if n is not None))


def collision(parts: Sequence[Part], one: int, two: int, hashed: int) -> BadInput:
    """Return the error for an ID that two parts use for different features."""
    places: dict[int, list[int]] = {one: [], two: []}
    name = b"?"
    for index in places:
        for number, line in enumerate(lines_of(parts[index]), 1):
            found = own_id(line)
            if found is not None and _hash(found) == hashed:
                name = found
                places[index].append(number)
    first = f"{parts[one].name} line {places[one][0]:,}"
    last = f"{parts[two].name} line {places[two][-1]:,}"
    return BadInput(
        "id-collision",
        f"ID={decode(name)} stands for different features in {first} and {last}: a feature belongs "
        "to the chunk that holds its first base; where each part numbers its features from 1, use "
        "--on-collision rename",
    )


def renamed(lines: Iterable[bytes], tail: bytes) -> list[bytes]:
    r"""Return lines of one graph with ``tail`` behind each ID, Parent and Derives_from.

    Examples
    --------
    >>> renamed([b"chr1\t.\tmRNA\t1\t9\t.\t+\t.\tID=m;Parent=g;Name=m"], b"~chunk_0001")[0][22:]
    b'ID=m~chunk_0001;Parent=g~chunk_0001;Name=m'
    """

    def new(found: re.Match[bytes]) -> bytes:
        values = found[2].split(b",") if b"ID=" not in found[1] else [found[2]]
        return found[1] + b",".join(v.rstrip() + tail if v.strip() else v for v in values)

    out = []
    for line in lines:
        before, tab, attributes = line.rpartition(b"\t")
        out.append(before + tab + _VALUES.sub(new, attributes))
    return out
