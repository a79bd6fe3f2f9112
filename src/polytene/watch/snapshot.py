"""A moment of a run for the live page: what to show, made from its directory within a budget."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field
from typing import Any

from polytene.core.failure import Failure
from polytene.exceptions import PolyteneError
from polytene.watch.grids import Running
from polytene.watch.pictures import Picture
from polytene.watch.rates import clock_text, plural
from polytene.watch.story import DONE, FAILED, PARTLY, Story, Totals
from polytene.watch.views import View, view_of

BUDGET = 0.25
SILENT = 10.0
MOST_FAILURES = 50


@dataclass(frozen=True)
class Snapshot:
    """What there is to see of a run at one moment."""

    message: dict[str, Any]
    state: str
    story: Story | None
    running: Running
    totals: Totals
    rate: float | None
    eta: float | None
    failures: list[Failure]
    pictures: list[Picture] = field(default_factory=list)
    problem: str = ""
    seconds: float = 0.0

    def facts(self) -> list[tuple[str, str]]:
        """Return the figures of the header, with their names."""
        noun, totals = self.message["noun"], self.totals
        from polytene.watch.markup import size

        return [
            (plural(noun), f"{totals.done + totals.quarantined:,} of {totals.units:,}"),
            (f"{plural(noun)} a second", "?" if self.rate is None else f"{self.rate:,.3g}"),
            ("to go", clock_text(self.eta) if self.state == "running" else "-"),
            ("items", f"{totals.items:,}"),
            ("read", size(totals.nbytes)),
            ("quarantined", f"{totals.quarantined:,}"),
            ("items rejected", f"{totals.rejected:,}"),
            ("tasks in flight", f"{self.message['flying']:,}"),
        ]

    def as_json(self) -> dict[str, Any]:
        """Return the page as JSON."""
        message, totals = self.message, self.totals
        stages = []
        if self.story:
            for leg, name in enumerate(self.story.legs):
                cells = self.story.cells[leg]
                counts = {
                    word: int((cells["state"] == state).sum())
                    for word, state in (("done", DONE), ("partly", PARTLY), ("failed", FAILED))
                }
                running = sum(n == leg for n, _ in self.running)
                seconds = round(float(cells["seconds"].sum()), 3)
                stages.append(
                    {"stage": name, "blocks": len(cells), **counts, "running": running,
                     "seconds": seconds}
                )  # fmt: skip
        return {
            **{name: message[name] for name in ("run", "kind", "noun")},
            "state": self.state,
            **vars(totals),
            "per_second": self.rate,
            "eta_seconds": self.eta,
            "limits": {
                name: {"used": used, "total": total if math.isfinite(total) else None}
                for name, (used, total) in message["limits"].items()
            },
            "stages": stages,
            "reasons": dict(self.story.reasons) if self.story else {},
            "failures": [vars(f) for f in self.failures],
            "problem": self.problem,
        }


class Reader:
    """Reads one run directory on, a little at a time.

    Parameters
    ----------
    directory
        The run directory.
    """

    def __init__(self, directory: str) -> None:
        self.directory = directory
        self._story: Story | None = None
        self._view: View | None = None
        self._waiting: list[int] = []
        self._ended: set[int] = set()

    def read(self, message: dict[str, Any], heard: float, running: Running) -> Snapshot:
        """Return a snapshot; ``heard``: seconds since the driver was heard of.

        Where the directory cannot be read from here, the driver's own words are all there is.
        """
        start = time.thread_time()
        try:
            story, view = self._read_on()
        except (PolyteneError, OSError) as error:
            return self._told(message, heard, str(error))
        legs, blocks = story.cells.shape
        running = [(leg, block) for leg, block in running if leg < legs and block < blocks]
        state = _state(message, heard)
        rate, eta = rate_of(story) if state == "running" else (rate_of(story)[0], None)
        left = f", {len(self._waiting):,} blocks not looked at yet" if self._waiting else ""
        return Snapshot(
            message, state, story, running, story.totals, rate, eta,
            story.failures(MOST_FAILURES), view.pictures(running), left.strip(", "),
            time.thread_time() - start,
        )  # fmt: skip

    def _read_on(self) -> tuple[Story, View]:
        if self._story is None or self._view is None or self._story.replaced:
            self._story = Story(self.directory)
            self._view = view_of(self._story)
            self._waiting, self._ended = [], set()
        end = time.monotonic() + BUDGET
        ended = self._story.read_on()
        if self._ended.isdisjoint(ended):
            self._waiting += ended
        else:  # a block was tried again: what it came to before is no longer true
            self._view = view_of(self._story)
            self._waiting = list(self._story.parts)
        self._ended.update(ended)
        self._waiting = self._view.take_in(self._waiting, lambda: time.monotonic() < end)
        return self._story, self._view

    def _told(self, message: dict[str, Any], heard: float, problem: str) -> Snapshot:
        totals = Totals(message["units"], message["settled"], 0, message["failures"],
                        message["items"], message["nbytes"])  # fmt: skip
        problem = f"the run directory cannot be read from the scheduler's host: {problem}"
        nothing: list[Any] = []
        about = (message, _state(message, heard), None, nothing, totals, None, None, nothing)
        return Snapshot(*about, problem=problem)


def _state(message: dict[str, Any], heard: float) -> str:
    if message["over"]:
        return "over"
    return "running" if heard < SILENT else f"silent for {heard:.0f} s"


def rate_of(story: Story, until: float | None = None) -> tuple[float | None, float | None]:
    """Return units a second of the last driver, and the seconds to go at its rate by cost."""
    units, share = story.worked()
    seconds = (until or time.time()) - story.begun
    if not units or seconds <= 0 or not story.begun:
        return None, None
    return units / seconds, (1 - story.share) * seconds / share if share else None
