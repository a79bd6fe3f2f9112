"""Why a process was ended, told by who ended it to who started it, on one host."""

from __future__ import annotations

import os
import tempfile
from contextlib import suppress
from pathlib import Path


def _note(group: int) -> Path:
    return Path(tempfile.gettempdir(), f"polytene-{os.getuid()}-ended-{group}")


def tell(group: int, why: str) -> None:
    """Leave a note about a process group that is ended now."""
    _note(group).write_text(why, encoding="utf-8")


def told(group: int) -> str | None:
    """Return the note about a process group, and take it away."""
    note = _note(group)
    with suppress(OSError, UnicodeDecodeError):
        why = note.read_text(encoding="utf-8")
        note.unlink()
        return why
    return None
