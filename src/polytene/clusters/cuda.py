"""One worker per GPU of this machine, and one per core beside them for what needs no GPU.

A worker of a GPU has one thread, its own GPU first in ``CUDA_VISIBLE_DEVICES``, and the resource
``GPU``; only stages with ``needs={"GPU": 1}`` go there, so that none of them waits for a reader or
a parser. The other workers see no GPU and offer ``CPU``. There are as many as cores: whoever drives
a GPU mostly waits for it, and with fewer of them cores would idle whenever the GPUs do.

Nothing here touches a GPU: NVML, which counts them, makes no CUDA context. Only workers do.
"""

from __future__ import annotations

import copy
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import dask
from distributed import Client, LocalCluster

from polytene.clusters.local import count_of, default_workers, memory_each, on_this_host
from polytene.exceptions import PreflightError, UsageError

GPU, CPU = "GPU", "CPU"
INSTALL = "pip install 'polytene[cuda]'"
VISIBLE = "CUDA_VISIBLE_DEVICES"
BUS_ORDER = {"distributed.nanny.pre-spawn-environ.CUDA_DEVICE_ORDER": "PCI_BUS_ID"}  # as NVML
PASSED_ON = ("device_memory_limit", "rmm_pool_size", "rmm_maximum_pool_size", "rmm_managed_memory")


@contextmanager
def open_cuda(settings: Mapping[str, Any], overrides: Mapping[str, Any]) -> Iterator[Client]:
    """Start a cluster of this machine's GPUs: ``settings`` over the configuration, and so on.

    Raises
    ------
    PreflightError
        If there is no NVIDIA driver, no GPU, or no dask-cuda: one sentence with what to do.
    """
    with on_this_host(settings, overrides, _cluster) as client:
        yield client


def _cluster(about: Mapping[str, Any], common: Mapping[str, Any]) -> LocalCluster:
    dask_cuda = require()
    devices = chosen(about["gpus"])
    workers = count_of(about, "workers", default_workers(), least=0)
    threads = count_of(about, "threads", 1)
    limit = memory_each(about["memory_limit"], len(devices) + workers)
    given = {k: about[k] for k in PASSED_ON if about[k] not in (None, False)}
    try:
        with dask.config.set(BUS_ORDER):
            made = dask_cuda.LocalCUDACluster(
                CUDA_VISIBLE_DEVICES=devices,
                threads_per_worker=1,
                memory_limit=limit,
                resources={GPU: 1},
                **given,
                **common,
            )
    except ImportError as error:
        raise PreflightError(f"cluster 'cuda': {error}; {INSTALL}") from None
    try:
        _add_plain(made, workers, threads, limit)
    except BaseException:
        made.close()
        raise
    return made


def _add_plain(made: LocalCluster, workers: int, threads: int, limit: int) -> None:
    """Start workers without a GPU on a cluster of GPUs."""
    own = ("data", "plugins", "preload", "preload_argv", "env", "resources")
    options = {k: v for k, v in made.new_spec["options"].items() if k not in own}
    options |= {
        "env": {VISIBLE: ""},
        "nthreads": threads,
        "memory_limit": limit,
        "resources": {CPU: threads},
    }
    for i in range(workers):
        spec = {"cls": made.new_spec["cls"], "options": copy.copy(options)}
        made.worker_spec[f"cpu-{i}"] = spec
    made.sync(made._correct_state)


def require() -> Any:
    """Return dask-cuda, if it and a driver are there.

    Raises
    ------
    PreflightError
        In one sentence, what is missing and what to do.
    """
    if sys.platform != "linux":
        raise PreflightError(f"cluster 'cuda' needs Linux, this is {sys.platform}; use 'local'")
    try:
        import dask_cuda
        import pynvml
    except ImportError as error:
        raise PreflightError(f"cluster 'cuda' needs dask-cuda ({error}): {INSTALL}") from None
    try:
        pynvml.nvmlInit()
        found = pynvml.nvmlDeviceGetCount()
    except pynvml.NVMLError as error:
        raise PreflightError(
            f"cluster 'cuda' finds no NVIDIA driver on this machine ({error}): run it where "
            "nvidia-smi lists GPUs, or use --cluster local"
        ) from None
    if not found:
        raise PreflightError("cluster 'cuda': the NVIDIA driver lists no GPU; use --cluster local")
    return dask_cuda


def chosen(gpus: Any) -> list[str]:
    """Return the GPUs to use: those asked for, those that the environment shows, else all.

    Raises
    ------
    UsageError
        If one is named twice or does not exist.
    """
    import pynvml

    count = pynvml.nvmlDeviceGetCount()
    text = os.environ.get(VISIBLE) if gpus is None else gpus
    names = [str(i) for i in range(count)] if text is None else _split(text)
    if not names:
        raise PreflightError(f"cluster 'cuda': {VISIBLE} is empty, which hides all {count} GPUs")
    if len(set(names)) < len(names):
        raise UsageError(f"gpus: {', '.join(names)} names one twice")
    for name in names:
        if name.isdigit() and int(name) >= count:
            raise UsageError(f"gpus: there is no GPU {name}; this machine has 0 to {count - 1}")
        if not name.isdigit() and not name.startswith(("GPU-", "MIG-")):
            raise UsageError(f"gpus: {name!r} is no number and no UUID such as GPU-1a2b...")
    return names


def _split(text: Any) -> list[str]:
    """Return the names in ``"0,2"``, ``[0, 2]`` or ``2``."""
    parts = text if isinstance(text, list | tuple) else str(text).split(",")
    return [str(part).strip() for part in parts if str(part).strip()]
