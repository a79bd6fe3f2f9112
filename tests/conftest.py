"""Fixtures that every room's tests share."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import dask
import pytest
from distributed import Client
from hypothesis import HealthCheck, settings

from polytene import cluster
from polytene.core.run import NO_PROFILER

dask.config.set(NO_PROFILER)

settings.register_profile(
    "default", deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile("thorough", settings.get_profile("default"), max_examples=1000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))

SHARED = Path(__file__).parents[2] / "shared" / "data"


@pytest.fixture
def shared_data() -> Path:
    """Real records that lie beside a developer's clone; they are not part of the project."""
    if not SHARED.is_dir():
        pytest.skip("the real test data are not beside this clone: ../shared/data is absent")
    return SHARED


def threads(n: int) -> Client:
    """Return a client of a cluster in this process, for tests that need no processes."""
    return Client(
        processes=False,
        n_workers=1,
        threads_per_worker=n,
        dashboard_address="127.0.0.1:0",
        worker_dashboard_address="127.0.0.1:0",
        memory_limit=None,
        set_as_default=False,
    )


@pytest.fixture(scope="session")
def here() -> Iterator[Client]:
    """Two threads of this process."""
    with threads(2) as made:
        yield made


@pytest.fixture(scope="module")
def local_client() -> Iterator[Client]:
    """Two worker processes under nannies; the current client while a module's tests run.

    Without TLS, so that commands that know its address alone can use it.
    """
    with cluster("local", workers=2, memory_limit="1GB", dashboard_port=0, tls="off") as client:
        yield client


def require_tool(name: str) -> str:
    """Return the path of an external program; without it the test is skipped, or fails in CI."""
    path = shutil.which(name)
    if path is None:
        if os.environ.get("POLYTENE_REQUIRE_TOOLS") == "1":
            pytest.fail(f"{name} is not installed, and POLYTENE_REQUIRE_TOOLS=1")
        pytest.skip(f"{name} is not installed")
    return path
