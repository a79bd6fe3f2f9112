"""The guide's executor: every chunk is in the results, whatever became of it."""

from __future__ import annotations

import functools
import logging
import os
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from tests.genome.plans import plan_of

from polytene.exceptions import IncompleteRun, UsageError
from polytene.genome.executor import ExecutorBackend, ParallelExecutor

CHUNKS = list(plan_of(*([("c1", i * 10, i * 10 + 10)] for i in range(8))))
BACKENDS = list(ExecutorBackend)


def size(chunk):
    return {"chunk_id": chunk.chunk_id, "genes_processed": chunk.size}


@pytest.mark.parametrize("backend", BACKENDS)
def test_every_backend_gives_every_result_in_order(backend):
    local = 3  # a closure, which HelixForge's processes lose without a word

    def end(chunk):
        return chunk.end * local

    results, stats = ParallelExecutor(2, backend).map_chunks(end, CHUNKS)
    assert [(r.chunk_id, r.success, r.result) for r in results] == [
        (c.chunk_id, True, c.end * 3) for c in CHUNKS
    ]
    assert (stats.total_tasks, stats.successful, stats.failed) == (8, 8, 0)
    assert stats.total_duration >= stats.max_duration >= stats.mean_duration > 0
    assert stats.peak_memory_mb > 10


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_failed_chunk_is_in_the_stats_and_raises(backend):
    def some(chunk):
        if chunk.index in (2, 5):
            raise ValueError(f"no {chunk.chunk_id}")
        return chunk.index

    executor = ParallelExecutor(2, backend)
    with pytest.raises(IncompleteRun, match="2 of 8 chunks failed, the first chunk_0002") as error:
        executor.map_chunks(some, CHUNKS)
    results, stats = executor.map_chunks(some, CHUNKS, on_error="return")
    for found, counts in ((error.value.results, error.value.stats), (results, stats)):
        assert [r.success for r in found] == [i not in (2, 5) for i in range(8)]
        assert found[2].result is None
        assert "no chunk_0002" in found[2].error
        assert (counts.total_tasks, counts.successful, counts.failed) == (8, 6, 2)


def test_a_chunk_whose_process_dies_fails_alone():
    def die(chunk):
        if chunk.index == 3:
            os._exit(9)
        return chunk.index

    results, stats = ParallelExecutor(2).map_chunks(die, CHUNKS, on_error="return")
    assert [r.result for r in results] == [0, 1, 2, None, 4, 5, 6, 7]
    assert (stats.successful, stats.failed) == (7, 1)
    assert not results[3].success


def test_all_may_fail():
    def never(chunk):
        raise KeyError(chunk.chunk_id)

    executor = ParallelExecutor(1, ExecutorBackend.SERIAL)
    results, stats = executor.map_chunks(never, CHUNKS, on_error="return")
    assert stats.failed == len(results) == 8
    assert all("KeyError" in r.error for r in results)


def test_memory_is_a_share_of_the_total_and_the_greedy_chunk_fails_alone():
    def greedy(chunk):
        data = bytearray(3 << 30 if chunk.index == 1 else 1)
        return len(data)

    executor = ParallelExecutor(2, max_memory_gb=1.0)
    results, stats = executor.map_chunks(greedy, CHUNKS[:4], on_error="return")
    assert [r.success for r in results] == [True, False, True, True]
    assert "memory" in results[1].error
    assert stats.failed == 1


def test_a_warning_at_eighty_percent(caplog):
    def hold(chunk):
        data = bytearray(600 << 20)
        data[::4096] = b"x" * len(data[::4096])
        time.sleep(1.5)
        return len(data)

    with caplog.at_level(logging.WARNING, "polytene.genome.executor"):
        ParallelExecutor(1, ExecutorBackend.THREADS, max_memory_gb=0.75).map_chunks(
            hold, CHUNKS[:1]
        )
    assert "of its share of max_memory_gb=0.75" in caplog.text


def test_progress_names_each_chunk_once():
    told = []
    executor = ParallelExecutor(2, ExecutorBackend.THREADS)
    executor.progress_callback = lambda completed, total, chunk_id: told.append(
        (completed, total, chunk_id)
    )

    def some(chunk):
        if chunk.index == 4:
            raise ValueError
        return 1

    executor.map_chunks(some, CHUNKS, on_error="return")
    assert [t[:2] for t in told] == [(i, 8) for i in range(1, 9)]
    assert {t[2] for t in told} == {c.chunk_id for c in CHUNKS}


def test_the_same_call_resumes(tmp_path):
    ran = tmp_path / "ran"
    ran.mkdir()

    def once(chunk, *, folder, broken):
        (ran / f"{chunk.chunk_id}-{time.time_ns()}").touch()
        if chunk.index == 2 and Path(broken).exists():
            raise ValueError("not yet")
        return folder

    broken = tmp_path / "broken"
    broken.touch()
    func = functools.partial(once, folder="x", broken=str(broken))
    executor = ParallelExecutor(2, ExecutorBackend.THREADS)
    with pytest.raises(IncompleteRun):
        executor.map_chunks(func, CHUNKS, run_dir=tmp_path / "run")
    broken.unlink()
    results, _ = executor.map_chunks(func, CHUNKS, run_dir=tmp_path / "run")
    assert all(r.success for r in results)
    others = [c.chunk_id for c in CHUNKS if c.index != 2]
    assert sorted(p.name[:10] for p in ran.iterdir() if p.name[:10] != "chunk_0002") == others


@pytest.mark.parametrize("value", [np.arange(3), pa.table({"x": [1]}), [1, {"a": None}], "text"])
def test_results_are_what_parts_can_hold(value):
    results, _ = ParallelExecutor(1, "serial").map_chunks(lambda chunk: value, CHUNKS[:2])
    for result in results:
        if isinstance(value, np.ndarray):
            np.testing.assert_array_equal(result.result, value)
        else:
            assert result.result == value


def test_other_results_are_an_error_that_says_so():
    results, _ = ParallelExecutor(1, "serial").map_chunks(
        lambda chunk: object(), CHUNKS[:1], on_error="return"
    )
    assert "a stage returns" in results[0].error


def test_no_chunks_are_no_work():
    results, stats = ParallelExecutor(1).map_chunks(size, [])
    assert (results, stats.total_tasks) == ([], 0)


@pytest.mark.parametrize(
    "wrong", [{"n_workers": 0}, {"backend": "mpi"}, {"n_workers": 8, "max_memory_gb": 0.5}]
)
def test_what_cannot_work_is_refused(wrong):
    with pytest.raises(UsageError):
        ParallelExecutor(**wrong)
    with pytest.raises(UsageError):
        ParallelExecutor(1).map_chunks(size, CHUNKS, on_error="ignore")
