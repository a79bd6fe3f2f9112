"""Units in a child process: what kills the child, or hangs, harms nothing but its own unit.

The child is persistent, so that a unit costs microseconds and not a start of Python. It is capped
in memory, ends with the process that started it, and is ended with everything it started.
"""

from __future__ import annotations

import atexit
import os
import pickle
import select
import signal
import struct
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import IO, Any

import cloudpickle

from polytene.core.ended import told
from polytene.exceptions import PolyteneError

SIZE = struct.Struct("<Q")
START_SECONDS = 60.0


class Died(PolyteneError):
    """The child ended while it ran a unit.

    Parameters
    ----------
    code
        Its exit code; minus the number of a signal.
    why
        What was said by who ended it, if it was polytene's own guard.
    """

    def __init__(self, code: int, why: str | None = None) -> None:
        super().__init__(code, why)
        self.code, self.why = code, why

    @property
    def cause(self) -> str:
        """What ended it, in words."""
        if self.code >= 0:
            return f"exit code {self.code}"
        try:
            return f"signal {signal.Signals(-self.code).name}"
        except ValueError:
            return f"signal {-self.code}"

    def __str__(self) -> str:
        return self.why or f"the process that ran it ended with {self.cause}"


class TimedOut(PolyteneError):
    """The child did not answer in time and was ended."""


class Sandbox:
    """A child process that runs functions, one after the other.

    Parameters
    ----------
    memory
        Bytes that the child may allocate (``RLIMIT_DATA``); beyond them it gets a MemoryError.
        None: no limit.
    """

    def __init__(self, memory: int | None = None) -> None:
        self.memory = memory
        self._child: subprocess.Popen[bytes] | None = None

    def call(self, func: Any, *args: Any, timeout: float | None = None) -> Any:
        """Return ``func(*args)``, computed in the child.

        Raises
        ------
        Died
            If the child ended instead of answering.
        TimedOut
            If it did not answer within ``timeout`` seconds.
        Exception
            What ``func`` raised.
        """
        child = self._running()
        assert child.stdin is not None
        assert child.stdout is not None
        try:
            send(child.stdin, cloudpickle.dumps((func, args)))
            if timeout is not None and not select.select([child.stdout], [], [], timeout)[0]:
                self.close()
                raise TimedOut(f"no answer within {timeout:g} s; its process was ended")
            answer = receive(child.stdout)
        except BrokenPipeError:
            answer = None
        if answer is None:
            raise Died(self._ended(child), told(child.pid))
        good, value = pickle.loads(answer)
        if not good:
            raise value
        return value

    def _running(self) -> subprocess.Popen[bytes]:
        if self._child is None or self._child.poll() is not None:
            self._child = _starter.submit(_start, self.memory).result(START_SECONDS)
            _children.add(self._child)
        return self._child

    def _ended(self, child: subprocess.Popen[bytes]) -> int:
        code = child.wait()
        _kill_group(child)
        _children.discard(child)
        self._child = None
        return code

    def close(self) -> None:
        """End the child and everything it started."""
        if self._child is not None:
            _kill_group(self._child)
            self._ended(self._child)


# The kernel ends a child with the thread that started it, so that thread has to live on.
_starter = ThreadPoolExecutor(1, "polytene-sandbox")
_children: set[subprocess.Popen[bytes]] = set()


def _start(memory: int | None) -> subprocess.Popen[bytes]:
    limit = str(memory or 0)
    child = subprocess.Popen(
        [sys.executable, "-m", "polytene.core.sandbox_child", str(os.getpid()), limit],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    assert child.stdin is not None
    with suppress(BrokenPipeError):  # the first call will say that it died
        send(child.stdin, pickle.dumps(sys.path))
    return child


def _kill_group(child: subprocess.Popen[bytes]) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(child.pid, signal.SIGKILL)


@atexit.register
def close_all() -> None:
    """End all children of this process."""
    for child in list(_children):
        _kill_group(child)


def send(pipe: IO[bytes], data: bytes) -> None:
    """Write a message."""
    pipe.write(SIZE.pack(len(data)))
    pipe.write(data)
    pipe.flush()


def receive(pipe: IO[bytes]) -> bytes | None:
    """Read a message; None at the end of the pipe."""
    head = pipe.read(SIZE.size)
    if len(head) < SIZE.size:
        return None
    size = SIZE.unpack(head)[0]
    data = pipe.read(size)
    return data if len(data) == size else None


class Pool:
    """Sandboxes of this process, one per thread that needs one at a time."""

    def __init__(self) -> None:
        self._idle: dict[int | None, list[Sandbox]] = {}
        self._mutex = threading.Lock()

    def take(self, memory: int | None) -> Sandbox:
        """Return a sandbox that nobody uses."""
        with self._mutex:
            idle = self._idle.get(memory)
            return idle.pop() if idle else Sandbox(memory)

    def give(self, sandbox: Sandbox) -> None:
        """Give a sandbox back for the next unit."""
        with self._mutex:
            self._idle.setdefault(sandbox.memory, []).append(sandbox)


pool = Pool()
