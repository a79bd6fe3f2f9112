"""The disk that reads may take: what is asked for, and whether it can be kept."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from dask.utils import format_bytes, parse_bytes

from polytene.exceptions import UsageError
from polytene.rnaseq.settings import ON_HOST, Settings
from polytene.rnaseq.units import Sample


def scratch_of(given: str | Path | None, keep_fastq: bool) -> str | None:
    """Return where reads lie while they are needed; None: below the folder of the work.

    Raises
    ------
    UsageError
        If reads that go with their run are to be kept.
    """
    if str(given) != ON_HOST:
        return str(Path(given).absolute()) if given else None
    if keep_fastq:
        raise UsageError(
            "reads on the hosts' own disks go with their run: leave --keep-fastq out, or let "
            "--scratch name a folder that all workers share"
        )
    return ON_HOST


def bytes_of(given: str | float | None) -> float | None:
    """Return the bytes of a limit such as ``"25GB"``.

    Raises
    ------
    UsageError
        If it is none.
    """
    if given is None:
        return None
    try:
        value = float(parse_bytes(given))
    except ValueError:
        raise UsageError(f"disk_limit is {given!r}: give a size such as '25GB'") from None
    if value <= 0:
        raise UsageError(f"disk_limit is {given!r}: give a size such as '25GB'")
    return value


def check_disk(units: Sequence[Sample], settings: Settings) -> None:
    """Refuse, before any work, runs of which nobody can say that they keep the disk limit.

    Raises
    ------
    UsageError
        With the run, and what else may be done.
    """
    if settings.disk_limit is None or not units:
        return
    unknown = [u.key for u in units if None in u.phases]
    if unknown:
        raise UsageError(
            f"nobody says how large the reads of {len(unknown):,} runs are, such as {unknown[0]}, "
            "so that no disk limit can be kept: leave --disk-limit out, or give a list with sizes"
        )
    most = max(units, key=lambda u: u.staged_bytes)
    if most.staged_bytes > settings.disk_limit:
        other = "without the source sra" if most.unpacks else "with --mode stream"
        raise UsageError(
            f"{most.key} needs {format_bytes(int(most.staged_bytes))} of disk while it is staged, "
            f"and the limit is {format_bytes(int(settings.disk_limit))}: raise --disk-limit, or "
            f"run it {other}"
        )
