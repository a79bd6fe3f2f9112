"""Where the work runs: one context manager for every kind of cluster."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dask.config

from polytene import config
from polytene.clusters import named
from polytene.exceptions import UsageError

if TYPE_CHECKING:
    from distributed import Client

OPTIONS = (
    "workers", "threads", "memory_limit", "dashboard_port", "start_timeout", "tls", "tls_days",
    "gpus", "device_memory_limit", "rmm_pool_size", "rmm_maximum_pool_size", "rmm_managed_memory",
    "queue", "account", "constraint", "gres", "interface", "walltime", "margin",
    "directives", "prologue", "folder", "resources", "pools", "driver_walltime", "driver_memory",
)  # fmt: skip
is_address = re.compile(r"(tcp|tls|ws|wss|ucx|inproc)://.+").fullmatch


def cluster(
    kind: str | Path | None = None, *, stop: Callable[[], bool] | None = None, **overrides: Any
) -> AbstractContextManager[Client]:
    """Return a context manager that starts a cluster and gives its client.

    Nothing starts before it is entered; leaving it ends what it started.

    Parameters
    ----------
    kind
        ``"local"``: worker processes on this machine, on loopback only; ``"cuda"``: one per GPU,
        and others beside them; ``"slurm"``: a worker in each of some SLURM jobs; ``"slurm-gpu"``:
        the same, with GPU jobs beside them; the path of a configuration file; or the address of a
        scheduler that runs already, such as
        ``"tcp://127.0.0.1:8786"``. None: ``polytene.cluster.kind`` of the configuration.
    stop
        Asked while jobs wait in a queue; once it returns true, the wait ends with
        :class:`polytene.exceptions.Interrupted`.
    **overrides
        ``workers``, ``threads`` per worker, ``memory_limit`` per worker (``"2GB"``),
        ``dashboard_port``, ``start_timeout``, ``tls``, and what else is below
        ``polytene.cluster`` in the configuration: instead of that.

    Raises
    ------
    UsageError
        For an unknown kind or option.

    Examples
    --------
    >>> with cluster("local", workers=1, memory_limit="1GB") as client:
    ...     client.submit(sum, [1, 2]).result()
    3
    """
    for name in overrides:
        if name not in OPTIONS:
            raise UsageError(f"no cluster option {name!r}: one of {', '.join(OPTIONS)}")
    kind, settings = settings_of(kind)
    given = {k: v for k, v in overrides.items() if v is not None}
    if is_address(kind):
        if given:
            raise UsageError(
                f"{', '.join(given)} is for workers that are started here; the scheduler at {kind} "
                "keeps its own"
            )
        from polytene.clusters.address import open_address

        return open_address(kind, settings)
    if kind == "local":
        from polytene.clusters.local import open_local

        return open_local(settings, given)
    if kind == "cuda":
        from polytene.clusters.cuda import open_cuda

        return open_cuda(settings, given)
    if kind == "slurm":
        from polytene.clusters.slurm import open_slurm

        return open_slurm(settings, given, stop)
    raise UsageError(
        f"no cluster kind {kind!r}: 'local', the path of a .yaml file, a scheduler's address "
        f"such as tcp://127.0.0.1:8786, or one of {', '.join(named.names())}"
    )


def settings_of(kind: str | Path | None) -> tuple[str, dict[str, Any]]:
    """Return the kind of a cluster proper, and the settings of its file if it has one.

    A file that is not one of ours goes over ours of the same kind.
    """
    kind = str(kind or config.get("cluster.kind"))
    settings: dict[str, Any] = {}
    if kind.endswith((".yaml", ".yml")):
        settings = config.read_file(kind)
        kind = str(settings.get("polytene", {}).get("cluster", {}).get("kind", "local"))
    if kind != "local" and kind in named.names():
        settings = dask.config.merge(named.packaged(kind), settings)
        kind = named.kind_of(kind)
    return kind, settings
