"""What a worker does with a run: look for its reads at one source after the other, quantify."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from polytene.core.canonical import Json
from polytene.core.failure import categorise, describe
from polytene.core.files import FULL, write_bytes
from polytene.core.stage import Partial
from polytene.core.tools import ToolFailed
from polytene.exceptions import BadInput, PolyteneError, PreflightError
from polytene.formats.remote import DownloadFailed
from polytene.rnaseq.quantify import found_done, quantify_files
from polytene.rnaseq.settings import Settings
from polytene.rnaseq.sources import SOURCES, Value, remove_reads
from polytene.rnaseq.units import Sample


class NoSource(PolyteneError):
    """No source gave the reads, and at least one may do so later."""

    category = "transport"

    def __init__(self, detail: str, retry_after: float | None = None) -> None:
        super().__init__(detail, retry_after)
        self.detail, self.retry_after = detail, retry_after

    def __str__(self) -> str:
        return self.detail


@dataclass(frozen=True)
class Fetch:
    """The stage of one source. What it holds changes no result, so it is no parameter.

    Parameters
    ----------
    source
        ``local``, ``ena`` or ``sra``.
    last
        Whether no source comes after it.
    settings, params
        How the work is done; what results depend on.
    """

    source: str
    last: bool
    settings: Settings
    params: dict[str, Any]

    __name__ = "fetch"

    def __call__(self, sample: Sample, before: Value | None = None) -> Value | Partial:
        """Return where the reads are, the record of the result, or why neither is."""
        value: Value = before or {"problems": []}
        if "problems" not in value:
            return value
        if self.source in self.settings.sources:
            value = self._try(sample, value["problems"])
        if "problems" not in value:
            on_disk, nbytes = value.pop("on_disk", 0), value.pop("nbytes", 0)
            return Partial(value, nbytes=nbytes, holds=_less(sample, on_disk))
        if self.last:
            if self.settings.disk_limit is not None:  # what is settled holds no lease
                remove_reads(sample, self.settings)
            raise _no_source(sample, value["problems"])
        return value

    def _try(self, sample: Sample, problems: Sequence[Json]) -> Value:
        if done := found_done(sample, self.settings, self.params):
            return {"done": done}
        start = time.monotonic()
        try:
            value = SOURCES[self.source](sample, self.settings, self.params)
        except (OSError, PolyteneError) as error:
            if isinstance(error, ToolFailed) or (
                isinstance(error, OSError) and error.errno in FULL
            ):
                raise  # another source would not help
            why = describe(error) if not isinstance(error, DownloadFailed) else error.args[:2]
            after = getattr(error, "retry_after", None)
            return {"problems": [*problems, [self.source, categorise(error), *why, after]]}
        if (traffic := value.pop("traffic", None)) is not None:
            timing = {"source": self.source, "seconds": time.monotonic() - start, **traffic}
            note(self.settings, sample.key, "download", timing)
        return value


def _is_met_everywhere(error: Exception) -> bool:
    """Whether another source would not help: the quantifier or the disk is at fault."""
    if isinstance(error, OSError):
        return error.errno in FULL
    return isinstance(error, ToolFailed | PreflightError)


def _less(sample: Sample, on_disk: float) -> Mapping[str, float]:
    """Return what a run holds once its reads are there: the peak of getting them is over."""
    return {name: min(most, on_disk) for name, most in sample.footprint.items()}


def _no_source(sample: Sample, problems: list[Json]) -> PolyteneError:
    """Return the error for a run whose reads are nowhere: lasting only if all reasons are."""
    said = "; ".join(f"{source}: {why}: {detail}" for source, _, why, detail, _ in problems)
    passing = [p for p in problems if p[1] != "input"]
    if not passing:
        found = [p for p in problems if p[2] != "not-found"] or problems
        return BadInput(str(found[0][2]), f"{sample.key}: {said}")
    return NoSource(f"{sample.key}: {said}", max((p[4] for p in passing if p[4]), default=None))


@dataclass(frozen=True)
class Quantify:
    """The last stage: from reads to a proven result at its place."""

    settings: Settings
    params: dict[str, Any]

    __name__ = "quantify"

    def __call__(self, sample: Sample, reads: Value) -> Value:
        """Return the record of the result; the reads are removed once it is there."""
        settings = self.settings
        record = found_done(sample, settings, self.params)
        if not record and not _are_there(reads):
            reads = self._fetch_again(sample)
            record = reads.get("done")
        if not record:
            start = time.monotonic()
            made_of = {"source": reads["kind"], "md5": reads.get("md5")}
            about = (reads["files"], reads["reads"], made_of)
            record = quantify_files(sample, settings, self.params, *about)
            note(settings, sample.key, "quant", {"seconds": time.monotonic() - start})
        freed = 0 if settings.keep_fastq else remove_reads(sample, settings)
        if freed:
            note(settings, sample.key, "cleanup", {"freed": freed})
        return dict(record)

    def _fetch_again(self, sample: Sample) -> Value:
        """Fetch reads that somebody has removed since they were fetched."""
        value: Value = {"problems": []}
        sources = self.settings.sources
        for source in sources:
            fetch = Fetch(source, source == sources[-1], self.settings, self.params)
            found = fetch(sample, value)
            value = found.value if isinstance(found, Partial) else found  # type: ignore[assignment]
        return value


def _are_there(reads: Value) -> bool:
    return "files" in reads and all(Path(f).is_file() for f in reads["files"])


def note(settings: Settings, run: str, stage: str, about: Value) -> None:
    """Write down what a stage took, for the report: times are no part of a result."""
    path = settings.log_of(run, "times").with_suffix(".json")
    try:
        known = json.loads(path.read_text())
    except (OSError, ValueError):
        known = {}
    write_bytes(path, json.dumps({**known, stage: about}).encode(), sync=False)
