"""A nanny that waits for a worker it has killed, however slow the machine is."""

from __future__ import annotations

from typing import Any

from distributed import Nanny

PATIENCE = 60.0


class PatientNanny(Nanny):  # type: ignore[misc]
    """Gives a worker that was killed time to be gone, where Dask's gives it a second.

    On a busy machine that second passes, and the end of a cluster whose work is done would be an
    error, with its scheduler left behind.
    """

    async def kill(self, timeout: float = 5, reason: str = "nanny-kill") -> None:
        """End the worker's process; see :meth:`distributed.Nanny.kill`."""
        try:
            await super().kill(timeout=timeout, reason=reason)
        except TimeoutError:
            process: Any = self.process
            if process is not None and process.process is not None:
                await process.process.join(PATIENCE)
