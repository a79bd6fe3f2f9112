"""What a plan will take: the real scheduler with a clock that is only reckoned."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from dask.utils import format_bytes, format_time

from polytene.core.leases import Leases
from polytene.core.limits import Limits
from polytene.core.stage import Leg, Stage
from polytene.core.window import Task, Window
from polytene.rnaseq.settings import Settings
from polytene.rnaseq.units import Sample


@dataclass(frozen=True)
class Rates:
    """What to reckon with before anything is measured, in bytes of compressed reads per second.

    Parameters
    ----------
    connection
        Of one connection.
    quant
        Of one quantification.
    """

    connection: float = 10e6
    quant: float = 30e6


@dataclass(frozen=True)
class Schedule:
    """What a simulated run came to.

    Parameters
    ----------
    makespan
        Seconds from the first admission to the last settling.
    peak_disk
        The most bytes that were reserved at once.
    spans
        ``(leg, run, begin, end)`` of all that was done, in the order of its begin.
    """

    makespan: float
    peak_disk: float
    spans: tuple[tuple[int, int, float, float], ...] = ()


def _leg(name: str, uses: Mapping[str, float], first: bool) -> Leg:
    def stage(unit: object) -> None: ...

    stage.__name__ = name
    return Leg((Stage(stage, uses=uses),), first, name)


def simulate(
    seconds: Sequence[Sequence[float]],
    uses: Sequence[Mapping[str, float]],
    limits: Mapping[str, float],
    disk: Sequence[float] | None = None,
) -> Schedule:
    """Run the scheduler's own window on reckoned times.

    Parameters
    ----------
    seconds
        Per leg, what each run takes.
    uses
        Per leg, the slots that it holds.
    limits
        What may be used at once.
    disk
        Per run, the bytes that it holds from admission to settling; None: none.

    Examples
    --------
    >>> simulate([[15] * 4, [3] * 4], [{"net": 1}, {"quant": 1}], {"net": 2, "quant": 1}).makespan
    36.0
    """
    count, now = len(seconds[0]), 0.0
    legs = [_leg(f"leg{i}", use, i == 0) for i, use in enumerate(uses)]
    order = sorted(range(count), key=lambda i: -sum(leg[i] for leg in seconds))
    book = Limits(limits)
    holds: Callable[[int], Mapping[str, float]] | None = None
    if disk is not None:
        amounts = list(disk)

        def holds(block: int) -> Mapping[str, float]:
            return {"disk": amounts[block]}

    about = {"in_flight": count + 1, "task_seconds": 0.0, "clock": lambda: now}
    window = Window(legs, Leases(book, holds), order, count, **about)  # type: ignore[arg-type]
    flying: list[tuple[float, int, Task]] = []
    spans: list[tuple[int, int, float, float]] = []
    while True:
        for task in window.admit():
            end = now + seconds[task.leg][task.blocks[0]]
            spans.append((task.leg, task.blocks[0], now, end))
            heapq.heappush(flying, (end, len(spans), task))
        if not flying:
            return Schedule(now, book.peak.get("disk", 0.0), tuple(spans))
        now = flying[0][0]
        while flying and flying[0][0] <= now:  # what ends at one moment is settled together
            _, _, task = heapq.heappop(flying)
            window.landed(task)
            block = task.blocks[0]
            if task.leg + 1 < len(legs):
                window.arrive(task.leg + 1, block)
            else:
                window.settled(block)


def lower_bound(seconds: Sequence[Sequence[float]], slots: Sequence[int]) -> float:
    """Return the fluid bound: no schedule is shorter than the busiest slots or the longest run.

    Examples
    --------
    >>> lower_bound([[15] * 81, [3] * 81], [5, 2])
    243.0
    """
    busiest = max(sum(leg) / n for leg, n in zip(seconds, slots, strict=True))
    longest = max((sum(run) for run in zip(*seconds, strict=True)), default=0.0)
    return max(busiest, longest)


def predict(samples: Sequence[Sample], settings: Settings, rates: Rates) -> tuple[Schedule, float]:
    """Return the predicted schedule of a plan, and its lower bound."""
    sizes = [_bytes(s) for s in samples]
    streamed = [s.streamed and "ena" in settings.sources for s in samples]
    fetch = [
        n / (min(rates.connection, rates.quant) if s else rates.connection)
        for n, s in zip(sizes, streamed, strict=True)
    ]
    quant = [0.0 if s else n / rates.quant for n, s in zip(sizes, streamed, strict=True)]
    slots = {"net": settings.downloads, "quant": settings.quants}
    disk = settings.limits[settings.lease]
    held = [s.staged_bytes for s in samples]
    uses = [{"net": 1.0}, {"quant": 1.0}]
    found = simulate([fetch, quant], uses, {**slots, "disk": disk}, held)
    return found, lower_bound([fetch, quant], [settings.downloads, settings.quants])


def _bytes(sample: Sample) -> float:
    remote = sum(n or 0 for _, n, _ in sample.remote)
    return float(remote or sample.sra_bytes or sum(n for _, n, _ in sample.local))


def describe_schedule(samples: Sequence[Sample], settings: Settings, rates: Rates) -> str:
    """Return what a plan will take, as a few lines of text."""
    total, unknown = sum(map(_bytes, samples)), sum(_bytes(s) == 0 for s in samples)
    lines = [
        f"{len(samples):,} runs, {format_bytes(int(total))} to read from "
        f"{', then '.join(settings.sources)}; mode {settings.mode}",
        f"at once: {settings.downloads} downloads, {settings.quants} quantifications of "
        f"{settings.threads} threads by {settings.quantifier}",
    ]
    if unknown:
        lines.append(f"the size of {unknown:,} runs is not known: they count as nothing below")
    if samples:
        found, bound = predict(samples, settings, rates)
        over = f" ({found.makespan / bound:.2f} x)" if bound else ""
        lines.append(
            f"about {format_time(found.makespan)} at {rates.connection / 1e6:g} MB/s per "
            f"connection and {rates.quant / 1e6:g} MB/s per quantification; no schedule takes "
            f"less than {format_time(bound)}{over}"
        )
        limit = f"{format_bytes(int(settings.disk_limit))}" if settings.disk_limit else "none"
        where = " on a single host" if settings.on_host else ""
        lines.append(f"peak disk {format_bytes(int(found.peak_disk))}{where}, limit {limit}")
    return "\n".join(lines)
