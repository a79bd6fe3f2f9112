"""A memory limit for the whole process tree of a worker, external programs included.

The nanny counts its worker process only: a program that a worker starts may take all memory of
the machine. This plugin counts the tree, and ends the largest child before the worker suffers.
"""

from __future__ import annotations

import os
from contextlib import suppress
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
        self.look = PeriodicCallback(self.check, self.interval * 1000)
        self.look.start()

    def teardown(self, nanny: Any) -> None:
        """Stop looking."""
        self.look.stop()

    def check(self) -> None:
        """End the largest child if the tree is too large, and say so in the cluster's events."""
        limit = self.nanny.memory_manager.memory_limit
        process = getattr(getattr(self.nanny, "process", None), "process", None)
        if not limit or process is None or not process.pid:
            return
        try:
            worker = psutil.Process(process.pid)
            sizes = {child: _rss(child) for child in worker.children(recursive=True)}
            total = _rss(worker) + sum(sizes.values())
        except psutil.Error:
            return
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
