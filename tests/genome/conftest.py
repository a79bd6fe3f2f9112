"""What the room's tests share: a generated assembly, a client in this process, naive reading."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import dask
import pytest
from distributed import Client

from polytene.genome import Genome
from polytene.testing.assembly import Assembly, write_assembly


@pytest.fixture(autouse=True, scope="session")
def quick() -> Iterator[None]:
    """No test here cuts the power, so nothing waits for the disk."""
    with dask.config.set({"polytene.fsync": False}):
        yield


@pytest.fixture(scope="session")
def here() -> Iterator[Client]:
    """Two threads of this process."""
    with Client(
        processes=False,
        n_workers=1,
        threads_per_worker=2,
        dashboard_address="127.0.0.1:0",
        worker_dashboard_address="127.0.0.1:0",
        memory_limit=None,
        set_as_default=False,
    ) as made:
        yield made


@pytest.fixture(scope="session")
def assembly(tmp_path_factory) -> Assembly:
    return write_assembly(tmp_path_factory.mktemp("assembly"))


@pytest.fixture(scope="session")
def genome(assembly) -> Genome:
    return Genome(assembly.fasta)


def read_naively(path: Path) -> dict[str, str]:
    """A FASTA file, line by line."""
    out: dict[str, str] = {}
    for block in path.read_text().split(">")[1:]:
        head, _, body = block.partition("\n")
        out[head.split()[0]] = "".join(body.split())
    return out


@pytest.fixture(scope="session")
def sequences(assembly) -> dict[str, str]:
    return read_naively(assembly.fasta)
