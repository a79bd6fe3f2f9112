"""What the room's tests share: a generated assembly, and naive reading."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import dask
import pytest

from polytene.genome import Genome
from polytene.testing.assembly import Assembly, write_assembly


@pytest.fixture(autouse=True, scope="session")
def quick() -> Iterator[None]:
    """No test here cuts the power, so nothing waits for the disk."""
    with dask.config.set({"polytene.fsync": False}):
        yield


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
