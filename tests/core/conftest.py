"""What the engine's tests share: a client in this process, and counters of what ran."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import dask
import pytest
from distributed import Client


@pytest.fixture(autouse=True, scope="session")
def quick() -> Iterator[None]:
    """No test here cuts the power or asks a server, so nothing waits for either."""
    with dask.config.set({"polytene.fsync": False, "polytene.retry-seconds": 0}):
        yield


@pytest.fixture(scope="session")
def client() -> Iterator[Client]:
    """Two threads of this process; the worker owns one GPU by its word."""
    with Client(
        processes=False,
        n_workers=1,
        threads_per_worker=2,
        dashboard_address="127.0.0.1:0",
        worker_dashboard_address="127.0.0.1:0",
        memory_limit=None,
        resources={"GPU": 1},
        set_as_default=False,
    ) as made:
        yield made


class Work:
    """Executions, counted in a file that any thread or process appends to."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def note(self, word: str) -> None:
        handle = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        os.write(handle, f"{word}\n".encode())
        os.close(handle)

    def taken(self) -> Counter[str]:
        """Return what was noted since the last call."""
        if not self.path.exists():
            return Counter()
        words = self.path.read_text().split()
        self.path.unlink()
        return Counter(words)


@pytest.fixture
def work(tmp_path: Path) -> Work:
    return Work(tmp_path / "work.log")


@pytest.fixture
def script(tmp_path: Path):
    """Give a function that runs a script in a process of its own."""

    def run_script(text: str, *args: str, timeout: float = 60) -> subprocess.CompletedProcess[str]:
        path = tmp_path / "script.py"
        path.write_text(text)
        command = [sys.executable, str(path), *args]
        return subprocess.run(command, capture_output=True, text=True, timeout=timeout, check=False)

    return run_script
