"""A small real run of each room, which can be held while somebody looks at it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.conftest import require_tool

from polytene import codons, lightcurves, metadata, rnaseq, testing
from polytene.core.events import Begun, Event, Settled
from polytene.genome.composition.compose import composition
from polytene.genome.planning.plan import plan_chunks
from polytene.testing.archive import Archive
from polytene.testing.assembly import write_assembly
from polytene.testing.dump import write_dump
from polytene.testing.reads import write_reads, write_transcripts
from polytene.testing.stars import write_stars

PATIENCE = 180.0


class Gate:
    """Holds a driver once so many blocks of a kind of run are settled."""

    def __init__(self, kind: str, after: int) -> None:
        self.kind, self.after, self.directory = kind, after, ""
        self.reached, self.open = threading.Event(), threading.Event()
        self._seen = 0
        self._here = False

    def __call__(self, event: Event) -> None:
        if isinstance(event, Begun):
            self._here = event.kind == self.kind
            self.directory = event.directory if self._here else self.directory
        if isinstance(event, Settled) and self._here:
            self._seen += 1
            if self._seen == self.after:
                self.reached.set()
                assert self.open.wait(PATIENCE)


def count(folder: Path, **engine: Any) -> None:
    files = [
        testing.write_genbank(folder / f"genomes_{i:02d}.gb", 4, first=1 + 4 * i) for i in range(14)
    ]
    codons.ingest(files, folder / "set", client=engine["client"])
    codons.count(folder / "set", mode="cds", by="organism", run_dir=folder / "run", **engine)


def compose(folder: Path, **engine: Any) -> None:
    made = write_assembly(folder, bases=2_000_000, chromosomes=6, scaffolds=14, genes=400)
    plan = plan_chunks(made.fasta, made.gff3, n_chunks=48)
    composition(plan, window=50_000, run_dir=folder / "run", **engine)


def build(folder: Path, **engine: Any) -> None:
    dump = write_dump(folder / "dump", submissions=240)
    for name in ("SRA900007/SRA900007.run.xml", "SRA900011/SRA900011.sample.xml"):
        (dump / name).write_bytes((dump / name).read_bytes()[:-30])
    metadata.build(dump, folder / "kb", shard_bytes="1MiB", **engine)


def quantify(folder: Path, **engine: Any) -> None:
    require_tool("kallisto")
    fasta = write_transcripts(folder / "transcripts.fa", 40)
    index = rnaseq.index(fasta, folder / "transcripts.idx")
    reads: dict[str, int] = {}
    for n in range(10):
        made = write_reads(folder / "archive", fasta, runs=1, reads=200 + 80 * n, first=n + 1)
        reads |= dict.fromkeys(made, 200 + 80 * n)
    with Archive(folder / "archive", reads) as archive:
        plan = rnaseq.plan(
            [*reads, "ERR9999999"], index=index.path, out=folder / "run", ena_url=archive.url,
            mode="staged", disk_limit="200MB",
        )  # fmt: skip
        rnaseq.run(plan, max_quarantined=1, **engine)


def extract(folder: Path, **engine: Any) -> None:
    sky = write_stars(folder / "sky", n=7, missing=1)
    lightcurves.extract(sky / "targets.csv", folder / "run", sky, 1, max_quarantined=1, **engine)


Job = tuple[Callable[..., None], str, int, str, str]
JOBS: dict[str, Job] = {
    "codons": (count, "codons-count", 7, "run", "Relative synonymous codon usage"),
    "genome": (compose, "genome-composition", 20, "run", "Chunks"),
    "lightcurves": (extract, "lightcurves-extract", 5, "run", "Period and depth"),
    "metadata": (build, "metadata-parse", 7, "kb/work/g0000/parse", "Samples by organism"),
    "rnaseq": (quantify, "rnaseq-quant", 5, "run", "Runs by stage"),
}
"""What runs, its kind, blocks before it is held, its run directory, and a picture of its room."""
