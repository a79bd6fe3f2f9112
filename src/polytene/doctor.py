"""``polytene doctor``: what this machine can do, one check at a time."""

from __future__ import annotations

import os
import platform
import resource
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from importlib import metadata, util
from pathlib import Path

from dask.utils import format_bytes
from packaging.requirements import Requirement

from polytene.clusters import cluster
from polytene.clusters.local import HOST, LEAST_MEMORY, default_workers
from polytene.core.tools import tool_version
from polytene.core.versions import versions
from polytene.doctor_disk import Check, check_disk
from polytene.doctor_outside import check_outside
from polytene.exceptions import PolyteneError

FILES = 4096
EXTRAS = {
    "isal": "faster gzip: pip install 'polytene[fast]'",
    "dask-cuda": "GPU clusters: pip install 'polytene[cuda]'",
    "dask-jobqueue": "SLURM clusters: pip install dask-jobqueue",
}
PROGRAMS = {
    "kallisto": ("version",),
    "prefetch": ("--version",),
    "fasterq-dump": ("--version",),
    "samtools": ("--version",),
    "sbatch": ("--version",),
    "hs": ("--version",),
    "parallel": ("--version",),
    "gt": ("--version",),
}


def checks(run_dir: Path) -> Iterator[Check]:
    """Yield each check as it is done; ``run_dir`` is where runs shall be kept."""
    plain: list[Callable[[], Check]] = [
        _packages,
        _cores,
        _memory,
        _files,
        _kernel_cache,
        _loopback,
        _host_name,
    ]
    for check in plain:
        yield _guarded(check)
    yield from check_disk(run_dir)
    yield _guarded(_cluster)
    yield from check_outside()
    yield from map(_extra, EXTRAS)
    yield from _programs()


def _guarded(check: Callable[[], Check]) -> Check:
    """A check that cannot be done has failed, and the others go on."""
    try:
        return check()
    except Exception as error:
        name = check.__name__.strip("_").replace("_", " ")
        return Check(name, "fail", f"{type(error).__name__}: {error}", "please report this")


def _packages() -> Check:
    found = versions()
    said = ", ".join(f"{name} {version}" for name, version in found.items())
    wrong = []
    for text in metadata.requires("polytene") or ():
        wanted = Requirement(text)
        if wanted.marker and not wanted.marker.evaluate({"extra": ""}):
            continue
        try:
            version = metadata.version(wanted.name)
        except metadata.PackageNotFoundError:
            version = ""
        if not version or not wanted.specifier.contains(version, prereleases=True):
            wrong.append(f"'{wanted.name}{wanted.specifier}'")
    if wrong:
        return Check("packages", "fail", said, f"pip install {' '.join(wrong)}")
    return Check("packages", "ok", said)


def _cores() -> Check:
    usable, there = default_workers(), os.cpu_count() or 1
    said = f"{there} on {platform.machine()}; a local cluster starts {usable} workers"
    return Check("cores", "ok", said)


def _memory() -> Check:
    import psutil
    from distributed.system import MEMORY_LIMIT

    total = psutil.virtual_memory().total
    free = min(psutil.virtual_memory().available, MEMORY_LIMIT)
    cap = f", of {format_bytes(total)} of the machine" if 0.99 * total > MEMORY_LIMIT else ""
    each = MEMORY_LIMIT // default_workers()
    sizes = [format_bytes(n) for n in (MEMORY_LIMIT, free, each)]
    said = f"{sizes[0]}{cap}, {sizes[1]} free; {sizes[2]} a worker"
    if each < LEAST_MEMORY:
        least = format_bytes(LEAST_MEMORY)
        return Check("memory", "warn", said, f"below {least} a worker: give fewer --workers")
    if free < LEAST_MEMORY:
        return Check("memory", "warn", said, "end what else runs here, or use another machine")
    return Check("memory", "ok", said)


def _files() -> Check:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    words = ["unlimited" if n == resource.RLIM_INFINITY else f"{n:,}" for n in (soft, hard)]
    said = f"{words[0]}, may be raised to {words[1]}" if soft != hard else words[0]
    if soft != resource.RLIM_INFINITY and soft < FILES:
        return Check("open files", "warn", said, f"ulimit -n {FILES}, for many workers")
    return Check("open files", "ok", said)


def _kernel_cache() -> Check:
    """Where numba keeps compiled kernels: beside the code if it may, else in the home."""
    if given := os.environ.get("NUMBA_CACHE_DIR"):
        places = [Path(given)]
    else:
        here = Path(str(util.find_spec("polytene").origin)).parent  # type: ignore[union-attr]
        places = [here / "codons" / "__pycache__", Path.home() / ".cache" / "numba"]
    for place in places:
        with suppress(OSError):
            place.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=place):
                return Check("kernel cache", "ok", str(place))
    said = f"{' and '.join(map(str, places))} cannot be written: each process compiles anew"
    return Check("kernel cache", "warn", said, "export NUMBA_CACHE_DIR=FOLDER on a disk of yours")


def _loopback() -> Check:
    with socket.socket() as server, socket.socket() as client:
        try:
            server.bind((HOST, 0))
            server.listen()
            client.settimeout(5)
            client.connect(server.getsockname())
        except OSError as error:
            remedy = f"local clusters listen on {HOST}: ask who runs this machine"
            return Check("loopback", "fail", f"{HOST}: {error}", remedy)
    return Check("loopback", "ok", f"{HOST} listens and answers")


def _host_name() -> Check:
    name = socket.gethostname()
    try:
        address = socket.gethostbyname(name)
    except OSError as error:
        remedy = (
            "only clusters of several machines need it: add it to /etc/hosts or the name server"
        )
        return Check("host name", "warn", f"{name} does not resolve: {error.strerror}", remedy)
    where = "loopback: other machines do not reach it by this name"
    said = f"{name} is {address}" + (f" ({where})" if address.startswith("127.") else "")
    return Check("host name", "ok", said)


def _cluster() -> Check:
    start = time.perf_counter()
    try:
        with cluster("local", workers=1, dashboard_port=0) as client:
            up = time.perf_counter() - start
            answer = client.submit(sum, [1, 2], pure=False).result(timeout=30)
    except (PolyteneError, OSError, TimeoutError, ValueError) as error:
        remedy = "is memory, the number of processes or of open files short?"
        return Check("local cluster", "fail", f"{type(error).__name__}: {error}", remedy)
    if answer != 3:
        return Check("local cluster", "fail", f"1 + 2 is {answer} there", "please report this")
    took = time.perf_counter() - start
    return Check(
        "local cluster", "ok", f"one worker up in {up:.1f} s, computed, gone in {took:.1f} s"
    )


def _extra(name: str) -> Check:
    try:
        return Check(name, "ok", metadata.version(name))
    except metadata.PackageNotFoundError:
        return Check(name, "ok", f"not installed; optional, for {EXTRAS[name]}")


def _programs() -> Iterator[Check]:
    missing = []
    for name, arguments in PROGRAMS.items():
        path = shutil.which(name)
        if path is None:
            missing.append(name)
            continue
        try:
            version = tool_version(name, *arguments)
        except (OSError, subprocess.SubprocessError, IndexError, PolyteneError) as error:
            remedy = f"try it yourself: {name} {' '.join(arguments)}"
            yield Check(name, "warn", f"{path}, which does not say its version: {error}", remedy)
        else:
            yield Check(name, "ok", f"{version}, {path}")
    if missing:
        yield Check(
            "programs", "ok", f"not on PATH: {', '.join(missing)}; only some rooms need them"
        )
