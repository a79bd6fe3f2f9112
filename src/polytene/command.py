"""What every command that runs a plan shares: options, cluster, progress, exit codes."""

from __future__ import annotations

import json
import logging
import os
import shutil
import sys
import tempfile
from collections.abc import Callable
from contextlib import nullcontext, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import click

from polytene import clusters
from polytene.core.events import Begun, Event, OnEvent
from polytene.core.lock import Lock
from polytene.core.outcome import Outcome
from polytene.core.plan import Plan
from polytene.core.recorded import ARGV, ONCE, record
from polytene.exceptions import Interrupted, UsageError
from polytene.signals import stop_asked
from polytene.trial import try_alone
from polytene.watch.explain import no_such_unit
from polytene.watch.progress import printable, progress
from polytene.watch.rates import counted

EXIT_INCOMPLETE = 3
TEMPORARY = "polytene-"

_OPTIONS = (
    click.option("--cluster", default=None, metavar="KIND", help="local (default), slurm, slurm-gpu, cuda, a .yaml file, or a scheduler's address."),
    click.option("--client", default=None, metavar="ADDRESS", help="Use the scheduler at ADDRESS; the same as --cluster ADDRESS."),
    click.option("--workers", type=click.IntRange(1), help="Worker processes, each a job on SLURM.  [default: one per core]"),
    click.option("--memory-limit", metavar="SIZE", help='Memory per worker, such as "2GB".  [default: a fair share]'),
    click.option("--submit", is_flag=True, help="Make the run itself a SLURM job, which goes back to the queue until all is done."),
    click.option("--run-dir", type=click.Path(path_type=Path), help="Where the run keeps its plan, parts and ledger."),
    click.option("--limit", type=click.IntRange(1), metavar="N", help="Only the first N units, for a trial: RUN_DIR.trial, OUTPUT.trial."),
    click.option("--only", multiple=True, metavar="KEY", help="Try this unit alone, in this process, and keep nothing; may be repeated."),
    click.option("--dry-run", is_flag=True, help="Show the plan and stop."),
    click.option("--json", "as_json", is_flag=True, help="Print the outcome as JSON."),
    click.option("--max-quarantined", type=click.FloatRange(0, 1), help="Share of the units that may fail.  [default: 0.05, or as configured]"),
    click.option("--fresh", is_flag=True, help="Throw away what the run directory holds, and start anew."),
    click.option("--retry-quarantined", is_flag=True, help="Also retry units whose data were wrong or whose tool failed."),
    click.option("--on-change", type=click.Choice(["fail", "rerun"]), default="fail", show_default=True, help="What to do when inputs or parameters changed."),
    click.option("--max-minutes", type=click.FloatRange(min=0, min_open=True), help="Stop in good order after this time; exit 75."),
    click.option("--progress/--no-progress", "show_progress", default=True, help="Show progress on standard error."),
    click.option("-v", "--verbose", count=True, help="Say more; twice: say why."),
)  # fmt: skip


@dataclass(frozen=True)
class RunOptions:
    """The options that every run command takes."""

    cluster: str | None = None
    client: str | None = None
    workers: int | None = None
    memory_limit: str | None = None
    submit: bool = False
    run_dir: Path | None = None
    limit: int | None = None
    only: tuple[str, ...] = ()
    dry_run: bool = False
    as_json: bool = False
    max_quarantined: float | None = None
    fresh: bool = False
    retry_quarantined: bool = False
    on_change: str = "fail"
    max_minutes: float | None = None
    show_progress: bool = True
    verbose: int = 0


def run_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a click command the common options; it gets them as ``options``."""

    def wrapped(**given: Any) -> Any:
        own = {name: given.pop(name) for name in RunOptions.__dataclass_fields__}
        return command(options=RunOptions(**own), **given)

    wrapped.__name__, wrapped.__doc__ = command.__name__, command.__doc__
    wrapped.__click_params__ = getattr(command, "__click_params__", [])  # type: ignore[attr-defined]
    for option in reversed(_OPTIONS):
        wrapped = option(wrapped)
    return wrapped


def say(options: RunOptions, text: str) -> None:
    """Print a line for people; with ``--json`` it goes to standard error."""
    click.echo(printable(text, keep="\n"), err=options.as_json)


def run_dir_of(options: RunOptions, output: Path | None) -> Path:
    """Return the run directory: the one asked for, else beside the output, else a temporary one."""
    if options.run_dir:
        return options.run_dir
    if output is None:
        return Path(tempfile.mkdtemp(prefix=TEMPORARY))
    return output.with_name(f"{output.name}.run")


def output_of(options: RunOptions, plan: Plan[Any], output: Path, *, folder: bool = False) -> Path:
    """Return where a result is written: that of a trial goes beside it.

    ``usage.parquet`` becomes ``usage.trial.parquet``, and a folder gets ``.trial`` at its end, so
    that the result of a few units never stands where that of all is looked for.
    """
    if not _is_trial(options, plan):
        return output
    if folder:
        return output.with_name(f"{output.name}.trial")
    return output.with_name(f"{output.stem}.trial{output.suffix}")


def execute(
    options: RunOptions,
    plan: Plan[Any],
    runner: Callable[..., Outcome],
    run_dir: Path,
) -> Outcome | None:
    """Run a room's verb with the common options; None after ``--dry-run``, ``--only`` and ``--submit``.

    ``runner(plan, run_dir=, client=, ...)`` takes what :func:`polytene.run` takes beyond stages
    and reduction.
    """
    run_dir = options.run_dir or run_dir
    try:
        return _execute(options, *_asked_for(options, plan, run_dir), runner)
    finally:
        if _is_temporary(options, run_dir):
            with suppress(OSError):  # it holds something
                run_dir.rmdir()


def _execute(
    options: RunOptions, plan: Plan[Any], run_dir: Path, runner: Callable[..., Outcome]
) -> Outcome | None:
    if options.dry_run:
        about = {"kind": plan.kind, "planned": len(plan), "params": plan.params}
        text = json.dumps(about) if options.as_json else printable(plan.describe(), keep="\n")
        click.echo(text)
        return None
    _log_to_stderr(options.verbose)
    if options.only:
        if not try_alone(plan, runner, as_json=options.as_json):
            sys.exit(EXIT_INCOMPLETE)
        return None
    if options.fresh:
        remove(run_dir)
    if options.submit:
        _submit(options, run_dir)
        return None
    shown = progress() if options.show_progress else nullcontext(lambda event: None)
    with stop_asked(options.max_minutes) as stop, shown as on_event:
        try:
            return runner(
                plan,
                run_dir=run_dir,
                client=_cluster(options, stop),
                max_quarantined=options.max_quarantined,
                on_change=options.on_change,
                retry_quarantined=options.retry_quarantined,
                on_event=_recording(options, on_event),
                stop=stop,
            )
        except Interrupted as error:
            error.exit_code = stop.exit_code or error.exit_code  # type: ignore[misc]
            raise


def _asked_for(options: RunOptions, plan: Plan[Any], run_dir: Path) -> tuple[Plan[Any], Path]:
    """Return the plan, or what a trial takes of it, and where that runs."""
    if options.only:
        keys = [unit.key for unit in plan]
        for key in set(options.only) - set(keys):
            raise no_such_unit(plan.noun, key, keys)
        return plan.subset(options.only), run_dir
    if not options.limit or not _is_trial(options, plan):
        return plan, run_dir
    if not _is_temporary(options, run_dir):
        run_dir = run_dir.with_name(f"{run_dir.name}.trial")
    first = counted(options.limit, plan.noun)
    part = f"{first} of {len(plan):,}; " if options.limit < len(plan) else ""
    say(options, f"a trial: {part}its run directory is {run_dir}")
    return plan.head(options.limit), run_dir


def _is_trial(options: RunOptions, plan: Plan[Any]) -> bool:
    return options.limit is not None and not plan.ends_within(options.limit)


def _is_temporary(options: RunOptions, run_dir: Path) -> bool:
    made = run_dir.parent == Path(tempfile.gettempdir()) and run_dir.name.startswith(TEMPORARY)
    return made and options.run_dir is None


def _recording(options: RunOptions, on_event: OnEvent) -> OnEvent:
    """Write the command down, once its run holds the run directory and has a plan there."""
    context = click.get_current_context(silent=True)
    argv = context.meta.get(ARGV) if context else None

    def heard(event: Event) -> None:
        if argv and isinstance(event, Begun):
            where = Path(event.directory)
            more = ["--run-dir", str(where)] if _is_temporary(options, where) else []
            record(where, [*argv, *more], Path.cwd())
        on_event(event)

    return heard


def _cluster(options: RunOptions, stop: Callable[[], bool]) -> Any:
    if options.client and options.cluster:
        raise UsageError("--client and --cluster name two clusters: give one of them")
    kind = options.client or options.cluster
    return clusters.cluster(
        kind, stop=stop, workers=options.workers, memory_limit=options.memory_limit
    )


def _submit(options: RunOptions, run_dir: Path) -> None:
    """Make the command, without what belongs to its first time, a job."""
    from polytene.clusters.submit import submit_driver

    if _is_temporary(options, run_dir):
        raise UsageError("--submit needs a run directory that the nodes see: give --run-dir")
    given = click.get_current_context().meta[ARGV]
    argv = [word for word in given if word not in ("--submit", *ONCE)]
    limits = {"workers": options.workers, "memory_limit": options.memory_limit}
    job, log = submit_driver(options.client or options.cluster, limits, argv, run_dir)
    if options.as_json:
        click.echo(json.dumps({"job": job, "log": str(log), "run_dir": str(run_dir)}))
    else:
        say(options, f"job {job}; its log: {log}\nSee it with: polytene status {run_dir}")


def finish(options: RunOptions, outcome: Outcome, **more: Any) -> None:
    """Print the outcome and leave with its exit code."""
    if options.as_json:
        counts: dict[str, Any] = {"planned": outcome.planned, "computed": outcome.computed}
        counts |= {"resumed": outcome.resumed, "items": outcome.items, "run_dir": outcome.directory}
        lists = {
            "quarantined": [asdict(f) for f in outcome.quarantined],
            "rejected": [asdict(f) for f in outcome.rejected],
        }
        click.echo(json.dumps({**counts, **lists, **more}, default=str))
    elif not outcome.complete:
        click.echo(f"{outcome.summary()}\nList: polytene quarantine {outcome.directory}", err=True)
    if not outcome.complete:
        sys.exit(EXIT_INCOMPLETE)


def remove(run_dir: Path) -> None:
    """Remove a run directory; a half removed one is never mistaken for a run.

    Raises
    ------
    UsageError
        If the folder holds something else than a run.
    """
    if not run_dir.is_dir() or not any(run_dir.iterdir()):
        return
    if (run_dir / "lock").exists():
        with Lock(run_dir):
            pass
    if not (run_dir / "ledger").is_dir():
        raise UsageError(f"{run_dir} is not a run directory: --fresh does not remove it")
    doomed = run_dir.with_name(f".{run_dir.name}.{os.getpid()}.removed")
    run_dir.rename(doomed)
    shutil.rmtree(doomed)


def _log_to_stderr(verbose: int) -> None:
    level = {0: logging.WARNING, 1: logging.INFO}.get(verbose, logging.DEBUG)
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(levelname)s %(message)s"))
    handler.setLevel(level)
    logger = logging.getLogger("polytene")
    logger.setLevel(min(level, logging.INFO))
    logger.handlers = [handler]
