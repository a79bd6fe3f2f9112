"""A real SLURM for the tests of this folder."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.clusters.slurm_here import TOOLS, Slurm
from tests.conftest import require_tool


@pytest.fixture(scope="session")
def slurm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Slurm]:
    """Two nodes of 4 cores and 8000 MB, the second with two pretend GPUs."""
    for tool in TOOLS:
        require_tool(tool)
    if os.geteuid() != 0:
        refuse = pytest.fail if os.environ.get("POLYTENE_REQUIRE_TOOLS") == "1" else pytest.skip
        refuse("SLURM's daemons and device files need root")
    here = Slurm(Path(tmp_path_factory.mktemp("slurm")))
    before = os.environ.get("SLURM_CONF")
    os.environ["SLURM_CONF"] = str(here.conf)
    try:
        here.start()
        yield here
    finally:
        here.stop()
        os.environ.pop("SLURM_CONF")
        if before:
            os.environ["SLURM_CONF"] = before
