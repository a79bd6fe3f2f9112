"""What the file system of run directories can do: space, durability, locks, links, renames."""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
from dask.utils import format_bytes

from polytene.core.lock import UNSUPPORTED

LEAST_FREE = 100 << 20
FEW_FREE = 5 << 30
SLOW_FSYNC = 0.05
WRITES = 5
SLOW_WRITE = 30e6
PIECE, PIECES = 1 << 20, 32


@dataclass(frozen=True)
class Check:
    """What one check found.

    Parameters
    ----------
    name
        What was looked at.
    status
        ``ok``, ``warn`` (it works, but) or ``fail`` (runs cannot work).
    said
        What was found.
    remedy
        What to do.
    """

    name: str
    status: str
    said: str
    remedy: str = ""


def check_disk(run_dir: Path) -> Iterator[Check]:
    """Yield each check of the file system that a folder is on.

    It is tried in a folder of its own, in ``run_dir`` or the nearest folder above it that is
    there.
    """
    there = next(p for p in (run_dir.absolute(), *run_dir.absolute().parents) if p.is_dir())
    try:
        with tempfile.TemporaryDirectory(prefix=".polytene-doctor-", dir=there) as folder:
            yield _space(there)
            for check in (_speed, _fsync, _locks, _links, _renames):
                yield _guarded(check, Path(folder))
    except OSError as error:
        remedy = "give a folder where you may write: --run-dir DIR"
        yield Check("run directory", "fail", f"{there}: {error.strerror}", remedy)


def _guarded(check: Callable[[Path], Check], folder: Path) -> Check:
    try:
        return check(folder)
    except OSError as error:
        name = check.__name__.strip("_")
        remedy = "keep runs on another file system: --run-dir DIR"
        return Check(name, "fail", f"{error.strerror}", remedy)


def _space(there: Path) -> Check:
    free = shutil.disk_usage(there).free
    said = f"{there} ({kind_of(there)}): {format_bytes(free)} free"
    if free < LEAST_FREE:
        return Check(
            "run directory", "fail", said, "free some, or keep runs elsewhere: --run-dir DIR"
        )
    if free < FEW_FREE:
        return Check("run directory", "warn", said, "enough for small runs; see polytene clean")
    return Check("run directory", "ok", said)


def kind_of(folder: Path) -> str:
    """Return the kind of file system that a folder is on."""
    place = os.path.realpath(folder)
    mounts = sorted(psutil.disk_partitions(all=True), key=lambda m: -len(m.mountpoint))
    for mount in mounts:
        if os.path.commonpath([place, mount.mountpoint]) == mount.mountpoint:
            return mount.fstype
    return "unknown"


def _speed(folder: Path) -> Check:
    piece = os.urandom(PIECE)  # not to be compressed
    start = time.perf_counter()
    with open(folder / "large", "wb") as out:
        for _ in range(PIECES):
            out.write(piece)
        out.flush()
        os.fsync(out.fileno())
    speed = PIECE * PIECES / (time.perf_counter() - start)
    said = f"{speed / 1e6:,.0f} MB/s, {PIECE * PIECES >> 20} MiB made durable"
    if speed < SLOW_WRITE:
        remedy = "large results wait for it: keep runs on a faster disk: --run-dir DIR"
        return Check("write speed", "warn", said, remedy)
    return Check("write speed", "ok", said)


def _fsync(folder: Path) -> Check:
    times = []
    with open(folder / "file", "wb") as out:
        for _ in range(WRITES):
            out.write(bytes(4096))
            out.flush()
            start = time.perf_counter()
            os.fsync(out.fileno())
            times.append(time.perf_counter() - start)
    took = statistics.median(times)
    said = f"{1000 * took:.1f} ms to make a write durable (median of {WRITES})"
    if took > SLOW_FSYNC:
        remedy = "small units wait for it: larger batches, or a faster disk"
        return Check("fsync", "warn", said, remedy)
    return Check("fsync", "ok", said)


def _locks(folder: Path) -> Check:
    with open(folder / "lock", "w") as one, open(folder / "lock", "w") as two:
        try:
            fcntl.flock(one, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno not in UNSUPPORTED:
                raise
            return Check("locks", "warn", "none here; drivers go by each other's sign of life")
        try:
            fcntl.flock(two, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno in (errno.EWOULDBLOCK, errno.EACCES):
                return Check("locks", "ok", "a second driver is kept out")
            raise
    remedy = "never start two drivers on one run directory here"
    return Check("locks", "warn", "a lock does not keep a second one out", remedy)


def _links(folder: Path) -> Check:
    (folder / "a").write_bytes(b"x")
    try:
        os.link(folder / "a", folder / "b")
    except OSError as error:
        remedy = "files are copied instead, which costs space and time"
        return Check("hard links", "warn", str(error.strerror), remedy)
    return Check("hard links", "ok", "kept files are linked, not copied")


def _renames(folder: Path) -> Check:
    (folder / "old").write_bytes(b"old")
    (folder / "new").write_bytes(b"new")
    os.replace(folder / "new", folder / "old")
    if (folder / "old").read_bytes() != b"new":
        remedy = "keep runs on another file system: --run-dir DIR"
        return Check("rename", "fail", "a renamed file is not the one that was written", remedy)
    return Check("rename", "ok", "a file replaces another one whole")
