"""``polytene cluster check``: try a cluster before it is needed."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import dask
from dask.utils import format_bytes

from polytene.clusters import cluster, settings_of
from polytene.exceptions import Interrupted, PolyteneError

PROBE_SECONDS = 60.0
SAME = "the same files as here"
OTHER = "another filesystem than here: a run directory has to be on one that all nodes share"
TOOLS = ("kallisto", "prefetch", "fasterq-dump")


class Found(NamedTuple):
    """What one look found; ``good`` is None where it could not be seen."""

    what: str
    good: bool | None
    detail: str


def check(kind: str | None, patience: float = PROBE_SECONDS) -> Iterator[Found]:
    """Look at a cluster's settings, then start one worker of each kind and look at those."""
    proper, settings = settings_of(kind)
    if proper == "slurm":
        from polytene.clusters.slurm_check import look

        found = list(look(settings))
        yield from found
        if not all(f.good for f in found):
            return
    yield from _probe(kind, patience, alone=proper == "slurm")


def _probe(kind: str | None, patience: float, *, alone: bool) -> Iterator[Found]:
    nonce = secrets.token_hex(8)
    file = Path.cwd() / f".polytene-check-{nonce}"
    more: dict[str, Any] = {"workers": 1} if alone else {}
    try:
        file.write_text(nonce)
        with dask.config.set({"polytene.no-workers-timeout": f"{patience} s"}):
            with cluster(kind, **more, **_patience(kind, patience)) as client:
                workers = client.scheduler_info(n_workers=-1)["workers"]
                yield Found("workers", True, f"{len(workers)} up; {client.scheduler.address}")
                here = versions_here()
                for address, said in client.run(see, str(file), TOOLS).items():
                    yield from _judged(workers[address], said, nonce, here)
    except Interrupted as error:
        yield Found("probe job", None, str(error))
    except PolyteneError as error:
        yield Found("workers", False, str(error))
    finally:
        with suppress(OSError):
            file.unlink()


def _patience(kind: str | None, patience: float) -> dict[str, Callable[[], bool]]:
    end = time.monotonic() + patience
    return {"stop": lambda: time.monotonic() > end}


def _judged(
    worker: dict[str, Any], said: dict[str, Any], nonce: str, here: dict[str, str]
) -> Iterator[Found]:
    name = f"{worker['name']} on {said['host']}"
    limit = worker["memory_limit"]
    memory = format_bytes(limit) if limit else "no limit"
    yield Found(f"{name}: memory", bool(limit), f"{memory}, {worker['nthreads']} threads")
    shared = said["nonce"] == nonce
    yield Found(f"{name}: current folder", shared, SAME if shared else OTHER)
    free = said["scratch"]
    state = "not writable" if free is None else f"{format_bytes(free)} free"
    yield Found(f"{name}: scratch", free is not None, f"{said['where']}: {state}")
    other = {k: v for k, v in said["versions"].items() if here.get(k) != v}
    yield Found(f"{name}: versions", not other, str(other) if other else "the same as here")
    if gpus := said["gpus"]:
        yield Found(f"{name}: GPUs", True, f"CUDA_VISIBLE_DEVICES={gpus}")
    tools = ", ".join(said["tools"]) or "none of " + ", ".join(TOOLS)
    yield Found(f"{name}: programs", True, tools)


def versions_here() -> dict[str, str]:
    """Return the versions of what workers compute with."""
    from polytene.core.versions import versions

    return dict(versions())


def see(file: str, tools: tuple[str, ...]) -> dict[str, Any]:
    """Look at a worker's machine, from the worker."""
    import os
    import shutil
    import socket
    import tempfile

    where = dask.config.get("temporary-directory") or tempfile.gettempdir()
    free: int | None = None
    with suppress(OSError), tempfile.TemporaryFile(dir=where) as probe:
        probe.write(b"x" * 4096)
        free = shutil.disk_usage(where).free
    nonce = ""
    with suppress(OSError):
        nonce = Path(file).read_text()
    return {
        "host": os.environ.get("SLURMD_NODENAME") or socket.gethostname(),
        "nonce": nonce,
        "where": where,
        "scratch": free,
        "versions": versions_here(),
        "gpus": os.environ.get("CUDA_VISIBLE_DEVICES", ""),
        "tools": [tool for tool in tools if shutil.which(tool)],
    }
