"""Where reads come from: local files, the ENA, the SRA; whole, or not at all."""

from __future__ import annotations

import fcntl
import json
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from polytene.core.canonical import Json
from polytene.core.files import write_bytes
from polytene.exceptions import BadInput
from polytene.formats.downloads import download, is_whole
from polytene.formats.remote import DownloadFailed, NotThere, Remote
from polytene.rnaseq.quantify import quantify_streams
from polytene.rnaseq.reads import count_reads, mates
from polytene.rnaseq.settings import Settings
from polytene.rnaseq.sra import fetch_sra, unpack
from polytene.rnaseq.units import Sample

FETCHED = "fetched.json"
Value = dict[str, Json]
Source = Callable[[Sample, Settings, dict[str, Any]], Value]


def from_local(sample: Sample, settings: Settings, params: dict[str, Any]) -> Value:
    """Read the local files to their ends; nothing is copied."""
    if not sample.local:
        raise NotThere("not-found", f"{sample.key} is not in the local folder")
    paths = [Path(path) for path, _, _ in sample.local]
    for path, (_, nbytes, mtime_ns) in zip(paths, sample.local, strict=True):
        now = path.stat()
        if (now.st_size, now.st_mtime_ns) != (nbytes, mtime_ns):
            raise BadInput("changed", f"{path}: it changed since it was planned")
    if paths[0].suffix != ".sra":
        nbytes = sum(p.stat().st_size for p in paths)
        return {**_counted(paths), "kind": "local", "traffic": {"bytes": nbytes}, "nbytes": nbytes}
    with folder_of(sample, settings) as folder:
        if known := _fetched(folder):
            return known
        log = settings.log_of(sample.key, "download")
        try:
            files = unpack(paths[0], folder / "unpacked", log, None, settings.patience)
        except DownloadFailed as error:  # nobody will send it again
            raise BadInput(error.reason, error.detail) from None
        return _keep(folder, {**_counted(files), "kind": "local"}, {"bytes": sample.local[0][1]})


def _counted(paths: list[Path]) -> Value:
    """Return files and how many reads they hold, which mates have to agree on."""
    reads = [count_reads(path) for path in paths]
    if len(set(reads)) > 1:
        raise BadInput("mates-differ", f"{paths[0]}: {reads[0]:,} reads, its mate has {reads[1]:,}")
    return {"files": [str(p) for p in paths], "reads": reads[0]}


def from_ena(sample: Sample, settings: Settings, params: dict[str, Any]) -> Value:
    """Stream the reads into the quantifier, or download them to files."""
    remotes = _remotes(sample)
    expected = sample.spots if len(remotes) == len(sample.remote) else None
    if not sample.streamed:
        with folder_of(sample, settings) as folder:
            return _fetched(folder) or _staged(sample, settings, remotes, expected, folder)
    if not settings.on_host and (known := _fetched(settings.reads_of(sample.key))):
        return known  # staged by an earlier command
    log = settings.log_of(sample.key, "download")
    log.write_text("".join(f"streamed from {r.url}\n" for r in remotes))
    made_of = {"source": "ena", "bytes": [r.nbytes for r in remotes]}
    record, traffic = quantify_streams(sample, settings, params, remotes, expected, made_of)
    return {"done": record, "traffic": traffic, "nbytes": traffic["bytes"]}


def _staged(
    sample: Sample, settings: Settings, remotes: list[Remote], expected: int | None, folder: Path
) -> Value:
    files, md5, nbytes, resumes = [], [], 0, 0
    with open(settings.log_of(sample.key, "download"), "w") as log:
        for remote in remotes:
            path = folder / remote.url.rsplit("/", 1)[-1]
            files.append(path)
            if is_whole(path, remote):
                md5.append(str(remote.md5))
                continue
            got = download(remote, path, settings.patience)
            log.write(f"{remote.url}: {got.got} bytes, MD5 {got.md5}, {got.resumes} resumes\n")
            md5.append(got.md5)
            nbytes, resumes = nbytes + got.got, resumes + got.resumes
    known = expected is not None and all(remote.md5 for remote in remotes)
    reads = expected if known else _counted(files)["reads"]
    value = {"files": [str(f) for f in files], "reads": reads, "kind": "ena", "md5": md5}
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


def from_sra(sample: Sample, settings: Settings, params: dict[str, Any]) -> Value:
    """Download and unpack a .sra file."""
    log, about = settings.log_of(sample.key, "download"), {"patience": settings.patience}
    with folder_of(sample, settings) as folder:
        if known := _fetched(folder):
            return known
        got = fetch_sra(sample.key, folder, log, sdl_url=settings.sdl_url, **about)
        nbytes = got.pop("bytes")
        return _keep(folder, {**got, "kind": "sra"}, {"bytes": nbytes})


SOURCES: Mapping[str, Source] = {"local": from_local, "ena": from_ena, "sra": from_sra}


def _keep(folder: Path, value: Value, traffic: Value) -> Value:
    """Write down that the reads are whole, so that nothing verified is downloaded again."""
    sizes = [Path(f).stat().st_size for f in value["files"]]
    write_bytes(folder / FETCHED, json.dumps({**value, "sizes": sizes}).encode())
    return {**value, "on_disk": sum(sizes), "traffic": traffic, "nbytes": traffic["bytes"]}


def _fetched(folder: Path) -> Value | None:
    """Return what an earlier try has downloaded whole."""
    try:
        value: Value = json.loads((folder / FETCHED).read_text())
        sizes = [Path(f).stat().st_size for f in value["files"]]
        return {**value, "on_disk": sum(sizes)} if sizes == value.pop("sizes") else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


@contextmanager
def folder_of(sample: Sample, settings: Settings) -> Iterator[Path]:
    """Hold a run's folder of reads; a lock of a killed process is no lock."""
    folder = settings.reads_of(sample.key)
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder.with_name(f".{folder.name}.lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        folder.mkdir(parents=True, exist_ok=True)
        yield folder


def remove_reads(sample: Sample, settings: Settings) -> int:
    """Remove what a run has on disk; return how many bytes that frees."""
    if settings.on_host and not sample.footprint:
        return 0
    folder = settings.reads_of(sample.key)
    if not folder.exists():
        return 0
    freed = sum(p.stat().st_size for p in folder.rglob("*") if p.is_file())
    shutil.rmtree(folder, ignore_errors=True)
    folder.with_name(f".{folder.name}.lock").unlink(missing_ok=True)
    return freed
