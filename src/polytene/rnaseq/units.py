"""A run of a sample list as a unit of work, and how the work on it is done."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from polytene.core.plan import Unit
from polytene.formats.downloads import Patience
from polytene.rnaseq.ena import BASE

Mode = Literal["stream", "staged", "auto"]
Files = tuple[tuple[str, int | None, str | None], ...]

FASTQ_PER_SRA = 15.6
"""Most bytes that fasterq-dump has on disk at once, per byte of the .sra file (measured)."""
OUTPUT_BYTES = 2 << 20


@dataclass(frozen=True)
class Sample(Unit):
    """One run: what is known of its reads before they are there.

    Parameters
    ----------
    layout
        ``PAIRED``, ``SINGLE``, or empty where nobody says.
    spots
        Reads, or pairs of them, that the archive counted; None where it does not say.
    remote
        Its FASTQ files at the ENA: ``(url, bytes, md5)`` each.
    local
        Its files in the local folder: ``(path, bytes, mtime_ns)`` each.
    sra_bytes
        Size of its .sra file, where known.
    fragment_length, fragment_sd
        Of single-end libraries, in bases.
    """

    layout: str = ""
    spots: int | None = None
    remote: Files = ()
    local: tuple[tuple[str, int, int], ...] = ()
    sra_bytes: int | None = None
    fragment_length: float = 200.0
    fragment_sd: float = 20.0

    @property
    def staged_bytes(self) -> float:
        """The most that the run has on disk at any moment when its files are staged."""
        fastq = sum(n or 0 for _, n, _ in self.remote)
        unpacked = (1 + FASTQ_PER_SRA) * (self.sra_bytes or 0) if not fastq else 0.0
        local = sum(n for path, n, _ in self.local if path.endswith(".sra")) * FASTQ_PER_SRA
        return max(fastq, unpacked, local) + OUTPUT_BYTES

    @property
    def footprint(self) -> Mapping[str, float]:
        """What it holds from its admission until it is settled: bytes on disk."""
        return {"disk": self.staged_bytes}

    def about(self) -> dict[str, Any]:
        """Return what its result is made of: no paths, no addresses."""
        md5 = sorted(md5 for _, _, md5 in self.remote if md5)
        local = [] if md5 else [[n, mtime] for _, n, mtime in self.local]
        fragments = [self.fragment_length, self.fragment_sd]
        return {"run": self.key, "md5": md5, "local": local, "fragments": fragments}


@dataclass(frozen=True)
class Settings:
    """How the work is done; nothing of it changes a result, so none of it is in the plan.

    Parameters
    ----------
    out
        Folder of the work.
    index
        The index's file or folder.
    quantifier, program
        Name and path of the quantifier.
    sources
        Where reads are looked for, in order: ``local``, ``ena``, ``sra``.
    mode
        ``stream``, ``staged`` or ``auto``.
    threads
        Threads of one quantification.
    downloads, quants
        How many run at once, over the whole cluster.
    source_caps
        Connections at once per source, where that is less than ``downloads``.
    disk_limit
        Bytes of reads on disk at once; None: as much as there is.
    patience
        How long to wait for a server.
    quant_timeout
        Seconds that a quantification may take; None: as long as it takes.
    keep_fastq
        Leave the reads where they are.
    ena_url, sdl_url
        Addresses of the ENA's portal and of the NCBI's name resolver; None: the real one.
    scratch
        Folder of the reads; None: ``out/fastq``.
    """

    out: str
    index: str
    quantifier: str = "kallisto"
    program: str | None = None
    sources: tuple[str, ...] = ("ena",)
    mode: Mode = "auto"
    threads: int = 1
    downloads: int = 5
    quants: int = 2
    source_caps: Mapping[str, int] = field(default_factory=dict)
    disk_limit: float | None = None
    patience: Patience = field(default_factory=Patience)
    quant_timeout: float | None = None
    keep_fastq: bool = False
    ena_url: str = BASE
    sdl_url: str | None = None
    scratch: str | None = None

    @property
    def folder(self) -> Path:
        """Folder of the work."""
        return Path(self.out)

    def reads_of(self, run: str) -> Path:
        """Return the folder where a run's reads are while they are needed."""
        return (Path(self.scratch) if self.scratch else self.folder / "fastq") / run

    def result_of(self, run: str) -> Path:
        """Return the folder of a run's result."""
        return self.folder / "quant" / run

    def log_of(self, run: str, stage: str) -> Path:
        """Return the log of a run's download or quantification."""
        logs = self.folder / "logs"
        logs.mkdir(parents=True, exist_ok=True)
        return logs / f"{run}.{stage}.log"

    @property
    def limits(self) -> dict[str, float]:
        """What may be used at once: connections, quantifications, bytes of disk."""
        caps = {f"net.{s}": self.source_caps.get(s, self.downloads) for s in ("ena", "sra")}
        bounded = self.disk_limit is not None and self.mode != "stream"
        disk = float(self.disk_limit or 0) if bounded else float("inf")
        slots = {"net": self.downloads, "quant": self.quants, "local": self.downloads}
        return {**slots, **caps, "disk": disk}
