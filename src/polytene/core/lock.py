"""One driver per run directory: a lock that dies with its holder, and a sign of life.

The lock is the system's, where the file system has one. The sign of life is a number in the file
that the holder raises twice a second: it decides for holders on other hosts, and for one that is
stopped and holds the lock without living.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import socket
import threading
import time
import uuid
from contextlib import suppress
from pathlib import Path
from types import TracebackType

from polytene.core.canonical import Json
from polytene.core.files import full_disk_named
from polytene.exceptions import RunLocked, UsageError

PATIENCE = 5.0
POLL = 0.1
EVERY = 0.5
LINE = 256
UNSUPPORTED = (errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP)


class Lock:
    """The right to write to a run directory.

    Parameters
    ----------
    root
        The run directory.
    patience
        Seconds that a holder may go without a sign of life.

    Raises
    ------
    RunLocked
        If a living driver holds it; the message names its host, its process and since when.
    """

    def __init__(self, root: Path, patience: float = PATIENCE) -> None:
        try:
            root.mkdir(parents=True, exist_ok=True)
        except (FileExistsError, NotADirectoryError):
            raise UsageError(f"{root} is a file, or lies below one: give a folder") from None
        self.root, self.path = root, root / "lock"
        self._about = {"host": socket.gethostname(), "pid": os.getpid(), "id": uuid.uuid4().hex}
        self._about["since"] = time.strftime("%Y-%m-%d %H:%M:%S")
        self._lost: Exception | None = None
        self._beat = 0
        with full_disk_named(self.path):
            self._handle = self._take(patience)
            try:
                self.beat()
            except OSError:
                os.close(self._handle)
                raise
        self._left = threading.Event()
        self._heart = threading.Thread(target=self._live, name="polytene-lock", daemon=True)
        self._heart.start()

    def _take(self, patience: float) -> int:
        handle = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o644)
        locked = _try_lock(handle)
        who = holder(self.root)
        ours = locked and (not who or who.get("host") == self._about["host"] or not who.get("beat"))
        if ours:
            return handle
        if _lives(self.root, patience):
            os.close(handle)
            who = holder(self.root)
            raise RunLocked(
                f"{self.root} is held by process {who.get('pid', '?')} on {who.get('host', '?')} "
                f"since {who.get('since', '?')}: wait for it, or end it first"
            )
        if locked:
            return handle
        os.close(handle)
        return self._replace()

    def _replace(self) -> int:
        """Take over from a holder that does not live: its lock stays with its own file."""
        draft = self.path.with_name(f"lock.{self._about['id']}.tmp")
        handle = os.open(draft, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o644)
        _try_lock(handle)
        os.replace(draft, self.path)
        return handle

    def _live(self) -> None:
        """Leave signs of life until the lock is given back or taken over."""
        while not self._left.wait(EVERY):
            self._look()
            if self._lost is not None:
                return
            with suppress(OSError):
                self.beat()

    def _look(self) -> None:
        who = holder(self.root)
        if who and who.get("id") != self._about["id"]:
            self._lost = RunLocked(
                f"{self.root} was taken over by process {who.get('pid', '?')} on "
                f"{who.get('host', '?')}: this driver gave no sign of life for too long"
            )

    def beat(self) -> None:
        """Leave a sign of life."""
        self._beat += 1
        self._beaten = time.monotonic()
        self._write(self._beat)

    def check(self) -> None:
        """Raise RunLocked if another driver has taken over; after a standstill, look first."""
        if self._lost is None and time.monotonic() - self._beaten > PATIENCE / 2:
            self._look()
        if self._lost is not None:
            raise self._lost

    def _write(self, beat: int) -> None:
        text = json.dumps({**self._about, "beat": beat}).encode()
        os.pwrite(self._handle, text.ljust(LINE - 1) + b"\n", 0)

    def __enter__(self) -> Lock:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._left.set()
        self._heart.join()
        with suppress(OSError):
            if holder(self.root).get("id") == self._about["id"]:
                self._write(0)
        os.close(self._handle)


def _try_lock(handle: int, seconds: float = 0.5) -> bool:
    """Take the system's lock; readers may hold it for a moment."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno in UNSUPPORTED or time.monotonic() > deadline:
                return False
            time.sleep(0.02)
        else:
            return True


def _lives(root: Path, patience: float) -> bool:
    """Whether the holder gives a sign of life within ``patience`` seconds."""
    deadline = time.monotonic() + patience
    first = holder(root)
    while time.monotonic() < deadline:
        time.sleep(POLL)
        now = holder(root)
        if (now.get("id"), now.get("beat")) != (first.get("id"), first.get("beat")):
            return bool(now.get("beat"))
    return False


def holder(root: Path) -> dict[str, Json]:
    """Return what the last driver wrote about itself: host, pid, since, beat (0: it left)."""
    try:
        found = json.loads((root / "lock").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def is_held(root: Path, patience: float = 1.5) -> bool:
    """Whether a driver works on the run directory now, on this host or another."""
    who = holder(root)
    if who and not who.get("beat"):
        return False
    if who and who.get("host") != socket.gethostname():
        return _lives(root, patience)
    try:
        with open(root / "lock") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except OSError as error:
        return error.errno not in UNSUPPORTED or _lives(root, patience)
    return False
