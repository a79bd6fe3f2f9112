"""The live page: ``/polytene`` on a scheduler's dashboard, and the same as JSON.

The scheduler loads this module (``distributed.scheduler.preload``). Drivers tell it twice a second
where their run directories are; all else is read there, and only while somebody looks.
"""

from __future__ import annotations

import asyncio
import functools
import logging
import re
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from distributed import Scheduler, SchedulerPlugin

from polytene.core.pulse import PAGE, TOPIC
from polytene.watch.snapshot import Reader, Snapshot

logger = logging.getLogger(__name__)

PATH = "/polytene"
PERIOD = 0.5
SHARE = 0.1
LOOKED = 5.0
MOST_RUNS = 100
KEY = re.compile(r"-(\d+)\.(\d+)\.\d+-([0-9a-f]{8})$")

Message = dict[str, Any]


class LivePage(SchedulerPlugin):  # type: ignore[misc]
    """Hears of runs, and reads their directories while somebody looks.

    Parameters
    ----------
    scheduler
        Whose dashboard gets the page.
    """

    name = "polytene-page"

    def __init__(self, scheduler: Scheduler) -> None:
        self.scheduler = scheduler
        self.messages: dict[str, Message] = {}
        self.snapshot: Snapshot | None = None
        self.spent = 0.0
        self._heard: dict[str, float] = {}
        self._looked = float("-inf")
        self._reader: Reader | None = None
        self._task: asyncio.Task[None] | None = None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="polytene-page")

    def log_event(self, topic: str, msg: Message) -> None:
        """Hear from a driver."""
        if topic == TOPIC and isinstance(msg, dict) and "run" in msg:
            self.messages.pop(msg["run"], None)
            self.messages[msg["run"]] = msg
            self._heard[msg["run"]] = time.monotonic()
            while len(self.messages) > MOST_RUNS:
                oldest = next(iter(self.messages))
                del self.messages[oldest], self._heard[oldest]

    async def close(self) -> None:
        """End with the scheduler."""
        if self._task:
            self._task.cancel()
        self._thread.shutdown(wait=False, cancel_futures=True)

    def chosen(self) -> Message | None:
        """Return the run to show: of those that work the one heard last, else the last of all."""
        last = list(self.messages.values())
        working = [m for m in last if not m["over"]]
        return (working or last)[-1] if last else None

    def look(self) -> Snapshot | None:
        """Return the newest snapshot, and go on making new ones for a while."""
        self._looked = time.monotonic()
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._read_on())
        return self.snapshot

    async def newest(self) -> Snapshot | None:
        """Return a snapshot of now."""
        self._looked = time.monotonic()
        await self._read_once()
        return self.snapshot

    async def _read_on(self) -> None:
        while time.monotonic() - self._looked < LOOKED:
            self.spent = 0.0
            await self._read_once()
            await asyncio.sleep(max(PERIOD, self.spent / SHARE))

    async def _read_once(self) -> None:
        message = self.chosen()
        if message is None:
            return
        if self._reader is None or self._reader.directory != message["run"]:
            self._reader = Reader(message["run"])
        heard = time.monotonic() - self._heard[message["run"]]
        read = functools.partial(self._reader.read, message, heard, self.running(message["token"]))
        loop = asyncio.get_running_loop()
        self.snapshot = await loop.run_in_executor(self._thread, read)
        self.spent += self.snapshot.seconds

    def running(self, token: str) -> list[tuple[int, int]]:
        """Return leg and first block of the tasks of a driver that workers have."""
        found = []
        for worker in self.scheduler.workers.values():
            for task in worker.processing:
                match = KEY.search(str(task.key))
                if match and match[3] == token:
                    found.append((int(match[1]), int(match[2])))
        return found


def dask_setup(scheduler: Scheduler) -> None:
    """Add the page to a scheduler; without a dashboard there is none."""
    application = getattr(scheduler, "http_application", None)
    if application is None or "dashboard" not in scheduler.services:
        return
    from distributed.dashboard import scheduler as dashboard
    from distributed.dashboard.core import BokehApplication
    from tornado.ioloop import IOLoop

    from polytene.watch.page import Json, document

    page = LivePage(scheduler)
    scheduler.add_plugin(page, idempotent=True)
    known = dashboard.template_variables(scheduler)
    variables = {**known, "pages": [PATH.strip("/"), *known["pages"]]}
    shown = BokehApplication(
        {PATH: functools.partial(document, page)}, scheduler, template_variables=variables
    )
    application.add_application(shown)
    shown.initialize(IOLoop.current())
    shown.add_handlers(r".*", [(rf"{PATH}\.json", Json, {"page": page})])
    shown.start()
    scheduler.task_metadata[PAGE] = PATH
