"""Shards of a tree whose files changed since they were parsed."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from polytene.core.canonical import canonical
from polytene.core.files import write_bytes
from polytene.metadata.plan import Shard
from polytene.metadata.seen import whole_identity
from polytene.metadata.sources.tree import identity_of

THREADS = 8


class Marks:
    """What the files of some shards were when they were seen to have changed.

    A plan of a tree says nothing of its files, since it does not look at them. Once a shard was
    seen to differ from what was parsed, its mark makes it another unit.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.now: dict[str, str] = json.loads(path.read_bytes()) if path.exists() else {}

    def save(self, changed: dict[str, str]) -> None:
        """Remember marks."""
        write_bytes(self.path, canonical(self.now | changed))

    def on(self, shards: Sequence[Shard]) -> Sequence[Shard]:
        """Return the shards with their marks."""
        return _Marked(shards, self.now) if self.now else shards


class _Marked(Sequence[Shard]):
    def __init__(self, shards: Sequence[Shard], marks: dict[str, str]) -> None:
        self.shards, self.marks = shards, dict(marks)

    def __len__(self) -> int:
        return len(self.shards)

    def __getitem__(self, i: Any) -> Any:
        found = self.shards[i]
        return [self._marked(s) for s in found] if isinstance(found, list) else self._marked(found)

    def __iter__(self) -> Iterator[Shard]:
        return map(self._marked, self.shards)

    def _marked(self, shard: Shard) -> Shard:
        mark = self.marks.get(shard.key)
        return shard if mark is None else replace(shard, mark=mark)


def changed_shards(shards: Sequence[dict[str, Any]]) -> dict[str, str]:
    """Return the shards of trees whose files are no longer what was parsed, and what they are."""
    trees = [s for s in shards if s["entries"]]
    with ThreadPoolExecutor(THREADS) as pool:
        now = list(pool.map(_identity_now, trees))
    return {s["key"]: n for s, n in zip(trees, now, strict=True) if n != s["identity"]}


def _identity_now(shard: dict[str, Any]) -> str:
    entries = shard["entries"].split("/")
    look = partial(identity_of, Path(shard["place"]))
    return whole_identity({entry: look(entry) for entry in entries})
