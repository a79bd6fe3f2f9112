"""What the room's tests share: short cuts, and naive counting."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import dask
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from polytene import codons

CODONS = ["".join(c) for c in itertools.product("TCAG", repeat=3)]
COMPLEMENT = str.maketrans("ACGTUNacgtun", "TGCAANtgcaan")


@pytest.fixture(autouse=True, scope="session")
def quick() -> Iterator[None]:
    """No test here cuts the power, so nothing waits for the disk."""
    with dask.config.set({"polytene.fsync": False}):
        yield


@pytest.fixture
def count(here, tmp_path):
    """``codons.count`` in a run directory of its own; everything may be quarantined."""
    numbers = itertools.count()

    def run(inputs, **options):
        options = {"run_dir": tmp_path / f"run{next(numbers)}", "max_quarantined": 1.0} | options
        return codons.count(inputs, **{"client": here, **options})

    return run


@pytest.fixture
def ingest(here, tmp_path):
    """``codons.ingest`` into a set of its own; returns the set and the outcome."""
    numbers = itertools.count()

    def run(*files, into=None, **options):
        into = into or tmp_path / f"set{next(numbers)}"
        given = {"client": here, "max_quarantined": 1.0, **options}
        return into, codons.ingest(files, into, **given)

    return run


@pytest.fixture
def parquet(tmp_path):
    """Write columns as a Parquet file in a folder of its own; return the file."""
    numbers = itertools.count()

    def write(columns, name="x.parquet", folder=None, **options) -> Path:
        folder = folder or tmp_path / f"pq{next(numbers)}"
        folder.mkdir(exist_ok=True)
        table = columns if isinstance(columns, pa.Table) else pa.table(columns)
        pq.write_table(table, folder / name, **options)
        return folder / name

    return write


def _tally(sequence: str, frame: int = 0, softmask: str = "count") -> list[int]:
    text = sequence if softmask == "skip" else sequence.upper()
    text = text.replace("U", "T")
    found = [text[i : i + 3] for i in range(frame, len(text) - 2, 3)]
    row = [found.count(codon) for codon in CODONS]
    return [*row, len(found) - sum(row)]


def _spliced(sequence: str, pieces: list[tuple[int, int, int]], codon_start: int = 1) -> str:
    parts = [
        sequence[a:b] if strand > 0 else sequence[a:b].translate(COMPLEMENT)[::-1]
        for a, b, strand in pieces
    ]
    return "".join(parts)[codon_start - 1 :]


def _table(result) -> dict[object, list[int]]:
    rows = [*result["count"].values.tolist()]
    ambiguous = result["n_ambiguous"].values.tolist()
    groups = result["group"].values.tolist()
    return {g: [*r, a] for g, r, a in zip(groups, rows, ambiguous, strict=True)}


def _fasta(path: Path) -> dict[str, str]:
    out: dict[str, str] = {}
    for block in path.read_text().split(">")[1:]:
        head, _, body = block.partition("\n")
        out[head.split()[0]] = "".join(body.split())
    return out


def _add(rows) -> list[int]:
    return [sum(column) for column in zip(*rows, strict=True)]


@pytest.fixture(scope="session")
def naive() -> SimpleNamespace:
    """Counting in plain Python, to hold the room against."""
    return SimpleNamespace(
        codons=CODONS, tally=_tally, spliced=_spliced, table=_table, fasta=_fasta, add=_add
    )
