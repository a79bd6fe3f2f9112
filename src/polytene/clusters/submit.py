"""The driver itself as a SLURM job, which goes back to the queue until its run is done."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from dask.utils import parse_bytes

from polytene.clusters import settings_of, slurm_jobs
from polytene.clusters.slurm import settings_of as cluster_of
from polytene.clusters.slurm_script import Kind, kinds_of, own_paths, seconds, slurm_time
from polytene.exceptions import UsageError

WARNING = 120  # seconds between USR1 and the end of the job
CORES = 2  # driver and scheduler
SCRIPT = """\
#!/usr/bin/env bash
# Before its walltime the run is told to stop in good order (exit code 75), and the job goes back to
# the queue; the same command goes on from there.
export PYTHONPATH={paths}
{prologue}
cd {cwd} || exit 4
{command} &
run=$!
trap 'kill -USR1 $run' USR1
trap 'kill -TERM $run' TERM
code=0
while kill -0 $run 2> /dev/null; do
    wait $run
    code=$?
done
if [ $code -eq 75 ]; then
    scontrol requeue "$SLURM_JOB_ID"
fi
exit $code
"""


def submit_driver(
    kind: str | None, overrides: Mapping[str, Any], argv: Sequence[str], run_dir: Path
) -> tuple[str, Path]:
    """Submit a command as a job that resumes; return its number and its log.

    Parameters
    ----------
    kind
        The cluster of the command: on SLURM the job is the driver alone, with other kinds its
        workers run in it, too.
    overrides
        ``workers`` and ``memory_limit``, as for :func:`polytene.cluster`.
    argv
        The command's arguments after the program's name.
    run_dir
        Its run directory; the log lies beside it.

    Raises
    ------
    UsageError
        If it cannot be told what the job needs.
    SlurmError
        If ``sbatch`` refuses, in its own words.
    """
    proper, settings = settings_of(kind)
    about = cluster_of(settings, {k: v for k, v in overrides.items() if v is not None})
    first = kinds_of(about if proper == "slurm" else {**about, "workers": about["workers"] or 1})[0]
    cores, memory = CORES, parse_bytes(about["slurm"]["driver-memory"])
    if proper in ("local", "cuda"):
        cores, memory = _with_workers(about, first, memory)
    run_dir.parent.mkdir(parents=True, exist_ok=True)
    log = run_dir.absolute().with_name(f"{run_dir.name}.driver-%j.log")
    options = {
        "job-name": f"polytene-{run_dir.name}",
        "cpus-per-task": cores,
        "mem": f"{-(-memory // (1 << 20))}M",
        "time": slurm_time(seconds("driver-walltime", about["slurm"]["driver-walltime"])),
        "signal": f"B:USR1@{WARNING}",
        "open-mode": "append",
        "partition": first.queue,
        "account": first.account,
    }
    words = [f"--{name}={value}" for name, value in options.items() if value is not None]
    script = SCRIPT.format(
        paths=shlex.quote(os.pathsep.join(own_paths())),
        prologue="\n".join(first.prologue),
        cwd=shlex.quote(str(Path.cwd())),
        command=shlex.join([sys.executable, "-m", "polytene", *argv]),
    )
    job = slurm_jobs.submit(script, log, "--requeue", *words)
    return job, Path(str(log).replace("%j", job))


def _with_workers(about: Mapping[str, Any], kind: Kind, driver: int) -> tuple[int, int]:
    if about["workers"] is None or kind.memory is None:
        raise UsageError(
            "--submit with workers in the same job has to say how large it is: give --workers and "
            "--memory-limit, or --cluster slurm for workers in jobs of their own"
        )
    return kind.workers * kind.threads + 1, kind.workers * kind.memory + driver
