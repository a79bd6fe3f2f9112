"""The loop between the window and the scheduler."""

from __future__ import annotations

import functools
import logging
import time
import uuid
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import dask
from distributed import KilledWorker, as_completed

from polytene.core.blocks import Item, Job, work
from polytene.core.books import Books
from polytene.core.ledger import Ledger
from polytene.core.parts import Ref
from polytene.core.reduce import Node, Reduction, fold
from polytene.core.resume import Standing
from polytene.core.saved import SavedPlan
from polytene.core.stage import Leg
from polytene.core.window import Task, Window
from polytene.exceptions import Interrupted

if TYPE_CHECKING:
    from distributed import Client, Future

logger = logging.getLogger(__name__)

ATTEMPTS = 3
GATHER = 0.1
POLL = 0.005


class Drive:
    """Submits what the window admits, and books what comes back.

    Tasks return receipts only; their futures are released at once, so that the death of a
    worker costs what ran on it and nothing that was finished.
    """

    def __init__(
        self,
        client: Client,
        plan: SavedPlan[Any],
        chain: list[Leg],
        reduction: Reduction,
        ledger: Ledger,
        books: Books,
        standing: Standing,
        in_flight: int,
    ) -> None:
        self.client, self.plan, self.chain, self.ledger, self.books = (
            client,
            plan,
            chain,
            ledger,
            books,
        )
        self.standing = standing
        sync = bool(dask.config.get("polytene.fsync", True))
        self.jobs = [
            Job(plan.folder, plan.path, plan.unit_type, leg, ledger.epoch, sync) for leg in chain
        ]
        combine = reduction.combine
        self.fold = functools.partial(fold, plan.folder, combine, sync) if combine else None
        threads = sum(client.nthreads().values())
        seconds = float(dask.config.get("polytene.task-seconds", 10))
        fresh = standing.fresh
        self.window = Window(len(chain), fresh, len(fresh), in_flight, threads, seconds)
        for leg, block in standing.half:
            self.window.arrive(leg, block)
        self.pool = as_completed(loop=client.loop, raise_errors=False)
        self.token = uuid.uuid4().hex[:8]
        self.flying: dict[str, tuple[Task, bool] | Node] = {}
        self.tries: dict[int, int] = {}
        self.deaths: dict[int, int] = {}
        self.stopping = False

    def to_end(self, stop: Callable[[], bool]) -> None:
        """Work until nothing is left, or until ``stop`` says so and all that flies has landed."""
        self._submit()
        while self.flying:
            self._settle(self._landed())
            if not self.stopping and stop():
                self.stopping = True
                logger.warning("stopping: %d tasks are still settled", len(self.flying))
            if not self.stopping:
                self._submit()
        if self.stopping:
            left = len(self.plan) - self.books.settled
            raise Interrupted(
                f"stopped with {left:,} of {len(self.plan):,} units to do; what is done is safe, "
                "and the same command goes on from there"
            )

    def _submit(self) -> None:
        groups: dict[tuple[int, bool], list[Task]] = {}
        for task, alone in self.window.admit():
            groups.setdefault((task.leg, alone), []).append(task)
        for (leg, alone), tasks in groups.items():
            self._send(leg, alone, tasks)
        if self.books.tree and (nodes := self.books.tree.ready):
            self.books.tree.ready = []
            self._send_folds(nodes)

    def _send(self, leg: int, alone: bool, tasks: list[Task]) -> None:
        part = self.chain[leg]
        keys = [f"{part.name}-{self._mark(t)}-{self.token}" for t in tasks]
        items = [[self._item(leg, block) for block in t.blocks] for t in tasks]
        futures = self.client.map(
            functools.partial(work, self.jobs[leg]),
            items,
            key=keys,
            priority=leg,
            pure=False,
            retries=0,
            resources=dict(part.needs) or None,
        )
        self.flying.update(zip(keys, ((t, alone) for t in tasks), strict=True))
        self.pool.update(futures)

    def _mark(self, task: Task) -> str:
        first = task.blocks[0]
        tried = self.tries.get(first, 0)
        return f"{first}.{tried}" if tried else str(first)

    def _item(self, leg: int, block: int) -> Item:
        where, standing = self.plan.index[block], self.standing
        source, kept = standing.source.get(block), standing.kept.get((leg, block))
        offset, tag = int(where["offset"]), int(where["tag"])
        return Item(block, offset, tag, source, kept, standing.retry_all)

    def _send_folds(self, nodes: list[Node]) -> None:
        keys = [f"fold-{n.level}.{n.index}-{self.token}" for n in nodes]
        futures = self.client.map(self.fold, nodes, key=keys, priority=10, pure=False)
        self.flying.update(zip(keys, nodes, strict=True))
        self.pool.update(futures)

    def _landed(self) -> list[Future]:
        """Wait for futures; many are taken at once while there is enough in flight."""
        while not (batch := self.pool.next_batch(block=False)):
            self._check_cluster()
            time.sleep(POLL)
        if self.window.waiting and self.window.flying > self.window.low:
            time.sleep(GATHER)
            batch += self.pool.next_batch(block=False)
        return list(batch)

    def _check_cluster(self) -> None:
        if self.client.status in ("closed", "closing"):
            raise Interrupted("the cluster is gone; what is done is safe, give the command again")

    def _settle(self, batch: list[Future]) -> None:
        good = [f for f in batch if f.status == "finished"]
        for future, value in zip(good, self.client.gather(good), strict=True):
            self._take(self.flying.pop(future.key), value)
        for future in batch:
            if future.status != "finished":
                self._lost(self.flying.pop(future.key), future)

    def _take(self, what: tuple[Task, bool] | Node, value: Any) -> None:
        if isinstance(what, Node):
            assert self.books.tree is not None
            self.books.tree.settle(what.level + 1, what.index, value)
            return
        task, alone = what
        self.window.landed(task, alone)
        for receipt in value:
            block, seconds = receipt.pop("block"), receipt.pop("seconds")
            self.window.measured(task.leg, seconds)
            kept = receipt.pop("kept")
            self.ledger.add({**receipt, "seconds": round(seconds, 4)})
            if task.leg + 1 == len(self.chain):
                self.standing.source.pop(block, None)
                self.books.take(block, {**receipt, "seconds": seconds, "kept": kept}, resumed=False)
            else:
                self.standing.source[block] = Ref(receipt["part"], receipt["digest"])
                self.window.arrive(task.leg + 1, block)

    def _lost(self, what: tuple[Task, bool] | Node, future: Future) -> None:
        self._check_cluster()
        error = future.exception() if future.status == "error" else None
        if error is not None and not isinstance(error, KilledWorker):
            raise error
        if isinstance(what, Node):
            raise Interrupted(
                f"combining {len(what.children)} parts killed its worker, most likely for memory: "
                "give the same command again with a larger --memory-limit"
            )
        task, alone = what
        self.window.landed(task, alone)
        leg = self.chain[task.leg].name
        logger.warning("a worker died while %s ran %d blocks", leg, len(task.blocks))
        for block in task.blocks:
            self.tries[block] = self.tries.get(block, 0) + 1
            self.deaths[block] = self.deaths.get(block, 0) + alone
            if self.deaths[block] < ATTEMPTS:
                self.window.again(Task(task.leg, (block,)))
            else:
                self._lose(block, leg, f"its worker died {ATTEMPTS} times while it ran alone")

    def _lose(self, block: int, leg: str, detail: str) -> None:
        failures = self.books.lose(block, leg, detail)
        tag = f"{int(self.plan.index[block]['tag']):016x}"
        self.ledger.note({"event": "lost", "tag": tag, "failures": failures})
