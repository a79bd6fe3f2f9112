"""What a worker does with a run: look for its reads at one source after the other, quantify."""

from __future__ import annotations

import fcntl
import json
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from polytene.core.canonical import Json
from polytene.core.failure import categorise, describe
from polytene.core.files import FULL, write_bytes
from polytene.core.stage import Partial
from polytene.exceptions import BadInput, PolyteneError
from polytene.formats.downloads import DownloadFailed, NotThere, Remote, download, is_whole
from polytene.rnaseq.quantify import found_done, quantify_files, quantify_streams
from polytene.rnaseq.reads import count_reads, mates
from polytene.rnaseq.sra import fetch_sra, unpack
from polytene.rnaseq.units import Sample, Settings

SOURCES = ("local", "ena", "sra")
FETCHED = "fetched.json"
Value = dict[str, Json]


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
        if self.last and "problems" in value:
            if self.settings.disk_limit is not None:  # what is settled holds no lease
                _remove(self.settings.reads_of(sample.key))
            raise _no_source(sample, value["problems"])
        if (nbytes := value.pop("nbytes", 0)) or "problems" not in value:
            return Partial(value, nbytes=nbytes)
        return value

    def _try(self, sample: Sample, problems: list[Json]) -> Value:
        if done := found_done(sample, self.settings, self.params):
            return {"done": done}
        start = time.monotonic()
        try:
            with _alone(self.settings.reads_of(sample.key)) as folder:
                if known := _fetched(folder):
                    return known
                value: Value = _FROM[self.source](sample, self.settings, self.params, folder)
        except (OSError, PolyteneError) as error:
            if isinstance(error, OSError) and error.errno in FULL:
                raise
            why = describe(error) if not isinstance(error, DownloadFailed) else error.args[:2]
            after = getattr(error, "retry_after", None)
            return {"problems": [*problems, [self.source, categorise(error), *why, after]]}
        traffic = value.pop("traffic", {})
        timing = {"source": self.source, "seconds": time.monotonic() - start, **traffic}
        note(self.settings, sample.key, "download", timing)
        return value


def _no_source(sample: Sample, problems: list[Json]) -> PolyteneError:
    """Return the error for a run whose reads are nowhere: lasting only if all reasons are."""
    said = "; ".join(f"{source}: {why}: {detail}" for source, _, why, detail, _ in problems)
    passing = [p for p in problems if p[1] != "input"]
    if not problems:
        return BadInput("no-source", f"{sample.key}: no source was tried")
    if not passing:
        found = [p for p in problems if p[2] != "not-found"] or problems
        return BadInput(str(found[0][2]), f"{sample.key}: {said}")
    return NoSource(f"{sample.key}: {said}", max((p[4] for p in passing if p[4]), default=None))


def from_local(sample: Sample, settings: Settings, params: dict[str, Any], folder: Path) -> Value:
    """Read the local files to their ends; nothing is copied."""
    if not sample.local:
        raise NotThere("not-found", f"{sample.key} is not in the local folder")
    paths = [Path(path) for path, _, _ in sample.local]
    for path, (_, nbytes, mtime_ns) in zip(paths, sample.local, strict=True):
        now = path.stat()
        if (now.st_size, now.st_mtime_ns) != (nbytes, mtime_ns):
            raise BadInput("changed", f"{path}: it changed since it was planned")
    if paths[0].suffix == ".sra":
        log = settings.log_of(sample.key, "download")
        paths = unpack(paths[0], folder / "unpacked", log, None, settings.patience)
    nbytes = sum(p.stat().st_size for p in paths)
    return {**_counted(paths), "kind": "local", "traffic": {"bytes": nbytes}, "nbytes": nbytes}


def _counted(paths: list[Path]) -> Value:
    """Return files and how many reads they hold, which mates have to agree on."""
    reads = [count_reads(path) for path in paths]
    if len(set(reads)) > 1:
        raise BadInput("mates-differ", f"{paths[0]}: {reads[0]:,} reads, its mate has {reads[1]:,}")
    return {"files": [str(p) for p in paths], "reads": reads[0]}


def from_ena(sample: Sample, settings: Settings, params: dict[str, Any], folder: Path) -> Value:
    """Stream the reads into the quantifier, or download them to files."""
    remotes = _remotes(sample)
    expected = sample.spots if len(remotes) == len(sample.remote) else None
    if streams(sample, settings):
        log = settings.log_of(sample.key, "download")
        log.write_text("".join(f"streamed from {r.url}\n" for r in remotes))
        made_of = {"source": "ena", "bytes": [r.nbytes for r in remotes]}
        about = (sample, settings, params, remotes, expected, made_of)
        record, traffic = quantify_streams(*about)
        return {"done": record, "traffic": traffic, "nbytes": traffic["bytes"]}
    files, md5, nbytes, resumes = [], [], 0, 0
    with open(settings.log_of(sample.key, "download"), "w") as log_file:
        for remote in remotes:
            path = folder / remote.url.rsplit("/", 1)[-1]
            if is_whole(path, remote):
                files.append(str(path))
                md5.append(str(remote.md5))
                continue
            got = download(remote, path, settings.patience)
            log_file.write(f"{remote.url}: {got.got} bytes, MD5 {got.md5}, {got.resumes} resumes\n")
            files.append(str(path))
            md5.append(got.md5)
            nbytes, resumes = nbytes + got.got, resumes + got.resumes
    reads = expected
    if reads is None or not all(remote.md5 for remote in remotes):
        reads = _counted([Path(f) for f in files])["reads"]
    value = {"files": files, "reads": reads, "kind": "ena", "md5": md5}
    return _keep(folder, value, {"bytes": nbytes, "resumes": resumes})


def _remotes(sample: Sample) -> list[Remote]:
    """Return the files that hold the reads."""
    if not sample.remote:
        raise NotThere("not-found", f"{sample.key}: the ENA lists no FASTQ file for it")
    names = [url.rsplit("/", 1)[-1] for url, _, _ in sample.remote]
    chosen = mates(names)
    if not chosen:
        raise BadInput("unclear-layout", f"{sample.key}: which of {', '.join(names)} are mates?")
    return [Remote(*sample.remote[i]) for i in chosen]


def streams(sample: Sample, settings: Settings) -> bool:
    """Whether the reads of a run are streamed from the ENA."""
    if settings.mode == "auto":
        return bool(sample.remote) and all(md5 and n for _, n, md5 in sample.remote)
    return settings.mode == "stream"


def from_sra(sample: Sample, settings: Settings, params: dict[str, Any], folder: Path) -> Value:
    """Download and unpack a .sra file."""
    log = settings.log_of(sample.key, "download")
    patience = settings.patience
    got = fetch_sra(sample.key, folder, log, sdl_url=settings.sdl_url, patience=patience)
    nbytes = got.pop("bytes")
    return _keep(folder, {**got, "kind": "sra"}, {"bytes": nbytes})


_FROM = {"local": from_local, "ena": from_ena, "sra": from_sra}


def _keep(folder: Path, value: Value, traffic: Value) -> Value:
    """Write down that the reads are whole, so that nothing verified is downloaded again."""
    sizes = [Path(f).stat().st_size for f in value["files"]]
    write_bytes(folder / FETCHED, json.dumps({**value, "sizes": sizes}).encode())
    return {**value, "traffic": traffic, "nbytes": traffic["bytes"]}


def _fetched(folder: Path) -> Value | None:
    """Return what an earlier try has downloaded whole."""
    try:
        value: Value = json.loads((folder / FETCHED).read_text())
        sizes = [Path(f).stat().st_size for f in value["files"]]
        return value if sizes == value.pop("sizes") else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


@contextmanager
def _alone(folder: Path) -> Iterator[Path]:
    """Hold a run's folder of reads; a lock of a killed process is no lock."""
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder.with_name(f".{folder.name}.lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        folder.mkdir(parents=True, exist_ok=True)
        yield folder
        if not any(folder.iterdir()):
            folder.rmdir()


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
        freed = 0 if settings.keep_fastq else _remove(settings.reads_of(sample.key))
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


def _remove(folder: Path) -> int:
    freed = sum(p.stat().st_size for p in folder.rglob("*") if p.is_file())
    shutil.rmtree(folder, ignore_errors=True)
    folder.with_name(f".{folder.name}.lock").unlink(missing_ok=True)
    return freed


def note(settings: Settings, run: str, stage: str, about: Value) -> None:
    """Write down what a stage took, for the report: times are no part of a result."""
    path = settings.log_of(run, "times").with_suffix(".json")
    try:
        known = json.loads(path.read_text())
    except (OSError, ValueError):
        known = {}
    write_bytes(path, json.dumps({**known, stage: about}).encode(), sync=False)
