"""A run of a sample list as a unit of work, and what it holds while it is worked on."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, get_args

from polytene.core.plan import Unit
from polytene.rnaseq.settings import Mode, Settings

Files = tuple[tuple[str, int | None, str | None], ...]

FASTQ_PER_SRA = 15.6
"""Most bytes that fasterq-dump has on disk at once, per byte of the .sra file (measured)."""


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

    mode: ClassVar[Mode] = "auto"
    """How its FASTQ files of the ENA are read."""
    unpacks: ClassVar[bool] = False
    """Whether the SRA may be asked for it."""
    lease: ClassVar[str] = "disk"
    """The limit that its reads on disk are held against."""

    @property
    def streamed(self) -> bool:
        """Whether its reads come from the ENA without touching a disk."""
        if self.mode == "auto":
            return all(md5 and n for _, n, md5 in self.remote)
        return self.mode == "stream"

    @property
    def phases(self) -> tuple[float | None, ...]:
        """Bytes of reads on disk in each way that they may come; None: nobody knows."""
        remote = [n for _, n, _ in self.remote]
        fastq = sum(n or 0 for n in remote) if remote and all(remote) else None
        found: list[float | None] = []
        if self.remote and not self.streamed:
            found.append(fastq)
        if self.unpacks:  # a .sra file is about as large as the gzip files of its reads
            packed = self.sra_bytes or fastq
            found.append((1 + FASTQ_PER_SRA) * packed if packed else None)
        found += [n * FASTQ_PER_SRA for path, n, _ in self.local if path.endswith(".sra")]
        return tuple(found)

    @property
    def staged_bytes(self) -> float:
        """The most bytes of its reads that are on disk at any moment."""
        return max((n or 0.0 for n in self.phases), default=0.0)

    @property
    def footprint(self) -> Mapping[str, float]:
        """What it holds from its admission until it is settled: bytes on disk, if any."""
        return {self.lease: max(1.0, self.staged_bytes)} if self.phases else {}

    def about(self) -> dict[str, Any]:
        """Return what its result is made of: no paths, no addresses."""
        md5 = sorted(md5 for _, _, md5 in self.remote if md5)
        local = [] if md5 else [[n, mtime] for _, n, mtime in self.local]
        fragments = [self.fragment_length, self.fragment_sd]
        return {"run": self.key, "md5": md5, "local": local, "fragments": fragments}


def _kind(mode: Mode, unpacks: bool, lease: str) -> type[Sample]:
    name = f"Sample_{mode}_{'sra' if unpacks else 'ena'}_{lease.replace('.', '_')}"
    own = {"__module__": __name__, "__doc__": Sample.__doc__}
    kind = type(name, (Sample,), {**own, "mode": mode, "unpacks": unpacks, "lease": lease})
    globals()[name] = kind  # workers and saved plans find it by its name
    return kind


_WAYS = itertools.product(get_args(Mode), (False, True), ("disk", "host.disk"))
KINDS: dict[tuple[Any, ...], type[Sample]] = {way: _kind(*way) for way in _WAYS}
"""Per mode, whether the SRA is asked, and lease: the class of such samples.

What a run holds depends on how it is fetched. That is no field of it: fields are what its result
is made of, and another way of fetching keeps what is done.
"""


def kind_of(settings: Settings) -> type[Sample]:
    """Return the class of samples that are fetched in this way."""
    mode = settings.mode if "ena" in settings.sources else "stream"
    return KINDS[mode, "sra" in settings.sources, settings.lease]
