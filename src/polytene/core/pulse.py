"""What a driver tells the scheduler's page of its run, twice a second: a few numbers."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from polytene.core.books import Books
from polytene.core.canonical import Json
from polytene.core.leases import Leases
from polytene.core.saved import SavedPlan

if TYPE_CHECKING:
    from distributed import Client

TOPIC = "polytene"
PAGE = "polytene-page"
EVERY = 0.5


class Pulse:
    """Tells where a run is and what it holds; all else is in its run directory.

    Parameters
    ----------
    client
        Whose scheduler hears it, as a Dask event of the topic ``polytene``.
    plan, books, leases
        What it tells of.
    token
        The end of the keys of this driver's tasks.
    """

    def __init__(
        self, client: Client, plan: SavedPlan[Json], books: Books, leases: Leases, token: str
    ) -> None:
        self._client, self._plan, self._books, self._leases = client, plan, books, leases
        self._token, self._told = token, 0.0

    def page(self) -> str | None:
        """Return the address of the scheduler's page of runs; None if it has none."""
        path = self._client.get_metadata(PAGE, default=None)
        link = self._client.dashboard_link
        return link.rpartition("/")[0] + path if path and link else None

    def beat(self, flying: int, *, over: bool = False) -> None:
        """Tell it, unless it was told a moment ago; ``flying``: tasks at the scheduler."""
        now = time.monotonic()
        if over or now - self._told > EVERY:
            self._told = now
            self._client.log_event(TOPIC, self._message(flying, over))

    def _message(self, flying: int, over: bool) -> dict[str, Json]:
        books, head = self._books, self._plan.head
        return {
            "run": str(self._plan.folder),
            "kind": head["kind"],
            "noun": head["noun"],
            "token": self._token,
            "units": len(self._plan),
            "settled": books.settled,
            "items": books.items,
            "nbytes": books.nbytes,
            "failures": books.n_failures,
            "flying": flying,
            "limits": self._leases.held(),
            "over": over,
        }
