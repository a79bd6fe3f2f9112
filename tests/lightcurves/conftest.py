"""What the room's tests share: clients, real light curves, generated stars, an archive."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import dask
import pytest
from distributed import Client
from tests.conftest import threads

from polytene import lightcurves as lc
from polytene.testing import stars, write_stars
from polytene.testing.stars import file_name, fits_bytes

from .archive_server import ArchiveServer

SLOW_CADENCE = 0.01


@pytest.fixture(autouse=True, scope="session")
def quick() -> Iterator[None]:
    """No test here cuts the power, and no server on loopback needs patience."""
    with dask.config.set({"polytene.fsync": False, "polytene.retry-seconds": 0.01}):
        yield


@pytest.fixture(scope="session")
def many_threads() -> Iterator[Client]:
    """Sixteen threads of this process, which mostly wait."""
    with threads(16) as made:
        yield made


@pytest.fixture(scope="session")
def sky(tmp_path_factory) -> Path:
    """Seven stars at a slow cadence and one target without files, with their table."""
    folder = tmp_path_factory.mktemp("sky")
    return write_stars(folder, n=7, cadence=SLOW_CADENCE)


@pytest.fixture
def real(shared_data) -> Path:
    return shared_data / "lightcurves"


@pytest.fixture
def extract(here, tmp_path):
    """``extract`` in a run directory of its own; everything may be quarantined."""
    numbers = itertools.count()

    def run(samples, source, **options):
        given = {
            "run_dir": tmp_path / f"run{next(numbers)}",
            "max_quarantined": 1.0,
            "client": here,
        }
        return lc.extract(samples, source=source, **{**given, **options})

    return run


@pytest.fixture
def archive() -> Iterator[ArchiveServer]:
    """An archive with one sector of six stars, and two of the first."""
    files, observed = {}, {}
    for i, star in enumerate(stars(6)):
        sectors = (1, 2) if i == 0 else (1,)
        names = [file_name(star, s) for s in sectors]
        for sector, name in zip(sectors, names, strict=True):
            files[name] = fits_bytes(star, sector, SLOW_CADENCE)
        observed[str(star.tic)] = names
    with ArchiveServer(files, observed) as server:
        yield server


@pytest.fixture
def source(archive, tmp_path):
    """The archive as a source, with a cache of its own."""

    def make(**options) -> lc.Archive:
        given = {"cache": tmp_path / "cache", "bases": (archive.base, archive.base),
                 "search": archive.base, "timeout": 5.0}  # fmt: skip
        return lc.Archive(**{**given, **options})

    return make


@pytest.fixture
def ids() -> list[str]:
    return [s.target_id for s in stars(6)]


def rows(outcome) -> list[dict]:
    return outcome.result.to_pylist()
