"""What is asked of the workers before anything starts: memory, resources, and our code."""

from __future__ import annotations

import pickle
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import cloudpickle
from dask.utils import format_bytes

from polytene.core.stage import Leg
from polytene.exceptions import PreflightError

if TYPE_CHECKING:
    from distributed import Client


def memory_per_thread(client: Client) -> float | None:
    """Return the bytes that one thread of the smallest worker may use; None without a limit."""
    workers = client.scheduler_info(n_workers=-1)["workers"].values()
    shares = [w["memory_limit"] / w["nthreads"] for w in workers if w.get("memory_limit")]
    return min(shares) if shares else None


def check_memory(client: Client, chain: Sequence[Leg]) -> None:
    """Refuse a plan whose units cannot fit, with the numbers and what to change.

    Raises
    ------
    PreflightError
        If a stage declares more memory per unit than a worker's thread has.
    """
    offered = memory_per_thread(client)
    if offered is None:
        return
    for stage in (s for leg in chain for s in leg.stages):
        if stage.memory and stage.memory > offered:
            raise PreflightError(
                f"stage {stage.name} needs up to {format_bytes(int(stage.memory))} for one unit, "
                f"a worker thread has {format_bytes(int(offered))}: raise --memory-limit, or start "
                "workers with fewer threads"
            )


def check_resources(client: Client, chain: Sequence[Leg]) -> None:
    """Refuse a plan whose tasks no worker may run: they would wait for ever.

    Raises
    ------
    PreflightError
        If a stage needs more of a resource than any worker owns.
    """
    workers = client.scheduler_info(n_workers=-1)["workers"].values()
    for leg in chain if workers else ():
        for name, amount in leg.needs.items():
            most = max(w.get("resources", {}).get(name, 0) for w in workers)
            if most < amount:
                raise PreflightError(
                    f"stage {leg.name} needs {amount:g} {name} of its worker, and no worker owns "
                    f"more than {most:g}: start the workers with that resource"
                )


def check_code(client: Client, *code: Any) -> None:
    """Refuse functions that the workers cannot load.

    A worker that gets such a task ends, and so does the next one.

    Raises
    ------
    PreflightError
        If a worker cannot load the code, with its reason.
    """
    said = client.run(_load, cloudpickle.dumps(code), on_error="ignore")  # of those that died
    for worker, problem in said.items():
        if problem:
            raise PreflightError(
                f"worker {worker} cannot load the run's functions: {problem}. Put them into a "
                "module that is installed there, or into the script itself"
            )


def _load(data: bytes) -> str | None:
    try:
        pickle.loads(data)
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return None
