"""The commands that run a task file."""

from __future__ import annotations

import shlex
from pathlib import Path

from polytene.exceptions import UsageError


def generate_hypershell_command(
    path: str | Path,
    parallelism: int | None = None,
    timeout: int | None = None,
    *,
    port: int | str | None = None,
    by_number: bool | None = None,
) -> str:
    """Return the command with which HyperShell (2.6 or later) runs a task file on this machine.

    Each run has a database of its own beside the task file, and the tasks that fail are listed
    in ``PATH.failed``; HyperShell itself ends with 0 whatever its tasks did.

    Parameters
    ----------
    path
        The task file.
    parallelism
        Tasks that run at once; None: one per core.
    timeout
        Seconds that a task may take.
    port
        Port of its server, where several run on one machine.
    by_number
        Hand out line numbers rather than lines: HyperShell takes what follows a ``#`` for a
        comment, even in quotes. None: if the file has a ``#``.

    Examples
    --------
    >>> print(generate_hypershell_command("tasks.txt", parallelism=32))
    HYPERSHELL_DATABASE_FILE=tasks.txt.$(date +%Y%m%d-%H%M%S).db hs cluster tasks.txt \
--num-threads 32 --initdb --failures tasks.txt.failed
    """
    _check(parallelism, "parallelism")
    _check(timeout, "timeout")
    name = shlex.quote(str(path))
    options = (
        f"--num-threads {parallelism or 0} --initdb --failures {shlex.quote(f'{path}.failed')}"
    )
    if timeout is not None:
        options += f" --task-timeout {timeout}"
    if port is not None:
        options += f" --port {port}"
    database = f"HYPERSHELL_DATABASE_FILE={name}.$(date +%Y%m%d-%H%M%S).db"
    if by_number is None:
        by_number = Path(path).is_file() and b"#" in Path(path).read_bytes()
    if not by_number:
        return f"{database} hs cluster {name} {options}"
    line = shlex.quote(f'bash -c "$(sed -n {{}}p {name})"')
    return f"seq $(wc -l < {name}) | {database} hs cluster --template {line} {options}"


def generate_parallel_command(path: str | Path, parallelism: int | None = None) -> str:
    """Return the command with which GNU Parallel runs a task file; given again, it resumes.

    The job log says how each task ended; the same command runs those again that failed or are
    not in it. Parallel knows tasks by their line numbers alone, so the name of the log has a
    checksum of the task file: another file begins another log.

    Examples
    --------
    >>> print(generate_parallel_command("t", 32))
    PARALLEL_SHELL=/bin/bash parallel --jobs 32 --joblog t.$(cksum < t | cut -d' ' -f1).joblog \
--resume-failed < t
    """
    _check(parallelism, "parallelism")
    jobs = "100%" if parallelism is None else str(parallelism)
    name = shlex.quote(str(path))
    log = f"{name}.$(cksum < {name} | cut -d' ' -f1).joblog"
    return (
        f"PARALLEL_SHELL=/bin/bash parallel --jobs {jobs} --joblog {log} --resume-failed < {name}"
    )


def generate_xargs_command(path: str | Path, parallelism: int | None = None) -> str:
    r"""Return the command with which xargs runs a task file.

    Examples
    --------
    >>> print(generate_xargs_command("tasks.txt", 32))
    xargs -d '\n' -n 1 -P 32 bash -c < tasks.txt
    """
    _check(parallelism, "parallelism")
    jobs = "$(nproc)" if parallelism is None else str(parallelism)
    return f"xargs -d '\\n' -n 1 -P {jobs} bash -c < {shlex.quote(str(path))}"


def _check(number: int | None, name: str) -> None:
    if number is not None and number < 1:
        raise UsageError(f"{name} is {number}: at least 1")
