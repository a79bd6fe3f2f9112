"""Shards: what one task parses, cut where the names of submissions say so."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, overload

import numpy as np
from dask.utils import parse_bytes

from polytene.core.keys import key_hash, safe_key
from polytene.core.plan import Plan, Unit
from polytene.exceptions import UsageError
from polytene.metadata.parser.parse import Engine, check_engine
from polytene.metadata.sources.find import Source
from polytene.metadata.sources.shard_file import AVERAGE_SUBMISSION
from polytene.metadata.sources.tree import Listing

SHARD_BYTES = "64MiB"
LEAST_SHARD, MOST_SHARD = 1 << 16, 1 << 29
TREE = "tree"


@dataclass(frozen=True)
class Shard(Unit):
    """Some submissions, documents or lines that are parsed together.

    Parameters
    ----------
    form
        ``tree``: entries of a folder; else what a shard file holds: ``xml``, ``SRA_Accessions``
        or ``SRA_Run_Members``.
    place
        The folder, or the shard file.
    entries
        Of a tree: the names of its entries, joined by ``/``.
    documents
        Of a shard file: how many documents it holds.
    mark
        Digest of what a shard file holds; of a tree, what its files were when they were seen to
        have changed.
    """

    form: str
    place: str
    entries: str = ""
    documents: int = 0
    mark: str = ""


def shard_size(shard_bytes: int | str) -> int:
    """Return the size of a shard in bytes.

    Raises
    ------
    UsageError
        If it is no size between 64 KiB and 512 MiB.
    """
    try:
        size = int(parse_bytes(shard_bytes))
    except ValueError:
        raise UsageError(f"shard_bytes is {shard_bytes!r}: give a size such as '64MiB'") from None
    if not LEAST_SHARD <= size <= MOST_SHARD:
        raise UsageError(f"shard_bytes is {shard_bytes}: between 64 KiB and 512 MiB")
    return size


class TreeShards(Sequence[Shard]):
    """The shards of a tree; names are held as bytes, and units are made as they are wanted."""

    def __init__(self, root: Path, listing: Listing, shard_bytes: int, prefix: str = "") -> None:
        self.root, self.names, self.prefix = root, listing.entries, prefix
        self.ends = _ends(self.names, max(1, shard_bytes // AVERAGE_SUBMISSION))

    def __len__(self) -> int:
        return len(self.ends)

    @overload
    def __getitem__(self, i: int) -> Shard: ...
    @overload
    def __getitem__(self, i: slice) -> list[Shard]: ...
    def __getitem__(self, i: int | slice) -> Shard | list[Shard]:
        if isinstance(i, slice):
            return [self[k] for k in range(*i.indices(len(self)))]
        stop = self.ends[i]
        start = self.ends[i - 1] if i else 0
        names = [os.fsdecode(n) for n in self.names[start:stop].tolist()]
        key = safe_key(f"{self.prefix}{names[0]}")
        return Shard(key, TREE, str(self.root), "/".join(names), cost=float(len(names)))


def _ends(names: np.ndarray[Any, Any], mean: int) -> list[int]:
    """Return where shards end: behind a name whose hash says so, never too small or too large."""
    least, most = max(1, mean // 2), 2 * mean
    odds = max(1, mean - least)
    ends, start = [], 0
    for i, name in enumerate(names.tolist(), 1):
        size = i - start
        if size >= most or (size >= least and key_hash(os.fsdecode(name)) % odds == 0):
            ends.append(i)
            start = i
    return ends if start == len(names) else [*ends, len(names)]


class Shards(Sequence[Shard]):
    """Several runs of shards as one."""

    def __init__(self, parts: Sequence[Sequence[Shard]]) -> None:
        self.parts = parts
        self.starts = np.cumsum([0, *(len(p) for p in parts)])

    def __len__(self) -> int:
        return int(self.starts[-1])

    def __iter__(self) -> Iterator[Shard]:
        for part in self.parts:
            yield from part

    @overload
    def __getitem__(self, i: int) -> Shard: ...
    @overload
    def __getitem__(self, i: slice) -> list[Shard]: ...
    def __getitem__(self, i: int | slice) -> Shard | list[Shard]:
        if isinstance(i, slice):
            return [self[k] for k in range(*i.indices(len(self)))]
        part = int(np.searchsorted(self.starts, i, side="right")) - 1
        return self.parts[part][i - int(self.starts[part])]


def tree_shards(listings: Mapping[Path, Listing], shard_bytes: int) -> list[TreeShards]:
    """Cut listed trees into shards."""
    return [
        TreeShards(root, listing, shard_bytes, f"{i}." if i else "")
        for i, (root, listing) in enumerate(listings.items())
    ]


def spooled_shards(cut: Iterable[tuple[Source, Sequence[dict[str, Any]]]]) -> list[Shard]:
    """Return the shards that sources were cut into, each with what is said of its shards."""
    out = []
    seen: Counter[str] = Counter()
    for source, shards in cut:
        for shard in shards:
            name = safe_key(f"{source.key[:80]}.{shard['first']}")
            seen[name] += 1
            name = f"{name[:190]}+{seen[name]}" if seen[name] > 1 else name
            place = f"{source.folder}/{shard['digest']}.arrow"
            about = {"documents": shard["documents"], "mark": shard["digest"]}
            cost = float(max(1, shard["bytes"] // AVERAGE_SUBMISSION))
            out.append(Shard(name, shard["form"], place, cost=cost, **about))
    return out


def parse_plan(
    shards: Sequence[Shard], *, engine: Engine = "auto", salvage: bool = False
) -> Plan[Shard]:
    """Return the plan that parses shards.

    Raises
    ------
    UsageError
        If there is none, or the engine is unknown.
    """
    check_engine(engine)
    if not len(shards):
        raise UsageError("nothing to parse: the sources hold no document")
    return Plan("metadata-parse", shards, {"engine": engine, "salvage": salvage}, noun="shard")
