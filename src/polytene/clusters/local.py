"""Worker processes on this machine, on loopback only, each under a nanny with a memory limit."""

from __future__ import annotations

import ast
import logging
import socket
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import dask
from dask.system import CPU_COUNT
from dask.utils import format_bytes, parse_bytes, parse_timedelta
from distributed import Client, LocalCluster
from distributed.system import MEMORY_LIMIT

from polytene.clusters.guard import TreeMemory
from polytene.clusters.nanny import PatientNanny
from polytene.clusters.security import security
from polytene.core.run import NO_PROFILER
from polytene.exceptions import PreflightError, UsageError

logger = logging.getLogger(__name__)

HOST = "127.0.0.1"
TOLD_BY_US = ("distributed.scheduler", "distributed.worker", "distributed.nanny")
WORKER_TTL = "60s"
LIVE_PAGE = "polytene.watch.live"  # a module that the scheduler loads by itself
LEAST_MEMORY = 512 << 20


@contextmanager
def open_local(settings: Mapping[str, Any], overrides: Mapping[str, Any]) -> Iterator[Client]:
    """Start a local cluster: ``settings`` over the configuration, ``overrides`` over both."""
    with on_this_host(settings, overrides, _cluster) as client:
        yield client


@contextmanager
def on_this_host(
    settings: Mapping[str, Any],
    overrides: Mapping[str, Any],
    start: Callable[[Mapping[str, Any], Mapping[str, Any]], LocalCluster],
) -> Iterator[Client]:
    """Start a cluster whose processes all run here: bound to loopback, closed to other users.

    ``start(about, common)`` makes it of what the user asked for and of the arguments that every
    such cluster takes.
    """
    check_main_guard()
    with dask.config.set(dask.config.merge(dask.config.config, settings)), _quiet():
        about = _flat(dask.config.get("polytene.cluster")) | dict(overrides)
        port = free_port(int(about["dashboard_port"]))
        with ExitStack() as stack:
            tls = stack.enter_context(security(about["tls"], days=float(about["tls_days"])))
            stack.enter_context(dask.config.set(_safe_settings(port)))
            common = {
                "host": HOST,
                "dashboard_address": f"{HOST}:{port}",
                "silence_logs": logging.ERROR,
                "security": tls,
                "worker_class": PatientNanny,
            }
            made = stack.enter_context(_started(about, common, start))
            client = stack.enter_context(Client(made))
            _wait(client, about["start_timeout"])
            client.register_plugin(TreeMemory())
            _announce(client, tls is not None)
            yield client


def _flat(section: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings by the names of options, those of GPUs included."""
    every = {**section, **section["cuda"]}
    return {k.replace("-", "_"): v for k, v in every.items() if not isinstance(v, Mapping)}


def _started(
    about: Mapping[str, Any],
    common: Mapping[str, Any],
    start: Callable[[Mapping[str, Any], Mapping[str, Any]], LocalCluster],
) -> LocalCluster:
    try:
        return start(about, common)
    except ValueError as error:
        if isinstance(error, UsageError):
            raise
        raise UsageError(f"a cluster cannot be made of {dict(about)}: {error}") from None


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep Dask from telling what polytene hears itself, books and tells in its own words."""
    loggers = [logging.getLogger(name) for name in TOLD_BY_US]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


def _safe_settings(port: int) -> dict[str, Any]:
    dashboard = "distributed.scheduler.dashboard.bokeh-application.allow_websocket_origin"
    return {
        **NO_PROFILER,
        "distributed.scheduler.allowed-failures": 0,  # polytene hears of the first death
        "distributed.scheduler.preload": [LIVE_PAGE],
        "distributed.scheduler.worker-ttl": WORKER_TTL,  # a worker that is stopped is replaced
        dashboard: [f"{HOST}:{port}", f"localhost:{port}"],
    }


def _cluster(about: Mapping[str, Any], common: Mapping[str, Any]) -> LocalCluster:
    workers = count_of(about, "workers", default_workers())
    return LocalCluster(
        n_workers=workers,
        threads_per_worker=count_of(about, "threads", 1),
        memory_limit=memory_each(about["memory_limit"], workers),
        **common,
    )


def memory_each(limit: str | float, workers: int) -> int:
    """Return the bytes of a worker; ``auto`` is a fair share of what this process may use."""
    return int(MEMORY_LIMIT // workers if limit == "auto" else parse_bytes(limit))


def count_of(about: Mapping[str, Any], name: str, default: int, least: int = 1) -> int:
    """Return a setting that is a whole number, or its default where it is None."""
    value = about[name] if about[name] is not None else default
    if int(value) != value or value < least:
        raise ValueError(f"{name} is {value!r}: a whole number from {least}")
    return int(value)


def default_workers() -> int:
    """Return one worker per usable core, fewer where memory is short; both as allotted to us."""
    return int(max(1, min(CPU_COUNT, MEMORY_LIMIT // LEAST_MEMORY)))


def free_port(wanted: int) -> int:
    """Return ``wanted`` if it is free on loopback, else a port that is."""
    for port in (wanted, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((HOST, port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise PreflightError(f"no port is free on {HOST}")


def _wait(client: Client, timeout: str) -> None:
    try:
        client.wait_for_workers(1, timeout=_seconds(timeout))
    except TimeoutError:
        raise PreflightError(
            f"no worker came up within {timeout}: is memory or the number of processes short?"
        ) from None


def _seconds(timeout: str | float) -> float:
    try:
        return float(parse_timedelta(timeout))
    except (KeyError, ValueError):
        raise UsageError(f"start_timeout is {timeout!r}: give a time such as '60s'") from None


def _announce(client: Client, encrypted: bool) -> None:
    workers = client.scheduler_info(n_workers=-1)["workers"].values()
    limits = {w["memory_limit"] for w in workers}
    threads = {w["nthreads"] for w in workers}
    logger.info(
        "%d workers x %s threads, memory limit %s each%s; dashboard %s",
        len(workers),
        "/".join(map(str, sorted(threads))),
        "/".join(format_bytes(n) for n in sorted(limits)),
        ", TLS" if encrypted else "",
        client.dashboard_link,
    )


def check_main_guard() -> None:
    """Refuse a script that would start itself again in each worker process.

    Raises
    ------
    UsageError
        If the running script has no ``if __name__ == "__main__":``.
    """
    main = sys.modules["__main__"]
    path = getattr(main, "__file__", None)
    if path is None or getattr(main, "__spec__", None) is not None or not path.endswith(".py"):
        return
    try:
        body = ast.parse(Path(path).read_text(encoding="utf-8")).body
    except (OSError, SyntaxError, UnicodeDecodeError):
        return
    if not any(isinstance(node, ast.If) and "__name__" in ast.dump(node.test) for node in body):
        raise UsageError(
            f"a local cluster starts processes that import {path} again: put what it does under "
            f'`if __name__ == "__main__":`, or leave the cluster out to run in this process'
        )
