"""A cluster that runs already."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import dask.config
from distributed import Client

from polytene.exceptions import PreflightError


@contextmanager
def open_address(
    address: str, settings: Mapping[str, Any] | None = None, timeout: str = "20s"
) -> Iterator[Client]:
    """Connect to a scheduler; leaving disconnects and stops nothing there.

    ``settings`` go over the configuration: ``distributed.comm.tls`` says who we are.
    """
    try:
        with dask.config.set(dask.config.merge(dask.config.config, settings or {})):
            client = Client(address, timeout=timeout)
    except (OSError, TimeoutError) as error:
        raise PreflightError(f"no scheduler answers at {address}: {error}") from None
    with client:
        if not client.nthreads():
            raise PreflightError(f"the scheduler at {address} has no workers: start some first")
        yield client
