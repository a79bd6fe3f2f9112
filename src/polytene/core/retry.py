"""Which failures are tried again, how often, how soon, and when a run cannot succeed."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from polytene.core.failure import Failure
from polytene.exceptions import PreflightError

LEAST = 20
SHARE = 0.5


@dataclass(frozen=True)
class Policy:
    """How often a category is tried again, and how long to wait before it.

    Parameters
    ----------
    times
        Retries after the first failure.
    base, most
        The n-th retry waits ``base * 2**n`` seconds, at most ``most``, with up to half of it
        left out by chance, so that many units do not come back at once.
    """

    times: int
    base: float = 0.0
    most: float = 60.0

    def wait(self, tried: int, chance: random.Random) -> float:
        """Return the seconds to wait before the next try."""
        if not self.base:
            return 0.0
        full = min(self.most, self.base * 2.0**tried)
        return full * (1 - chance.random() / 2)


POLICIES = {
    "transport": Policy(5, base=1.0),
    "infrastructure": Policy(20, base=0.5, most=10.0),
    "memory": Policy(1),
    "tool": Policy(1),
    "input": Policy(0),
}


class Retries:
    """Counts what was tried, and says what to try again and when.

    Parameters
    ----------
    base
        Factor of all waiting times.
    """

    def __init__(self, base: float = 1.0) -> None:
        self.base = base
        self._tried: Counter[tuple[int, int, str]] = Counter()
        self._chance = random.Random(0)

    def again(
        self, leg: int, block: int, failures: Iterable[tuple[str, float | None]]
    ) -> tuple[tuple[str, ...], float]:
        """Return the categories of a block's failures to try again, and the seconds to wait.

        ``failures`` are category and, where a server named one, its Retry-After in seconds.
        """
        asked: dict[str, float] = {}
        for category, after in failures:
            policy = POLICIES[category]
            tried = self._tried[leg, block, category]
            if tried < policy.times:
                wait = self.base * policy.wait(tried, self._chance) if after is None else after
                asked[category] = max(asked.get(category, 0.0), wait)
        for category in asked:
            self._tried[leg, block, category] += 1
        return tuple(sorted(asked)), max(asked.values(), default=0.0)


class Breaker:
    """Stops a run that cannot succeed, instead of collecting a million equal errors.

    Parameters
    ----------
    share
        Share of the settled units that may fail in one category.
    least
        Settled units before it says anything.
    """

    def __init__(self, share: float = SHARE, least: int = LEAST) -> None:
        self.share, self.least = share, least
        self._units = 0
        self._failed: Counter[str] = Counter()
        self._example: dict[str, Failure] = {}

    def settled(self, units: int, failures: Iterable[Failure]) -> None:
        """Take settled units into account.

        Raises
        ------
        PreflightError
            If more than the share of them failed in one category.
        """
        self._units += units
        for failure in failures:
            if failure.item is None:
                self._failed[failure.category] += 1
                self._example.setdefault(failure.category, failure)
        for category, failed in self._failed.items():
            if self._units >= self.least and failed > self.share * self._units:
                raise PreflightError(
                    f"stopped: {failed} of the first {self._units} units failed ({category}), so "
                    f"the rest would, too. One of them: {self._example[category]}\n"
                    "Mend the cause and give the same command again; to go on in spite of it: "
                    "--max-quarantined 1"
                )
