"""A memory limit for the whole process tree of a worker, external programs included.

The nanny counts its worker process only: a program that a worker starts may take all memory of
the machine. This plugin counts the tree, and ends the largest child before the worker suffers. What
a worker leaves behind when it ends is ended, too.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
from dask.utils import format_bytes
from distributed import NannyPlugin
from tornado.ioloop import PeriodicCallback

from polytene.core.ended import tell

TOPIC = "polytene-memory"


class TreeMemory(NannyPlugin):  # type: ignore[misc]
    """Ends the largest child of a worker whose process tree exceeds the worker's limit.

    Parameters
    ----------
    fraction
        Share of the memory limit that the tree may use.
    interval
        Seconds between looks.
    """

    name = "polytene-tree-memory"
    restart = False

    def __init__(self, fraction: float = 0.95, interval: float = 0.2) -> None:
        self.fraction, self.interval = fraction, interval

    def setup(self, nanny: Any) -> None:
        """Begin to look."""
        self.nanny = nanny
        self.worker: int | None = None
        self.below: list[psutil.Process] = []
        self.look = PeriodicCallback(self.check, self.interval * 1000)
        self.look.start()

    def teardown(self, nanny: Any) -> None:
        """Stop looking, and end what the worker started."""
        self.look.stop()
        _end(self.below)

    def check(self) -> None:
        """End the largest child if the tree is too large, and say so in the cluster's events."""
        limit = self.nanny.memory_manager.memory_limit
        process = getattr(getattr(self.nanny, "process", None), "process", None)
        if not limit or process is None or not process.pid:
            return
        if process.pid != self.worker:
            _end(self.below)
            self.worker = process.pid
        try:
            worker = psutil.Process(process.pid)
            self.below = descendants(process.pid)
        except psutil.Error:
            return
        sizes = {child: _rss(child) for child in self.below}
        total = _rss(worker) + sum(sizes.values())
        if total <= limit * self.fraction or not sizes:
            return
        largest = max(sizes, key=lambda child: sizes[child])
        about = {"pid": largest.pid, "command": _command(largest), "tree": total, "limit": limit}
        self.nanny.log_event(TOPIC, about)
        why = (
            f"ended by polytene: {about['command']} brought its worker's process tree to "
            f"{format_bytes(total)}, over {self.fraction:.0%} of its limit of {format_bytes(limit)}"
        )
        with suppress(OSError):
            tell(os.getpgid(largest.pid), why)
            largest.kill()


def descendants(pid: int) -> list[psutil.Process]:
    """Return the processes below one, at any depth.

    Where the system lists the children of a process, nothing else is looked at: five times a
    second, a look at every process of a busy machine is dear.
    """
    if not Path(f"/proc/{pid}/task/{pid}/children").exists():
        return psutil.Process(pid).children(recursive=True)
    found: list[psutil.Process] = []
    waiting = [pid]
    while waiting:
        for file in Path(f"/proc/{waiting.pop()}/task").glob("*/children"):
            with suppress(OSError, psutil.Error):
                for child in map(int, file.read_text().split()):
                    found.append(psutil.Process(child))
                    waiting.append(child)
    return found


def _end(processes: list[psutil.Process]) -> None:
    """End processes; one that took over the number of another is left alone."""
    for process in processes:
        with suppress(psutil.Error):
            process.kill()


def _rss(process: psutil.Process) -> int:
    try:
        return int(process.memory_info().rss)
    except psutil.Error:
        return 0


def _command(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())[:200]
    except psutil.Error:
        return "?"
