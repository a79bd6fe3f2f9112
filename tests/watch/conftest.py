"""What these tests share: no test here cuts the power or asks a server."""

from __future__ import annotations

from collections.abc import Iterator

import dask
import pytest


@pytest.fixture(autouse=True, scope="session")
def quick() -> Iterator[None]:
    """Nothing waits for a disk or a server."""
    with dask.config.set({"polytene.fsync": False, "polytene.retry-seconds": 0}):
        yield
