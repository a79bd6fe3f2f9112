"""What metadata come from: trees, archives, sets, single documents, tables of accessions."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Literal

from polytene.core.plan import Unit
from polytene.exceptions import BadInput, UsageError
from polytene.formats.text import peek, read_blocks
from polytene.metadata.sources.tar import is_tar
from polytene.metadata.sources.tree import list_tree

Form = Literal["tar", "xml", "SRA_Accessions", "SRA_Run_Members"]
HEADERS: tuple[tuple[bytes, Form], ...] = (
    (b"Accession\tSubmission\tStatus\t", "SRA_Accessions"),
    (b"Run\tMember_Name\tExperiment\t", "SRA_Run_Members"),
)
EXPANSION = 6


@dataclass(frozen=True)
class Source(Unit):
    """A file that is cut into shards before it is parsed.

    Parameters
    ----------
    path, size, mtime_ns
        The file, and what it was when it was planned.
    folder
        Where its shard files go.
    disk
        Most bytes that its shards take on disk, an estimate.
    """

    path: str
    size: int
    mtime_ns: int
    folder: str = ""
    disk: float = 0.0

    @property
    def footprint(self) -> dict[str, float]:
        """The disk that its shards take."""
        return {"disk": self.disk}


@dataclass(frozen=True)
class Sources:
    """What was given, told apart: folders to list, and files to cut."""

    trees: tuple[Path, ...]
    files: tuple[Path, ...]


def find_sources(given: str | Path | Iterable[str | Path]) -> Sources:
    """Tell folders from files; tables and sets that lie in a folder count as files.

    Raises
    ------
    UsageError
        If nothing is given, or something is not there.
    """
    paths = [given] if isinstance(given, str | Path) else list(given)
    trees, files = [], []
    for path in (Path(os.path.abspath(p)) for p in paths):  # noqa: PTH100
        if path.is_dir():
            listing = list_tree(path)
            files += [path / name for name in listing.large]
            trees += [path] if len(listing.entries) else []
        elif path.exists():
            files.append(path)
        else:
            raise UsageError(f"{path}: no such file or folder")
    if not trees and not files:
        raise UsageError("no source given: a dump, an archive, a set or a document")
    return Sources(tuple(dict.fromkeys(trees)), tuple(dict.fromkeys(files)))


def as_source(path: Path, key: str, folder: Path) -> Source:
    """Return a file as a unit; its shard files go below ``folder``."""
    about = path.stat()
    disk = float(EXPANSION * about.st_size + (1 << 20))
    where = (about.st_size, about.st_mtime_ns, str(folder / key))
    return Source(key, str(path), *where, disk=disk, cost=float(max(1, about.st_size)))


def open_source(path: str) -> tuple[Form, Iterator[bytes]]:
    """Return what a file holds, by content, and its decompressed blocks.

    Raises
    ------
    BadInput
        ``io_error`` where it cannot be read, ``not_xml`` where it is none of the known forms.
    """
    try:
        head, blocks = peek(read_blocks(path), 1024)
    except BadInput as error:
        raise read_error(error) from None
    for sign, form in HEADERS:
        if head.startswith(sign):
            return form, checked(blocks)
    if is_tar(head):
        return "tar", checked(blocks)
    return "xml", checked(chain(blocks))


def checked(blocks: Iterator[bytes]) -> Iterator[bytes]:
    """Yield blocks; what stops them is named with the reasons of this room."""
    try:
        yield from blocks
    except BadInput as error:
        raise read_error(error) from None


def read_error(error: BadInput) -> BadInput:
    """Return an error of reading under the reasons of this room."""
    reason = "truncated" if error.reason == "truncated-gzip" else "io_error"
    return BadInput(reason, error.detail)
