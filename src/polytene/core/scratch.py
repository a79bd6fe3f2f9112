"""Folders of files: private while they are written, renamed in when their unit is whole."""

from __future__ import annotations

import shutil
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path

from polytene.core.canonical import Json

_here: ContextVar[Path | None] = ContextVar("polytene_scratch", default=None)


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
    home.mkdir(parents=True, exist_ok=True)
    return Path(tempfile.mkdtemp(dir=home))


def clear_scratch(root: Path) -> None:
    """Remove what units of a run directory left: nobody works there now."""
    (root / "scratch").mkdir(exist_ok=True)
    for folder in (root / "scratch").glob("*"):
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def scratch_in(folder: Path) -> Iterator[None]:
    """Give the unit that runs now its scratch below ``folder``; made when it is asked for."""
    home = folder / uuid.uuid4().hex
    try:
        with scratch_at(home):
            yield
    finally:
        if home.exists():
            shutil.rmtree(home, ignore_errors=True)


@contextmanager
def scratch_at(home: Path | None) -> Iterator[None]:
    """Let units have their scratch in a folder that somebody else removes."""
    token = _here.set(home)
    try:
        yield
    finally:
        _here.reset(token)


def scratch_home() -> Path | None:
    """Return the folder where the unit that runs now has its scratch; None outside a run."""
    return _here.get()
