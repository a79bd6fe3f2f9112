"""Files cut into shards by a run in a thread of its own, so that what is cut can be parsed."""

from __future__ import annotations

import functools
import shutil
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from polytene.core.canonical import digest
from polytene.core.events import Begun, Event
from polytene.core.keys import safe_key
from polytene.core.outcome import Outcome
from polytene.core.plan import Plan
from polytene.core.reduce import Reduction
from polytene.core.run import run
from polytene.core.stage import Stage
from polytene.exceptions import Interrupted
from polytene.metadata.clients import ForThread
from polytene.metadata.plan import Shard, spooled_shards
from polytene.metadata.sources.find import Source, as_source
from polytene.metadata.sources.shard_file import more_listed
from polytene.metadata.sources.spool import MEMORY, cut_mark, spool

FREE_SHARE = 0.9


@contextmanager
def cutting(
    files: Iterable[Path],
    folder: Path,
    shard_bytes: int,
    known: Path | None,
    running: dict[str, Any],
) -> Iterator[Cutting]:
    """Begin to cut files; if what is done meanwhile fails, the cut is left, too.

    Parameters
    ----------
    folder
        Of the run; the shard files lie in it until they are parsed.
    known
        File of what submissions were: those that are still the same are left out.
    """
    with ThreadPoolExecutor(1, "polytene-cut") as pool:
        cut = Cutting(list(files), folder, shard_bytes, known, running, pool)
        try:
            cut.wait_for_begin()
            yield cut
        except BaseException:
            cut.leave()
            raise


class Cutting:
    """A run that cuts files; tells which shards there are by now."""

    def __init__(
        self,
        files: list[Path],
        folder: Path,
        shard_bytes: int,
        known: Path | None,
        running: dict[str, Any],
        pool: ThreadPoolExecutor,
    ) -> None:
        self._begun, self._left = threading.Event(), threading.Event()
        self._client = ForThread(running["client"], self._left)
        self._folder = folder / "shards"
        names = zip(files, _keys(files), strict=True)
        self.units = [as_source(path, name, self._folder) for path, name in names]
        self._how: dict[str, Any] = {"shard_bytes": shard_bytes}
        if known is not None:
            self._how["known"] = str(known)
        known_text = self._how.get("known")
        self._marks = {u.key: cut_mark(u, shard_bytes, known_text) for u in self.units}
        self._listed: dict[str, list[dict[str, Any]]] = {u.key: [] for u in self.units}
        self._run: Future[Outcome] | None = None
        if self.units:
            folder.mkdir(parents=True, exist_ok=True)
            self._run = pool.submit(self._cut, folder, running)
        self._ended = threading.Event()
        if self._run is None:
            self._ended.set()
        else:
            self._run.add_done_callback(self._end)

    def _cut(self, folder: Path, running: dict[str, Any]) -> Outcome:
        plan: Plan[Source] = Plan("metadata-cut", self.units, self._how, noun="source")
        stage = Stage(functools.partial(spool, **self._how), memory=MEMORY)
        limits = {"disk": FREE_SHARE * shutil.disk_usage(folder).free}
        again = {**running, "stop": self._stop(running.get("stop"))}
        again["client"] = self._client
        again["on_event"] = self._tell(running.get("on_event"))
        return run(plan, [stage], Reduction(None, _by_key), run_dir=folder, limits=limits, **again)

    def _end(self, run: Future[Outcome]) -> None:
        self._begun.set()
        self._ended.set()

    def _stop(self, asked: Callable[[], bool] | None) -> Callable[[], bool]:
        def stop() -> bool:
            if self._left.is_set():
                raise Interrupted("the files are not cut any further, since their parsing ended")
            return asked is not None and asked()

        return stop

    def _tell(self, on_event: Callable[[Event], None] | None) -> Callable[[Event], None]:
        def tell(event: Event) -> None:
            if on_event is not None:
                on_event(event)
            if isinstance(event, Begun):
                self._begun.set()

        return tell

    def wait_for_begin(self) -> None:
        """Wait until the run has begun: it may refuse its inputs."""
        if self._run is not None:
            self._begun.wait()
            if self._run.done():
                self._run.result()

    @property
    def over(self) -> bool:
        """Whether all is cut."""
        return self._ended.is_set()

    def wait(self, seconds: float) -> None:
        """Wait for the end of the cut, at most so long, and open its client if it asks for it."""
        self._client.serve()
        self._ended.wait(seconds)

    def leave(self) -> None:
        """Let the run end without what it does now."""
        self._left.set()

    def outcome(self) -> Outcome | None:
        """Return what the cut came to, None if there was nothing to cut; raise what it raised."""
        return self._run.result() if self._run is not None else None

    def count(self) -> int:
        """Return how many shards there are by now."""
        for unit in self.units:
            more_listed(Path(unit.folder), self._marks[unit.key], self._listed[unit.key])
        return sum(map(len, self._listed.values()))

    def shards(self) -> list[Shard]:
        """Return the shards that were counted last; when the cut is over, those that hold."""
        if self._run is None or not self._run.done():
            return spooled_shards((u, self._listed[u.key]) for u in self.units)
        found = dict(self._run.result().result)
        return spooled_shards((u, found[u.key]["shards"]) for u in self.units if u.key in found)

    def forget(self, parsed: list[dict[str, Any]]) -> None:
        """Remove the files of shards that are parsed."""
        for shard in parsed:
            place = Path(shard["place"])
            if self._folder in place.parents:
                place.unlink(missing_ok=True)

    def forget_all(self) -> None:
        """Remove all that lies there besides the lists."""
        for pattern in ("*/*.arrow", "*/*.tmp"):
            for path in self._folder.glob(pattern):
                path.unlink(missing_ok=True)


def _keys(paths: list[Path]) -> list[str]:
    names = [safe_key(p.name)[:150] for p in paths]
    return [
        name if names.count(name) == 1 else f"{name}-{digest(str(path).encode(), 4)}"
        for name, path in zip(names, paths, strict=True)
    ]


def _by_key(values: Any, plan: Any, failures: Any) -> list[tuple[str, Any]]:
    return [(unit.key, about) for unit, about in values]
