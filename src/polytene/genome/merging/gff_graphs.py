"""GFF3 as feature graphs: a gene with all that is part of it, or one feature that stands alone."""

from __future__ import annotations

import heapq
import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from polytene.formats.text import decode
from polytene.genome.merging.files import Part, wrong
from polytene.genome.merging.ranks import Ranks

_LINKS = re.compile(rb"(?:^|;)\s*(ID|Parent|Derives_from)=([^;]*)")
_GTF = re.compile(rb"\s*\w+ \"")


class Feature(NamedTuple):
    """One line of a GFF3 file; sorts by place, larger first."""

    rank: int
    start: int
    minus_end: int
    number: int
    line: bytes
    id: bytes | None
    parents: tuple[bytes, ...]


@dataclass
class Graph:
    """Features that ID, Parent and Derives_from join; in order, each after its parents."""

    features: list[Feature]
    comments: list[bytes] = field(default_factory=list)

    @property
    def key(self) -> tuple[int, int, int]:
        """Where it sorts: by its first feature."""
        return self.features[0][:3]

    @property
    def ids(self) -> list[bytes]:
        """Its IDs, each once."""
        return list(dict.fromkeys(f.id for f in self.features if f.id is not None))


def read_feature(line: bytes, part: Part, number: int, ranks: Ranks) -> Feature:
    """Return the feature of a line.

    Raises
    ------
    BadInput
        ``bad-gff3`` if it is none, ``gtf`` if it is one of GTF, ``unknown-seqid``.
    """
    fields = line.split(b"\t")
    if len(fields) != 9:
        detail = f"{len(fields)} columns where GFF3 has 9, with tabs between: {decode(line[:80])!r}"
        raise wrong(part, number, "bad-gff3", detail)
    try:
        start, end = int(fields[3]), int(fields[4])
    except ValueError:
        start, end = 0, 0
    if not 1 <= start <= end:
        shown = f"{decode(fields[3])} to {decode(fields[4])}"
        detail = f"start and end are {shown}: expected whole numbers, 1-based, start first"
        raise wrong(part, number, "bad-gff3", detail)
    attributes = fields[8]
    if b"=" not in attributes and _GTF.match(attributes):
        detail = "attributes as in GTF; GFF3 has ID=...;Parent=... (for GTF use --type concat)"
        raise wrong(part, number, "gtf", detail)
    own, parents = _links(attributes, part, number)
    return Feature(
        ranks.rank(fields[0], part, number), start, -end, number, line, own, tuple(parents)
    )


def _links(attributes: bytes, part: Part, number: int) -> tuple[bytes | None, list[bytes]]:
    own: bytes | None = None
    parents: list[bytes] = []
    for tag, value in _LINKS.findall(attributes):
        if tag == b"ID":
            if own is not None:
                raise wrong(part, number, "bad-gff3", "two IDs in one line")
            own = value.strip() or None
        elif b"," in value:
            parents += [v.strip() for v in value.split(b",") if v.strip()]
        elif name := value.strip():
            parents.append(name)
    return own, parents


class Section:
    """The features between two ``###``, or of a whole file without them."""

    def __init__(self, part: Part) -> None:
        self._part = part
        self._features: list[Feature] = []
        self._comments: dict[int, list[bytes]] = {}
        self._above: dict[bytes, bytes] = {}

    def add(self, feature: Feature, comments: list[bytes]) -> None:
        """Take a feature and the comments that stand before it."""
        if comments:
            self._comments[len(self._features)] = comments
        self._features.append(feature)
        name = feature.id
        for parent in feature.parents:
            if name is None:
                name = parent
            elif (one := self._top(name)) != (two := self._top(parent)):
                self._above[two] = one

    def _top(self, name: bytes) -> bytes:
        """Return the one name that stands for all names that are joined with this one."""
        above = self._above
        while (up := above.get(name)) is not None:
            if (next_up := above.get(up)) is not None:
                above[name] = next_up
            name = up
        return name

    def graphs(self) -> Iterator[Graph]:
        """Yield the graphs, in the order in which they begin.

        Raises
        ------
        BadInput
            ``missing-parent`` or ``parent-cycle``.
        """
        known = {f.id for f in self._features if f.id is not None}
        joined: dict[bytes | int, Graph] = defaultdict(lambda: Graph([]))
        for i, feature in enumerate(self._features):
            for parent in feature.parents:
                if parent not in known:
                    raise self._missing(feature, parent)
            name = feature.id or (feature.parents[0] if feature.parents else None)
            graph = joined[i if name is None else self._top(name)]
            graph.features.append(feature)
            graph.comments += self._comments.get(i, ())
        for graph in joined.values():
            if len(graph.features) > 1:
                graph.features = _in_order(graph.features, self._part)
            yield graph

    def _missing(self, feature: Feature, parent: bytes) -> Exception:
        detail = (
            f"Parent={decode(parent)} is not in this file, or ### has closed it before: a chunk "
            "writes whole genes, those that begin in it"
        )
        return wrong(self._part, feature.number, "missing-parent", detail)


def _in_order(features: list[Feature], part: Part) -> list[Feature]:
    """Sort features by place, larger first, and each after its parents."""
    features = sorted(features)
    seen: set[bytes] = set()
    for feature in features:
        if not seen.issuperset(feature.parents):
            return _parents_first(features, part)
        if feature.id is not None:
            seen.add(feature.id)
    return features


def _parents_first(features: list[Feature], part: Part) -> list[Feature]:
    children: dict[bytes, list[Feature]] = defaultdict(list)
    open_parents = {}
    for feature in features:
        parents = set(feature.parents)
        open_parents[feature.number] = len(parents)
        for parent in parents:
            children[parent].append(feature)
    ready = [f for f in features if not f.parents]
    heapq.heapify(ready)
    out = []
    while ready:
        feature = heapq.heappop(ready)
        out.append(feature)
        for child in children.pop(feature.id, ()) if feature.id is not None else ():
            open_parents[child.number] -= 1
            if not open_parents[child.number]:
                heapq.heappush(ready, child)
    if len(out) < len(features):
        stuck = next(f for f in features if open_parents[f.number])
        raise wrong(part, stuck.number, "parent-cycle", "the feature is its own ancestor")
    return out
