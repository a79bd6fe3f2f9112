"""Whole tracebacks of units that fail, for a trial of a few units in this process."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from polytene.core.stage import Stage, as_stage

_told: dict[str, str] = {}
_tracing: list[bool] = []


class Traced:
    """A stage's function that keeps the traceback of what it raises."""

    def __init__(self, func: Callable[..., Any], name: str) -> None:
        self.func, self.__name__ = func, name

    def __call__(self, unit: Any, *previous: Any) -> Any:
        """Call the function."""
        try:
            return self.func(unit, *previous)
        except Exception as error:
            inside = error.__traceback__.tb_next if error.__traceback__ else None
            _told[unit.key] = "".join(traceback.format_exception(type(error), error, inside))
            raise


@contextmanager
def tracebacks() -> Iterator[dict[str, str]]:
    """Give the last traceback of each unit that fails in the runs of this process.

    Their stages run in this process, without sandbox and time limit.
    """
    _told.clear()
    _tracing.append(True)
    try:
        yield _told
    finally:
        _tracing.pop()


def traced(stages: Sequence[Stage | Callable[..., Any]]) -> Sequence[Stage | Callable[..., Any]]:
    """Return stages that keep tracebacks, if somebody wants them."""
    if not _tracing:
        return stages
    return [
        replace(s, func=Traced(s.func, s.name), isolate=False, timeout=None)
        for s in map(as_stage, stages)
    ]
