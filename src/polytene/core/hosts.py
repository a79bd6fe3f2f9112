"""The hosts of a cluster: who works there, what is left of their own, and what lies on them."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from polytene.core.limits import Limits, Want
from polytene.core.scratch import clear_host

if TYPE_CHECKING:
    from distributed import Client

logger = logging.getLogger(__name__)

PREFIX = "host."
CORE = "CPU"
GRACE = 15.0
CLOSE_SECONDS = 20.0


class Workers:
    """The workers of a cluster, as they were when last asked for.

    Parameters
    ----------
    client
        A Dask client.
    """

    def __init__(self, client: Client) -> None:
        self._client = client
        self.about: dict[str, dict[str, Any]] = {}
        self.look()

    def look(self) -> bool:
        """Ask who is there; return whether that changed."""
        found = set(self._client.nthreads())
        if found == set(self.about):
            return False
        self.about = self._client.scheduler_info(n_workers=-1)["workers"]
        return True

    @property
    def threads(self) -> int:
        """How many tasks they run at a time."""
        return sum(about["nthreads"] for about in self.about.values())

    def hosts(self, needs: Sequence[Want] = ()) -> dict[str, str]:
        """Return the hosts whose workers own all that is needed, with an address on each."""
        found: dict[str, list[str]] = {}
        for address, about in self.about.items():
            found.setdefault(about["host"], []).append(address)
        return {
            host: addresses[0]
            for host, addresses in found.items()
            if all(any(self._owns(a, need) for a in addresses) for need in needs)
        }

    def roomiest(self, need: Want, host: str | None = None) -> tuple[str, float] | None:
        """Return the worker with the largest memory limit, and the limit, on ``host`` if given."""
        limits = {
            address: float(about["memory_limit"] or "inf")
            for address, about in self.about.items()
            if host in (None, about["host"]) and self._owns(address, need)
        }
        address = max(limits, key=lambda a: (limits[a], a), default=None)
        return None if address is None else (address, limits[address])

    def asks(self, need: Want) -> Want:
        """Return what a task asks of its worker: what it needs, else a core where some offer those.

        In a cluster with GPUs, the workers that have none offer ``CPU``: what needs nothing goes
        there and does not stand before a GPU.
        """
        offered = any(CORE in _resources(about) for about in self.about.values())
        return {CORE: 1} if offered and not need else need

    def _owns(self, address: str, need: Want) -> bool:
        owned = _resources(self.about[address])
        return all(owned.get(name, 0) >= amount for name, amount in self.asks(need).items())


def _resources(about: dict[str, Any]) -> dict[str, float]:
    return about.get("resources") or {}


class Hosts:
    """What each host has of its own, and how much of it is free.

    Parameters
    ----------
    total
        Per name, how much there is on each host: ``{"host.disk": 200e9}``.
    """

    def __init__(self, total: Want | None = None) -> None:
        self.total = dict(total or {})
        self._open: dict[str, Limits] = {}

    def __contains__(self, host: str) -> bool:
        return host in self._open

    def open(self, host: str) -> None:
        """Offer a host: nothing on it is in use."""
        self._open[host] = Limits(self.total)

    def close(self, host: str) -> None:
        """Offer a host no longer."""
        self._open.pop(host, None)

    def held(self) -> dict[str, list[float]]:
        """Return how much of each name is held on all hosts, and how much they have."""
        each = list(self._open.values())
        return {
            name: [sum(host.used[name] for host in each), amount * len(each)]
            for name, amount in self.total.items()
        }

    def most_free(self, want: Want) -> str | None:
        """Return the host with the most left of what is wanted; None where it fits nowhere."""
        fitting = [h for h, limits in self._open.items() if limits.fits(want)]
        return max(fitting, key=lambda h: (self._free(h, want), h), default=None)

    def _free(self, host: str, want: Want) -> float:
        used = self._open[host].used
        return min(1 - used[name] / self.total[name] for name in want)

    def take(self, host: str, want: Want) -> None:
        """Take of a host's own."""
        self._open[host].take(want)

    def give(self, host: str, want: Want) -> None:
        """Give back to a host, if it is still there."""
        if host in self._open:
            self._open[host].give(want)


class Offers(Protocol):
    """Who is told which hosts may be used."""

    def open(self, host: str) -> None:
        """Use a host from now on."""

    def close(self, host: str) -> None:
        """Use a host no longer."""


class Sweep(NamedTuple):
    """A folder of a host to remove, and what to do once it is gone."""

    host: str
    names: tuple[str, ...]
    then: Callable[[], None]


class Keeper:
    """Keeps the scratch of hosts: clears it when they come, when a unit is settled, and at last.

    A host is offered once nothing of an earlier time lies on it, and lost when no worker of it
    was there for a while: a nanny starts its worker again in less.

    Parameters
    ----------
    client
        A Dask client.
    mark
        Name of the run directory's folder on each host.
    offers
        Who is told which hosts may be used.
    needs
        What a worker of a host has to own, per leg.
    clock
        Seconds that only go forward.
    """

    def __init__(
        self,
        client: Client,
        mark: str,
        offers: Offers,
        needs: Sequence[Want] = (),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client, self._mark, self._offers, self._needs = client, mark, offers, needs
        self._clock = clock
        self.hosts: set[str] = set()
        """Those that may be used."""
        self._address: dict[str, str] = {}
        self._seen: dict[str, float] = {}
        self._sweeps: dict[Future[Any], Sweep] = {}
        self._failed: list[Sweep] = []
        self._threads = ThreadPoolExecutor(4, "polytene-hosts")

    def look(self, workers: Workers) -> list[str]:
        """Clear the hosts that came, and return those that are lost; call it about each second."""
        now = self._clock()
        self._address = workers.hosts(self._needs)
        for host in self._address:
            if host not in self._seen:
                self._sweep(Sweep(host, (), partial(self._open, host)))
            self._seen[host] = now
        lost = [host for host, seen in self._seen.items() if now - seen > GRACE]
        for host in lost:
            self._lose(host)
        again, self._failed = self._failed, []
        for sweep in again:
            self._sweep(sweep)
        return lost

    def clear(self, host: str, *names: str, then: Callable[[], None]) -> None:
        """Remove a folder of the run on a host, then do ``then``; if the host is lost, at once."""
        self._sweep(Sweep(host, names, then))

    def _sweep(self, sweep: Sweep) -> None:
        if sweep.names and sweep.host not in self.hosts:
            sweep.then()
        elif sweep.host not in self._address:
            self._failed.append(sweep)
        else:
            where = [self._address[sweep.host]]
            run = self._client.run
            asked = self._threads.submit(run, clear_host, self._mark, *sweep.names, workers=where)
            self._sweeps[asked] = sweep

    def _open(self, host: str) -> None:
        self.hosts.add(host)
        self._offers.open(host)

    def swept(self) -> None:
        """Do what was to be done after folders that are gone now."""
        for asked in [f for f in self._sweeps if f.done()]:
            sweep = self._sweeps.pop(asked)
            if error := asked.exception():
                logger.debug("%s could not be cleared yet: %s", sweep.host, error)
                self._failed.append(sweep)
            elif sweep.host in self._seen:
                sweep.then()

    def _lose(self, host: str) -> None:
        """Forget a host; whoever waited for a folder there waits no longer."""
        logger.warning("host %s is lost: its units begin again at their first stage", host)
        self.hosts.discard(host)
        self._offers.close(host)
        del self._seen[host]
        waiting = [s for s in (*self._sweeps.values(), *self._failed) if s.host == host]
        for asked in [f for f, s in self._sweeps.items() if s.host == host]:
            asked.cancel()
            del self._sweeps[asked]
        self._failed = [s for s in self._failed if s.host != host]
        for sweep in waiting:
            if sweep.names:
                sweep.then()

    def close(self) -> None:
        """Remove all that the run has on its hosts, as far as they answer."""
        asked = list(self._sweeps)
        for address in self._address.values():
            run = self._client.run
            asked.append(self._threads.submit(run, clear_host, self._mark, workers=[address]))
        with suppress(Exception):
            wait(asked, CLOSE_SECONDS)
        self._threads.shutdown(wait=False, cancel_futures=True)
