"""Keeps as many jobs as were asked for: what is cancelled, fails or expires is replaced."""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from distributed import SchedulerPlugin

from polytene.clusters import slurm_jobs
from polytene.clusters.slurm_jobs import HOPELESS, VANISHED, SlurmError, State
from polytene.clusters.slurm_script import Kind
from polytene.exceptions import Interrupted, PreflightError

logger = logging.getLogger(__name__)

START_FAILURES = 3
SOON, LATER, LIVELY = 1.0, 10.0, 30.0
UNSEEN = 2
AGAIN = 15.0
TELL = 60.0
SILENT = "nothing was heard of its worker: does it reach this machine?"


@dataclass
class Job:
    """A job that was submitted, and what became of it."""

    id: str
    kind: Kind
    worker: str
    log: Path
    state: State = field(default_factory=lambda: State("PENDING"))
    running_since: float | None = None
    unseen: int = 0


class Arrivals(SchedulerPlugin):  # type: ignore[misc]
    """Notes which workers arrived, and that one went."""

    name = "polytene-arrivals"

    def __init__(self) -> None:
        self.seen: set[str] = set()
        self.changed = threading.Event()

    def add_worker(self, scheduler: Any, worker: str) -> None:
        """Note the name of a worker."""
        self.seen.add(str(scheduler.workers[worker].name))
        self.changed.set()

    def remove_worker(self, scheduler: Any, worker: str, **more: Any) -> None:
        """Note that one went."""
        self.changed.set()


class Supervisor:
    """Submits jobs and replaces those that end.

    Parameters
    ----------
    kinds
        What is kept.
    script
        Returns the script of a kind's job with a number.
    name
        What all the jobs are called; no other job of this user is.
    folder
        Where their logs go.
    arrivals
        The scheduler's plugin that sees workers arrive.
    """

    def __init__(
        self,
        kinds: Sequence[Kind],
        script: Callable[[Kind, int], str],
        name: str,
        folder: Path,
        arrivals: Arrivals,
    ) -> None:
        self.kinds, self.script, self.name, self.folder = list(kinds), script, name, folder
        self.arrivals = arrivals
        self.jobs: dict[str, Job] = {}
        self.failures: Counter[str] = Counter()
        self.last_words: dict[str, str] = {}
        self.error: PreflightError | None = None
        self.on_error: Callable[[], None] = lambda: None
        self.on_end: Callable[[dict[str, str]], None] = lambda about: None
        self._wait_until: dict[str, float] = {}
        self._number = 0
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="polytene-jobs", daemon=True)

    def start(self) -> None:
        """Submit all jobs, and begin to look after them.

        Raises
        ------
        SlurmError
            If ``sbatch`` refuses, in its own words.
        """
        for kind in self.kinds:
            for _ in range(kind.workers):
                self._submit(kind)
        self._thread.start()

    def close(self) -> None:
        """Look after nothing any more, and end all jobs."""
        self._stopping.set()
        self.arrivals.changed.set()
        if self._thread.is_alive():
            self._thread.join()
        try:
            slurm_jobs.cancel_all(self.name)
        except SlurmError as error:
            logger.warning("jobs named %s may still be there: %s", self.name, error)

    def wait(self, stop: Callable[[], bool], patience: float) -> None:
        """Wait for a worker of each kind.

        Raises
        ------
        PreflightError
            If jobs of a kind do not come up, with the end of a job's log.
        Interrupted
            If ``stop`` says so, or nothing came up for ``patience`` seconds.
        """
        begun = told = time.monotonic()
        while missing := [k for k in self.kinds if not self._up(k)]:
            if self.error:
                raise self.error
            if stop():
                raise Interrupted("stopped while jobs waited in SLURM's queue; nothing was started")
            now = time.monotonic()
            if now - begun > patience:
                raise Interrupted(
                    f"no {missing[0].name} job ran for {patience:.0f} s ({self.waiting()}); give "
                    "the same command again, or a larger polytene.no-workers-timeout"
                )
            if now - told > TELL:
                told = now
                logger.warning("waiting for SLURM: %s", self.waiting())
            time.sleep(0.05)

    def waiting(self) -> str:
        """Say what the jobs wait for."""
        states = [job.state for job in list(self.jobs.values())]
        about = Counter(f"{state.state} {state.reason}".strip() for state in states)
        return ", ".join(f"{n} {text}" for text, n in about.most_common()) or "no jobs"

    def _up(self, kind: Kind) -> bool:
        jobs = [job for job in list(self.jobs.values()) if job.kind is kind]
        return any(job.worker in self.arrivals.seen for job in jobs)

    def _watch(self) -> None:
        lively = time.monotonic()
        while not self._stopping.is_set():
            soon = time.monotonic() - lively < LIVELY or not all(map(self._up, self.kinds))
            if self.arrivals.changed.wait(SOON if soon else LATER):
                self.arrivals.changed.clear()
                lively = time.monotonic()
                self._stopping.wait(SOON / 4)
            if self._stopping.is_set():
                return
            try:
                if self._settle(slurm_jobs.look(self.name)):
                    lively = time.monotonic()
                self._replace()
            except SlurmError as error:
                logger.info("SLURM does not answer: %s", error)
                self._stopping.wait(SOON)
            if self.error:
                self.on_error()
                return

    def _settle(self, states: dict[str, State]) -> bool:
        """Take note of what became of each job; return whether one ended."""
        changed = False
        for job in list(self.jobs.values()):
            job.unseen = 0 if job.id in states else job.unseen + 1
            job.state = states.get(job.id, VANISHED if job.unseen >= UNSEEN else job.state)
            if job.worker in self.arrivals.seen:
                self.failures[job.kind.name] = 0
            if job.state.ended:
                changed = True
                self._ended(job)
            elif job.state.reason in HOPELESS and job.state.state == "PENDING":
                self._give_up(job.kind, f"job {job.id} will never run: {job.state.reason}")
            elif self._is_late(job):
                changed = True
                slurm_jobs.cancel(job.id)
                where, long = job.state.node, job.kind.start_timeout
                self._ended(job, f"ran on {where} for {long:.0f} s, and {SILENT}")
        return changed

    def _is_late(self, job: Job) -> bool:
        """Whether a job runs whose worker should have arrived."""
        if job.state.state != "RUNNING" or job.worker in self.arrivals.seen:
            job.running_since = None
            return False
        job.running_since = job.running_since or time.monotonic()
        return time.monotonic() - job.running_since > job.kind.start_timeout

    def _ended(self, job: Job, how: str = "") -> None:
        del self.jobs[job.id]
        log = slurm_jobs.tail(job.log)
        how = how or slurm_jobs.ended_how(job.state, log)
        why = f"job {job.id} {how}"
        self.on_end({"worker": job.worker, "why": why})
        if job.worker in self.arrivals.seen:
            expected = job.state.state == "COMPLETED"
            logger.log(logging.INFO if expected else logging.WARNING, "%s; it is replaced", why)
            return
        self._failed(job.kind, f"{why}, before its worker was up; its log ends with:\n{log}")

    def _failed(self, kind: Kind, words: str) -> None:
        self.failures[kind.name] += 1
        self.last_words[kind.name] = words
        logger.warning("%s", words)
        if self.failures[kind.name] >= START_FAILURES and not self._living(kind):
            self._give_up(kind, words)

    def _give_up(self, kind: Kind, words: str) -> None:
        self.error = PreflightError(f"SLURM jobs for {kind.name} do not come up: {words}")

    def _living(self, kind: Kind) -> int:
        return sum(job.kind is kind for job in self.jobs.values())

    def _replace(self) -> None:
        """Submit what is missing, unless that is futile."""
        for kind in self.kinds:
            while (
                not self.error
                and self._living(kind) < kind.workers
                and self.failures[kind.name] < START_FAILURES
                and time.monotonic() > self._wait_until.get(kind.name, 0.0)
            ):
                try:
                    self._submit(kind)
                except SlurmError as error:
                    self._wait_until[kind.name] = time.monotonic() + AGAIN
                    if not error.passing:
                        self._failed(kind, str(error))
            if self.failures[kind.name] >= START_FAILURES and not self._living(kind):
                self._give_up(kind, self.last_words[kind.name])

    def _submit(self, kind: Kind) -> None:
        number = self._number
        self._number += 1
        name = f"{kind.name}-{number}"
        log = self.folder / f"{name}.log"
        script = self.script(kind, number)
        output = Path(str(log).replace("%", "%%"))
        found = slurm_jobs.submit(script, output)
        self.jobs[found] = Job(found, kind, name, log)
        logger.info("job %s submitted for %s", found, name)
