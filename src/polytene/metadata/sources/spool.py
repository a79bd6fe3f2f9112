"""Archives and sets to shard files: documents in order, cut where their content says so."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from polytene.core.canonical import digest
from polytene.core.keys import key_hash
from polytene.core.scratch import Folder, scratch
from polytene.core.stage import Partial
from polytene.exceptions import BadInput, Rejected
from polytene.metadata.parser.parse import Documents
from polytene.metadata.seen import chained, read_seen
from polytene.metadata.sources.cut import cut
from polytene.metadata.sources.find import HEADERS, Source, open_source
from polytene.metadata.sources.naming import is_document, kind_of, submission_of
from polytene.metadata.sources.tar import TarReader
from polytene.metadata.sources.tree import LARGE, SLICE_BYTES, TABLES, gunzip

AVERAGE_SUBMISSION = 1 << 16
MEMORY = 320 << 20
SCHEMA = pa.schema(
    [
        ("name", pa.string()),
        ("submission", pa.string()),
        ("kind", pa.int8()),
        ("data", pa.large_binary()),
    ]
)
_OPTIONS = pa.ipc.IpcWriteOptions(compression="lz4")


class ShardWriter:
    """Writes documents to shard files in a folder.

    A shard ends before a submission whose name's hash says so, or when it is as large as asked, so
    that shards of unchanged submissions stay the same when others come and go.
    """

    def __init__(
        self, folder: Path, shard_bytes: int, form: str, known: dict[str, str] | None = None
    ) -> None:
        self.folder, self.shard_bytes, self.form = folder, shard_bytes, form
        self._known = known or {}
        self._held: list[tuple[str, bytes]] = []
        self.shards: list[dict[str, Any]] = []
        self._odds = max(1, shard_bytes // 2 // AVERAGE_SUBMISSION)
        self._rows: list[tuple[str, str | None, int, bytes]] = []
        self._waiting = 0
        self._writer: Any = None
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
        self._about.append(digest(data, 8))
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
            path = self.folder / f"{len(self.shards):06d}.arrow"
            self._writer = pa.ipc.new_file(str(path), SCHEMA, options=_OPTIONS)
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
        self._writer.close()
        self._writer = None
        self.shards.append(
            {
                "file": f"{len(self.shards):06d}.arrow",
                "form": self.form,
                "first": self._first,
                "documents": self._documents,
                "bytes": self._size,
                "digest": digest(" ".join(self._about).encode()),
            }
        )
        self._begin()


def spool(source: Source, *, shard_bytes: int, known: str | None = None) -> Partial:
    """Cut a file into shard files.

    Parameters
    ----------
    known
        File of what submissions were: those that are still the same are left out.

    Returns
    -------
    Partial
        A folder with the shard files; its info lists them, and the items are the documents.

    Raises
    ------
    BadInput
        If the file breaks off or holds nothing of the SRA: then nothing of it is taken.
    """
    folder = scratch()
    found = _Spooler(folder, shard_bytes, source.path)
    if known is not None:
        found.known = read_seen([Path(known)])
    found.run()
    info = {"shards": found.shards, "ignored": found.ignored, "source": Path(source.path).name}
    return Partial(Folder(folder, info), 0, source.size, found.rejected)


class _Spooler:
    def __init__(self, folder: Path, shard_bytes: int, path: str) -> None:
        self.folder, self.shard_bytes, self.path = folder, shard_bytes, path
        self.shards: list[dict[str, Any]] = []
        self.rejected: list[Rejected] = []
        self.ignored = 0
        self.known: dict[str, str] = {}

    def run(self) -> None:
        """Read the file to its end."""
        form, blocks = open_source(self.path)
        name = Path(self.path).name
        if form == "tar":
            self._tar(blocks)
        elif form == "xml":
            with self._writer("xml") as out:
                for piece, data in cut(blocks, name, LARGE):
                    out.add(piece, data)
        else:
            self._lines(form, name, blocks)

    def _writer(self, form: str) -> _Closing:
        folder = self.folder / f"{len(list(self.folder.iterdir())):03d}-{form}"
        folder.mkdir()
        writer = ShardWriter(folder, self.shard_bytes, form, self.known)
        return _Closing(writer, self.shards, folder.name)

    def _tar(self, blocks: Iterator[bytes]) -> None:
        with self._writer("xml") as out:
            for member in TarReader(blocks, self.path, LARGE).members():
                name = member.name
                if Path(name).name.startswith(TABLES):
                    parts = member.blocks or iter([member.data or b""])
                    self._lines(_form_of(name), name, parts)
                elif not is_document(name):
                    self.ignored += 1
                elif member.data is None:
                    assert member.blocks is not None
                    self._large(out, name, member.blocks)
                else:
                    self._small(out, name, member.data)

    def _small(self, out: ShardWriter, name: str, data: bytes) -> None:
        if name.endswith(".gz"):
            try:
                data = gunzip(data, name)
            except BadInput as error:
                self.rejected.append(Rejected(name, error.reason, error.detail))
                return
        out.add(name, data)

    def _large(self, out: ShardWriter, name: str, blocks: Iterator[bytes]) -> None:
        try:
            for piece, data in cut(blocks, name, LARGE):
                out.add(piece, data)
        except BadInput as error:
            if error.reason != "too_large":
                raise
            self.rejected.append(Rejected(name, error.reason, error.detail))

    def _lines(self, form: str, name: str, blocks: Iterator[bytes]) -> None:
        """Cut a table of accessions at ends of lines; each piece has the table's head."""
        with self._writer(form) as out:
            held = next(blocks, b"")
            head, _, held = held.partition(b"\n")
            place = len(head) + 1
            for block in blocks:
                held += block
                if len(held) >= SLICE_BYTES:
                    end = held.rfind(b"\n") + 1
                    out.add(f"{name}#{place}", head + b"\n" + held[:end])
                    held, place = held[end:], place + end
            if held:
                out.add(f"{name}#{place}", head + b"\n" + held)


def _form_of(name: str) -> str:
    return next(form for _, form in HEADERS if Path(name).name.startswith(form))


class _Closing:
    """Closes a shard writer, and takes its list of shards."""

    def __init__(self, writer: ShardWriter, shards: list[dict[str, Any]], folder: str) -> None:
        self.writer, self.shards, self.folder = writer, shards, folder

    def __enter__(self) -> ShardWriter:
        return self.writer

    def __exit__(self, *error: object) -> None:
        self.writer.finish()
        self.shards += [{**s, "file": f"{self.folder}/{s['file']}"} for s in self.writer.shards]


def read_spooled(path: str) -> Iterator[Documents]:
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
