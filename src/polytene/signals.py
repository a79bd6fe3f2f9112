"""Signals and time limits as a stop in good order."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class Stop:
    """Says whether a run should come to its end, and with which exit code."""

    def __init__(self, max_minutes: float | None) -> None:
        self.exit_code: int | None = None
        self._deadline = time.monotonic() + 60 * max_minutes if max_minutes else None

    def __call__(self) -> bool:
        """Whether to stop admitting work."""
        late = self._deadline is not None and time.monotonic() > self._deadline
        return late or self.exit_code is not None

    def on_signal(self, number: int, frame: FrameType | None) -> None:
        """Ask for a stop in good order; at the second signal, leave at once."""
        code = 75 if number == signal.SIGUSR1 else 128 + number
        if self.exit_code is not None:
            raise SystemExit(code)
        self.exit_code = code
        name = signal.Signals(number).name
        print(f"{name}: finishing what runs; once more to leave at once", file=sys.stderr)


@contextmanager
def stop_asked(max_minutes: float | None) -> Iterator[Stop]:
    """Turn SIGINT, SIGTERM, SIGUSR1 and the time limit into a stop in good order."""
    stop = Stop(max_minutes)
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1)
    before = [signal.signal(number, stop.on_signal) for number in numbers]
    try:
        yield stop
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)
