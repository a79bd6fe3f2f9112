"""Runs that can be killed, each in a process of its own, without importing all anew for each."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

SERVER = """
import json, os, sys, traceback
import dask
from distributed import Client
from polytene.genome.warm import warm
{code}
warm()
dask.config.set({{"polytene.task-seconds": 0, "polytene.fsync": False}})
for line in sys.stdin:
    pid = os.fork()
    if pid == 0:
        try:
            with Client(processes=False, n_workers=1, threads_per_worker=1, memory_limit=None,
                        dashboard_address="127.0.0.1:0",
                        worker_dashboard_address="127.0.0.1:0") as client:
                drive(client, *json.loads(line))
        except BaseException:
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    print(pid, flush=True)
    sys.stdin.readline()  # until then its process id is nobody else's
    print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)
"""


class Drivers:
    """Starts ``drive(client, base, *args)`` of some code in forks of one process."""

    def __init__(self, code: str) -> None:
        argv = [sys.executable, "-c", SERVER.format(code=textwrap.dedent(code))]
        pipe = subprocess.PIPE
        self._server = subprocess.Popen(argv, stdin=pipe, stdout=pipe, text=True)

    def __enter__(self) -> Drivers:
        return self

    def __exit__(self, *_: object) -> None:
        self._server.stdin.close()
        self._server.stdout.close()
        self._server.wait(timeout=60)

    def start(self, *args: object) -> int:
        """Start a run; return its process id."""
        self._server.stdin.write(json.dumps([str(a) for a in args]) + "\n")
        self._server.stdin.flush()
        return int(self._server.stdout.readline())

    def wait(self) -> int:
        """Return the exit code of the run."""
        self._server.stdin.write("\n")
        self._server.stdin.flush()
        return int(self._server.stdout.readline())

    def finish(self, base: Path, *args: object) -> dict[str, bytes]:
        """Run to the end; return the files ``x.*``."""
        self.start(base, *args)
        assert self.wait() == 0
        return {p.name: p.read_bytes() for p in sorted(base.glob("x.*"))}

    def kill(self, base: Path, least: int, chance: random.Random, *args: object) -> int:
        """Kill a run once it has more than ``least`` parts; return its exit code."""
        pid = self.start(base, *args)
        deadline = time.monotonic() + 120
        while len(list(base.glob("run/parts/*/*/*.json"))) <= least:
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
                break
            assert time.monotonic() < deadline
            time.sleep(0.002)
        time.sleep(chance.random() * 0.02)
        os.kill(pid, signal.SIGKILL)
        return self.wait()
