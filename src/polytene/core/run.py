"""Take a plan to its reduced result: admit, submit, settle, combine."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from polytene.core.books import Books
from polytene.core.change import Change, adopt_plan
from polytene.core.events import Begun, Event, Folding, OnEvent
from polytene.core.ledger import Ledger
from polytene.core.lock import Lock
from polytene.core.log import run_log
from polytene.core.memory import check_memory
from polytene.core.outcome import Outcome
from polytene.core.plan import Plan
from polytene.core.reduce import Reduction, Tree, values_in_order
from polytene.core.resume import Standing, look
from polytene.core.saved import SavedPlan
from polytene.core.stage import Leg, Stage, legs
from polytene.exceptions import UsageError

if TYPE_CHECKING:
    from distributed import Client

logger = logging.getLogger(__name__)


def run(
    plan: Plan[Any],
    stages: Sequence[Stage | Callable[..., Any]],
    reduction: Reduction,
    *,
    run_dir: str | Path,
    client: Client | AbstractContextManager[Client] | None = None,
    in_flight: int = 1000,
    max_quarantined: float = 0.05,
    on_change: str = "fail",
    retry_quarantined: bool = False,
    on_event: OnEvent | None = None,
    stop: Callable[[], bool] = lambda: False,
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
    in_flight
        Most tasks at the scheduler at once.
    max_quarantined
        Share of the units that may fail before the run counts as failed.
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
    PlanChanged, RunLocked, TooManyFailures, Interrupted, NoSpace
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
    if not 0 <= max_quarantined <= 1:
        raise UsageError(f"max_quarantined is {max_quarantined}: a share between 0 and 1")
    chain, root = legs(stages), Path(run_dir).absolute()
    with ExitStack() as stack:
        lock = stack.enter_context(Lock(root))
        stack.enter_context(run_log(root))
        saved, change = adopt_plan(plan, chain, root, on_change)
        _log_change(saved, change)
        ledger = Ledger(root, lock.beat)
        stack.callback(ledger.close)
        ledger.open_record(saved.fingerprint)
        tree = Tree(root, len(saved.index), reduction) if reduction.combine else None
        tell = _teller(on_event)
        books = Books(saved, tree, tell)
        standing = look(saved, chain, ledger, books, retry_quarantined)
        tell(_begun(saved, standing, books, root))
        if standing.work or (tree and tree.ready):
            _compute(
                stack, client, saved, chain, reduction, ledger, books, standing, in_flight, stop
            )
        ended = books.close(max_quarantined)
        tell(Folding())
        value = tree.value() if tree else values_in_order(root, saved, books.refs)
        result = reduction.finalize(value, saved.plan(), books.quarantined)
        tell(ended)
        ledger.note({"event": "end", "status": "finished", **vars(ended)})
        bad, items = books.quarantined, books.rejected
        counts = (len(saved), books.computed, books.resumed)
        return Outcome(result, *counts, bad, items, books.items, change.removed, str(root))


def _compute(
    stack: ExitStack,
    client: Client | AbstractContextManager[Client] | None,
    saved: SavedPlan[Any],
    chain: list[Leg],
    reduction: Reduction,
    ledger: Ledger,
    books: Books,
    standing: Standing,
    in_flight: int,
    stop: Callable[[], bool],
) -> None:
    from polytene.core.drive import Drive

    opened = stack.enter_context(_opened(client))
    check_memory(opened, chain)
    drive = Drive(opened, saved, chain, reduction, ledger, books, standing, in_flight)
    try:
        drive.to_end(stop)
    except BaseException as error:
        ledger.note({"event": "end", "status": type(error).__name__, "detail": str(error)[:500]})
        raise


def _opened(
    client: Client | AbstractContextManager[Client] | None,
) -> AbstractContextManager[Client]:
    from contextlib import nullcontext

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


def in_process() -> AbstractContextManager[Client]:
    """Return a client whose workers are threads of this process, without a dashboard."""
    from distributed import Client

    made: AbstractContextManager[Client] = Client(
        processes=False,
        n_workers=1,
        dashboard_address=None,
        memory_limit=None,
        silence_logs=logging.WARNING,
        set_as_default=False,
    )
    return made


def _teller(on_event: OnEvent | None) -> OnEvent:
    def tell(event: Event) -> None:
        logger.info("%s", event)
        if on_event is not None:
            on_event(event)

    return tell


def _begun(saved: SavedPlan[Any], standing: Standing, books: Books, root: Path) -> Begun:
    head, cost = saved.head, float(saved.index["cost"].sum())
    done = cost - standing.cost_left
    return Begun(head["kind"], head["noun"], len(saved), cost, books.settled, done, str(root))


def _log_change(saved: SavedPlan[Any], change: Change) -> None:
    if text := change.table(saved.head["noun"]):
        logger.warning("the plan differs from the one before it:\n%s", text)
