"""One small job of each room, on generated data: whatever cluster it ran on, the same bytes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from polytene import codons, genome, lightcurves, metadata, rnaseq
from polytene.testing import (
    Archive,
    write_assembly,
    write_dump,
    write_reads,
    write_set,
    write_stars,
    write_transcripts,
)

READS = 300
OF_RUNS = (("work",), ("run",))
Job = Callable[[Path, Any], Path]


def count_codons(data: Path, out: Path, client: Any, **options: Any) -> Path:
    found = codons.count(data / "set", run_dir=out / "run", by="source", client=client, **options)
    codons.write(codons.to_wide(found.result), out / "usage.parquet", found.result.attrs)
    return out / "usage.parquet"


def compose(data: Path, out: Path, client: Any) -> Path:
    plan = genome.plan_chunks(data / "assembly" / "genome.fa", n_chunks=6)
    found = genome.composition(plan, window=5000, run_dir=out / "run", client=client)
    genome.write_composition(found.result, out / "composition.parquet")
    return out / "composition.parquet"


def build(data: Path, out: Path, client: Any) -> Path:
    metadata.build(data / "dump", out / "kb", client=client)
    return out / "kb"


def quantify(data: Path, out: Path, client: Any) -> Path:
    with Archive(data / "reads", dict.fromkeys(_runs(data), READS)) as archive:
        about = {"index": data / "t.idx", "out": out, "ena_url": archive.url}
        rnaseq.run(rnaseq.plan(_runs(data), **about), client=client)
    rnaseq.merge(out, client=client)
    return out / "merged"


def extract(data: Path, out: Path, client: Any) -> Path:
    lightcurves.extract(data / "sky" / "targets.csv", out, data / "sky", client=client)
    return out / "features.parquet"


JOBS = {
    "codons": count_codons,
    "genome": compose,
    "metadata": build,
    "rnaseq": quantify,
    "lightcurves": extract,
}


def make_data(folder: Path) -> Path:
    """Write what the jobs read; rnaseq's needs kallisto."""
    write_set(folder / "set", sequences=12, files=2, group_rows=3)
    write_assembly(folder / "assembly", bases=60_000)
    write_dump(folder / "dump", submissions=8)
    fasta = write_transcripts(folder / "t.fa", 20)
    rnaseq.index(fasta, folder / "t.idx")
    write_reads(folder / "reads", fasta, runs=2, reads=READS)
    write_stars(folder / "sky", n=3, cadence=0.01)
    return folder


def _runs(data: Path) -> list[str]:
    return sorted({path.name.split("_")[0] for path in (data / "reads").glob("*.fastq.gz")})


def bytes_of(path: Path) -> dict[str, bytes]:
    """Return the bytes of a result, by file; what its run keeps beside it has times in it."""
    files = sorted(path.rglob("*")) if path.is_dir() else [path]
    names = {str(p.relative_to(path.parent)): p for p in files if p.is_file()}
    own = {
        name: p for name, p in names.items() if Path(name).parts[1:2] not in (("work",), ("run",))
    }
    assert own
    return {name: p.read_bytes() for name, p in own.items()}
