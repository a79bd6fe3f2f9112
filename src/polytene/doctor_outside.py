"""What this machine reaches beside itself: archives, a batch system, GPUs; and who reaches it."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from importlib import util

import httpx

from polytene import config
from polytene.clusters.local import HOST, free_port
from polytene.clusters.security import others_here, wanted
from polytene.doctor_disk import Check

ARCHIVES = {
    "ENA": "https://www.ebi.ac.uk/ena/portal/api/",
    "ENA's files": "https://ftp.sra.ebi.ac.uk/",
    "NCBI": "https://locate.ncbi.nlm.nih.gov/sdl/2/",
    "MAST": "https://mast.stsci.edu/",
}
PATIENCE = 4.0
LONG = 60.0
KERNEL = """
import numpy as np
from numba import cuda
@cuda.jit
def double(values):
    values[cuda.grid(1)] *= 2
values = cuda.to_device(np.arange(32))
double[1, 32](values)
assert values.copy_to_host().tolist() == list(range(0, 64, 2))
"""


def check_outside() -> Iterator[Check]:
    """Yield each check of what is outside of this process and its disk."""
    yield check_archives(ARCHIVES)
    yield _port()
    yield _users()
    yield from _jobs()
    yield _gpus()


def check_archives(addresses: Mapping[str, str]) -> Check:
    """Ask each archive for anything at all; only rooms that download need them."""
    with ThreadPoolExecutor(len(addresses)) as pool:
        said = dict(zip(addresses, pool.map(_answer, addresses.values()), strict=True))
    good = [name for name, problem in said.items() if not problem]
    bad = [f"{name} ({problem})" for name, problem in said.items() if problem]
    words = [f"reached: {', '.join(good)}"] if good else []
    words += [f"not reached: {', '.join(bad)}"] if bad else []
    if bad:
        remedy = "downloads need them: behind a proxy, set https_proxy"
        return Check("archives", "warn", "; ".join(words), remedy)
    return Check("archives", "ok", "; ".join(words))


def _answer(address: str) -> str:
    """Return why an address does not answer; any answer will do."""
    try:
        httpx.head(address, timeout=PATIENCE)
    except httpx.HTTPError as error:
        return type(error).__name__
    return ""


def _port() -> Check:
    asked = int(config.get("cluster.dashboard-port"))
    found = free_port(asked)
    if asked in (0, found):
        return Check("dashboard port", "ok", f"{found} on {HOST} is free")
    remedy = "the next cluster takes another one, which -v prints; end what has it to keep the port"
    return Check("dashboard port", "warn", f"{asked} on {HOST} is taken", remedy)


def _users() -> Check:
    who = "others use this host" if others_here() else "nobody else uses this host"
    mode = config.get("cluster.tls")
    how = "speak TLS" if wanted(mode) else "are not encrypted"
    said = f"{who}; local clusters {how}"
    if others_here() and not wanted(mode):
        remedy = "they can run programs as you while a cluster is up: polytene.cluster.tls: auto"
        return Check("other users", "warn", said, remedy)
    return Check("other users", "ok", said)


def _jobs() -> Iterator[Check]:
    if shutil.which("sbatch") is None:
        return
    problem, said = _try(["sbatch", "--test-only", "--wrap=true"])
    if problem:
        remedy = "polytene cluster check slurm looks further; a queue or an account may be needed"
        yield Check("SLURM job", "warn", f"sbatch would refuse one: {problem}", remedy)
    else:
        yield Check("SLURM job", "ok", said.removeprefix("sbatch: "))


def _gpus() -> Check:
    if shutil.which("nvidia-smi") is None:
        said = "no NVIDIA driver; only --cluster cuda and --device cuda need one"
        return Check("GPU", "ok", said)
    problem, said = _try(["nvidia-smi", "--query-gpu=name", "--format=csv,noheader"])
    if problem:
        return Check("GPU", "warn", problem, "try it yourself: nvidia-smi")
    if util.find_spec("dask_cuda") is None:
        remedy = "for --cluster cuda: pip install 'polytene[cuda]'"
        return Check("GPU", "warn", f"{said}; dask-cuda is not installed", remedy)
    problem, _ = _try([sys.executable, "-c", KERNEL])
    if problem:
        remedy = "pip install 'numba-cuda[cu12]', or the cu13 that your driver takes"
        return Check("GPU", "warn", f"{said}; a kernel does not run: {problem}", remedy)
    return Check("GPU", "ok", f"{said}; a kernel ran")


def _try(command: list[str]) -> tuple[str, str]:
    """Return why a command failed, or nothing, and what it said in one line."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=LONG, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"{type(error).__name__}: {error}", ""
    lines = [line.strip() for line in (done.stdout + done.stderr).splitlines() if line.strip()]
    if done.returncode:
        return (lines or [f"exit code {done.returncode}"])[-1][:300], ""
    return "", ", ".join(lines)[:300]
