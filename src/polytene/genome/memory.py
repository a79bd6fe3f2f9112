"""How much memory is used: by this process and its children, or by the workers of a cluster."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from polytene.exceptions import UsageError

MB = 1 << 20
TRACK_SECONDS = 0.02


@dataclass(frozen=True)
class MemoryStats:
    """Memory in MiB.

    Parameters
    ----------
    current_mb
        In use now.
    peak_mb
        The most that was seen.
    available_mb
        What can still be used.
    """

    current_mb: float
    peak_mb: float
    available_mb: float


@dataclass(frozen=True)
class Reading:
    """One look: bytes in use, bytes left, and the share of the fullest that is used."""

    used: int
    available: int
    percent: float
    fullest: str


def tree_bytes() -> int:
    """Return the bytes that this process and its children hold."""
    me = psutil.Process()
    total = 0
    for process in (me, *me.children(recursive=True)):
        with suppress(psutil.Error):
            total += process.memory_info().rss
    return total


def memory_limit() -> int:
    """Return the bytes that this machine, or the job that this process is in, may use."""
    from distributed.system import MEMORY_LIMIT

    return int(MEMORY_LIMIT)


def read_process(limit: int | None = None) -> Reading:
    """Look at this process and its children, which may use ``limit`` bytes."""
    used, limit = tree_bytes(), limit or memory_limit()
    free = max(0, min(psutil.virtual_memory().available, limit - used))
    return Reading(used, free, 100 * used / (used + free) if used + free else 100.0, "this process")


def read_cluster(client: Any) -> Reading:
    """Look at the workers of a cluster; the fullest of them counts."""
    workers = client.scheduler_info(n_workers=-1)["workers"]
    used = free = 0
    fullest = (0.0, "no worker")
    for address, worker in workers.items():
        held = int(worker.get("metrics", {}).get("memory", 0))
        limit = int(worker.get("memory_limit") or memory_limit())
        used += held
        free += max(0, limit - held)
        fullest = max(fullest, (100 * held / limit, f"worker {worker.get('name', address)}"))
    return Reading(used, free, *fullest)


def _read() -> Reading:
    """Look at the workers of the active client, else at this process."""
    from distributed import default_client

    with suppress(ValueError, OSError, RuntimeError):
        return read_cluster(default_client())
    return read_process()


class Watch:
    """Looks again and again in a thread of its own, and keeps the largest reading."""

    def __init__(self, read: Callable[[], Reading], seconds: float) -> None:
        self._read, self._seconds = read, seconds
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run, name="polytene-memory", daemon=True)
        self.largest = self.fullest = read()

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def stop(self) -> None:
        """Look no more."""
        self._end.set()
        self._thread.join(timeout=5)  # it may wait for a cluster that is gone

    def look(self) -> Reading:
        """Look now."""
        found = self._read()
        self.largest = max(self.largest, found, key=lambda r: r.used)
        self.fullest = max(self.fullest, found, key=lambda r: r.percent)
        return found

    def stats(self) -> MemoryStats:
        """Look now; return this and the largest reading so far."""
        now = self.look()
        return MemoryStats(now.used / MB, self.largest.used / MB, now.available / MB)

    def _run(self) -> None:
        wait = self._seconds
        while not self._end.wait(wait):
            start = time.monotonic()
            self.look()
            wait = max(self._seconds, 20 * (time.monotonic() - start))


def get_memory_stats() -> MemoryStats:
    """Return what this process and its children use, and have used at most.

    Examples
    --------
    >>> stats = get_memory_stats()
    >>> 0 < stats.current_mb <= stats.peak_mb
    True
    """
    now = read_process()
    return MemoryStats(now.used / MB, max(_peak_bytes(), now.used) / MB, now.available / MB)


def _peak_bytes() -> int:
    """Return the most that this process, without its children, has held since it began."""
    try:
        status = Path("/proc/self/status").read_text(encoding="ascii", errors="replace")
        return int(status.partition("VmHWM:")[2].split(maxsplit=1)[0]) * 1024
    except (OSError, IndexError):  # getrusage would count what the parent held at the fork
        return 0


@contextmanager
def track_memory() -> Iterator[Callable[[], MemoryStats]]:
    """Watch this process and its children; gives a function that returns the stats so far.

    Examples
    --------
    >>> with track_memory() as get_stats:
    ...     data = bytes(50_000_000)
    ...     stats = get_stats()
    >>> stats.peak_mb >= stats.current_mb > 40
    True
    """
    watch = Watch(read_process, TRACK_SECONDS)
    watch.start()
    try:
        yield watch.stats
    finally:
        watch.stop()


@contextmanager
def track_process() -> Iterator[Callable[[], float]]:
    """Watch this process alone, cheaply; gives a function that returns its peak in MiB."""
    process = psutil.Process()

    def read() -> Reading:
        return Reading(int(process.memory_info().rss), 0, 0.0, "this process")

    watch = Watch(read, TRACK_SECONDS)
    watch.start()
    try:
        yield lambda: watch.stats().peak_mb
    finally:
        watch.stop()


class MemoryMonitor:
    """Watches memory in the background.

    Of the workers of the active Dask client, where the fullest worker counts; without a client,
    of this process and its children.

    Parameters
    ----------
    warning_threshold_percent, critical_threshold_percent
        Shares of the limit, in percent, from which :meth:`check` warns and is no longer ok.
    sample_interval_seconds
        Seconds between looks.

    Examples
    --------
    >>> monitor = MemoryMonitor()
    >>> monitor.start()
    >>> ok, message = monitor.check()
    >>> monitor.stop().peak_mb > 0
    True
    """

    def __init__(
        self,
        warning_threshold_percent: float = 80.0,
        critical_threshold_percent: float = 95.0,
        sample_interval_seconds: float = 1.0,
    ) -> None:
        if not 0 < warning_threshold_percent <= critical_threshold_percent:
            raise UsageError(
                f"thresholds {warning_threshold_percent:g}% and {critical_threshold_percent:g}%: "
                "above 0, the warning first"
            )
        if sample_interval_seconds <= 0:
            raise UsageError(f"sample_interval_seconds is {sample_interval_seconds:g}: above 0")
        self.warning_threshold_percent = warning_threshold_percent
        self.critical_threshold_percent = critical_threshold_percent
        self.sample_interval_seconds = sample_interval_seconds
        self._watch: Watch | None = None

    def start(self) -> None:
        """Begin to look; a second call changes nothing."""
        if self._watch is None:
            self._watch = Watch(_read, self.sample_interval_seconds)
            self._watch.start()

    def check(self) -> tuple[bool, str]:
        """Look now; return whether memory is below the critical share, and how it stands."""
        return self._judge(self._watch.look() if self._watch else _read())

    def worst(self) -> tuple[bool, str]:
        """Return the same for the fullest moment so far."""
        return self._judge(self._watch.fullest if self._watch else _read())

    def _judge(self, found: Reading) -> tuple[bool, str]:
        shown = f"{found.fullest} uses {found.percent:.0f}% of its memory"
        if found.percent >= self.critical_threshold_percent:
            return False, f"critical: {shown}, {self.critical_threshold_percent:g}% or more"
        if found.percent >= self.warning_threshold_percent:
            return True, f"warning: {shown}, {self.warning_threshold_percent:g}% or more"
        return True, f"{shown}"

    def stop(self) -> MemoryStats:
        """Stop looking; return the stats of the whole time."""
        if self._watch is None:
            raise UsageError("the monitor was not started")
        watch, self._watch = self._watch, None
        watch.stop()
        return watch.stats()


def get_optimal_workers(max_workers: int | None = None, memory_per_worker_mb: float = 2000) -> int:
    """Return how many workers fit: one per usable core, as far as the free memory goes; at least 1.

    Parameters
    ----------
    max_workers
        No more than this.
    memory_per_worker_mb
        What one worker needs, in MiB.

    Examples
    --------
    >>> get_optimal_workers(max_workers=1)
    1
    """
    from polytene.clusters.local import default_workers

    if memory_per_worker_mb <= 0 or (max_workers is not None and max_workers < 1):
        raise UsageError(
            f"max_workers is {max_workers} and memory_per_worker_mb {memory_per_worker_mb:g}: "
            "both have to be above 0"
        )
    fitting = int(read_process().available / MB // memory_per_worker_mb)
    return max(1, min(default_workers(), fitting, max_workers or default_workers()))
