"""What the room's tests share: dumps, and a naive reading of XML."""

from __future__ import annotations

import itertools
import tarfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import dask
import pytest

from polytene import metadata
from polytene.testing import write_dump


@pytest.fixture(autouse=True, scope="session")
def quick() -> Iterator[None]:
    """No test here cuts the power, so nothing waits for the disk."""
    with dask.config.set({"polytene.fsync": False}):
        yield


@pytest.fixture
def build(here, tmp_path):
    """``metadata.build`` into a folder of its own; returns the knowledge base and the outcome."""
    numbers = itertools.count()

    def run(source, into=None, **options):
        into = into or tmp_path / f"kb{next(numbers)}"
        outcome = metadata.build(source, into, **{"client": here, "shard_bytes": "64KiB"} | options)
        return metadata.open(into), outcome

    return run


@pytest.fixture(scope="session")
def dump(tmp_path_factory) -> Path:
    return write_dump(tmp_path_factory.mktemp("dump"), submissions=40)


@pytest.fixture
def corpus(shared_data, tmp_path) -> Path:
    """The 400 submissions whose truth is known, as a tree."""
    with tarfile.open(shared_data / "metadata" / "corpus-400.tar.gz") as archive:
        archive.extractall(tmp_path / "corpus", filter="data")
    return tmp_path / "corpus"


class Naive:
    """A dump read with ElementTree, record by record: what the room has to agree with."""

    def __init__(self, root: Path) -> None:
        self.records: dict[str, dict[str, ElementTree.Element]] = {}
        for path in sorted(root.glob("*/*.xml")):
            for element in ElementTree.parse(path).iter():
                if element.tag in ("EXPERIMENT", "SAMPLE", "RUN", "STUDY", "SUBMISSION"):
                    of_kind = self.records.setdefault(element.tag.lower(), {})
                    of_kind[element.get("accession")] = element

    def text(self, kind: str, path: str) -> dict[str, str | None]:
        return {a: e.findtext(path) or None for a, e in self.records[kind].items()}

    def organism_of(self, experiment: ElementTree.Element) -> str | None:
        ref = experiment.find("DESIGN/SAMPLE_DESCRIPTOR").get("accession")
        sample = self.records["sample"].get(ref)
        return None if sample is None else sample.findtext("SAMPLE_NAME/SCIENTIFIC_NAME")

    def cross(self) -> Counter:
        library = "DESIGN/LIBRARY_DESCRIPTOR/LIBRARY_"
        return Counter(
            (
                self.organism_of(e),
                *(e.findtext(library + n) for n in ("STRATEGY", "SOURCE", "SELECTION")),
            )
            for e in self.records["experiment"].values()
        )


@pytest.fixture(scope="session")
def naive():
    return Naive


def published(kb: Path) -> dict[str, bytes]:
    """The bytes of everything that a knowledge base shows."""
    found = (p for p in sorted(kb.rglob("*")) if p.is_file())
    names = {str(p.relative_to(kb)): p for p in found}
    return {n: p.read_bytes() for n, p in names.items() if not n.startswith("work/")}
