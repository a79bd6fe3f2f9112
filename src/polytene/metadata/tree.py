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
from polytene.metadata.naming import is_document, kind_of, submission_of
from polytene.metadata.parse import Documents

SLICE_BYTES = 16 << 20
LARGE = 8 << 20
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
        """Yield the documents in slices of about 16 MiB, in the order of their names."""
        names: list[str] = []
        parts: list[bytes] = []
        size = 0
        for entry in self.entries:
            about = []
            for name in self.files(entry):
                data, identity = self._read(name)
                about.append((name, identity))
                if data is None:
                    continue
                names.append(name)
                parts.append(data)
                size += len(data)
                if size >= SLICE_BYTES:
                    yield documents(names, parts)
                    names, parts, size = [], [], 0
            self.identities[entry] = _identity(about)
        if names:
            yield documents(names, parts)

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

    def _read(self, name: str) -> tuple[bytes | None, str]:
        """Return a document, or None where it cannot be read, and what identifies it."""
        self.seen += 1
        path = f"{self.root}/{name}"
        try:
            data, identity = read_file(path)
        except OSError as error:
            detail = f"{name}: {error.strerror or error}; expected a file that can be read"
            self.rejected.append(Rejected(name, "io_error", detail))
            return None, "unreadable"
        self.nbytes += len(data)
        if name.endswith(".gz"):
            try:
                data = gunzip(data, name)
            except BadInput as error:
                self.rejected.append(Rejected(name, error.reason, error.detail))
                return None, identity
        if len(data) > LARGE * 8:
            detail = f"{name}: {len(data):,} bytes; give it as a source of its own"
            self.rejected.append(Rejected(name, "too_large", detail))
            return None, identity
        return data, identity


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


def read_file(path: str) -> tuple[bytes, str]:
    """Return a file's bytes, and its size and time as text."""
    handle = os.open(path, FLAGS)
    try:
        about = os.fstat(handle)
        parts = [os.read(handle, about.st_size + 1)]
        while parts[-1] and sum(map(len, parts)) < about.st_size:
            parts.append(os.read(handle, about.st_size + 1))
    finally:
        os.close(handle)
    return b"".join(parts), f"{about.st_size}:{about.st_mtime_ns}"


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


def documents(names: list[str], parts: list[bytes]) -> Documents:
    """Return documents side by side."""
    stops = np.cumsum([len(p) for p in parts], dtype=np.int64)
    starts = np.concatenate([np.zeros(1, np.int64), stops[:-1]])
    kinds = np.array([kind_of(n) for n in names], np.int8)
    data = np.frombuffer(b"".join(parts), np.uint8)
    return Documents(names, kinds, [submission_of(n) for n in names], data, starts, stops)
