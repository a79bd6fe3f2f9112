"""A cluster that runs already."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from distributed import Client

from polytene.exceptions import PreflightError


@contextmanager
def open_address(address: str, timeout: str = "20s") -> Iterator[Client]:
    """Connect to a scheduler; leaving disconnects and stops nothing there."""
    try:
        client = Client(address, timeout=timeout)
    except (OSError, TimeoutError) as error:
        raise PreflightError(f"no scheduler answers at {address}: {error}") from None
    with client:
        if not client.nthreads():
            raise PreflightError(f"the scheduler at {address} has no workers: start some first")
        yield client
