"""The process inside a sandbox: ``python -m polytene.core.sandbox_child PARENT MEMORY``."""

from __future__ import annotations

import ctypes
import os
import pickle
import resource
import signal
import sys
import threading
import time
from typing import Any

import cloudpickle

from polytene.core.sandbox import receive, send

PR_SET_PDEATHSIG = 1
WATCH_SECONDS = 1.0


def die_with(parent: int) -> None:
    """End this process group when ``parent`` ends, by the kernel's word or by our own watch."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    threading.Thread(target=_watch, args=(parent,), daemon=True).start()
    if os.getppid() != parent:
        os.killpg(0, signal.SIGKILL)


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(WATCH_SECONDS)
    os.killpg(0, signal.SIGKILL)


def answer(message: bytes) -> bytes:
    """Run what a message asks for; an exception is an answer, too."""
    try:
        func, args = pickle.loads(message)
        return cloudpickle.dumps((True, func(*args)))  # type: ignore[no-any-return]
    except BaseException as error:
        return _error(error)


def _error(error: BaseException) -> bytes:
    try:
        data: bytes = cloudpickle.dumps((False, error))
        pickle.loads(data)
    except BaseException:
        said: Any = RuntimeError(f"{type(error).__name__}: {error}")
        data = cloudpickle.dumps((False, said))
    return data


def main() -> None:
    """Answer messages until the parent closes the pipe."""
    parent, memory = int(sys.argv[1]), int(sys.argv[2])
    die_with(parent)
    if memory:
        resource.setrlimit(resource.RLIMIT_DATA, (memory, memory))
    source, target = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what units print must not mix with the answers
    sys.path[:] = pickle.loads(receive(source) or pickle.dumps(sys.path))  # where code is found
    while (message := receive(source)) is not None:
        send(target, answer(message))


if __name__ == "__main__":
    main()
