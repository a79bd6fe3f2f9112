"""What the fault tests share: a file system that is really small."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

SIZE = 8 << 20
MOUNT = 'mount -t tmpfs -o size="$1",nr_inodes=4k small "$2" && echo mounted && exec cat'
WAYS = (["unshare", "-m"], ["unshare", "-rm"])
SHARED_MEMORY = Path("/dev/shm")
MOST = 256 << 20


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Give a folder on a file system of 8 MB that fills up as real ones do.

    It is mounted in a mount namespace of its own, and reached through its holder. Where the
    system allows neither root nor users a namespace, the shared memory of a small container,
    filled up to the same size, takes its place.
    """
    folder = tmp_path / "small"
    folder.mkdir()
    for way in WAYS:
        command = [*way, "sh", "-c", MOUNT, "sh", str(SIZE), str(folder)]
        with subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        ) as holder:
            if holder.stdout.readline() == b"mounted\n":
                yield Path(f"/proc/{holder.pid}/root{folder}")
                return
    yield from _in_shared_memory()


def _in_shared_memory() -> Iterator[Path]:
    space = os.statvfs(SHARED_MEMORY)
    free = space.f_bavail * space.f_frsize
    if not SIZE < free < MOST:
        pytest.fail(f"no small file system: no mount namespace, and {SHARED_MEMORY} has {free:,} B")
    folder = SHARED_MEMORY / f"polytene-small-{os.getpid()}"
    folder.mkdir()
    try:
        with open(folder / "rest", "xb") as rest:
            os.posix_fallocate(rest.fileno(), 0, free - SIZE)
        yield folder
    finally:
        shutil.rmtree(folder)


@pytest.fixture
def filler(small_disk: Path) -> Iterator[Filler]:
    return Filler(small_disk)


class Filler:
    """Takes what is free of the small disk, but for some bytes, and gives it back."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.path = folder, folder / "filler"

    def leave(self, free: int) -> None:
        """Take all space but ``free`` bytes."""
        space = os.statvfs(self.folder)
        more = space.f_bavail * space.f_frsize - free
        with open(self.path, "ab") as file:
            os.posix_fallocate(file.fileno(), 0, file.seek(0, os.SEEK_END) + more)

    def free(self) -> None:
        """Give it all back."""
        self.path.unlink()
