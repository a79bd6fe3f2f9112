"""``stop``: a file in a run directory that asks its living driver to end, from any host.

The request names the holder of the lock, so that one that comes too late stops no later run.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from polytene.core.files import write_bytes
from polytene.core.lock import holder
from polytene.exceptions import Interrupted

NAME = "stop"
EVERY = 1.0


def ask_to_stop(root: Path, who: str, *, now: bool) -> None:
    """Ask the driver whose lock has the id ``who`` to stop; ``now``: without what runs."""
    write_bytes(root / NAME, json.dumps({"id": who, "now": now}).encode() + b"\n")


def withdraw(root: Path) -> None:
    """Take a request away."""
    with suppress(OSError):
        (root / NAME).unlink()


class Asked:
    """Whether the driver that holds the lock of a run directory should stop; listens in a ``with``.

    Parameters
    ----------
    root
        The run directory, whose lock this process holds.
    stop
        Another one to ask.
    guard
        Raises when this driver has lost the right to write.
    clock
        Seconds; the file is looked at once in :data:`EVERY` of them at most.
    """

    def __init__(
        self,
        root: Path,
        stop: Callable[[], bool] | None = None,
        guard: Callable[[], None] = lambda: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._root, self._stop, self._guard, self._clock = root, stop, guard, clock
        self._id = holder(root).get("id")
        self._listening = self._soft = self._now = False
        self._looked = -EVERY

    def __enter__(self) -> Asked:
        self._listening = True
        return self

    def __exit__(self, *about: object) -> None:
        self._listening = False
        withdraw(self._root)

    def __call__(self) -> bool:
        """Whether to start nothing new."""
        self._look()
        return self._soft or (self._stop is not None and self._stop())

    def check(self) -> None:
        """Raise what the guard says, or Interrupted if it was asked to leave at once."""
        self._guard()
        self._look()
        if self._now and self._listening:
            raise Interrupted(
                "left at once, as it was asked to: what is done is safe, and the same command "
                "goes on from there"
            )

    def _look(self) -> None:
        if not self._listening or self._clock() - self._looked < EVERY:
            return
        self._looked = self._clock()
        try:
            asked = json.loads((self._root / NAME).read_bytes())
            if asked["id"] == self._id:
                self._soft, self._now = True, bool(asked["now"])
        except (OSError, ValueError, TypeError, KeyError):
            return
