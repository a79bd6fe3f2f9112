"""How the work on a sample list is done: nothing of it changes a result."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from polytene.core.scratch import host_scratch
from polytene.formats.remote import Patience
from polytene.rnaseq.ena import BASE

Mode = Literal["stream", "staged", "auto"]

ON_HOST = "host"
"""As ``scratch``: reads lie on the own disk of whichever host a run is worked on."""
NO_LIMIT = 1e15
"""Bytes of a host's disk where nobody says: free shares of it still tell hosts apart."""


@dataclass(frozen=True)
class Settings:
    """How the work is done; nothing of it changes a result, so none of it is in the plan.

    Parameters
    ----------
    out
        Folder of the work.
    index
        The index's file or folder.
    index_bytes
        Its size: what each quantification has in memory of it.
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
        Bytes of reads on disk at once, on each host if they lie there; None: as much as there is.
    patience
        How long to wait for a server.
    quant_timeout
        Seconds that a quantification may take; None: as long as it takes.
    keep_fastq
        Leave the reads where they are.
    ena_url, sdl_url
        Addresses of the ENA's portal and of the NCBI's name resolver; None: the real one.
    scratch
        Folder of the reads, which all workers share; ``"host"``: the own disk of each host;
        None: ``out/fastq``.
    """

    out: str
    index: str
    index_bytes: int = 0
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

    @property
    def on_host(self) -> bool:
        """Whether reads lie on the disks of the hosts, not on one that all share."""
        return self.scratch == ON_HOST

    @property
    def lease(self) -> str:
        """Name of the limit that reads on disk are held against."""
        return "host.disk" if self.on_host else "disk"

    def reads_of(self, run: str) -> Path:
        """Return the folder where a run's reads are while they are needed; for its worker."""
        if self.on_host:
            return host_scratch() / run
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
        slots = {"net": self.downloads, "quant": self.quants, "local": self.downloads}
        unbounded = NO_LIMIT if self.on_host else math.inf
        return {**slots, **caps, self.lease: self.disk_limit or unbounded}
