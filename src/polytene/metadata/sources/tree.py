"""Folders of submissions: one listing to plan, and documents a slice at a time."""

from __future__ import annotations

import gzip
import os
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from polytene.core.canonical import digest
from polytene.exceptions import BadInput, Rejected, UsageError
from polytene.metadata.parser.parse import Array, Documents
from polytene.metadata.sources.naming import is_document, kind_of, submission_of

SLICE_BYTES = 8 << 20
LARGE = 8 << 20
LARGEST = 64 << 20
FLAGS = os.O_RDONLY | os.O_CLOEXEC
TABLES = ("SRA_Accessions", "SRA_Run_Members")


@dataclass(frozen=True)
class Listing:
    """What lies directly in a folder, in order: entries to parse, and tables of accessions."""

    entries: np.ndarray
    large: list[str] = field(default_factory=list)


def list_tree(root: Path) -> Listing:
    """List a folder once; no entry in it is looked at.

    Entries are the folders and documents in it. Tables of accessions and compressed sets, which
    may be of any size, are listed apart.

    Raises
    ------
    UsageError
        If it cannot be listed, or nothing in it can hold records.
    """
    names, large = [], []
    try:
        with os.scandir(root) as found:
            for entry in found:
                name = entry.name
                if name.startswith(TABLES) or name.endswith((".xml.gz", ".tar.gz", ".tar")):
                    large.append(name)
                elif is_document(name) or entry.is_dir() or entry.is_symlink():
                    names.append(os.fsencode(name))
    except OSError as error:
        raise UsageError(f"{root}: {error.strerror}") from None
    if not names and not large:
        raise UsageError(f"{root}: no submission in it: expected ACC/ACC.experiment.xml and so on")
    return Listing(np.sort(np.array(names, dtype=bytes)), sorted(large))


class TreeReader:
    """Reads the documents of some entries of a tree.

    Parameters
    ----------
    root
        The tree.
    entries
        Names of folders or documents in it.

    Attributes
    ----------
    rejected
        Documents that could not be read.
    identities
        Per entry, a digest of the names, sizes and times of its files.
    ignored
        Files that hold no records.
    """

    def __init__(self, root: Path, entries: list[str]) -> None:
        self.root, self.entries = root, entries
        self.rejected: list[Rejected] = []
        self.identities: dict[str, str] = {}
        self.seen = self.nbytes = self.ignored = 0

    def slices(self) -> Iterator[Documents]:
        """Yield the documents in slices of about 8 MiB, in the order of their names.

        A slice holds until the next one is asked for: they share their memory.
        """
        held = _Slice()
        for entry in self.entries:
            about = []
            for name in self.files(entry):
                if held.full:
                    yield held.documents()
                    held.clear()
                about.append((name, self._read(name, held)))
            self.identities[entry] = _identity(about)
        if held.names:
            yield held.documents()

    def files(self, entry: str) -> list[str]:
        """Return the names of an entry's documents, in order."""
        if is_document(entry):
            return [entry]
        try:
            inside = sorted(os.listdir(self.root / entry))  # noqa: PTH208 - names are enough
        except OSError as error:
            self.seen += 1
            self.rejected.append(Rejected(entry, "io_error", f"{entry}: {error.strerror}"))
            return []
        found = [f"{entry}/{name}" for name in inside if is_document(name)]
        self.ignored += len(inside) - len(found)
        return found

    def _read(self, name: str, held: _Slice) -> str:
        """Read a document into a slice; return what identifies it."""
        self.seen += 1
        try:
            data, identity = held.read(f"{self.root}/{name}")
        except OSError as error:
            detail = f"{name}: {error.strerror or error}; expected a file that can be read"
            self.rejected.append(Rejected(name, "io_error", detail))
            return "unreadable"
        self.nbytes += len(data)
        try:
            held.add(name, gunzip(bytes(data), name) if name.endswith(".gz") else data)
        except BadInput as error:
            self.rejected.append(Rejected(name, error.reason, error.detail))
        return identity


class _Slice:
    """Documents side by side in one buffer, and those that it has no room for behind it."""

    def __init__(self) -> None:
        self._buffer = np.empty(SLICE_BYTES + LARGE, np.uint8)
        self._view = self._buffer.data
        self.clear()

    def clear(self) -> None:
        """Forget the documents."""
        self.names: list[str] = []
        self._ends = [0]
        self._behind: list[bytes] = []

    @property
    def full(self) -> bool:
        """Whether it holds what a slice should."""
        return bool(self._behind) or self._ends[-1] >= SLICE_BYTES

    def read(self, path: str) -> tuple[memoryview | bytes, str]:
        """Return a file's bytes, and its size and time as text."""
        handle = os.open(path, FLAGS)
        try:
            room = self._view[self._ends[-1] :]
            size = os.readv(handle, [room])
            about = os.fstat(handle)
            stamp = f"{about.st_size}:{about.st_mtime_ns}"
            if size == about.st_size:
                return room[:size], stamp
            parts = [bytes(room[:size])]
            while block := os.read(handle, 1 << 24):
                parts.append(block)
                if sum(map(len, parts)) > LARGEST:
                    break
            return b"".join(parts), stamp
        finally:
            os.close(handle)

    def add(self, name: str, data: memoryview | bytes) -> None:
        """Take a document; what :meth:`read` gave lies in its place.

        Raises
        ------
        BadInput
            ``too_large``.
        """
        if len(data) > LARGEST:
            raise BadInput("too_large", f"{name}: more than 64 MiB; give it as a source of its own")
        end = self._ends[-1] + len(data)
        if end > len(self._buffer):
            self._behind.append(bytes(data))
        elif isinstance(data, bytes):
            self._view[self._ends[-1] : end] = data
        self.names.append(name)
        self._ends.append(end)

    def documents(self) -> Documents:
        """Return them all."""
        data = self._buffer[: min(self._ends[-1], len(self._buffer))]
        if self._behind:
            before = self._ends[-1 - len(self._behind)]
            behind = np.frombuffer(b"".join(self._behind), np.uint8)
            data = np.concatenate([self._buffer[:before], behind])
        return side_by_side(self.names, data, np.array(self._ends, np.int64))


def _identity(about: list[tuple[str, str]]) -> str:
    return digest(os.fsencode(" ".join(f"{name}:{stamp}" for name, stamp in about)), 8)


def identity_of(root: Path, entry: str) -> str:
    """Return the identity of an entry as it is now, without reading its documents."""
    reader = TreeReader(root, [])
    about = []
    for name in reader.files(entry):
        try:
            found = os.stat(f"{root}/{name}")
            about.append((name, f"{found.st_size}:{found.st_mtime_ns}"))
        except OSError:
            about.append((name, "unreadable"))
    return _identity(about)


def gunzip(data: bytes, name: str) -> bytes:
    """Return what a small compressed document holds.

    Raises
    ------
    BadInput
        ``truncated`` or ``not_xml``.
    """
    try:
        return gzip.decompress(data)
    except EOFError:
        raise BadInput("truncated", f"{name}: the gzip stream breaks off") from None
    except (OSError, zlib.error) as error:
        raise BadInput("not_xml", f"{name}: damaged gzip: {error}") from None


def side_by_side(names: list[str], data: Array, ends: Array) -> Documents:
    """Return documents that follow one another; ``ends`` begins with 0."""
    kinds = np.array([kind_of(n) for n in names], np.int8)
    return Documents(names, kinds, [submission_of(n) for n in names], data, ends[:-1], ends[1:])
