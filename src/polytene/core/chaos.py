"""Death on demand: a process that kills itself at a named point, so that each can be tried.

Off unless ``POLYTENE_CHAOS`` is set when the process starts. ``part.data@3`` ends the process, as
``kill -9`` would, the third time that it comes to the point ``part.data``.
"""

from __future__ import annotations

import os
import signal
from itertools import count

from polytene.exceptions import UsageError

VARIABLE = "POLYTENE_CHAOS"
POINTS = (
    "file.created",  # a draft is there and empty
    "file.written",  # a draft is whole, and not at its place yet
    "file.renamed",  # a file is at its place
    "part.folder",  # folders of a part are moved in, and not durable yet
    "part.data",  # the data of a part are there, its receipt is not
    "part.receipt",  # a part is committed, and nobody knows it yet
    "plan.units",  # the units of a plan are there, its head is not
    "plan.index",  # their index, too
    "plan.head",  # a plan is committed
    "ledger.opened",  # a segment of the ledger is there and empty
    "ledger.written",  # lines are written, and not durable yet
    "ledger.synced",  # lines are durable
)

_armed: tuple[str, int] | None = None
_passed = count(1)


def arm(text: str) -> None:
    """Choose the point, as ``NAME@N``; an empty text chooses none.

    Raises
    ------
    UsageError
        If there is no such point.
    """
    global _armed, _passed
    name, _, times = text.partition("@")
    if text and (name not in POINTS or not (times or "1").isdigit()):
        raise UsageError(f"{VARIABLE} is {text!r}: NAME@N, with NAME one of {', '.join(POINTS)}")
    _armed, _passed = (name, int(times or 1)) if text else None, count(1)


def point(name: str) -> None:
    """Die here if this is the point, and the passing, that was chosen."""
    if _armed is not None and _armed[0] == name and next(_passed) == _armed[1]:
        os.kill(os.getpid(), signal.SIGKILL)


arm(os.environ.get(VARIABLE, ""))
