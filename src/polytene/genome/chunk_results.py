"""What became of each chunk, told and timed beside a run and never inside its parts."""

from __future__ import annotations

import functools
import json
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from polytene.core.events import Event, Settled
from polytene.core.files import write_bytes
from polytene.core.keys import safe_key
from polytene.core.outcome import Outcome
from polytene.core.stage import parameters
from polytene.exceptions import IncompleteRun
from polytene.genome.chunks import GenomicChunk
from polytene.genome.memory import track_process

Progress = Callable[[int, int, str], object]


@dataclass(frozen=True)
class TaskResult:
    """What became of one chunk.

    Parameters
    ----------
    chunk_id
        The chunk.
    success
        Whether the function returned.
    result
        What it returned; None if it failed.
    error
        Why it failed; None if it did not.
    duration_seconds
        Wall time of the function; 0 where it was ended from outside.
    peak_memory_mb
        The most memory that its process held meanwhile, in MiB; None where that is not known.
    """

    chunk_id: str
    success: bool
    result: Any = None
    error: str | None = None
    duration_seconds: float = 0.0
    peak_memory_mb: float | None = None


@dataclass(frozen=True)
class ExecutionStats:
    """What a call of :meth:`ParallelExecutor.map_chunks` came to.

    Parameters
    ----------
    total_tasks, successful, failed
        Chunks; ``total_tasks == successful + failed``.
    total_duration
        Wall time of the call, in seconds.
    mean_duration, max_duration
        Of the function, in seconds.
    peak_memory_mb
        The most memory that all workers held together, in MiB.
    """

    total_tasks: int
    successful: int
    failed: int
    total_duration: float
    mean_duration: float
    max_duration: float
    peak_memory_mb: float | None


class ChunksFailed(IncompleteRun):
    """Some chunks failed; ``results`` and ``stats`` tell of all of them."""

    def __init__(self, message: str, results: list[TaskResult], stats: ExecutionStats) -> None:
        super().__init__(message, results, stats)
        self.message, self.results, self.stats = message, results, stats

    def __str__(self) -> str:
        return self.message


def timed(func: Callable[..., Any], times: Path) -> Callable[[GenomicChunk], Any]:
    """Return the function, which then writes what it took beside the run, never into its parts."""

    def call(chunk: GenomicChunk, bound: object) -> Any:
        start = time.perf_counter()
        with track_process() as peak_mb:
            try:
                return func(chunk)
            finally:
                took = {"seconds": time.perf_counter() - start, "peak_mb": peak_mb()}
                path = times / f"{safe_key(chunk.chunk_id)}.json"
                write_bytes(path, json.dumps(took).encode(), sync=False)

    functools.update_wrapper(call, func)
    call.__name__ = call.__name__.strip("<>")
    return functools.partial(call, bound=parameters(func, "the function"))


def by_key(values: Iterable[Any] | None, plan: Any, failures: Any) -> dict[str, Any]:
    """Return the values by the keys of their units."""
    return {unit.key: value for unit, value in values or ()}


class Told:
    """Tells a callback which chunks are done, each once; hears of it from the events of a run."""

    def __init__(
        self, callback: Progress | None, chunks: Sequence[GenomicChunk], times: Path
    ) -> None:
        self._callback, self._times = callback, times
        self._ids = {safe_key(c.chunk_id): c.chunk_id for c in chunks}
        self._done: set[str] = set()

    def __call__(self, event: Event) -> None:
        """Hear of an event."""
        if isinstance(event, Settled):
            for key in (*(f.key for f in event.failures), *self._written()):
                self._tell(key)

    def _written(self) -> list[str]:
        paths = [(p.stat().st_mtime_ns, p.stem) for p in self._times.glob("*.json")]
        return [key for _, key in sorted(paths)]

    def _tell(self, key: str) -> None:
        if key in self._done:
            return
        self._done.add(key)
        if self._callback is not None:
            self._callback(len(self._done), len(self._ids), self._ids[key])

    def finish(self) -> None:
        """Tell of those that an earlier run has done."""
        for key in self._ids:
            self._tell(key)


def results_of(chunks: Sequence[GenomicChunk], outcome: Outcome, times: Path) -> list[TaskResult]:
    """Return what became of each chunk."""
    failed = {f.key: f for f in outcome.quarantined}
    found = []
    for chunk in chunks:
        key = safe_key(chunk.chunk_id)
        path = times / f"{key}.json"
        took = json.loads(path.read_bytes()) if path.exists() else {}
        cost = (took.get("seconds", 0.0), took.get("peak_mb"))
        if key in outcome.result:
            found.append(TaskResult(chunk.chunk_id, True, outcome.result[key], None, *cost))
        else:
            why = failed[key]
            error = f"{why.reason}: {why.detail}"
            found.append(TaskResult(chunk.chunk_id, False, None, error, *cost))
    return found


def stats_of(results: Sequence[TaskResult], seconds: float, peak: float) -> ExecutionStats:
    """Return what a call came to."""
    times = [r.duration_seconds for r in results]
    good = sum(r.success for r in results)
    return ExecutionStats(
        len(results),
        good,
        len(results) - good,
        seconds,
        sum(times) / len(times),
        max(times),
        max([peak, *(r.peak_memory_mb or 0.0 for r in results)]),
    )
