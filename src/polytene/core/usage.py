"""What a block took on its worker: seconds, CPU, memory, and where; for people, never in a part."""

from __future__ import annotations

import resource
import socket
import sys
import time

from polytene.core.canonical import Json

_RSS_UNIT = 1 if sys.platform == "darwin" else 1024


class Usage:
    """Measures from where it is made."""

    def __init__(self) -> None:
        self._at = time.time()
        self._start = time.perf_counter()
        self._cpu = time.thread_time()

    def taken(self, *, gpu: bool = False) -> dict[str, Json]:
        """Return what was taken since.

        ``seconds``; ``at``, when it began, by the worker's clock; ``cpu`` seconds of its thread,
        external programs not counted; ``memory``, the most that its worker process has held so
        far in bytes; ``worker``, its host and name. With ``gpu``, where NVML answers: bytes in
        use on its GPU now, and how much of the last moment the GPU worked, in percent.
        """
        found = _gpu() if gpu else None
        return {
            "seconds": round(time.perf_counter() - self._start, 4),
            "at": round(self._at, 3),
            "cpu": round(time.thread_time() - self._cpu, 4),
            "memory": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _RSS_UNIT,
            "worker": _worker(),
            **({"gpu": found} if found else {}),
        }


def _gpu() -> list[Json] | None:
    from distributed.diagnostics import nvml

    if not nvml.device_get_count():
        return None
    try:
        now = nvml.real_time()
    except nvml.pynvml.NVMLError:
        return None
    return [now["memory-used"], now["utilization"]]


def _worker() -> str:
    from distributed import get_worker  # importing polytene stays light

    try:
        name = str(get_worker().name)
    except ValueError:  # no worker: somebody called the function
        return socket.gethostname()
    return f"{socket.gethostname()} {name.rpartition('://')[2]}"
