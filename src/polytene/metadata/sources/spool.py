"""Archives and sets to shard files, read once as a stream."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from polytene.core.canonical import canonical, digest
from polytene.core.files import write_bytes
from polytene.core.scratch import scratch
from polytene.core.stage import Partial
from polytene.exceptions import BadInput, Rejected
from polytene.metadata.parser.parse import Documents
from polytene.metadata.seen import read_seen
from polytene.metadata.sources.cut import cut
from polytene.metadata.sources.find import HEADERS, Source, open_source
from polytene.metadata.sources.naming import is_document
from polytene.metadata.sources.shard_file import ShardFolder, ShardWriter, read_shard_file
from polytene.metadata.sources.tar import TarReader
from polytene.metadata.sources.tree import LARGE, SLICE_BYTES, TABLES, gunzip

MEMORY = 320 << 20
VERSION = 1
SOURCE = "source.json"


def cut_mark(source: Source, shard_bytes: int, known: str | None) -> str:
    """Return the name of the list of a source's shards: what it is, and how it is cut."""
    return digest(canonical(_about(source, shard_bytes, known)), 8)


def _about(source: Source, shard_bytes: int, known: str | None) -> dict[str, Any]:
    what = {"path": source.path, "size": source.size, "mtime_ns": source.mtime_ns}
    return {**what, "shard_bytes": shard_bytes, "known": known, "version": VERSION}


def spool(source: Source, *, shard_bytes: int, known: str | None = None) -> Partial:
    """Cut a file into shard files in its folder, listed one by one as they close.

    Parameters
    ----------
    known
        File of what submissions were: those that are still the same are left out.

    Returns
    -------
    Partial
        The list of the shards; the items are the documents.

    Raises
    ------
    BadInput
        If the file breaks off or holds nothing of the SRA: then nothing of it is taken.
    """
    out = ShardFolder(Path(source.folder), cut_mark(source, shard_bytes, known))
    out.list.mkdir(parents=True, exist_ok=True)
    write_bytes(out.list / SOURCE, canonical(_about(source, shard_bytes, known)))
    found = _Spooler(out, shard_bytes, source.path, known)
    found.run()
    info = {"shards": out.shards, "ignored": found.ignored, "source": Path(source.path).name}
    return Partial(info, 0, source.size, found.rejected)


def read_shard(place: str) -> Iterator[Documents]:
    """Yield the documents of a shard file; one that is gone is cut once more.

    Shard files are removed once they are parsed, so this costs time only where a parsed shard was
    lost.

    Raises
    ------
    BadInput
        ``io_error`` if what it was cut from is no longer what it was.
    """
    yield from read_shard_file(place if Path(place).exists() else str(_cut_again(Path(place))))


class _Found(Exception):
    """The one shard that is wanted is there."""


class _OneShard(ShardFolder):
    """Keeps one shard of a file, and ends the reading there."""

    def __init__(self, folder: Path, wanted: str) -> None:
        super().__init__(folder, "")
        self.wanted, self.place = wanted, folder / f"{wanted}.arrow"

    def take(self, draft: Path, about: dict[str, Any]) -> None:
        """Keep the shard if it is the one."""
        if about["digest"] != self.wanted:
            draft.unlink()
            return
        draft.rename(self.place)
        raise _Found


def _cut_again(place: Path) -> Path:
    out = _OneShard(scratch(), place.stem)
    for path in sorted(place.parent.glob(f"*/{SOURCE}")):
        about = json.loads(path.read_bytes())
        if not _is_still(about):
            continue
        try:
            _Spooler(out, about["shard_bytes"], about["path"], about["known"]).run()
        except _Found:
            return out.place
    raise BadInput(
        "io_error",
        f"{place}: the shard was lost, and what it was cut from is no longer there as it was: "
        "build the knowledge base anew with --fresh",
    )


def _is_still(about: dict[str, Any]) -> bool:
    try:
        now = Path(about["path"]).stat()
    except OSError:
        return False
    return (now.st_size, now.st_mtime_ns) == (about["size"], about["mtime_ns"])


class _Spooler:
    def __init__(self, out: ShardFolder, shard_bytes: int, path: str, known: str | None) -> None:
        self.out, self.shard_bytes, self.path = out, shard_bytes, path
        self.rejected: list[Rejected] = []
        self.ignored = 0
        self.known = read_seen([Path(known)]) if known is not None else {}

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

    @contextmanager
    def _writer(self, form: str) -> Iterator[ShardWriter]:
        writer = ShardWriter(self.out, self.shard_bytes, form, self.known)
        yield writer
        writer.finish()

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
