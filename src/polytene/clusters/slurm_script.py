"""Kinds of jobs, and the script of each."""

from __future__ import annotations

import importlib
import math
import os
import re
import shlex
import sys
from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path
from typing import Any
from unittest import mock

from dask.utils import parse_bytes, parse_timedelta

from polytene.exceptions import UsageError

WORKER = "polytene.clusters.slurm_worker"
DAY = 86400
LEAST_LIFETIME = 5
EARLY = 60  # SLURM sends a signal up to so many seconds early
STAGGER = 0.5
GOLDEN = (5**0.5 - 1) / 2
SLURM_TIME = re.compile(r"(?:(\d+)-)?(\d+)(?::(\d+))?(?::(\d+))?")


@dataclass(frozen=True)
class Kind:
    """One kind of job: a worker each.

    Parameters
    ----------
    name
        What its workers' names begin with.
    workers
        How many are kept.
    threads, memory
        Of each; ``memory`` in bytes, None for what SLURM gives by itself.
    walltime, margin
        Seconds that a job lasts, and how long before that its worker begins nothing more.
    queue, account, constraint, gres, interface
        As SLURM names them; None for its defaults.
    directives, prologue
        Further ``#SBATCH`` lines, and lines of shell before the worker starts.
    resources
        What the worker owns of Dask's resources.
    """

    name: str
    workers: int
    threads: int
    memory: int | None
    walltime: float
    margin: float
    start_timeout: float
    queue: str | None = None
    account: str | None = None
    constraint: str | None = None
    gres: str | None = None
    interface: str | None = None
    directives: tuple[str, ...] = ()
    prologue: tuple[str, ...] = ()
    resources: Mapping[str, float] | None = None

    @property
    def lifetime(self) -> float:
        """Seconds after which a worker of the longest life drains."""
        return self.walltime - self.margin

    def drain_after(self, number: int) -> float:
        """Return when the ``number``-th job drains: spread so wide that no two go together."""
        return self.lifetime * (1 - STAGGER * (number * GOLDEN % 1))

    @property
    def mem(self) -> str | None:
        """What ``--mem`` says: SLURM counts in MiB, and calls them M."""
        return None if self.memory is None else f"{math.ceil(self.memory / (1 << 20))}M"


NAMES = {field.name for field in fields(Kind)}


def kinds_of(about: Mapping[str, Any]) -> list[Kind]:
    """Return the kinds of jobs that the settings of a cluster describe.

    Parameters
    ----------
    about
        ``polytene.cluster``, with ``slurm`` below it, and ``slurm.pools`` below that: further
        kinds, which say only what is different.

    Raises
    ------
    UsageError
        For a value that means nothing, or one that holds control characters.
    """
    base = {"name": "worker", **_plain(about), **_plain(about["slurm"])}
    pools = base.pop("pools", None) or {}
    if not isinstance(pools, Mapping):
        raise UsageError("polytene.cluster.slurm.pools holds names, each with its settings")
    cores = {"CPU": None} if pools else None  # what asks for nothing else stays off the pools
    found = [_kind({**base, "resources": base.get("resources") or cores})]
    for name, more in pools.items():
        own = _plain(more if isinstance(more, Mapping) else {})
        if unknown := set(own) - NAMES - {"memory_limit"} | set(own) & {"memory", "name"}:
            raise UsageError(f"pool {name!r}: there is no setting {', '.join(sorted(unknown))}")
        found.append(_kind({**base, "workers": 1, "resources": None, **own, "name": str(name)}))
    return [kind for kind in found if kind.workers]


def _plain(about: Mapping[str, Any]) -> dict[str, Any]:
    return {str(k).replace("-", "_"): v for k, v in about.items()}


def _kind(about: Mapping[str, Any]) -> Kind:
    given = {name: about[name] for name in NAMES if name in about}
    limit = about.get("memory_limit")
    try:
        threads = _whole("threads", given["threads"], 1)
        kind = Kind(
            **{
                **given,
                "workers": _whole("workers", given["workers"] or 1, 0),
                "threads": threads,
                "memory": None if limit in (None, "auto") else int(parse_bytes(limit)),
                "walltime": seconds("walltime", given["walltime"]),
                "margin": seconds("margin", given["margin"]),
                "start_timeout": seconds("start-timeout", given["start_timeout"]),
                "directives": tuple(map(str, given.get("directives") or ())),
                "prologue": tuple(map(str, given.get("prologue") or ())),
                "resources": _resources(given.get("resources"), threads),
            }
        )
    except (TypeError, ValueError) as error:
        raise UsageError(f"SLURM jobs cannot be made of these settings: {error}") from None
    _check(kind)
    if kind.lifetime < LEAST_LIFETIME:
        raise UsageError(
            f"walltime {about['walltime']} less the margin {about['margin']} leaves "
            f"{kind.lifetime:g} s: a worker has to live for {LEAST_LIFETIME} s at least"
        )
    return kind


def _whole(name: str, value: Any, least: int) -> int:
    if int(value) != value or value < least:
        raise ValueError(f"{name} is {value!r}: a whole number from {least}")
    return int(value)


def _resources(given: Any, threads: int) -> dict[str, float] | None:
    if not given:
        return None
    return {str(k): float(threads if v is None else v) for k, v in dict(given).items()}


def _check(kind: Kind) -> None:
    """Refuse control characters: a line break in a field would be another line of the script."""
    for field in fields(kind):
        value = getattr(kind, field.name)
        for text in value if isinstance(value, tuple | dict) else (value,):
            if not str(text).isprintable():
                raise UsageError(
                    f"polytene.cluster.slurm.{field.name} holds a control character: {text!r}"
                )
    for name in ("queue", "account", "constraint", "gres", "interface", "name"):
        value = getattr(kind, name)
        if value is not None and (not isinstance(value, str) or re.search(r"\s", value)):
            raise UsageError(f"polytene.cluster.slurm.{name} is {value!r}: one word")


def seconds(name: str, value: Any) -> float:
    """Return a time in seconds: as SLURM writes it (``1-12:00:00``, ``30`` minutes), or ``"90m"``.

    Raises
    ------
    UsageError
        If it is neither. YAML takes ``1:30:00`` without quotes for a number, so numbers are
        refused.

    Examples
    --------
    >>> [seconds("walltime", t) for t in ("01:30:00", "1-00:00:00", "90", "10:30", "90m")]
    [5400.0, 86400.0, 5400.0, 630.0, 5400.0]
    """
    if isinstance(value, str) and value.strip():
        if found := SLURM_TIME.fullmatch(value.strip()):
            days, *parts = found.groups()
            numbers = [int(n) for n in parts if n is not None]
            # with days, the first number is hours; alone or with one more it is minutes
            units = (3600, 60, 1) if days or len(numbers) == 3 else (60, 1)
            return float(int(days or 0) * DAY + sum(map(int.__mul__, numbers, units)))
        try:
            return float(parse_timedelta(value))
        except (KeyError, ValueError):
            pass
    raise UsageError(f'{name} is {value!r}: give a time in quotes, such as "02:00:00" or "2h"')


def slurm_time(value: float) -> str:
    """Return seconds as SLURM writes them.

    Examples
    --------
    >>> slurm_time(90061)
    '1-01:01:01'
    """
    whole = math.ceil(value)
    return f"{whole // DAY}-{whole % DAY // 3600:02d}:{whole % 3600 // 60:02d}:{whole % 60:02d}"


def jobqueue() -> Any:
    """Return dask-jobqueue's module for SLURM; its import would write into the home folder."""
    with mock.patch("dask.config.ensure_file"):
        return importlib.import_module("dask_jobqueue.slurm")


@cache
def job_class() -> Any:
    """Return dask-jobqueue's job, whose worker finds its memory limit where it runs."""

    class Job(jobqueue().SLURMJob):  # type: ignore[misc]
        worker_process_memory = "allotted"

    return Job


def script_of(kind: Kind, number: int, address: str, name: str, folder: Path, security: Any) -> str:
    """Return the script of one job.

    Parameters
    ----------
    kind, number
        Which kind of job, and its number among all.
    address
        Of the scheduler.
    name
        What the job is called.
    folder
        Where the configuration is that its worker takes over.
    security
        Certificates as files; None for none.
    """
    more = ["--drain-after", f"{kind.drain_after(number):.1f}", "--grace", f"{kind.margin / 2:g}"]
    if security is not None:
        files = security.get_tls_config_for_role("worker")
        for key in ("ca_file", "cert", "key"):
            more += ["--tls-" + key.replace("_", "-"), shlex.quote(files[key])]
    if kind.resources:
        more += ["--resources", ",".join(f"{k}={v:g}" for k, v in kind.resources.items())]
    directives = ["--no-requeue", *kind.directives]
    if kind.margin > EARLY:  # our own clock is exact; this is for jobs that give way to others
        directives.insert(0, f"--signal=B:USR1@{int(kind.margin) - EARLY}")
    directives += [f"--{o}={v}" for o in ("constraint", "gres") if (v := getattr(kind, o))]
    config = shlex.quote(str(folder / "config"))
    job = job_class()(
        address,
        name=f"{kind.name}-{number}",
        job_name=name,
        queue=kind.queue,
        account=kind.account,
        walltime=slurm_time(kind.walltime),
        cores=kind.threads,
        processes=1,
        memory="1GB",  # said by --mem, and by what SLURM allots
        job_mem=kind.mem or "0",
        job_directives_skip=[] if kind.mem else ["--mem="],
        interface=kind.interface,
        death_timeout=int(kind.start_timeout),
        python=f"exec {shlex.quote(sys.executable)}",
        worker_command=WORKER,
        worker_extra_args=more,
        job_extra_directives=directives,
        job_script_prologue=[
            f"export DASK_INTERNAL_INHERIT_CONFIG=$(cat {config})",
            f"export PYTHONPATH={shlex.quote(os.pathsep.join(own_paths()))}",
            *kind.prologue,
        ],
    )
    return str(job.job_script())


def own_paths() -> list[str]:
    """Return where this process finds modules that do not belong to its Python."""
    python = {str(Path(prefix).resolve()) for prefix in (sys.prefix, sys.base_prefix)}
    folders = [Path(path).absolute() for path in sys.path if Path(path).is_dir()]
    return [
        str(folder)
        for folder in dict.fromkeys(folders)
        if not any(folder.resolve().is_relative_to(prefix) for prefix in python)
    ]
