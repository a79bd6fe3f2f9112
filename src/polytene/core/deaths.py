"""Deaths of workers: how often what they ran lost one, and what the cluster knows of the cause."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Any

from dask.utils import format_bytes
from distributed import KilledWorker

if TYPE_CHECKING:
    from distributed import Client

MEMORY = "worker-restart-memory"  # told by Dask's nannies: {worker: address, rss: bytes}
ENDED = "polytene-jobs"  # told by who keeps the workers' jobs: {worker: name, why: words}


class Deaths:
    """Counts deaths, and explains them.

    A :class:`distributed.KilledWorker` does not say why its worker died; events of the cluster do,
    sooner or later.

    Parameters
    ----------
    client
        A Dask client.
    """

    def __init__(self, client: Client) -> None:
        self._client = client
        self._counts: Counter[Any] = Counter()
        self._workers: defaultdict[Any, list[str]] = defaultdict(list)

    def note(self, what: Any, error: BaseException | None) -> int:
        """Note that a worker died that ran something; return how many have."""
        self._counts[what] += 1
        if isinstance(error, KilledWorker):
            self._workers[what] += [str(error.last_worker.name), error.last_worker.address]
        return self._counts[what]

    def why(self, what: Any) -> str:
        """Return what is known of the workers that died while they ran something; may be empty."""
        causes: list[str] = []
        for _, event in self._client.get_events(ENDED):
            if event["worker"] in self._workers[what]:
                causes.append(event["why"])
        for _, event in self._client.get_events(MEMORY):
            if event["worker"] in self._workers[what]:
                causes.append(
                    f"Dask ended it at {format_bytes(event['rss'])}, over its memory limit"
                )
        return "".join(f"; {cause}" for cause in dict.fromkeys(causes))
