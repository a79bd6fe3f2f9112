"""Stages: a function and what running it needs."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from polytene.core.canonical import Json, canonical, digest, plain
from polytene.exceptions import Rejected, UsageError


@dataclass(frozen=True)
class Partial:
    """What a stage may return instead of a bare value: the value and its accounts.

    Parameters
    ----------
    value
        The value itself: a ``pyarrow.Table``, numpy arrays (one, or a dict of them), JSON,
        or a :class:`polytene.Folder` of files.
    items
        Items that the stage saw inside the unit, rejected ones included.
    nbytes
        Bytes that the stage read.
    rejected
        Items that it could not use; they reach the quarantine list and exit code 3.
    """

    value: object
    items: int = 0
    nbytes: int = 0
    rejected: Sequence[Rejected] = ()


@dataclass(frozen=True)
class Stage:
    """A function and what running it needs.

    Parameters
    ----------
    func
        ``func(unit)`` for the first stage, ``func(unit, previous)`` after it. Parameters come
        through :func:`functools.partial`, so that they are part of the fingerprint.
    needs
        Dask worker resources that one running unit holds, such as ``{"GPU": 1}``.
    version
        Raise it by hand when the meaning of the output changes: old parts are then redone.
    memory
        Bytes that one unit needs on its worker at most; compared with the workers' limits
        before anything starts.
    """

    func: Callable[..., Any]
    needs: Mapping[str, float] = field(default_factory=dict)
    version: int = 1
    memory: float | None = None

    def __post_init__(self) -> None:
        if hasattr(self.func, "__self__") and not isinstance(self.func.__self__, type):
            raise UsageError(
                f"stage {self.name!r} is a bound method, which ships its whole object with every "
                "task: use a plain function and functools.partial"
            )

    @property
    def name(self) -> str:
        """Name of the function; Dask's pages group tasks by it."""
        func = self.func
        while isinstance(func, functools.partial):
            func = func.func
        return getattr(func, "__name__", type(func).__name__).strip("<>_") or "stage"

    @property
    def meaning(self) -> Json:
        """What the output depends on beside the unit."""
        func = functools.partial(self.func)
        where = f"parameter of stage {self.name!r}"
        keywords = {k: plain(v, f"{where} {k}") for k, v in func.keywords.items()}
        return [self.name, self.version, plain(list(func.args), where), keywords]


def as_stage(stage: Stage | Callable[..., Any]) -> Stage:
    """Return a stage for a plain function."""
    return stage if isinstance(stage, Stage) else Stage(stage)


@dataclass(frozen=True)
class Leg:
    """Neighbouring stages that need the same: they run as one task and leave one part a block."""

    stages: tuple[Stage, ...]
    first: bool
    fingerprint: str

    @property
    def needs(self) -> Mapping[str, float]:
        """Worker resources of its tasks."""
        return self.stages[0].needs

    @property
    def name(self) -> str:
        """The stages' names, joined."""
        return "+".join(s.name for s in self.stages)


def legs(stages: Sequence[Stage | Callable[..., Any]]) -> list[Leg]:
    """Group stages into legs; each fingerprint covers all that comes before it."""
    if not stages:
        raise UsageError("a run needs at least one stage")
    groups: list[list[Stage]] = []
    for stage in map(as_stage, stages):
        if groups and groups[-1][-1].needs == stage.needs:
            groups[-1].append(stage)
        else:
            groups.append([stage])
    out: list[Leg] = []
    mark = ""
    for group in groups:
        for stage in group:
            mark = digest(canonical([mark, stage.meaning]), 6)
        out.append(Leg(tuple(group), not out, mark))
    return out
