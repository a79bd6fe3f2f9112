"""A function over the chunks of a plan, on this machine: the executor of the guide, on Dask."""

from __future__ import annotations

import logging
import shutil
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from enum import Enum
from functools import partial
from pathlib import Path
from typing import Any, Literal

from polytene.core.outcome import Outcome
from polytene.core.reduce import Reduction
from polytene.exceptions import UsageError
from polytene.genome.chunk_results import (
    ChunksFailed,
    ExecutionStats,
    Progress,
    TaskResult,
    Told,
    by_key,
    results_of,
    stats_of,
    timed,
)
from polytene.genome.chunks import ChunkPlan, GenomicChunk
from polytene.genome.memory import MB, Watch, get_optimal_workers, read_cluster, read_process

logger = logging.getLogger(__name__)

WARNING_PERCENT = 80
LEAST_BYTES = 200 << 20
WATCH_SECONDS = 0.5
GB = 1 << 30


class ExecutorBackend(Enum):
    """Where the function runs."""

    SERIAL = "serial"
    THREADS = "threads"
    PROCESSES = "processes"


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
            results = results_of(chunks, outcome, side / "times")
        stats = stats_of(results, seconds, peak)
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
        progress = Told(self.progress_callback, chunks, times)
        with self._client() as client:
            watch = Watch(self._reader(client), WATCH_SECONDS)
            watch.start()
            try:
                outcome = plan.map(
                    timed(func, times),
                    Reduction(None, by_key),
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
