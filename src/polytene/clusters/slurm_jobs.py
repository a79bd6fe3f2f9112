"""SLURM's commands: jobs submitted, looked at, ended."""

from __future__ import annotations

import getpass
import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from polytene.exceptions import PreflightError

COMMANDS = ("sbatch", "squeue", "scancel", "scontrol", "sinfo")
SECONDS = 60
LIVING = {
    "PENDING", "CONFIGURING", "RUNNING", "SUSPENDED", "COMPLETING", "STAGE_OUT", "RESIZING",
    "SIGNALING", "STOPPED", "REQUEUED", "REQUEUE_FED", "REQUEUE_HOLD", "SPECIAL_EXIT",
}  # fmt: skip
HOPELESS = {  # reasons for which a job would wait for ever
    "BadConstraints", "PartitionTimeLimit", "PartitionNodeLimit", "InvalidAccount", "InvalidQOS",
    "AccountNotAllowed", "QOSNotAllowed",
}  # fmt: skip
BUSY = re.compile(r"unable to contact|timed out|temporarily|try again|connection refused", re.I)
TAIL = 15


class SlurmError(PreflightError):
    """One of SLURM's commands was refused, with its own words."""

    def __init__(self, message: str, *, passing: bool = False) -> None:
        super().__init__(message)
        self.passing = passing


@dataclass(frozen=True)
class State:
    """What SLURM says of a job.

    Parameters
    ----------
    state
        Such as ``RUNNING``.
    reason
        Why it waits, or why it ended.
    node
        Where it runs or ran.
    """

    state: str
    reason: str = ""
    node: str = ""

    @property
    def ended(self) -> bool:
        """Whether it will not run again."""
        return self.state not in LIVING


VANISHED = State("UNKNOWN", "SLURM no longer knows it")


def check_command(name: str) -> None:
    """Refuse to go on without one of SLURM's commands."""
    if shutil.which(name) is None:
        raise SlurmError(f"{name} is not on PATH: log in where SLURM's commands are")


def command(*words: str, given: str | None = None) -> str:
    """Run one of SLURM's commands; return what it prints.

    What SLURM told of the job that this process may be in is kept from it.

    Raises
    ------
    SlurmError
        If there is no such program, or it fails; with its own words.
    """
    check_command(words[0])
    environment = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("SLURM_") or name == "SLURM_CONF"
    }
    try:
        done = subprocess.run(
            words,
            input=given,
            env=environment,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise SlurmError(f"{words[0]} said nothing for {SECONDS} s", passing=True) from None
    if done.returncode:
        said = done.stderr.strip() or done.stdout.strip() or f"exit code {done.returncode}"
        raise SlurmError(f"{words[0]}: {said}", passing=bool(BUSY.search(said)))
    return done.stdout


def submit(script: str, output: Path, *options: str) -> str:
    """Submit a script; return the job's number.

    Parameters
    ----------
    script
        Its text.
    output
        File of what it prints; ``%j`` is the job's number.
    *options
        Further options of ``sbatch``.
    """
    words = ("sbatch", "--parsable", f"--output={output}", *options)
    return command(*words, given=script).strip().split(";")[0]


def try_script(script: str) -> str:
    """Ask SLURM when and where a script would run, without submitting it."""
    words = ["sbatch", "--test-only"]
    done = subprocess.run(
        words, input=script, capture_output=True, text=True, timeout=SECONDS, check=False
    )
    if done.returncode:
        raise SlurmError(f"sbatch: {done.stderr.strip()}")
    return done.stderr.strip().removeprefix("sbatch: ")


def look(name: str) -> dict[str, State]:
    """Return what SLURM knows of the jobs of one name, ended ones included."""
    rows = command(
        "squeue", "-h", "-t", "all", "-u", getpass.getuser(), "-n", name, "-o", "%i|%T|%r|%N"
    )
    found = {}
    for row in rows.splitlines():
        number, state, reason, node = row.strip().split("|", 3)
        found[number] = State(state, "" if reason == "None" else reason, node)
    return found


def cancel(*jobs: str) -> None:
    """Cancel jobs by number."""
    if jobs:
        command("scancel", "--quiet", *jobs)


def cancel_all(name: str) -> None:
    """Cancel all own jobs of one name."""
    command("scancel", "--quiet", "-u", getpass.getuser(), "-n", name)


def node_addresses(queue: str | None) -> list[str]:
    """Return under which addresses SLURM reaches the nodes of a partition."""
    where = ["-p", queue] if queue else []
    rows = command("sinfo", "-h", "-N", *where, "-o", "%o").split()
    return list(dict.fromkeys(rows))


def tail(log: Path, lines: int = TAIL) -> str:
    """Return the last lines of a job's log; empty if there is none."""
    try:
        text = log.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    return "\n".join(text.strip().splitlines()[-lines:])


def ended_how(state: State, log: str) -> str:
    """Say in words how a job ended, from its state and the end of its log."""
    where = f" on {state.node}" if state.node else ""
    if state.state == "OUT_OF_MEMORY" or re.search(r"exceeded memory limit|oom.kill", log, re.I):
        return f"was ended by SLURM{where}: over its memory (--mem)"
    if state.state == "TIMEOUT" or "DUE TO TIME LIMIT" in log:
        return f"reached its walltime{where}"
    if state.state == "NODE_FAIL" or "DUE TO NODE FAILURE" in log:
        return f"was lost with its node{where}"
    if state.state.startswith("CANCELLED"):
        return f"was cancelled{where}"
    if state.state == "PREEMPTED":
        return f"gave way to another job{where}"
    if state.state == "COMPLETED":
        return f"came to its end{where}"
    reason = f" ({state.reason})" if state.reason else ""
    return f"ended as {state.state}{reason}{where}"
