"""A function over the chunks of a plan, on this machine: the executor of the guide, on Dask."""

from __future__ import annotations

import json
import logging
import shutil
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from enum import Enum
from functools import partial
from pathlib import Path
from typing import Any, Literal

from polytene.core.events import Event, Settled
from polytene.core.files import write_bytes
from polytene.core.keys import safe_key
from polytene.core.outcome import Outcome
from polytene.core.reduce import Reduction
from polytene.exceptions import IncompleteRun, UsageError
from polytene.genome.chunks import ChunkPlan, GenomicChunk
from polytene.genome.memory import MB, Watch, get_optimal_workers, read_cluster, read_process

logger = logging.getLogger(__name__)

WARNING_PERCENT = 80
LEAST_BYTES = 200 << 20
WATCH_SECONDS = 0.5
GB = 1 << 30

Progress = Callable[[int, int, str], object]


class ExecutorBackend(Enum):
    """Where the function runs."""

    SERIAL = "serial"
    THREADS = "threads"
    PROCESSES = "processes"


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


class ParallelExecutor:
    """Runs a function over chunks on the cores of this machine, as a durable run on Dask.

    Parameters
    ----------
    n_workers
        Processes or threads; None: what cores and memory allow.
    backend
        ``PROCESSES``: worker processes, each ended and replaced if it takes more than its share
        of the memory; ``THREADS`` and ``SERIAL``: in this process, without that protection.
    max_memory_gb
        Memory of all workers together, in GiB; a warning is logged at 80%.
    progress_callback
        Called as ``progress_callback(completed, total, chunk_id)`` when a chunk is done.

    Examples
    --------
    >>> from polytene.formats.regions import Region
    >>> chunks = [
    ...     GenomicChunk(f"chunk_000{i}", (Region("chr1", 9 * i, 9 * i + 9),)) for i in (0, 1)
    ... ]
    >>> executor = ParallelExecutor(n_workers=1, backend=ExecutorBackend.SERIAL)
    >>> results, stats = executor.map_chunks(lambda chunk: chunk.end, chunks)
    >>> [r.result for r in results], stats.successful
    ([9, 18], 2)
    """

    def __init__(
        self,
        n_workers: int | None = None,
        backend: ExecutorBackend | str = ExecutorBackend.PROCESSES,
        max_memory_gb: float | None = None,
        progress_callback: Progress | None = None,
    ) -> None:
        self.n_workers = get_optimal_workers() if n_workers is None else n_workers
        self.backend = _backend(backend)
        self.max_memory_gb = max_memory_gb
        self.progress_callback = progress_callback
        if self.n_workers < 1:
            raise UsageError(f"n_workers is {n_workers}: at least 1")
        if max_memory_gb is not None and max_memory_gb * GB / self.n_workers < LEAST_BYTES:
            raise UsageError(
                f"max_memory_gb is {max_memory_gb:g} for {self.n_workers} workers: a worker needs "
                f"{LEAST_BYTES / GB:.2g} to start"
            )

    def map_chunks(
        self,
        func: Callable[[GenomicChunk], Any],
        chunks: Iterable[GenomicChunk],
        *,
        on_error: Literal["raise", "return"] = "raise",
        run_dir: str | Path | None = None,
    ) -> tuple[list[TaskResult], ExecutionStats]:
        """Return ``func(chunk)`` of each chunk, in the order of the chunks.

        Parameters
        ----------
        func
            Takes a chunk. Returns what a part can hold: JSON, numpy arrays, a ``pyarrow.Table`` or
            a :class:`polytene.Folder`; all chunks the same kind.
        chunks
            The chunks.
        on_error
            ``"raise"`` if any chunk fails, when all are done; or ``"return"`` its error in its
            :class:`TaskResult`.
        run_dir
            Where the run keeps its parts; the same call again resumes. None: a temporary folder.

        Raises
        ------
        IncompleteRun
            If a chunk failed; with ``.results`` and ``.stats``.
        """
        if on_error not in ("raise", "return"):
            raise UsageError(f"on_error is {on_error!r}: 'raise' or 'return'")
        chunks = list(chunks)
        if not chunks:
            return [], ExecutionStats(0, 0, 0, 0.0, 0.0, 0.0, None)
        with _folder() as side:
            home = Path(run_dir) if run_dir is not None else side / "run"
            start = time.perf_counter()
            outcome, peak = self._run(func, chunks, home, side / "times")
            seconds = time.perf_counter() - start
            results = _results(chunks, outcome, side / "times")
        stats = _stats(results, seconds, peak)
        if stats.failed and on_error == "raise":
            first = next(r for r in results if not r.success)
            raise ChunksFailed(
                f"{stats.failed:,} of {stats.total_tasks:,} chunks failed, the first "
                f"{first.chunk_id}: {first.error}",
                results,
                stats,
            )
        return results, stats

    def _run(
        self, func: Callable[..., Any], chunks: Sequence[GenomicChunk], home: Path, times: Path
    ) -> tuple[Outcome, float]:
        times.mkdir()
        plan = ChunkPlan("given", chunks, sum(c.size for c in chunks))
        progress = _Progress(self.progress_callback, chunks, times)
        with self._client() as client:
            watch = Watch(self._reader(client), WATCH_SECONDS)
            watch.start()
            try:
                outcome = plan.map(
                    _timed(func, times),
                    Reduction(None, _by_key),
                    run_dir=home,
                    client=client,
                    max_quarantined=1.0,
                    retry_quarantined=True,
                    on_event=progress,
                )
            finally:
                watch.stop()
        self._warn(watch)
        progress.finish()
        return outcome, watch.largest.used / MB

    def _client(self) -> AbstractContextManager[Any]:
        if self.backend is not ExecutorBackend.PROCESSES:
            return _in_process(1 if self.backend is ExecutorBackend.SERIAL else self.n_workers)
        from polytene.clusters import cluster

        limit = None
        if self.max_memory_gb is not None:
            limit = str(int(self.max_memory_gb * GB / self.n_workers))
        return cluster("local", workers=self.n_workers, memory_limit=limit, dashboard_port=0)

    def _reader(self, client: Any) -> Callable[[], Any]:
        if self.backend is ExecutorBackend.PROCESSES:
            return partial(read_cluster, client)
        limit = None if self.max_memory_gb is None else int(self.max_memory_gb * GB)
        return partial(read_process, limit)

    def _warn(self, watch: Watch) -> None:
        if self.max_memory_gb is not None and watch.fullest.percent >= WARNING_PERCENT:
            logger.warning(
                "%s used %.0f%% of its share of max_memory_gb=%g",
                watch.fullest.fullest,
                watch.fullest.percent,
                self.max_memory_gb,
            )


def _backend(given: ExecutorBackend | str) -> ExecutorBackend:
    try:
        return given if isinstance(given, ExecutorBackend) else ExecutorBackend(given)
    except ValueError:
        names = ", ".join(b.value for b in ExecutorBackend)
        raise UsageError(f"no backend {given!r}: one of {names}") from None


def _in_process(threads: int) -> AbstractContextManager[Any]:
    from distributed import Client

    made: AbstractContextManager[Any] = Client(
        processes=False,
        n_workers=1,
        threads_per_worker=threads,
        dashboard_address="127.0.0.1:0",
        worker_dashboard_address="127.0.0.1:0",
        memory_limit=None,
        silence_logs=logging.WARNING,
        set_as_default=False,
    )
    return made


@contextmanager
def _folder() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="polytene-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _timed(func: Callable[..., Any], times: Path) -> Callable[[GenomicChunk], Any]:
    """Return the function, which then writes what it took beside the run, never into its parts."""

    def call(chunk: GenomicChunk) -> Any:
        from polytene.genome.memory import track_process

        start = time.perf_counter()
        with track_process() as peak_mb:
            try:
                return func(chunk)
            finally:
                took = {"seconds": time.perf_counter() - start, "peak_mb": peak_mb()}
                path = times / f"{safe_key(chunk.chunk_id)}.json"
                write_bytes(path, json.dumps(took).encode(), sync=False)

    call.__name__ = getattr(func, "__name__", "call")
    return call


def _by_key(values: Any, plan: Any, failures: Any) -> dict[str, Any]:
    return {unit.key: value for unit, value in values or ()}


class _Progress:
    """Tells which chunks are done, each once."""

    def __init__(
        self, callback: Progress | None, chunks: Sequence[GenomicChunk], times: Path
    ) -> None:
        self._callback, self._times = callback, times
        self._ids = {safe_key(c.chunk_id): c.chunk_id for c in chunks}
        self._done: set[str] = set()

    def __call__(self, event: Event) -> None:
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


def _results(chunks: Sequence[GenomicChunk], outcome: Outcome, times: Path) -> list[TaskResult]:
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


def _stats(results: Sequence[TaskResult], seconds: float, peak: float) -> ExecutionStats:
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
