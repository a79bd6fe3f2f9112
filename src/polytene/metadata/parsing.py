"""Sources to parsed shards: shards are parsed as they appear, in waves of one growing run."""

from __future__ import annotations

import functools
import threading
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from polytene.core.events import Ended, Event, Folding, OnEvent, Settled
from polytene.core.outcome import Outcome
from polytene.core.reduce import Reduction
from polytene.core.run import run
from polytene.core.stage import Stage
from polytene.metadata import stages
from polytene.metadata.cutting import Cutting, cutting
from polytene.metadata.marks import Marks, changed_shards
from polytene.metadata.parser.parse import Engine
from polytene.metadata.plan import Shard, Shards, TreeShards, parse_plan, tree_shards
from polytene.metadata.sources.find import Sources
from polytene.metadata.sources.tree import Listing, list_tree

LEAST_WAVE = 4
WAVE_SHARE = 8
POLL = 0.05


@dataclass(frozen=True)
class Options:
    """What a build does with its shards.

    Parameters
    ----------
    shard_bytes
        Size of a shard in bytes, about.
    engine, salvage
        As for :func:`polytene.metadata.build`.
    """

    shard_bytes: int
    engine: Engine = "auto"
    salvage: bool = False


def parse_sources(
    sources: Sources,
    folder: Path,
    options: Options,
    running: dict[str, Any],
    *,
    limit: int | None = None,
    only: dict[Path, Listing] | None = None,
    known: Path | None = None,
) -> Outcome:
    """Cut files into shards, and parse all shards; the result lists what each one left.

    Parameters
    ----------
    folder
        Where the runs lie.
    only
        Per tree, the entries to parse; all without it.
    known
        File of what submissions were: of files, those that are still the same are left out.
    """
    listings = only or {root: list_tree(root) for root in sources.trees}
    tell = _Telling(running.get("on_event"))
    cut_running = {**running, "on_event": tell.of_cut}
    parse = _Parse(tree_shards(listings, options.shard_bytes), folder, options, running, limit)
    where = (sources.files, folder / "spool", options.shard_bytes, known)
    with cutting(*where, cut_running) as cut:
        fresh = _waves(parse, cut, tell)
        shards = cut.shards()
    cut_outcome = cut.outcome()
    if only is not None and not len(parse.shards(shards)):
        return Outcome([], 0, 0, 0, directory=str(folder))
    outcome = parse.whole(shards, fresh)
    if not outcome.quarantined:
        cut.forget_all()
    if cut_outcome is None:
        return outcome
    return replace(
        outcome,
        planned=outcome.planned + len(cut_outcome.quarantined),
        quarantined=[*cut_outcome.quarantined, *outcome.quarantined],
        rejected=[*cut_outcome.rejected, *outcome.rejected],
    )


def _waves(parse: _Parse, cut: Cutting, tell: _Telling) -> int:
    """Parse what appears while files are cut; return how many shards were computed."""
    seen = fresh = 0
    while not cut.over:
        new = cut.count() - seen
        if new < max(LEAST_WAVE, seen // WAVE_SHARE) or parse.limited(seen):
            cut.wait(POLL)
            continue
        outcome = parse.wave(cut.shards(), tell.of_wave)
        cut.forget(outcome.result)
        fresh += outcome.computed
        seen += new
    return fresh


class _Parse:
    """The run that parses shards; it may be given more of them from wave to wave."""

    def __init__(
        self,
        trees: Sequence[TreeShards],
        folder: Path,
        options: Options,
        running: dict[str, Any],
        limit: int | None,
    ) -> None:
        self.trees, self.folder, self.options = trees, folder, options
        self.running, self.limit = running, limit
        self.marks = Marks(folder / "marks.json")

    def shards(self, spooled: Sequence[Shard]) -> Shards:
        """Return all shards: those of trees, and those that were cut."""
        return Shards([*self.trees, spooled])

    def limited(self, seen: int) -> bool:
        """Whether more than what was seen is not asked for."""
        return self.limit is not None and seen >= self.limit

    def wave(self, spooled: Sequence[Shard], on_event: OnEvent) -> Outcome:
        """Parse what there is by now; failures are judged in the end."""
        about = {"max_quarantined": 1.0, "retry_quarantined": False, "on_event": on_event}
        return self._run(spooled, {**self.running, **about})

    def whole(self, spooled: Sequence[Shard], fresh: int) -> Outcome:
        """Parse what is left; ``fresh`` shards were parsed by waves."""
        outcome = _with_waves(self._run(spooled, self.running), fresh)
        if outcome.resumed and (changed := changed_shards(outcome.result)):
            if self.running.get("on_change") == "rerun":
                self.marks.save(changed)
            self.marks.now |= changed
            outcome = _with_waves(self._run(spooled, self.running), fresh)
        return outcome

    def _run(self, spooled: Sequence[Shard], running: dict[str, Any]) -> Outcome:
        engine, salvage = self.options.engine, self.options.salvage
        plan = parse_plan(self.marks.on(self.shards(spooled)), engine=engine, salvage=salvage)
        if self.limit:
            plan = plan.head(self.limit)
        stage = Stage(functools.partial(stages.parse_shard, **plan.params), memory=stages.MEMORY)
        where = self.folder / "parse"
        return run(plan, [stage], Reduction(None, listed_values), run_dir=where, **running)


def _with_waves(outcome: Outcome, fresh: int) -> Outcome:
    """Return an outcome whose shards of earlier waves count as computed."""
    fresh = min(fresh, outcome.resumed)
    return replace(outcome, computed=outcome.computed + fresh, resumed=outcome.resumed - fresh)


def listed_values(values: Any, plan: Any, failures: Any) -> list[dict[str, Any]]:
    """Return what each unit left: its folder, and what its receipt says."""
    return [
        {"folder": str(value.path), "place": getattr(unit, "place", ""),
         "entries": getattr(unit, "entries", ""), **value.info}
        for unit, value in values
    ]  # fmt: skip


class _Telling:
    """The events of a cut and of waves, as those of one run after the other."""

    def __init__(self, on_event: OnEvent | None) -> None:
        self._on_event, self._lock, self._parsing = on_event, threading.Lock(), False

    def of_cut(self, event: Event) -> None:
        """Take an event of the cut; once shards are parsed, only what failed is told."""
        with self._lock:
            if self._on_event is None:
                return
            if not self._parsing:
                self._on_event(event)
            elif isinstance(event, Settled) and event.failures:
                nothing: dict[str, Any] = {"units": 0, "cost": 0.0, "items": 0, "nbytes": 0}
                self._on_event(replace(event, **nothing))

    def of_wave(self, event: Event) -> None:
        """Take an event of a wave, which is not the end of the run."""
        with self._lock:
            self._parsing = True
            if self._on_event is not None and not isinstance(event, Folding | Ended):
                self._on_event(event)
