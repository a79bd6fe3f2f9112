"""One driver per run directory: a lock that dies with its holder, and a sign of life."""

from __future__ import annotations

import fcntl
import json
import os
import socket
import time
from pathlib import Path
from types import TracebackType
from typing import IO

from polytene.core.canonical import Json
from polytene.exceptions import RunLocked


class Lock:
    """The right to write to a run directory.

    Parameters
    ----------
    root
        The run directory.

    Raises
    ------
    RunLocked
        If another driver holds it; the message names its host, its process and since when.
    """

    def __init__(self, root: Path) -> None:
        root.mkdir(parents=True, exist_ok=True)
        self.path = root / "lock"
        self._file: IO[str] = open(self.path, "a+")  # noqa: SIM115
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            self._file.close()
            who = holder(root)
            raise RunLocked(
                f"{root} is held by process {who.get('pid', '?')} on {who.get('host', '?')} "
                f"since {who.get('since', '?')}: wait for it, or end it first"
            ) from None
        self._beat = 0
        self._since = time.strftime("%Y-%m-%d %H:%M:%S")
        self.beat()

    def beat(self) -> None:
        """Leave a sign of life for readers on other hosts."""
        self._beat += 1
        who = {"host": socket.gethostname(), "pid": os.getpid(), "since": self._since}
        self._file.seek(0)
        self._file.truncate()
        self._file.write(json.dumps({**who, "beat": self._beat}) + "\n")
        self._file.flush()

    def __enter__(self) -> Lock:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.close()


def holder(root: Path) -> dict[str, Json]:
    """Return what the last driver wrote about itself: host, pid, since, beat."""
    try:
        found: dict[str, Json] = json.loads((root / "lock").read_text())
    except (OSError, ValueError):
        return {}
    return found


def is_held(root: Path, patience: float = 1.5) -> bool:
    """Whether a driver works on the run directory now, on this host or another.

    On this host the lock itself answers; from elsewhere the sign of life is watched for
    ``patience`` seconds.
    """
    who = holder(root)
    if not who:
        return False
    if who.get("host") != socket.gethostname():
        time.sleep(patience)
        return holder(root).get("beat") != who.get("beat")
    with open(root / "lock") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError:
            return True
    return False
