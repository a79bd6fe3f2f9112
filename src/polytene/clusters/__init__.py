"""Where the work runs: one context manager for every kind of cluster."""

from __future__ import annotations

import re
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from polytene import config
from polytene.exceptions import UsageError

if TYPE_CHECKING:
    from distributed import Client

OPTIONS: tuple[str, ...] = ("workers", "threads", "memory_limit")
OPTIONS += ("dashboard_port", "start_timeout")
OPTIONS += ("tls", "tls_days")
OPTIONS += ("gpus", "device_memory_limit", "rmm_pool_size", "rmm_maximum_pool_size")
OPTIONS += ("rmm_managed_memory",)
is_address = re.compile(r"(tcp|tls|ws|wss|ucx|inproc)://.+").fullmatch


def cluster(kind: str | Path | None = None, **overrides: Any) -> AbstractContextManager[Client]:
    """Return a context manager that starts a cluster and gives its client.

    Nothing starts before it is entered; leaving it ends what it started.

    Parameters
    ----------
    kind
        ``"local"``: worker processes on this machine, on loopback only; ``"cuda"``: one per GPU,
        and others beside them; the path of a
        configuration file; or the address of a scheduler that runs already, such as
        ``"tcp://127.0.0.1:8786"``. None: ``polytene.cluster.kind`` of the configuration.
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
    settings: dict[str, Any] = {}
    kind = str(kind or config.get("cluster.kind"))
    if kind.endswith((".yaml", ".yml")):
        settings = config.read_file(kind)
        kind = str(settings.get("polytene", {}).get("cluster", {}).get("kind", "local"))
    if is_address(kind):
        if given := [k for k, v in overrides.items() if v is not None]:
            raise UsageError(
                f"{', '.join(given)} is for workers that are started here; the scheduler at {kind} "
                "keeps its own"
            )
        from polytene.clusters.address import open_address

        return open_address(kind)
    if kind == "local":
        from polytene.clusters.local import open_local

        return open_local(settings, {k: v for k, v in overrides.items() if v is not None})
    if kind == "cuda":
        from polytene.clusters.cuda import open_cuda

        return open_cuda(settings, {k: v for k, v in overrides.items() if v is not None})
    raise UsageError(
        f"no cluster kind {kind!r}: 'local', the path of a .yaml file, or a scheduler's address "
        "such as tcp://127.0.0.1:8786"
    )
