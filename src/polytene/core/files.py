"""Files that are there whole or not at all."""

from __future__ import annotations

import errno
import itertools
import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from polytene.core.chaos import point
from polytene.exceptions import NoSpace

READ = 1 << 16
FULL = (errno.ENOSPC, errno.EDQUOT)


@contextmanager
def full_disk_named(path: Path) -> Iterator[None]:
    """Turn the system's word for a full disk into ours, with the path and what to do."""
    try:
        yield
    except OSError as error:
        if error.errno not in FULL or isinstance(error, NoSpace):
            raise
        raise NoSpace(
            error.errno,
            f"no space left for {path}: free some and give the same command again; "
            "what is committed is safe",
        ) from None


def write_bytes(path: str | Path, data: bytes, *, sync: bool = True) -> None:
    """Write a file beside its place, make it durable, and rename it in."""
    draft = f"{path}.{unique()}.tmp"
    try:
        with full_disk_named(Path(path)):
            _write_new(draft, data, sync=sync)
        point("file.written")
        os.replace(draft, path)
        point("file.renamed")
    except BaseException:
        Path(draft).unlink(missing_ok=True)
        raise


def _write_new(path: str, data: bytes, *, sync: bool) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
    try:
        point("file.created")
        left = memoryview(data)
        while left:
            left = left[os.write(handle, left) :]
        if sync:
            os.fsync(handle)
    finally:
        os.close(handle)


def link_or_copy(source: Path, target: Path) -> None:
    """Let ``target`` hold what ``source`` holds, without a copy where the disk allows it."""
    if target.exists() and target.samefile(source):
        return
    draft = target.with_name(f".{target.name}.{unique()}.tmp")
    try:
        try:
            os.link(source, draft)
        except OSError:  # no hard links here
            with full_disk_named(target):
                shutil.copyfile(source, draft)
        os.replace(draft, target)
    finally:
        draft.unlink(missing_ok=True)


def read_bytes(path: str) -> bytes:
    """Return the bytes of a file, a small one, with few system calls."""
    handle = os.open(path, os.O_RDONLY)
    try:
        found = []
        while more := os.read(handle, READ):
            found.append(more)
        return b"".join(found)
    finally:
        os.close(handle)


def unique() -> str:
    """Return a name that no other call returns, in any process of any host."""
    return f"{_process(os.getpid())}-{next(_numbers)}"


@cache
def _process(pid: int) -> str:
    return uuid.uuid4().hex[:12]


_numbers = itertools.count()


def sync_folder(folder: Path) -> None:
    """Make the renames in a folder durable."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def sync_tree(folder: Path) -> None:
    """Make every file below a folder durable."""
    for base, _, names in os.walk(folder):
        for name in names:
            handle = os.open(os.path.join(base, name), os.O_RDONLY)
            try:
                os.fsync(handle)
            finally:
                os.close(handle)
        sync_folder(Path(base))
