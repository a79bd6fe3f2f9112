"""When and where a run worked: its timeline, its pace, and what its stages and workers took."""

from __future__ import annotations

from typing import Any

import numpy as np

from polytene.watch.markup import size
from polytene.watch.pictures import Boxes, Points, Rects
from polytene.watch.story import WAITING, Story

LEG_COLOURS = (
    "#3f82b8", "#3f9b73", "#e0913c", "#8a63b0", "#c5383c", "#6b7785", "#b8a13f", "#4fb3bf",
)  # fmt: skip
MOST_BOXES = 4000
MOST_WORKERS = 60
BINS = 300
PACE_BINS = 80

Floats = np.ndarray[Any, np.dtype[np.float64]]


def clock_of(story: Story) -> Floats:
    """Return when each leg of each block began, in seconds of work.

    Pauses between drivers are left out. Shape ``(leg, block)``; NaN where nobody noted it.
    """
    at = story.cells["at"]
    end = at + story.cells["seconds"]
    out = np.full(at.shape, np.nan)
    passed = 0.0
    drivers = list({driver.epoch: driver for driver in story.drivers}.values())
    for i, driver in enumerate(drivers):
        until = drivers[i + 1].begun if i + 1 < len(drivers) else np.inf
        mine = (at >= driver.begun - 1) & (at < until - 1)
        if mine.any():
            out[mine] = np.maximum(at[mine] - driver.begun, 0) + passed
            passed += float(end[mine].max()) - driver.begun
    return out


def timeline(story: Story) -> Rects | None:
    """Return a row per worker and a box per block and stage; None where no time was noted."""
    begun = clock_of(story)
    cells = story.cells
    known = np.isfinite(begun) & (cells["worker"] >= 0) & (cells["worker"] < MOST_WORKERS)
    legs, blocks = np.nonzero(known)
    if not len(legs):
        return None
    start = begun[known]
    stop = start + cells["seconds"][known]
    rows = cells["worker"][known]
    names = story.workers[:MOST_WORKERS]
    note = "pauses between drivers are left out" if len(story.drivers) > 1 else ""
    if len(story.workers) > MOST_WORKERS:
        note = f"the first {MOST_WORKERS} of {len(story.workers):,} workers. {note}"
    about: dict[str, Any] = {
        "legend": [(_colour(n), name) for n, name in enumerate(story.legs)],
        "height": 70 + max(60, 20 * len(names)),
        "x_label": "seconds of work",
        "y_ticks": {len(names) - 0.5 - i: name for i, name in enumerate(names)},
    }
    if len(legs) > MOST_BOXES:
        return _binned(story, legs, rows, start, stop, {**about, "note": note})
    wide = np.maximum(stop, start + stop.max() / 2000)
    boxes = Boxes()
    places = zip(legs.tolist(), blocks.tolist(), (len(names) - rows - 0.1).tolist(), strict=True)
    for (leg, block, top), left, right, end in zip(places, start, wide, stop, strict=True):
        text = f"{story.legs[leg]}, block {block:,}: {end - left:.2f} s"
        boxes.add(float(left), float(right), top - 0.8, top, _colour(leg), text)
    return Rects("Timeline", note, boxes=boxes, **about)


def _colour(leg: int) -> str:
    return LEG_COLOURS[leg % len(LEG_COLOURS)]


def _binned(
    story: Story, legs: Any, rows: Any, start: Floats, stop: Floats, about: dict[str, Any]
) -> Rects:
    """Return the timeline in bins: a box is of the stage that took most of it."""
    step = float(stop.max()) / BINS or 1.0
    n = len(story.legs)
    busy = np.zeros((int(rows.max()) + 1, BINS, n))
    middle = np.minimum(((start + stop) / 2 / step).astype(int), BINS - 1)
    np.add.at(busy, (rows, middle, legs), stop - start)
    boxes = Boxes()
    for row, place in zip(*np.nonzero(busy.sum(axis=2)), strict=True):
        leg = int(busy[row, place].argmax())
        share = min(1.0, float(busy[row, place].sum()) / step)
        top = len(about["y_ticks"]) - int(row) - 0.1
        text = f"mostly {story.legs[leg]}, {share:.0%} busy"
        left, low = int(place) * step, top - 0.8 * max(share, 0.05)
        boxes.add(left, left + step, low, top, _colour(leg), text)
    note = f"{len(legs):,} pieces of work, in steps of {step:.3g} s. {about.pop('note')}"
    return Rects("Timeline", note, boxes=boxes, **about)


def pace(story: Story) -> Points | None:
    """Return units settled per second over the time of work; None where no time was noted."""
    end = clock_of(story)[-1] + story.cells[-1]["seconds"]
    known = np.isfinite(end) & (story.cells[-1]["state"] != WAITING)
    if known.sum() < 2 or not end[known].max():
        return None
    units = story.cells[-1]["units"][known]
    bins = int(min(PACE_BINS, max(2, known.sum() // 2)))
    counts, edges = np.histogram(end[known], bins, (0, float(end[known].max())), weights=units)
    middle = (edges[1:] + edges[:-1]) / 2
    return Points(
        "Pace", height=200, x=middle.tolist(), y=(counts / np.diff(edges)).tolist(),
        colour=[""] * bins, text=[""] * bins, line=True,
        x_label="seconds of work", y_label=f"{story.noun}s a second",
    )  # fmt: skip


STAGE_HEADS = (
    "stage", "blocks", "units", "failed", "time", "a unit", "CPU", "peak memory", "read",
    "a second",
)  # fmt: skip
GPU_HEADS = ("GPU memory", "GPU in use")
Rows = list[tuple[str, ...]]


def stage_heads(story: Story) -> tuple[str, ...]:
    """Return the heads of :func:`by_stage`: those of GPUs where one was seen."""
    return (*STAGE_HEADS, *GPU_HEADS) if story.cells["gpu_memory"].any() else STAGE_HEADS


def by_stage(story: Story) -> Rows:
    """Return what each stage took, as rows of text."""
    out: Rows = []
    before = np.zeros(story.cells.shape[1])
    gpus = bool(story.cells["gpu_memory"].any())
    for name, cells in zip(story.legs, story.cells, strict=True):
        done = cells["state"] != WAITING
        units, seconds = int(cells["units"].sum()), float(cells["seconds"].sum())
        nbytes = float((cells["nbytes"] - before)[done].sum())
        before = cells["nbytes"]
        out.append(
            (
                name,
                f"{int(done.sum()):,}",
                f"{units:,}",
                f"{int(cells['failed'].sum()):,}",
                f"{seconds:,.1f} s",
                f"{1e3 * seconds / units:,.3g} ms" if units else "",
                *_used(cells, seconds),
                size(nbytes) if nbytes > 0 else "",
                f"{size(nbytes / seconds)}/s" if nbytes > 0 and seconds else "",
                *(_gpu_used(cells) if gpus else ()),
            )
        )
    return out


def _gpu_used(cells: Any) -> tuple[str, str]:
    """Return most memory and mean use of the GPUs as text; what NVML does not say is empty."""
    seen = cells[cells["gpu_memory"] > 0]
    use = seen["gpu_use"][np.isfinite(seen["gpu_use"])]
    mean = f"{use.mean():.0f}%" if len(use) else ""
    return (size(int(seen["gpu_memory"].max())) if len(seen) else "", mean)


WORKER_HEADS = ("worker", "pieces of work", "time", "CPU", "peak memory")


def by_worker(story: Story) -> Rows:
    """Return what each worker took, as rows of text under :data:`WORKER_HEADS`."""
    out: Rows = []
    for n, name in enumerate(story.workers[:MOST_WORKERS]):
        cells = story.cells[story.cells["worker"] == n]
        seconds = float(cells["seconds"].sum())
        out.append((name, f"{len(cells):,}", f"{seconds:,.1f} s", *_used(cells, seconds)))
    return out


def _used(cells: Any, seconds: float) -> tuple[str, str]:
    """Return CPU share and peak memory as text."""
    memory = int(cells["memory"].max(initial=0))
    cpu = f"{float(cells['cpu'].sum()) / seconds:.0%}" if seconds and memory else ""
    return cpu, size(memory) if memory else ""
