"""External programs: in a process group of their own, that never outlives this process."""

from __future__ import annotations

import errno
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from polytene.core.ended import told
from polytene.exceptions import PolyteneError, PreflightError

POLL = 0.05
TAIL_BYTES = 2000
FULL_BYTES = 64 << 10

# Runs between fork and exec in a process of its own: code in a fork of a threaded process may
# hang, and the kernel's parent-death signal follows the thread that forked.
LAUNCHER = (
    "import ctypes,os,signal,sys\n"
    "ctypes.CDLL(None).prctl(1,signal.SIGKILL)\n"
    "os.getppid()==int(sys.argv[1]) or os._exit(137)\n"
    "os.execvp(sys.argv[2],sys.argv[2:])\n"
)


class ToolFailed(PolyteneError):
    """An external program failed; the message ends with the last lines that it printed."""

    def __init__(self, message: str, code: int | None = None) -> None:
        super().__init__(message, code)
        self.message, self.code = message, code

    def __str__(self) -> str:
        return self.message


class ToolTimedOut(ToolFailed):
    """An external program took too long, or made no progress, and was ended."""


@dataclass(frozen=True)
class ToolResult:
    """What a program that succeeded has cost.

    Parameters
    ----------
    seconds
        Wall time.
    log
        File with what it printed.
    """

    seconds: float
    log: Path


_starter = ThreadPoolExecutor(1, "polytene-tools")


def run_tool(
    argv: Sequence[str],
    *,
    log: Path,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    timeout: float | None = None,
    quiet_timeout: float | None = None,
    watched: Path | None = None,
) -> ToolResult:
    """Run a program to its end, or end it with everything that it started.

    Parameters
    ----------
    argv
        The program and its arguments; no shell reads them.
    log
        File that takes what it prints, standard error included.
    cwd, env
        Folder and environment to run it in.
    timeout
        Seconds after which it is ended.
    quiet_timeout
        Seconds without progress after which it is ended. Progress is growth of ``log`` or of
        what lies below ``watched``.

    Raises
    ------
    ToolFailed
        If it ends with another code than 0.
    ToolTimedOut
        If it was ended for time.
    MemoryError
        If the worker's guard ended it for memory.
    PreflightError
        If the program is not installed.
    """
    require(argv[0])
    command = [sys.executable, "-S", "-c", LAUNCHER, str(os.getpid()), *argv]
    start = time.monotonic()
    with open(log, "wb") as out:
        child = _starter.submit(
            subprocess.Popen,
            command,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            cwd=cwd,
            env=None if env is None else dict(env),
            start_new_session=True,
        ).result()
    try:
        code = _wait(child, argv[0], log, watched, timeout, quiet_timeout)
    finally:
        end_group(child.pid)
        child.wait()
    if why := told(child.pid):
        raise MemoryError(f"{argv[0]}: {why}")
    if code:
        _refuse_full_disk(log)
        raise ToolFailed(f"{argv[0]} ended with {_words(code)}{tail(log)}", code)
    return ToolResult(time.monotonic() - start, log)


def _refuse_full_disk(log: Path) -> None:
    """Raise what the system said to the program, if its disk is full: the unit is not to blame."""
    space = os.statvfs(log.parent)
    if space.f_bavail * space.f_frsize < FULL_BYTES or os.strerror(errno.ENOSPC) in tail(log):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(log.parent))


def _wait(
    child: subprocess.Popen[bytes],
    name: str,
    log: Path,
    watched: Path | None,
    timeout: float | None,
    quiet_timeout: float | None,
) -> int:
    start = moved = time.monotonic()
    size = -1
    while (code := child.poll()) is None:
        now = time.monotonic()
        if timeout is not None and now - start > timeout:
            raise ToolTimedOut(f"{name} was ended after {timeout:g} s{tail(log)}")
        if quiet_timeout is not None:
            grown = _bytes_below(log, watched)
            size, moved = (grown, now) if grown != size else (size, moved)
            if now - moved > quiet_timeout:
                raise ToolTimedOut(
                    f"{name} was ended after {quiet_timeout:g} s without progress{tail(log)}"
                )
        time.sleep(POLL)
    return code


def _bytes_below(log: Path, watched: Path | None) -> int:
    total = log.stat().st_size
    for base, _, names in os.walk(watched) if watched else ():
        for name in names:
            with suppress(OSError):
                total += Path(base, name).stat().st_size
    return total


def end_group(pid: int) -> None:
    """End a process group: all that a program has started, unless it left the group."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)


def tail(log: Path, most: int = TAIL_BYTES) -> str:
    """Return the last lines of a log, as the end of a message."""
    with suppress(OSError), open(log, "rb") as lines:
        lines.seek(max(0, log.stat().st_size - most))
        text = lines.read().decode(errors="replace").strip()
        return f":\n{text}" if text else "; it printed nothing"
    return ""


def _words(code: int) -> str:
    if code < 0:
        return f"signal {signal.Signals(-code).name}"
    return f"exit code {code}"


def require(name: str) -> str:
    """Return the path of a program.

    Raises
    ------
    PreflightError
        If it is not installed.
    """
    path = shutil.which(name)
    if path is None:
        raise PreflightError(f"{name} is not on PATH: install it, or load its module")
    return path


@cache
def tool_version(name: str, *arguments: str) -> str:
    """Return the version that a program prints of itself, for fingerprints and reports."""
    shown = subprocess.run(
        [require(name), *(arguments or ("--version",))],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    text = shown.stdout + shown.stderr
    found = re.search(r"\d+(\.\w+)+", text)
    return found.group() if found else text.strip().splitlines()[0][:80]
