"""Take a plan to its reduced result: admit, submit, settle, combine."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, nullcontext, suppress
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dask

from polytene.core import parts
from polytene.core.books import Books
from polytene.core.change import Change, adopt_plan
from polytene.core.events import Begun, Ended, Event, Folding, OnEvent, Settled
from polytene.core.ledger import Ledger
from polytene.core.lock import Lock
from polytene.core.log import run_log
from polytene.core.outcome import Outcome
from polytene.core.plan import Plan
from polytene.core.preflight import check_code, check_memory, check_resources
from polytene.core.reduce import Reduction, Tree, values_in_order
from polytene.core.resume import Standing, look
from polytene.core.saved import SavedPlan
from polytene.core.scratch import clear_scratch
from polytene.core.stage import Leg, Stage, legs
from polytene.core.stopping import Asked
from polytene.core.tracing import traced
from polytene.exceptions import DamagedRun, RunLocked, UsageError

if TYPE_CHECKING:
    from distributed import Client

    from polytene.core.drive import Settings

logger = logging.getLogger(__name__)

DAMAGED_PARTS = 1000
NO_PROFILER = {"distributed.worker.profile.enabled": False}
"""Dask's profiler asks for the frames of all threads, and where that begins a collection of garbage
which runs Python, a process that starts a thread stands still for ever (CPython gh-106883)."""

Clients = AbstractContextManager[Any]


def run(
    plan: Plan[Any],
    stages: Sequence[Stage | Callable[..., Any]],
    reduction: Reduction,
    *,
    run_dir: str | Path,
    client: Client | Clients | None = None,
    limits: Mapping[str, float] | None = None,
    in_flight: int | None = None,
    max_quarantined: float | None = None,
    on_change: str = "fail",
    retry_quarantined: bool = False,
    on_event: OnEvent | None = None,
    stop: Callable[[], bool] | None = None,
) -> Outcome:
    """Compute what is missing, and fold the whole; the same call again resumes.

    Parameters
    ----------
    plan, stages, reduction
        What is done to what, and how it becomes one result.
    run_dir
        Folder of the plan, the parts and the ledger; made if it is not there.
    client
        A Dask client, or a context manager that gives one, such as ``polytene.cluster("local")``,
        which is opened only if there is work. Without it: the current client, else this process.
    limits
        What stages use and units hold, over the whole cluster: ``{"net.ena": 5, "disk": 25e9}``;
        a name that begins with ``host.`` is an amount on each host.
    in_flight
        Most tasks at the scheduler at once; None: ``polytene.in-flight`` of the configuration.
    max_quarantined
        Share of the units that may fail before the run counts as failed; None:
        ``polytene.max-quarantined`` of the configuration.
    on_change
        What to do where ``run_dir`` holds a run with other parameters or inputs: ``"fail"``
        before any work, or ``"rerun"`` what changed.
    retry_quarantined
        Also try those units again whose data were wrong or whose function failed. Units lost to
        transport, infrastructure or memory are always tried again.
    on_event
        Called in this thread with each :class:`polytene.Event`.
    stop
        Asked often; once it returns true nothing new is started, what runs is settled, and
        :class:`polytene.exceptions.Interrupted` is raised.

    Returns
    -------
    Outcome
        The result and the accounts.

    Raises
    ------
    PlanChanged, RunLocked, TooManyFailures, Interrupted, NoSpace, PreflightError
        See :mod:`polytene.exceptions`.

    Examples
    --------
    >>> import tempfile
    >>> from polytene import Plan, Reduction, Unit, run
    >>> def length(unit):
    ...     return len(unit.key)
    >>> plan = Plan("lengths", [Unit("ant"), Unit("mouse")])
    >>> run(plan, [length], Reduction(sum), run_dir=tempfile.mkdtemp()).result
    8
    """
    chain = legs(traced(stages), [plan.kind, plan.params])
    share = _setting("max-quarantined", max_quarantined)
    if not 0 <= share <= 1:
        raise UsageError(f"max_quarantined is {share}: a share between 0 and 1")
    settings = _settings(limits, in_flight)
    root = Path(run_dir).absolute()
    tell = _teller(on_event)
    with ExitStack() as stack:
        lock = stack.enter_context(Lock(root))
        stack.enter_context(run_log(root))
        saved, change = adopt_plan(plan, chain, root, on_change)
        _log_change(saved, change)
        asked = Asked(root, stop, lock.check)
        ledger = Ledger(root, asked.check)
        stack.callback(_clear_unless_lost, lock, root)
        stack.callback(ledger.close)
        clear_scratch(root)
        ledger.begin(saved.fingerprint)
        once = _Once(saved, chain, reduction, ledger, tell, share, settings)
        find = cache(lambda: stack.enter_context(opened(client)))
        try:
            with asked:
                books, ended, result = _until_whole(once, retry_quarantined, find, asked)
        except BaseException as error:
            ledger.end(type(error).__name__, detail=str(error)[:500])
            raise
        tell(ended)
        ledger.end("finished", **vars(ended))
    bad, items = books.quarantined, books.rejected
    counts = (len(saved), books.computed, books.resumed)
    return Outcome(result, *counts, bad, items, books.items, change.removed, str(root))


def _clear_unless_lost(lock: Lock, root: Path) -> None:
    """Clear the scratch, unless it is now that of the driver that has taken over."""
    with suppress(RunLocked):
        lock.check()
        clear_scratch(root)


class _Once:
    """One look at the run directory and the work that it shows to be missing."""

    def __init__(
        self,
        saved: SavedPlan[Any],
        chain: list[Leg],
        reduction: Reduction,
        ledger: Ledger,
        tell: OnEvent,
        share: float,
        settings: Settings,
    ) -> None:
        self.saved, self.chain, self.reduction = saved, chain, reduction
        self.ledger, self.tell, self.share, self.settings = ledger, tell, share, settings
        self.root = saved.folder

    def work(self, retry_all: bool, find: Callable[[], Client], stop: Callable[[], bool]) -> Books:
        """Compute and fold what is missing; ``find`` opens the cluster, if there is anything."""
        folds = self.reduction.combine is not None
        tree = Tree(self.root, len(self.saved.index), self.reduction) if folds else None
        books = Books(self.saved, tree, self.tell, self.share)
        standing = look(self.saved, self.chain, self.ledger, books, retry_all)
        self.tell(self._begun(standing, books))
        if standing.work or (tree and tree.ready):
            self._drive(find(), books, standing, stop)
        return books

    def _drive(
        self, client: Client, books: Books, standing: Standing, stop: Callable[[], bool]
    ) -> None:
        from polytene.core.drive import Drive

        check_memory(client, self.chain)
        check_resources(client, self.chain)
        check_code(client, self.chain, self.reduction.combine, self.saved.unit_type)
        about = (self.saved, self.chain, self.reduction, self.ledger, books, standing)
        Drive(client, *about, self.settings).to_end(stop)

    def result(self, books: Books) -> Any:
        """Return what the reduction makes of the folded value, or of all values in turn."""
        self.tell(Folding())
        if books.tree:
            value = books.tree.value()
        else:
            value = values_in_order(self.root, self.saved, books.refs)
        return self.reduction.finalize(value, self.saved.plan(), books.quarantined)

    def _begun(self, standing: Standing, books: Books) -> Begun:
        head, cost = self.saved.head, float(self.saved.index["cost"].sum())
        done = cost - standing.cost_left
        units = len(self.saved)
        return Begun(head["kind"], head["noun"], units, cost, books.settled, done, str(self.root))


def _until_whole(
    once: _Once, retry_all: bool, find: Callable[[], Client], stop: Callable[[], bool]
) -> tuple[Books, Ended, Any]:
    """Work, and begin again without any part that turns out to be damaged."""
    for _ in range(DAMAGED_PARTS):
        try:
            books = once.work(retry_all, find, stop)
            return books, books.close(), once.result(books)
        except parts.DamagedPart as damaged:
            logger.warning("%s; it is computed anew", damaged)
            parts.remove(once.root, damaged.part)
    raise DamagedRun(
        f"{once.root}: {DAMAGED_PARTS} parts were damaged, one after the other: is the disk sound?"
    )


def _settings(limits: Mapping[str, float] | None, in_flight: int | None) -> Settings:
    from polytene.core.drive import Settings

    flying = int(_setting("in-flight", in_flight))
    if flying < 1:
        raise UsageError(f"in_flight is {flying}: at least one task has to fly")
    return Settings(
        limits=dict(limits or {}),
        in_flight=flying,
        task_seconds=float(_setting("task-seconds")),
        retry_seconds=float(_setting("retry-seconds")),
        sync=bool(_setting("fsync")),
    )


def _setting(name: str, given: Any = None) -> Any:
    return dask.config.get(f"polytene.{name}") if given is None else given


def opened(client: Client | Clients | None) -> Clients:
    """Return a context manager of the client to use, which ends what it starts and no more."""
    from distributed import Client, default_client

    if isinstance(client, Client):
        return nullcontext(client)
    if client is not None:
        return client
    try:
        current = default_client()
    except ValueError:
        return in_process()
    return nullcontext(current)


def in_process() -> Clients:
    """Return a client whose workers are threads of this process."""
    from distributed import Client

    with dask.config.set(NO_PROFILER):
        made: Clients = Client(
            processes=False,
            n_workers=1,
            dashboard_address="127.0.0.1:0",
            worker_dashboard_address="127.0.0.1:0",
            memory_limit=None,
            silence_logs=logging.WARNING,
            set_as_default=False,
        )
    return made


def _teller(on_event: OnEvent | None) -> OnEvent:
    def tell(event: Event) -> None:
        quiet = isinstance(event, Settled) and not event.failures
        logger.log(logging.DEBUG if quiet else logging.INFO, "%s", event)
        if on_event is not None:
            on_event(event)

    return tell


def _log_change(saved: SavedPlan[Any], change: Change) -> None:
    if text := change.table(saved.head["noun"]):
        level = logging.WARNING if change.needs_choice or change.removed else logging.INFO
        logger.log(level, "the plan differs from the one before it:\n%s", text)
