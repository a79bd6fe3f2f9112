"""Memory: of this process and its children, or of the workers of the active client."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import pytest

from polytene.exceptions import UsageError
from polytene.genome.memory import (
    MemoryMonitor,
    MemoryStats,
    get_memory_stats,
    get_optimal_workers,
    read_cluster,
    track_memory,
)

HUNDRED_MB = 100 << 20


def test_stats_are_of_now():
    before = get_memory_stats()
    data = bytearray(HUNDRED_MB)
    after = get_memory_stats()
    assert 90 < after.current_mb - before.current_mb < 130
    assert after.peak_mb >= after.current_mb
    assert after.available_mb > 0
    assert len(data) == HUNDRED_MB


def test_tracking_sees_what_is_gone_again():
    with track_memory() as get_stats:
        before = get_stats().current_mb
        data = bytearray(HUNDRED_MB)
        time.sleep(0.3)
        del data
        after = get_stats()
    assert after.peak_mb - before > 90
    assert after.current_mb - before < 30


def test_children_count():
    code = f"x = bytearray({HUNDRED_MB}); print('up', flush=True); input()"
    before = get_memory_stats().current_mb
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as child:
        assert child.stdout is not None
        child.stdout.readline()
        assert get_memory_stats().current_mb - before > 90
        child.communicate(b"\n")


@pytest.mark.parametrize(
    ("warning", "critical", "ok", "word"),
    [(99.0, 99.9, True, "uses"), (1e-9, 99.9, True, "warning"), (1e-9, 1e-9, False, "critical")],
)
def test_the_monitor_judges_by_its_thresholds(warning, critical, ok, word):
    monitor = MemoryMonitor(warning, critical, 0.05)
    monitor.start()
    monitor.start()
    is_ok, message = monitor.check()
    stats = monitor.stop()
    assert is_ok is ok
    assert word in message
    assert "this process" in message
    assert isinstance(stats, MemoryStats)
    assert stats.peak_mb >= stats.current_mb > 0


def test_the_monitor_keeps_its_peak():
    monitor = MemoryMonitor(sample_interval_seconds=0.02)
    monitor.start()
    before = monitor.stop().current_mb
    monitor.start()
    data = bytearray(HUNDRED_MB)
    time.sleep(0.3)
    del data
    assert monitor.stop().peak_mb - before > 80


def test_the_monitor_watches_the_workers_of_the_active_client(local_client):
    def hold(nbytes):
        data = bytearray(nbytes)
        time.sleep(2.5)
        return len(data)

    monitor = MemoryMonitor(sample_interval_seconds=0.1)
    idle = read_cluster(local_client)
    monitor.start()
    assert local_client.submit(hold, 2 * HUNDRED_MB).result() == 2 * HUNDRED_MB
    _, message = monitor.worst()
    stats = monitor.stop()
    assert "worker" in message
    assert stats.peak_mb - idle.used / 2**20 > 150
    assert stats.available_mb < 2 * 1024


@pytest.mark.parametrize(
    "wrong",
    [
        {"warning_threshold_percent": 96.0},
        {"warning_threshold_percent": 0.0},
        {"sample_interval_seconds": 0.0},
    ],
)
def test_thresholds_have_to_make_sense(wrong):
    with pytest.raises(UsageError):
        MemoryMonitor(**wrong)


def test_a_monitor_that_was_not_started_cannot_stop():
    with pytest.raises(UsageError, match="not started"):
        MemoryMonitor().stop()


def test_workers_are_bound_by_cores_memory_and_wish():
    cores = len(os.sched_getaffinity(0))
    assert get_optimal_workers(memory_per_worker_mb=1) == cores
    assert get_optimal_workers(max_workers=1, memory_per_worker_mb=1) == 1
    assert get_optimal_workers(max_workers=999, memory_per_worker_mb=1) == cores
    assert get_optimal_workers(memory_per_worker_mb=1e9) == 1
    for wrong in ({"max_workers": 0}, {"memory_per_worker_mb": 0}):
        with pytest.raises(UsageError):
            get_optimal_workers(**wrong)
