"""Files that are there whole or not at all."""

from __future__ import annotations

import errno
import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from polytene.exceptions import NoSpace

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


def write_bytes(path: Path, data: bytes, *, sync: bool = True) -> None:
    """Write a file beside its place, make it durable, and rename it in."""
    draft = path.with_name(f"{path.name}.{uuid.uuid4().hex[:12]}.tmp")
    try:
        with full_disk_named(path), open(draft, "xb") as out:
            out.write(data)
            if sync:
                out.flush()
                os.fsync(out.fileno())
        os.replace(draft, path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise


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
