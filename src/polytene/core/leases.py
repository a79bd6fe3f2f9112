"""Leases: what blocks hold from their admission until they are settled, and on which host."""

from __future__ import annotations

from collections.abc import Callable

from polytene.core.hosts import PREFIX, Hosts
from polytene.core.limits import Limits, Want
from polytene.exceptions import UsageError


class Leases:
    """Who holds what. A lease is taken whole, may shrink, and is given back when all is done.

    Parameters
    ----------
    limits
        What the whole cluster shares.
    wants
        What a block holds at most at any moment; None where no block holds anything. Names that
        begin with ``host.`` are taken of one host, to which the block is pinned.
    """

    def __init__(self, limits: Limits, wants: Callable[[int], Want] | None = None) -> None:
        self.limits = limits
        self.hosts = Hosts({n: a for n, a in limits.total.items() if n.startswith(PREFIX)})
        self._wants = wants
        self._asked: dict[int, Want] = {}
        self._held: dict[int, dict[str, float]] = {}
        self._host: dict[int, str] = {}

    def __bool__(self) -> bool:
        return self._wants is not None

    def host(self, block: int) -> str | None:
        """Return the host that a block is pinned to."""
        return self._host.get(block)

    def on(self, host: str) -> list[int]:
        """Return the blocks that are pinned to a host."""
        return [block for block, where in self._host.items() if where == host]

    def take(self, block: int, uses: Want) -> bool:
        """Take ``uses`` and, for a block that holds nothing yet, its lease; all or nothing."""
        if self._wants is None or block in self._held:
            return self._take_shared(uses)
        want = self._want(block)
        shared, own = _split(want)
        host = self.hosts.most_free(own) if own else None
        if (own and host is None) or not self._take_shared(uses, shared):
            return False
        self._held[block] = dict(want)
        if host is not None:
            self.hosts.take(host, own)
            self._host[block] = host
        del self._asked[block]
        return True

    def _take_shared(self, *wants: Want) -> bool:
        if not self.limits.fits(*wants):
            return False
        for want in wants:
            self.limits.take(want)
        return True

    def _want(self, block: int) -> Want:
        if block not in self._asked:
            assert self._wants is not None
            self._asked[block] = self._wants(block)
        return self._asked[block]

    def keep(self, block: int, shrunk: Want | None) -> None:
        """Let a block that an earlier run half did hold its lease, whether it is free or not."""
        if self._wants is not None:
            want = {**self._wants(block), **(shrunk or {})}
            self.limits.take(want)
            self._held[block] = want

    def shrink(self, block: int, smaller: Want) -> None:
        """Give back what a block needs no longer; what is larger than its lease is left out."""
        held = self._held.get(block, {})
        less = {n: held[n] - a for n, a in smaller.items() if n in held and a < held[n]}
        self._give(block, less)
        held.update({n: held[n] - a for n, a in less.items()})

    def give(self, block: int) -> None:
        """Give back all that a block holds."""
        self._give(block, self._held.pop(block, {}))
        self._host.pop(block, None)

    def held(self) -> dict[str, list[float]]:
        """Return how much of each limit is held, and how much there is; of all hosts together."""
        limits, own = self.limits, self.hosts.held()
        return {n: own.get(n, [limits.used[n], amount]) for n, amount in limits.total.items()}

    def _give(self, block: int, amounts: Want) -> None:
        shared, own = _split(amounts)
        self.limits.give(shared)
        if host := self.host(block):
            self.hosts.give(host, own)


def _split(want: Want) -> tuple[dict[str, float], dict[str, float]]:
    """Return what is shared by the cluster, and what is of one host."""
    shared = {n: a for n, a in want.items() if not n.startswith(PREFIX)}
    return shared, {n: a for n, a in want.items() if n.startswith(PREFIX)}


def pins(want: Want) -> bool:
    """Whether what holds this is pinned to one host."""
    return any(name.startswith(PREFIX) for name in want)


def check_pins(want: Want, used: Want, stage: str, block: int) -> None:
    """Refuse, before any work, what a host cannot give.

    Raises
    ------
    UsageError
        If a stage uses what only units can hold, or units that share a block are to be pinned.
    """
    if pins(used):
        name = next(n for n in used if n.startswith(PREFIX))
        raise UsageError(
            f"stage {stage} uses {name!r}: what belongs to a host is held by a unit through all "
            "its stages, so name it in Unit.footprint"
        )
    if pins(want) and block != 1:
        raise UsageError(
            f"units that hold something of a host are pinned one by one: Plan(..., block=1), "
            f"not {block}"
        )
