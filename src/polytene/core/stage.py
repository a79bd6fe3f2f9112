"""Stages: a function and what running it needs."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import CodeType, ModuleType
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
    holds
        What the unit holds from now on of what its footprint names, where that is less:
        ``{"host.disk": 0}`` once its reads are removed. A lease only shrinks.
    """

    value: object
    items: int = 0
    nbytes: int = 0
    rejected: Sequence[Rejected] = ()
    holds: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Stage:
    """A function and what running it needs.

    Parameters
    ----------
    func
        ``func(unit)`` for the first stage, ``func(unit, previous)`` after it. Parameters come
        through :func:`functools.partial`, so that they are part of the fingerprint.
    uses
        What the world allows, over the whole cluster: ``{"net.ena": 1}`` takes one of the slots
        of the run's ``limits={"net.ena": 5}`` while the stage runs.
    needs
        What one worker owns: Dask worker resources, such as ``{"GPU": 1}``.
    version
        Raise it by hand when the meaning of the output changes: old parts are then redone.
    memory
        Bytes that one unit needs on its worker at most; compared with the workers' limits
        before anything starts.
    timeout
        Seconds that one unit may take; then it is ended, and counts as failed.
    isolate
        Run units in a child process from the start, as those with a timeout do: for code that
        may crash. Units whose worker died are always tried again in one.
    """

    func: Callable[..., Any]
    uses: Mapping[str, float] = field(default_factory=dict)
    needs: Mapping[str, float] = field(default_factory=dict)
    version: int = 1
    memory: float | None = None
    timeout: float | None = None
    isolate: bool = False

    def __post_init__(self) -> None:
        if self.needs and (self.timeout is not None or self.isolate):
            raise UsageError(
                f"stage {self.name!r} needs {', '.join(self.needs)} of its worker, which a child "
                "process does not have: leave timeout and isolate out"
            )
        owner = getattr(self.func, "__self__", None)
        if owner is not None and not isinstance(owner, type | ModuleType):
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
        return [self.name, self.version, *parameters(self.func, f"stage {self.name!r}")]


def parameters(func: Callable[..., Any], whose: str, *, code: bool = False) -> list[Json]:
    """Return the parameters bound to a function; the code, too, if asked or if it has no name."""
    bound = functools.partial(func)
    where = f"parameter of {whose}"
    keywords = {k: plain(v, f"{where} {k}") for k, v in bound.keywords.items()}
    found = [plain(list(bound.args), where), keywords]
    if code or getattr(bound.func, "__name__", "") == "<lambda>":
        found.append(code_digest(bound.func))
    return found


def code_digest(func: Callable[..., Any]) -> str:
    """Return a digest of what a function does, as far as its own code tells."""
    held = [cell.cell_contents for cell in getattr(func, "__closure__", None) or ()]
    about = [getattr(func, "__defaults__", None), getattr(func, "__kwdefaults__", None), held]
    return digest(repr([_code(getattr(func, "__code__", None)), about]).encode(), 6)


def _code(code: CodeType | None) -> object:
    if code is None:
        return None
    inner = [_code(c) if isinstance(c, CodeType) else c for c in code.co_consts]
    return [code.co_code, code.co_names, inner]


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
    def uses(self) -> Mapping[str, float]:
        """Slots that a task holds while it runs."""
        return self.stages[0].uses

    @property
    def isolated(self) -> bool:
        """Whether its units always run in a child process."""
        return any(s.isolate or s.timeout is not None for s in self.stages)

    @property
    def timeout(self) -> float | None:
        """Seconds that a unit may take in all its stages."""
        times = [s.timeout for s in self.stages if s.timeout is not None]
        return sum(times) if times else None

    @property
    def name(self) -> str:
        """The stages' names, joined."""
        return "+".join(s.name for s in self.stages)


def _together(a: Stage, b: Stage) -> bool:
    same = (a.needs, a.uses, a.isolate) == (b.needs, b.uses, b.isolate)
    return same and (a.timeout is None) == (b.timeout is None)


def legs(stages: Sequence[Stage | Callable[..., Any]], seed: Json = None) -> list[Leg]:
    """Group stages into legs; each fingerprint covers all that comes before it, and ``seed``."""
    if not stages:
        raise UsageError("a run needs at least one stage")
    groups: list[list[Stage]] = []
    for stage in map(as_stage, stages):
        if groups and _together(groups[-1][-1], stage):
            groups[-1].append(stage)
        else:
            groups.append([stage])
    out: list[Leg] = []
    mark = digest(canonical(seed), 6)
    for group in groups:
        for stage in group:
            mark = digest(canonical([mark, stage.meaning]), 6)
        out.append(Leg(tuple(group), not out, mark))
    return out
