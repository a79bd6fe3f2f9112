"""Shared limits: named slots and byte leases, taken all or nothing before the work starts."""

from __future__ import annotations

from collections.abc import Mapping

from polytene.exceptions import UsageError

Want = Mapping[str, float]


class Limits:
    """What the world allows at once over the whole cluster.

    Parameters
    ----------
    total
        Per name, how much there is: ``{"net.ena": 5, "disk": 25e9}``.
    """

    def __init__(self, total: Want | None = None) -> None:
        self.total = dict(total or {})
        self.used = dict.fromkeys(self.total, 0.0)
        self.peak = dict.fromkeys(self.total, 0.0)
        for name, amount in self.total.items():
            if amount <= 0:
                raise UsageError(f"limit {name!r} is {amount:g}: give more than 0")

    def check(self, want: Want, what: str) -> None:
        """Refuse, before any work, what could never run.

        Raises
        ------
        UsageError
            If a limit is not given, or one piece of work wants more than there is.
        """
        for name, amount in want.items():
            if name not in self.total:
                raise UsageError(
                    f"{what} uses {name!r}, which has no limit: give limits={{{name!r}: ...}}"
                )
            if amount > self.total[name]:
                raise UsageError(
                    f"{what} wants {amount:g} of {name!r}, and there is {self.total[name]:g}"
                )

    def fits(self, *wants: Want) -> bool:
        """Whether all of it is free now."""
        asked: dict[str, float] = {}
        for want in wants:
            for name, amount in want.items():
                asked[name] = asked.get(name, 0.0) + amount
        return all(self.used[n] + a <= self.total[n] * (1 + 1e-9) for n, a in asked.items())

    def take(self, want: Want) -> None:
        """Take, also what is not free: half-done work holds what it holds."""
        for name, amount in want.items():
            self.used[name] += amount
            self.peak[name] = max(self.peak[name], self.used[name])

    def give(self, want: Want) -> None:
        """Give back."""
        for name, amount in want.items():
            self.used[name] = max(0.0, self.used[name] - amount)
