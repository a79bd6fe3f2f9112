"""What the room's tests share: generated reads, an archive on loopback, a client."""

from __future__ import annotations

import gzip
import itertools
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import dask
import pytest
from distributed import Client
from tests.conftest import require_tool, threads

from polytene import rnaseq
from polytene.formats.remote import Patience
from polytene.testing import Archive, write_reads, write_transcripts

READS = 400
PATIENCE = 120.0
QUICK = Patience(tries=4, idle=2.0, wait=0.02)
DEBIAN = Path("/usr/share/doc/kallisto/test")


def until(condition: Callable[[], object], promise: str) -> None:
    """Wait for a fact, not for a time."""
    limit = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < limit, f"after {PATIENCE:g} s it is not so that {promise}"
        time.sleep(0.02)


@pytest.fixture(autouse=True, scope="session")
def quick() -> Iterator[None]:
    """No test here cuts the power, so nothing waits for the disk; retries follow at once."""
    with dask.config.set({"polytene.fsync": False, "polytene.retry-seconds": 0.01}):
        yield


@pytest.fixture(scope="session")
def here() -> Iterator[Client]:
    """Eight threads of this process."""
    with threads(8) as made:
        yield made


@pytest.fixture(scope="session")
def generated(tmp_path_factory) -> Path:
    """Transcripts, their index, and the FASTQ files of six paired runs and one single-end run."""
    require_tool("kallisto")
    folder = tmp_path_factory.mktemp("generated")
    fasta = write_transcripts(folder / "t.fa", 30)
    rnaseq.index(fasta, folder / "t.idx")
    write_reads(folder / "reads", fasta, runs=6, reads=READS)
    write_reads(folder / "reads", fasta, runs=1, reads=READS, paired=False, first=7)
    return folder


@pytest.fixture
def runs() -> list[str]:
    return [f"SRR9{i:07d}" for i in range(1, 7)]


@pytest.fixture
def archive(generated, tmp_path) -> Iterator[Archive]:
    """An archive of its own, whose files a test may change."""
    shutil.copytree(generated / "reads", tmp_path / "archive")
    reads = {f"SRR9{i:07d}": READS for i in range(1, 8)}
    with Archive(tmp_path / "archive", reads, stall=6.0) as served:
        yield served


@pytest.fixture
def plan(generated, archive, tmp_path):
    """``rnaseq.plan`` for the archive, in a folder of its own."""
    numbers = itertools.count()

    def make(samples, **options):
        given = {"index": generated / "t.idx", "out": tmp_path / f"work{next(numbers)}"}
        given |= {"ena_url": archive.url, "sdl_url": archive.sdl_url, "patience": QUICK}
        return rnaseq.plan(samples, **{**given, **options})

    return make


@pytest.fixture
def run(here):
    """``rnaseq.run`` in this process; everything may be quarantined."""

    def go(plan, **engine):
        return rnaseq.run(plan, **{"client": here, "max_quarantined": 1.0, **engine})

    return go


@pytest.fixture(scope="session")
def truth(generated, tmp_path_factory):
    """The table that kallisto itself makes of a run."""
    folder = tmp_path_factory.mktemp("truth")

    def of(name: str) -> bytes:
        out = folder / name
        if not out.exists():
            paths = sorted((generated / "reads").glob(f"{name}*.fastq.gz"))
            single = ["--single", "-l", "200", "-s", "20"] if len(paths) == 1 else []
            command = ["kallisto", "quant", "-i", generated / "t.idx", "-o", out, *single, *paths]
            subprocess.run(command, check=True, capture_output=True)
        return (out / "abundance.tsv").read_bytes()

    return of


@pytest.fixture(scope="session")
def make_sra(tmp_path_factory):
    """Make a .sra file of FASTQ files with the SRA's own loaders."""

    def make(run: str, into: Path, *fastq: Path) -> Path:
        for tool in ("latf-load", "kar"):
            require_tool(tool)
        folder = tmp_path_factory.mktemp("sra")
        plain = []
        for i, path in enumerate(fastq, 1):
            plain.append(folder / f"reads_{i}.fastq")
            plain[-1].write_bytes(gzip.decompress(path.read_bytes()))
        ends = [x for i, p in enumerate(plain, 1) for x in (f"-{i}", str(p))]
        ends = ends if len(plain) > 1 else [str(plain[0])]
        load = ["latf-load", "-p", "ILLUMINA", "--quality", "PHRED_33", "-o", str(folder / "db")]
        subprocess.run([*load, *ends], check=True, capture_output=True, cwd=folder)
        out = into / f"{run}.sra"
        pack = ["kar", "-c", str(out), "-d", str(folder / "db")]
        subprocess.run(pack, check=True, capture_output=True, cwd=folder)
        return out

    return make
