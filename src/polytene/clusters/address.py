"""A cluster that runs already."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import dask.config
from distributed import Client
from distributed.security import Security

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
            if address.startswith("tls:") and not _has_certificate():
                raise PreflightError(
                    f"the scheduler at {address} takes only who has its certificate: give the file "
                    "that `polytene cluster start` wrote as --cluster, or set distributed.comm.tls"
                )
            client = Client(address, timeout=timeout)
    except (OSError, TimeoutError) as error:
        raise PreflightError(f"no scheduler answers at {address}: {error}") from None
    with client:
        if not client.nthreads():
            raise PreflightError(f"the scheduler at {address} has no workers: start some first")
        yield client


def _has_certificate() -> bool:
    return Security().get_connection_args("client").get("ssl_context") is not None
