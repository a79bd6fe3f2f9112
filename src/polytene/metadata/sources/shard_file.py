"""Shard files: documents side by side, cut where their content says so, named by it."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dask
import numpy as np
import pyarrow as pa

from polytene.core.canonical import canonical, digest
from polytene.core.files import full_disk_named, unique, write_bytes
from polytene.core.keys import key_hash
from polytene.metadata.parser.parse import Documents
from polytene.metadata.seen import chained
from polytene.metadata.sources.naming import kind_of, submission_of
from polytene.metadata.sources.tree import SLICE_BYTES

AVERAGE_SUBMISSION = 1 << 16
SCHEMA = pa.schema(
    [
        ("name", pa.string()),
        ("submission", pa.string()),
        ("kind", pa.int8()),
        ("data", pa.large_binary()),
    ]
)
_OPTIONS = pa.ipc.IpcWriteOptions(compression="lz4")


class ShardFolder:
    """Where the shards of a file go: each is there whole or not at all, and then listed.

    A shard that is listed and no longer there was parsed; it is not needed again.

    Parameters
    ----------
    folder
        Where the shard files lie, named by what they hold.
    mark
        What the file is, and how it is cut: the name of the list.
    """

    def __init__(self, folder: Path, mark: str) -> None:
        self.folder, self.list = folder, folder / mark
        self.shards: list[dict[str, Any]] = []

    def draft(self) -> Path:
        """Return a name to write a shard under."""
        return self.folder / f"{unique()}.tmp"

    def take(self, draft: Path, about: dict[str, Any]) -> None:
        """Take a shard that is written."""
        place = self.folder / f"{about['digest']}.arrow"
        receipt = self.list / f"{len(self.shards):06d}.json"
        if receipt.exists() and json.loads(receipt.read_bytes()) == about and not place.exists():
            draft.unlink()
        else:
            os.replace(draft, place)
            sync = dask.config.get("polytene.fsync", True)
            write_bytes(receipt, canonical(about), sync=sync)
        self.shards.append(about)


def more_listed(folder: Path, mark: str, known: list[dict[str, Any]]) -> None:
    """Add to the ``known`` shards those that are listed by now."""
    while (path := folder / mark / f"{len(known):06d}.json").exists():
        known.append(json.loads(path.read_bytes()))


class ShardWriter:
    """Writes documents to shard files.

    A shard ends before a submission whose name's hash says so, or when it is as large as asked, so
    that shards of unchanged submissions stay the same when others come and go.
    """

    def __init__(
        self, out: ShardFolder, shard_bytes: int, form: str, known: dict[str, str] | None = None
    ) -> None:
        self.out, self.shard_bytes, self.form = out, shard_bytes, form
        self._known = known or {}
        self._held: list[tuple[str, bytes]] = []
        self._odds = max(1, shard_bytes // 2 // AVERAGE_SUBMISSION)
        self._rows: list[tuple[str, str | None, int, bytes]] = []
        self._waiting = 0
        self._writer: Any = None
        self._draft = Path()
        self._last: str | None = None
        self._about: list[str] = []
        self._begin()

    def _begin(self) -> None:
        self._size = self._documents = 0
        self._about = []
        self._first = ""

    def add(self, name: str, data: bytes) -> None:
        """Take a document; those of a submission are held until it is whole."""
        submission = submission_of(name)
        if not self._known or submission is None:
            self._add(submission, name, data)
            return
        if self._held and submission_of(self._held[0][0]) != submission:
            self._release()
        self._held.append((name, data))

    def _release(self) -> None:
        """Take the submission that is held, unless it is as it was."""
        mark = ""
        for name, data in self._held:
            mark = chained(mark, name, digest(data, 8))
        submission = submission_of(self._held[0][0]) if self._held else None
        if submission is not None and self._known.get(submission) != mark:
            for name, data in self._held:
                self._add(submission, name, data)
        self._held = []

    def _add(self, submission: str | None, name: str, data: bytes) -> None:
        place = submission or name
        if self._size and place != self._last and self._full(place):
            self.close()
        self._last = place
        self._first = self._first or place
        self._rows.append((name, submission, kind_of(name), data))
        self._about.append(f"{name}:{digest(data, 8)}")
        self._documents += 1
        self._size += len(data)
        self._waiting += len(data)
        if self._waiting >= SLICE_BYTES:
            self._flush()

    def _full(self, place: str) -> bool:
        if self._size < self.shard_bytes // 2:
            return False
        return self._size >= self.shard_bytes or key_hash(place) % self._odds == 0

    def _flush(self) -> None:
        if not self._rows:
            return
        if self._writer is None:
            self._draft = self.out.draft()
            self._file = pa.OSFile(str(self._draft), "wb")
            self._writer = pa.ipc.new_file(self._file, SCHEMA, options=_OPTIONS)
        columns = list(zip(*self._rows, strict=True))
        arrays = [pa.array(c, f.type) for c, f in zip(columns, SCHEMA, strict=True)]
        self._writer.write_batch(pa.record_batch(arrays, schema=SCHEMA))
        self._rows, self._waiting = [], 0

    def finish(self) -> None:
        """End the last shard."""
        self._release()
        self.close()

    def close(self) -> None:
        """End the shard, if there is one."""
        self._flush()
        if self._writer is None:
            return
        with full_disk_named(self._draft):
            self._writer.close()
            self._file.close()
            if dask.config.get("polytene.fsync", True):
                _make_durable(self._draft)
        self._writer = None
        about = {"form": self.form, "first": self._first, "documents": self._documents}
        mark = digest(" ".join(self._about).encode(errors="surrogateescape"))
        self.out.take(self._draft, {**about, "bytes": self._size, "digest": mark})
        self._begin()


def _make_durable(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def read_shard_file(path: str) -> Iterator[Documents]:
    """Yield the documents of a shard file, a batch at a time."""
    with pa.OSFile(path) as file:
        reader = pa.ipc.open_file(file)
        for i in range(reader.num_record_batches):
            yield _documents(reader.get_batch(i))


def _documents(batch: pa.RecordBatch) -> Documents:
    data = batch.column("data")
    _, offsets, values = data.buffers()
    ends = np.frombuffer(offsets, np.int64)[: len(data) + 1]
    return Documents(
        batch.column("name").to_pylist(),
        batch.column("kind").to_numpy(),
        batch.column("submission").to_pylist(),
        np.frombuffer(values or b"", np.uint8),
        ends[:-1],
        ends[1:],
    )
