"""What happens in a run, as values; the ledger, the progress display and the log live on them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from polytene.core.failure import Failure


@dataclass(frozen=True)
class Event:
    """Base of all events."""


@dataclass(frozen=True)
class Begun(Event):
    """A run has looked at its directory and is about to work."""

    kind: str
    noun: str
    units: int
    """Units of the plan."""
    cost: float
    """Sum of the units' costs."""
    resumed: int
    """Units that an earlier run has done."""
    resumed_cost: float
    directory: str


@dataclass(frozen=True)
class Visible(Event):
    """The scheduler has a live page on which the run can be seen."""

    page: str


@dataclass(frozen=True)
class Settled(Event):
    """A block has come to its end."""

    units: int
    cost: float
    items: int
    nbytes: int
    failures: tuple[Failure, ...]
    """Units that failed and items that were rejected."""
    seconds: float
    """What the block's last leg took on its worker."""


@dataclass(frozen=True)
class Folding(Event):
    """All units are settled; their values are combined."""


@dataclass(frozen=True)
class Ended(Event):
    """The run is over."""

    computed: int
    resumed: int
    quarantined: int
    rejected: int


OnEvent = Callable[[Event], None]
