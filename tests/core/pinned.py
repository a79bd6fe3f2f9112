"""Units that leave files on their host from stage to stage; run by workers of several "hosts"."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import dask
from distributed import Client, LocalCluster

from polytene import Stage, Unit
from polytene.core.scratch import host_scratch

ROOT = Path(__file__).parents[2]
LIMITS = {"host.disk": 4, "quant": 100}


@dataclass(frozen=True)
class Sample(Unit):
    size: float = 1.0

    @property
    def footprint(self) -> Mapping[str, float]:
        return {"host.disk": self.size}


def note(log: str, *words: object) -> None:
    handle = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    line = " ".join(map(str, (*words, host(), os.getpid(), time.monotonic_ns())))
    os.write(handle, f"{line}\n".encode())
    os.close(handle)


def host() -> str:
    """Return the host of this process by its word: workers are told in their environment."""
    return os.environ.get("TEST_HOST", "here")


class Note(NamedTuple):
    """A line that a worker wrote."""

    word: str
    key: str
    host: str
    pid: str
    time: int


def notes(log: Path) -> list[Note]:
    """Return what was noted, in order."""
    lines = log.read_text().splitlines() if log.exists() else []
    found = [line.split() for line in lines]
    return [Note(*words[:4], int(words[4])) for words in found]


def fetch(unit: Sample, log: str) -> str:
    note(log, "fetch", unit.key)
    (host_scratch() / "reads").write_text(unit.key)
    time.sleep(0.02)
    return host()


def quant(unit: Sample, fetched_on: str, log: str, mode: str = "") -> list[str]:
    note(log, "quant", unit.key)
    held = Path(f"{log}.hold")
    while held.exists():
        time.sleep(0.02)
    if mode == "die" and unit.key == "u3" and not (host_scratch() / "died").exists():
        (host_scratch() / "died").touch()
        os._exit(9)
    assert fetched_on == host()
    assert (host_scratch() / "reads").read_text() == unit.key
    note(log, "done", unit.key)
    return [unit.key]


def stages(log: Path, mode: str = "") -> list[Stage]:
    return [
        Stage(partial(fetch, log=str(log))),
        Stage(partial(quant, log=str(log), mode=mode), uses={"quant": 1}),
    ]


def allocate(unit: Sample, log: str, sizes: Mapping[str, int]) -> list[str]:
    """Allocate what the unit needs, and say when it began and ended."""
    note(log, "begin", unit.key)
    try:
        held = bytearray(sizes.get(unit.key, 1))
        time.sleep(0.1)
        del held
    finally:
        note(log, "end", unit.key)
    return [unit.key]


@dataclass
class Cluster:
    """A scheduler here, and workers in processes that each have a loopback address."""

    folder: Path
    client: Client
    address: str
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def start(self, host: str, *options: str) -> None:
        """Start a nanny with a worker on an address that is a host of its own to Dask."""
        disk = self.disk(host)
        settings = {"TEST_HOST": host, "DASK_POLYTENE__HOST_SCRATCH": str(disk)}
        path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
        about = ["--host", host, "--no-dashboard", "--local-directory", str(self.folder / host)]
        self.processes[host] = subprocess.Popen(
            [sys.executable, "-m", "distributed.cli.dask_worker", self.address, *about, *options],
            env={**os.environ, **settings, "PYTHONPATH": path},
            start_new_session=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def disk(self, host: str) -> Path:
        return self.folder / "disks" / host

    def files(self) -> list[Path]:
        """Return all files on the disks of all hosts."""
        return [path for path in (self.folder / "disks").rglob("*") if path.is_file()]

    def lose(self, host: str) -> None:
        """End everything on a host at once."""
        process = self.processes.pop(host)
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@contextmanager
def cluster(folder: Path, hosts: Mapping[str, list[str]]) -> Iterator[Cluster]:
    """Start a cluster: per host, options of ``dask worker``."""
    quiet: dict[str, Any] = {
        "distributed.scheduler.allowed-failures": 0,
        "distributed.worker.profile.enabled": False,
    }
    with (
        dask.config.set(quiet),
        LocalCluster(
            n_workers=0, host="127.0.0.1", dashboard_address="127.0.0.1:0", silence_logs=50
        ) as made,
        Client(made, set_as_default=False) as client,
    ):
        found = Cluster(folder, client, made.scheduler_address)
        try:
            for host, options in hosts.items():
                found.start(host, *options)
            client.wait_for_workers(len(hosts), timeout=60)
            yield found
        finally:
            for host in list(found.processes):
                found.lose(host)
