"""Tasks at the scheduler: given to it, taken back, and collected as they land."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping, Sequence
from itertools import count
from typing import TYPE_CHECKING, Any

from distributed import as_completed

if TYPE_CHECKING:
    from distributed import Client, Future


class Flights:
    """What a run has at the scheduler, by key.

    Futures are released as soon as they are collected, so that the death of a worker costs what
    ran on it and nothing that was finished.

    Parameters
    ----------
    client
        A Dask client.
    """

    def __init__(self, client: Client) -> None:
        self._client = client
        self._pool = as_completed(loop=client.loop, raise_errors=False)
        self.token, self._count = uuid.uuid4().hex[:8], count(1)
        self._flying: dict[str, tuple[Any, Future]] = {}
        self._bound: dict[str, str] = {}

    def __len__(self) -> int:
        return len(self._flying)

    def send(
        self,
        function: Callable[..., Any],
        what: Sequence[Any],
        given: Sequence[Any],
        names: Sequence[str],
        *,
        priority: int,
        needs: Mapping[str, float] | None = None,
        where: str | None = None,
    ) -> list[str]:
        """Submit one call per entry of ``given``; ``what`` comes back when it lands."""
        futures = self._client.map(
            function,
            given,
            key=[f"{name}.{next(self._count)}-{self.token}" for name in names],
            priority=priority,
            pure=False,
            retries=0,
            resources=dict(needs or {}) or None,
            workers=where,
        )
        self._flying.update((f.key, (w, f)) for w, f in zip(what, futures, strict=True))
        self._pool.update(futures)
        return [future.key for future in futures]

    def bind(self, keys: Sequence[str], worker: str) -> None:
        """Remember that tasks wait for one worker and can run on no other."""
        self._bound.update((key, worker) for key in keys)

    def landed(self) -> list[Future]:
        """Return the futures that ended since the last call, without waiting."""
        return [f for f in self._pool.next_batch(block=False) if f.key in self._flying]

    def results(self, ended: Sequence[Future]) -> list[tuple[Any, Any]]:
        """Collect those that finished: what each was for, with its value."""
        good = [future for future in ended if future.status == "finished"]
        values = self._client.gather(good) if good else []
        return [(self._flying.pop(f.key)[0], v) for f, v in zip(good, values, strict=True)]

    def lost(self, ended: Sequence[Future]) -> list[tuple[Any, BaseException | None]]:
        """Collect the others: what each was for, with its error if it has one."""
        bad = [future for future in ended if future.key in self._flying]
        errors = [f.exception() if f.status == "error" else None for f in bad]
        return [(self._flying.pop(f.key)[0], e) for f, e in zip(bad, errors, strict=True)]

    def not_begun(self) -> list[str]:
        """Return the keys of what no worker has begun."""
        begun = {key for keys in self._client.processing().values() for key in keys}
        return [key for key in self._flying if key not in begun]

    def orphaned(self, workers: Mapping[str, Any]) -> list[str]:
        """Return the keys of what waits for a worker that is none of these."""
        self._bound = {k: w for k, w in self._bound.items() if k in self._flying}
        return [key for key, where in self._bound.items() if where not in workers]

    def matching(self, wanted: Callable[[Any], bool]) -> list[str]:
        """Return the keys of what was sent for something that is ``wanted``."""
        return [key for key, (what, _) in self._flying.items() if wanted(what)]

    def take_back(self, keys: Sequence[str]) -> list[Any]:
        """Cancel tasks; return what they were for."""
        taken = [self._flying.pop(key) for key in keys]
        self._client.cancel([future for _, future in taken])
        return [what for what, _ in taken]

    def cancel(self) -> None:
        """Cancel everything, if there is still a scheduler to be told."""
        if self._client.status == "running":
            self._client.cancel([future for _, future in self._flying.values()])
