"""Folders of files: private while they are written, renamed in when their unit is whole."""

from __future__ import annotations

import asyncio
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path

import dask

from polytene.core.canonical import Json, digest
from polytene.core.files import unique
from polytene.exceptions import UsageError


@dataclass
class Home:
    """Where the unit that runs now has its private folders."""

    shared: Path
    """In the run directory."""
    host: Path | None = None
    """On the disk of the host that it is pinned to."""
    used: bool = False
    """Whether something may lie in the run directory."""


_here: ContextVar[Home | None] = ContextVar("polytene_scratch", default=None)


@dataclass(frozen=True)
class Folder:
    """A stage's value that is a folder of files, with what there is to say about it as JSON."""

    path: Path
    info: Json = None


def scratch() -> Path:
    """Return a new private folder for the unit that runs now.

    Inside a run it lies in the run directory, so that what is returned as a :class:`Folder` is
    renamed into place, and it is removed when the unit ends, whatever happened. Elsewhere it is
    an ordinary temporary folder.
    """
    home = _here.get()
    if home is None:
        return Path(tempfile.mkdtemp(prefix="polytene-"))
    home.used = True
    home.shared.mkdir(parents=True, exist_ok=True)
    return Path(tempfile.mkdtemp(dir=home.shared))


def host_scratch() -> Path:
    """Return the folder of the unit that runs now, on its host's own disk.

    All stages of the unit find the same folder: what holds something of a host, by a footprint
    such as ``{"host.disk": bytes}``, runs all its stages on one host. The folder is removed when
    the unit is settled. If the host is lost or the driver ends before that, the unit begins again
    at its first stage, with an empty folder; a stage that is tried again for another reason finds
    the folder as the failed try left it. Outside a run it is a new temporary folder.

    It lies below the setting ``polytene.host-scratch`` of the worker, else below Dask's
    ``temporary-directory``, else below ``TMPDIR``.

    Raises
    ------
    UsageError
        If the unit's footprint names nothing of a host, so that it may run anywhere; or if
        somebody else may write where the folder would lie.

    Examples
    --------
    >>> def fetch(unit):
    ...     (host_scratch() / "reads.fq").write_text("@r1")
    >>> def count(unit, _):
    ...     return (host_scratch() / "reads.fq").stat().st_size
    """
    home = _here.get()
    if home is None:
        return Path(tempfile.mkdtemp(prefix="polytene-"))
    if home.host is None:
        raise UsageError(
            "host_scratch() is for units that hold something of their host: let Unit.footprint "
            'return {"host.disk": bytes}, and give run() limits={"host.disk": bytes per host}'
        )
    _make_private(host_top())
    home.host.mkdir(parents=True, exist_ok=True)
    return home.host


def host_top() -> Path:
    """Return the folder on this host below which all units of this user have theirs."""
    where = dask.config.get("polytene.host-scratch", None)
    where = where or dask.config.get("temporary-directory", None) or tempfile.gettempdir()
    return Path(where).absolute() / f"polytene-{os.getuid()}"


def host_home(root: Path, epoch: int, name: str) -> Path:
    """Return the folder on this host of one unit of a driver of a run directory."""
    return host_top() / run_mark(root) / f"{epoch:05d}" / name


def run_mark(root: Path) -> str:
    """Return the name of a run directory's folder on the hosts."""
    return digest(str(root).encode(), 8)


def _make_private(top: Path) -> None:
    top.parent.mkdir(parents=True, exist_ok=True)
    top.mkdir(mode=0o700, exist_ok=True)
    about = os.lstat(top)
    if about.st_uid != os.getuid() or about.st_mode & 0o022 or not stat.S_ISDIR(about.st_mode):
        raise UsageError(
            f"{top} is not a folder that only you may write to: remove it, or let "
            "polytene.host-scratch name another place"
        )


async def clear_host(*names: str) -> None:
    """Remove folders below :func:`host_top`; a worker's loop runs it while its threads work."""
    folder = host_top().joinpath(*names)
    await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)


def clear_scratch(root: Path) -> None:
    """Remove what units of a run directory left: nobody works there now."""
    (root / "scratch").mkdir(exist_ok=True)
    for folder in (root / "scratch").glob("*"):
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def scratch_in(folder: Path, host: Path | None = None) -> Iterator[None]:
    """Give the unit that runs now its scratch below ``folder``; made when it is asked for."""
    home = Home(folder / unique(), host)
    try:
        with scratch_at(home):
            yield
    finally:
        if home.used:
            shutil.rmtree(home.shared, ignore_errors=True)


@contextmanager
def scratch_at(home: Home | None) -> Iterator[None]:
    """Let units have their scratch in folders that somebody else removes."""
    token = _here.set(home)
    try:
        yield
    finally:
        _here.reset(token)


def scratch_home() -> Home | None:
    """Return where the unit that runs now has its scratch; None outside a run."""
    return _here.get()
