"""What a build would do, before it does anything."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from dask.utils import format_bytes

from polytene.core.keys import safe_key
from polytene.core.plan import Plan, Unit
from polytene.metadata.plan import SHARD_BYTES, TREE, TreeShards, shard_size
from polytene.metadata.sources.find import find_sources
from polytene.metadata.sources.tree import list_tree


@dataclass(frozen=True)
class Input(Unit):
    """One source as it is planned.

    Parameters
    ----------
    form
        ``tree`` or ``file``.
    path
        Where it is.
    entries
        Of a tree: its submissions and documents.
    nbytes
        Of a file: its size.
    shards
        How many shards it is cut into; of a file, 0: only its content can tell.
    """

    form: str
    path: str
    entries: int = 0
    nbytes: int = 0
    shards: int = 0


class BuildPlan(Plan[Input]):
    """What a build would do; ``limit`` is how many shards it would stop at."""

    def __init__(self, units: list[Input], shard_bytes: int, limit: int | None = None) -> None:
        super().__init__("metadata-build", units, {"shard_bytes": shard_bytes}, noun="source")
        self.limit = limit

    def head(self, n: int) -> BuildPlan:
        """Return the plan of the first ``n`` shards, for a trial."""
        super().head(n)
        return BuildPlan(list(self.units), self.params["shard_bytes"], n)

    def ends_within(self, n: int) -> bool:
        """Whether ``n`` shards are all; of files nobody knows before they are cut."""
        return all(u.form == TREE for u in self) and n >= sum(u.shards for u in self)

    def describe(self) -> str:
        """Return what each source is, as a few lines of text."""
        size = format_bytes(self.params["shard_bytes"])
        lines = [f"{self.kind}: {len(self)} sources, shards of about {size}"]
        for unit in islice(self, 20):
            what = (
                f"{unit.entries:,} submissions and documents, {unit.shards:,} shards"
                if unit.form == TREE
                else f"{format_bytes(unit.nbytes)}, streamed and cut as its content says"
            )
            lines.append(f"  {unit.path}: {what}")
        if self.limit:
            lines.append(f"  only the first {self.limit:,} shards")
        return "\n".join(lines)


def plan(
    source: str | Path | Iterable[str | Path],
    *,
    accessions: str | Path | Iterable[str | Path] = (),
    shard_bytes: int | str = SHARD_BYTES,
) -> BuildPlan:
    """Return what :func:`polytene.metadata.build` would do; folders are listed once, no more.

    Raises
    ------
    UsageError
        If there is no source, or the size is none.

    Examples
    --------
    >>> from polytene.testing import write_dump
    >>> plan(write_dump(submissions=5)).units[0].entries
    5
    """
    size = shard_size(shard_bytes)
    extra = [accessions] if isinstance(accessions, str | Path) else list(accessions)
    given = [source] if isinstance(source, str | Path) else list(source)
    found = find_sources([*given, *extra])
    units: list[Input] = []
    for root in found.trees:
        listing = list_tree(root)
        about: dict[str, Any] = {"entries": len(listing.entries)}
        about["shards"] = len(TreeShards(root, listing, size))
        units.append(Input(_key(units, root), TREE, str(root), cost=about["entries"], **about))
    for path in found.files:
        nbytes = path.stat().st_size
        units.append(Input(_key(units, path), "file", str(path), nbytes=nbytes, cost=nbytes))
    return BuildPlan(units, size)


def _key(units: list[Input], path: Path) -> str:
    return f"{len(units):03d}.{safe_key(path.name)[:150]}"
