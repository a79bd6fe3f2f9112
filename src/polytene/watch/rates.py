"""How far a run is, how fast, and how long it will take."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from dask.utils import format_bytes

from polytene.core.events import Begun, Event, Settled


@dataclass
class Meter:
    """Adds up events; time enters what is shown and nothing else."""

    clock: Callable[[], float] = time.monotonic
    noun: str = "unit"
    units: int = 0
    done: int = 0
    resumed: int = 0
    cost: float = 0.0
    cost_done: float = 0.0
    cost_resumed: float = 0.0
    items: int = 0
    nbytes: int = 0
    failures: int = 0
    started: float = field(default=0.0)

    def __call__(self, event: Event) -> None:
        """Take an event into account."""
        if isinstance(event, Begun):
            self.noun, self.units, self.cost = event.noun, event.units, event.cost
            self.done = self.resumed = event.resumed
            self.cost_done = self.cost_resumed = event.resumed_cost
            self.items = self.nbytes = self.failures = 0
            self.started = self.clock()
        elif isinstance(event, Settled):
            self.done += event.units
            self.cost_done += event.cost
            self.items += event.items
            self.nbytes += event.nbytes
            self.failures += len(event.failures)

    @property
    def seconds(self) -> float:
        """Seconds since the run began."""
        return self.clock() - self.started

    @property
    def eta(self) -> float | None:
        """Seconds to go at the rate of this run, by cost; None before anything is done."""
        worked = self.cost_done - self.cost_resumed
        if worked <= 0 or self.seconds <= 0:
            return None
        return max(0.0, self.cost - self.cost_done) * self.seconds / worked

    def words(self) -> str:
        """Return items, bytes, rate, ETA and failures as text."""
        seconds = max(self.seconds, 1e-9)
        said = []
        if self.items:
            said.append(f"{counted(self.items, 'item')} ({self.items / seconds:,.0f}/s)")
        if self.nbytes:
            said.append(
                f"{format_bytes(self.nbytes)} ({format_bytes(int(self.nbytes / seconds))}/s)"
            )
        if not said and self.done > self.resumed:
            said.append(f"{(self.done - self.resumed) / seconds:,.1f} {plural(self.noun)}/s")
        said.append(f"failures {self.failures}")
        if self.done < self.units:
            said.append(f"ETA {clock_text(self.eta)}")
        else:
            said.append(f"took {clock_text(self.seconds)}")
        return ", ".join(said)


def clock_text(seconds: float | None) -> str:
    """Return a duration as people read it.

    Examples
    --------
    >>> clock_text(5), clock_text(90), clock_text(7384), clock_text(None)
    ('0:05', '1:30', '2:03:04', '?')
    """
    if seconds is None:
        return "?"
    minutes, second = divmod(round(seconds), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02d}:{second:02d}" if hours else f"{minute}:{second:02d}"


def plural(noun: str) -> str:
    """Return the plural of a unit's noun.

    Examples
    --------
    >>> plural("batch"), plural("file")
    ('batches', 'files')
    """
    return f"{noun}es" if noun.endswith(("ch", "s", "x", "sh")) else f"{noun}s"


def counted(n: int, noun: str) -> str:
    """Return a number with its noun.

    Examples
    --------
    >>> counted(1, "batch"), counted(2000, "file")
    ('1 batch', '2,000 files')
    """
    return f"{n:,} {noun if n == 1 else plural(noun)}"
