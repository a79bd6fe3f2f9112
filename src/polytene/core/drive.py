"""The loop between the window and the scheduler."""

from __future__ import annotations

import functools
import logging
import pickle
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import cloudpickle
import dask
from dask.utils import parse_timedelta
from distributed import KilledWorker
from distributed.comm import CommClosedError

from polytene.core import blocks, parts
from polytene.core.blocks import Job
from polytene.core.books import Books
from polytene.core.deaths import Deaths
from polytene.core.events import Visible
from polytene.core.flights import Flights
from polytene.core.hosts import Keeper, Workers
from polytene.core.isolate import cap_of
from polytene.core.leases import Leases, check_pins, pins
from polytene.core.ledger import Ledger
from polytene.core.limits import Limits
from polytene.core.orders import Orders
from polytene.core.parts import Ref
from polytene.core.pulse import Pulse
from polytene.core.reduce import Node, Reduction, fold
from polytene.core.resume import Standing
from polytene.core.retry import Retries
from polytene.core.saved import SavedPlan
from polytene.core.scratch import run_mark
from polytene.core.stage import Leg
from polytene.core.window import Task, Window
from polytene.exceptions import Interrupted, PolyteneError

if TYPE_CHECKING:
    from distributed import Client, Future

logger = logging.getLogger(__name__)

DEATHS = 5
GATHER = 0.1
POLL = 0.005
TAIL = 8
LOOK = 1.0
GONE = "the cluster is gone; what is done is safe, give the command again"


@dataclass(frozen=True)
class Settings:
    """How a run uses its cluster; nothing of it changes a result."""

    limits: Mapping[str, float]
    in_flight: int
    task_seconds: float
    retry_seconds: float
    sync: bool


class Drive:
    """Submits what the window admits, and books what comes back: receipts, never values."""

    def __init__(
        self,
        client: Client,
        plan: SavedPlan[Any],
        chain: list[Leg],
        reduction: Reduction,
        ledger: Ledger,
        books: Books,
        standing: Standing,
        settings: Settings,
    ) -> None:
        self.client, self.plan, self.chain = client, plan, chain
        self.ledger, self.books, self.standing = ledger, books, standing
        place = (plan.folder, plan.path, plan.unit_type)
        jobs = (Job(*place, leg, ledger.epoch, settings.sync) for leg in chain)
        self.jobs = [cloudpickle.dumps(job) for job in jobs]
        self.fold = functools.partial(fold, plan.folder, reduction.combine, settings.sync)
        self.workers = Workers(client)
        self.window = self._window(settings)
        self.keeper = self._keeper()
        self.retries = Retries(base=settings.retry_seconds)
        self.flights = Flights(client)
        self.orders = Orders(plan, standing)
        self.pulse = Pulse(client, plan, books, self.window.leases, self.flights.token)
        self.deaths = Deaths(client)
        self.resumed: dict[tuple[int, int], int] = {}
        self._looked = self._with_workers = time.monotonic()
        self._patience = parse_timedelta(dask.config.get("polytene.no-workers-timeout"))

    def _window(self, settings: Settings) -> Window:
        limits = Limits(settings.limits)
        footprint = self.plan.head["footprint"]
        for leg in self.chain:
            limits.check(leg.uses, f"stage {leg.name}")
            check_pins(footprint, leg.uses, leg.name, self.plan.head["block"])
        limits.check(footprint, f"the largest {self.plan.head['noun']}")
        self.threads = self.workers.threads
        fresh = self.standing.fresh
        window = Window(
            self.chain,
            Leases(limits, self.plan.holds if footprint else None),
            fresh,
            len(fresh),
            in_flight=settings.in_flight,
            threads=self.threads,
            task_seconds=settings.task_seconds,
        )
        for place, block in self.standing.half:
            window.leases.keep(block, self.standing.holds.get(block))
            window.arrive(place, block)
        return window

    def _keeper(self) -> Keeper | None:
        """Return the keeper of the hosts' scratch, where units are pinned to hosts."""
        if not pins(self.plan.head["footprint"]):
            return None
        needs = [leg.needs for leg in self.chain]
        keeper = Keeper(self.client, run_mark(self.plan.folder), self.window, needs)
        keeper.look(self.workers)
        return keeper

    def to_end(self, stop: Callable[[], bool]) -> None:
        """Work until nothing is left, or until ``stop`` says so and what runs has landed."""
        stopping = False
        try:
            if page := self.pulse.page():
                self.books.on_event(Visible(page))
            while True:
                if not stopping and stop():
                    stopping = True
                    self._recall()
                if not stopping:
                    self._submit()
                self.pulse.beat(len(self.flights))
                if not self.flights and (stopping or not self.window.waiting):
                    break
                self._settle(self._landed(stopping))
            self.pulse.beat(0, over=True)
        except OSError as error:
            if isinstance(error, PolyteneError) or not self._gone(error):
                raise
            raise Interrupted(GONE) from None
        finally:
            self.flights.cancel()
            if self.keeper:
                self.keeper.close()
        left = len(self.plan) - self.books.settled
        if stopping and (left or (self.books.tree and not self.books.tree.done)):
            raise Interrupted(
                f"stopped with {left:,} of {len(self.plan):,} units to do; what is done is safe, "
                "and the same command goes on from there"
            )

    def _gone(self, error: OSError) -> bool:
        """Whether an error means that the scheduler is gone; the client may not know it yet."""
        return isinstance(error, CommClosedError) or self.client.status != "running"

    def _recall(self) -> None:
        """Take back what no worker has begun."""
        self._take_back(self.flights.not_begun())
        logger.warning("stopping: %d tasks that run are finished", len(self.flights))

    def _submit(self) -> None:
        if self.keeper:
            self.keeper.swept()
        groups: dict[tuple[int, str | None], list[Task]] = {}
        for task in self.window.admit():
            groups.setdefault((task.leg, self._where(task)), []).append(task)
        for (leg, where), tasks in groups.items():
            self._send(leg, where, tasks)
        if self.books.tree and (nodes := self.books.tree.ready):
            self.books.tree.ready = []
            self._send_folds(nodes)

    def _where(self, task: Task) -> str | None:
        """Return the host or the worker that a task has to run on, if it has to."""
        if task.roomy and (found := self.workers.roomiest(self.chain[task.leg].needs, task.host)):
            return found[0]
        return task.host

    def _send(self, leg: int, where: str | None, tasks: list[Task]) -> None:
        part = self.chain[leg]
        keys = self.flights.send(
            functools.partial(blocks.task, self.jobs[leg]),
            tasks,
            [self.orders.pack(task) for task in tasks],
            [f"{part.name}-{leg}.{task.blocks[0]}" for task in tasks],
            priority=leg,
            needs=self.workers.asks(part.needs),
            where=where,
        )
        if where in self.workers.about:
            self.flights.bind(keys, where)

    def _send_folds(self, nodes: list[Node]) -> None:
        names = [f"fold-node{node.level}.{node.index}" for node in nodes]
        needs = self.workers.asks({})
        self.flights.send(self.fold, nodes, nodes, names, priority=10, needs=needs)

    def _landed(self, stopping: bool) -> list[Future]:
        """Wait for futures; many are taken at once while there is enough in flight."""
        batch = self.flights.landed()
        if not batch:
            self.check()
            time.sleep(POLL)
            return []
        if not stopping and self._may_wait():
            time.sleep(GATHER)
            batch += self.flights.landed()
        return batch

    def _may_wait(self) -> bool:
        """Whether the workers have enough to do while more receipts come together."""
        window = self.window
        enough = window.low if window.waiting else TAIL * self.threads
        return not window.capped and window.flying > enough

    def check(self) -> None:
        """Raise if the cluster or the ledger cannot go on."""
        self.ledger.check()
        if self.client.status in ("closed", "closing"):
            raise Interrupted(GONE)
        now = time.monotonic()
        if now - self._looked > LOOK:
            self._looked = now
            self._look()
            self._with_workers = now if self._has_workers() else self._with_workers
            if now - self._with_workers > self._patience:
                able = " on a host that has what all stages need" if self.keeper else ""
                raise Interrupted(
                    f"the cluster has had no worker{able} for {self._patience:.0f} s; what is done "
                    "is safe, give the command again"
                )

    def _has_workers(self) -> bool:
        return bool(self.keeper.hosts if self.keeper else self.workers.about)

    def _look(self) -> None:
        """See which workers came and went; what waits for one that is gone is sent again."""
        if self.workers.look():
            self.threads = self.workers.threads
            self.window.grow(self.threads)
            for task in self._take_back(self.flights.orphaned(self.workers.about)):
                self.window.again(task)
        for host in self.keeper.look(self.workers) if self.keeper else ():
            for block in self.window.leases.on(host):
                self._restart(block)

    def _take_back(self, keys: Sequence[str]) -> list[Task]:
        """Cancel tasks; return them."""
        taken = self.flights.take_back(keys)
        tasks = [what for what in taken if isinstance(what, Task)]
        for task in tasks:
            self.window.landed(task)
        return tasks

    def _restart(self, block: int) -> None:
        """Let a block whose host is lost begin again at its first leg."""
        mine = self.flights.matching(lambda w: isinstance(w, Task) and block in w.blocks)
        self._take_back(mine)
        tag = int(self.plan.index[block]["tag"])
        self.standing.restart(block, tag, self.chain, self.ledger)
        self.orders.restart(block, len(self.chain))
        self.window.restart(block)

    def _settle(self, batch: list[Future]) -> None:
        for what, value in self.flights.results(batch):
            if isinstance(what, Node):
                assert self.books.tree is not None
                self.books.tree.settle(what.level + 1, what.index, value)
            else:
                self.window.landed(what)
                for receipt in pickle.loads(value):
                    self._take(what, receipt)
        for what, error in self.flights.lost(batch):
            self._lost(what, error)

    def _take(self, task: Task, receipt: dict[str, Any]) -> None:
        leg = task.leg
        about = {k: receipt.pop(k) for k in ("block", "kept", "retry_after", "room", "usage")}
        usage = about.pop("usage")
        block, ref = about["block"], Ref(receipt["part"], receipt["digest"])
        about["kept"] = self.resumed.setdefault((leg, block), about["kept"])
        replaced, _ = self.standing.kept.pop((leg, block), (None, ()))
        old = replaced.name if replaced else self.standing.stale.pop((leg, block), ref.name)
        if old != ref.name:
            parts.remove(self.plan.folder, old)
        self.window.measured(leg, usage["seconds"])
        self.ledger.add({**receipt, **usage})
        failed = [(f[3], about["retry_after"]) for f in receipt["failures"]]
        if any(f[0] == "memory" for f in failed) and not self._is_roomier(task, about["room"]):
            failed = [f for f in failed if f[0] != "memory"]
        again, wait = self.retries.again(leg, block, failed) if failed else ((), 0.0)
        if again:
            self._again(task._replace(blocks=(block,)), ref, again, wait)
        elif leg + 1 < len(self.chain):
            self.standing.source[block] = ref
            self.window.arrive(leg + 1, block, receipt.get("holds"))
        else:
            self.standing.source.pop(block, None)
            self.resumed.pop((leg, block))
            self._leave(block)
            seconds = usage["seconds"]
            self.books.take(block, {**receipt, **about, "seconds": seconds}, resumed=False)

    def _is_roomier(self, task: Task, room: int | None) -> bool:
        """Whether some worker has more memory for one unit than ``room``, which was too little."""
        found = self.workers.roomiest(self.chain[task.leg].needs, task.host)
        return bool(room and found and cap_of(found[1]) > room)

    def _leave(self, block: int) -> None:
        """Give back the leases of a settled block, once nothing of it lies on its host."""
        host = self.window.leases.host(block)
        if self.keeper and host:
            settled = functools.partial(self.window.settled, block)
            self.keeper.clear(
                host, f"{self.ledger.epoch:05d}", self.orders.folder(block), then=settled
            )
        else:
            self.window.settled(block)

    def _again(self, task: Task, ref: Ref, again: tuple[str, ...], wait: float) -> None:
        place = task.leg, task.blocks[0]
        self.standing.kept[place] = ref, again
        self.orders.attempts[place] += 1
        if "memory" in again:
            task = task._replace(isolated=not self.chain[task.leg].needs, roomy=True)
        self.window.again(task, wait)

    def _lost(self, what: Task | Node, error: BaseException | None) -> None:
        """Try again what was lost with a worker: units in a sandbox, to find which one it was."""
        self.check()
        if error is not None and not isinstance(error, KilledWorker):
            raise error
        if isinstance(what, Node):
            self._lost_fold(what, error)
            return
        self.window.landed(what)
        leg = self.chain[what.leg]
        logger.warning("a worker died while %s ran %d blocks", leg.name, len(what.blocks))
        for block in what.blocks:
            if self.deaths.note(block, error) < DEATHS:
                alone = not leg.needs
                self.window.again(Task(what.leg, (block,), alone), alone=bool(leg.needs))
            else:
                why = self.deaths.why(block)
                self._lose(block, leg.name, f"its worker died {DEATHS} times while it ran{why}")

    def _lost_fold(self, node: Node, error: BaseException | None) -> None:
        if self.deaths.note(node, error) >= DEATHS:
            raise Interrupted(
                f"combining {len(node.children)} parts killed its worker {DEATHS} times, most "
                "likely for memory: give the same command again with a larger --memory-limit"
                + self.deaths.why(node)
            )
        self._send_folds([node])

    def _lose(self, block: int, leg: str, detail: str) -> None:
        self._leave(block)
        failures = self.books.lose(block, leg, detail)
        tag = f"{int(self.plan.index[block]['tag']):016x}"
        self.ledger.note({"event": "lost", "tag": tag, "failures": failures})
