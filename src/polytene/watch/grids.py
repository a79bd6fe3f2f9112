"""Blocks by stage: how far a run is, in cells that many blocks may share."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from typing import Any

import numpy as np

from polytene.core.canonical import Json
from polytene.watch.pictures import COLOURS, LEGEND, RUNNING, Boxes, Rects
from polytene.watch.rates import counted
from polytene.watch.story import DONE, FAILED, PARTLY, WAITING, Story

MOST_CELLS = 2000
ACROSS = 100
FEW = 40
PART_DONE = "#a8d3bd"
WORDS = {WAITING: "waiting", DONE: "done", PARTLY: "some failed", FAILED: "failed"}

Running = Collection[tuple[int, int]]
"""Leg and block of what workers have."""


def fields_of(story: Story) -> list[dict[str, Json]]:
    """Return the fields of the first unit of each block."""
    return [story.plan.fields(block)[0] for block in range(len(story.plan.index))]


def colours_of(story: Story, running: Running, leg: int = -1) -> list[str]:
    """Return a colour per block: what became of it in a leg, or so far where ``leg`` is -1."""
    cells = story.cells
    state = cells[leg]["state"] if leg >= 0 else overall(story)
    out = [COLOURS[s] for s in state.tolist()]
    for n, block in running:
        if leg in (n, -1) and state[block] == WAITING:
            out[block] = RUNNING
    return out


def overall(story: Story) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """Return what became of each block: as its last leg says, or failed where any leg did."""
    states = story.cells["state"]
    last: np.ndarray[Any, np.dtype[np.uint8]] = states[-1].copy()
    last[(last == WAITING) & (states == FAILED).any(axis=0)] = FAILED
    return last


def words_of(story: Story) -> list[str]:
    """Return a line of text per block: what became of it, how fast, and how much memory."""
    last = story.cells[-1]
    out = []
    for state, cell in zip(overall(story).tolist(), last, strict=True):
        words = WORDS[state]
        if cell["seconds"]:
            words += f", {cell['seconds']:.2f} s"
        if cell["memory"]:
            words += f", {cell['memory'] / 1e6:,.0f} MB"
        if cell["rejected"]:
            words += f", {counted(int(cell['rejected']), 'item')} rejected"
        out.append(words)
    return out


def counts_of(states: np.ndarray[Any, Any], each: int) -> np.ndarray[Any, Any]:
    """Return how many of each state there are in cells of so many blocks; shape ``(cell, 4)``."""
    cells = math.ceil(len(states) / each)
    padded = np.full(cells * each, 255, np.uint8)
    padded[: len(states)] = states
    return np.stack([(padded.reshape(cells, each) == s).sum(axis=1) for s in range(4)], axis=1)


def cell_colour(counts: Sequence[int], busy: int) -> str:
    """Return the colour of a cell: trouble first, then work, then rest."""
    if counts[FAILED] and not counts[DONE] + counts[PARTLY] + counts[WAITING]:
        return COLOURS[FAILED]
    if counts[FAILED] or counts[PARTLY]:
        return COLOURS[PARTLY]
    if busy and counts[WAITING]:
        return RUNNING
    if counts[WAITING] and counts[DONE]:
        return PART_DONE
    return COLOURS[DONE] if counts[DONE] else COLOURS[WAITING]


def stage_grid(story: Story, running: Running) -> Rects:
    """Return stages by blocks; many blocks share a cell, which shows the worst of them."""
    legs, blocks = story.cells["state"].shape
    if blocks <= FEW and legs > 1:
        return named_grid(story, running)
    across = max(1, min(blocks, ACROSS, MOST_CELLS // legs))
    down = min(math.ceil(blocks / across), max(1, MOST_CELLS // (legs * across)))
    each = math.ceil(blocks / (across * down))
    rows = math.ceil(math.ceil(blocks / each) / across)
    boxes = Boxes()
    ticks = {}
    for leg, name in enumerate(story.legs):
        base = (legs - 1 - leg) * (rows + 0.6)
        ticks[base + rows / 2] = short(name)
        _add_leg(boxes, story, leg, [b // each for n, b in running if n == leg], each, across, base)
    shared = f"{each:,} blocks a cell" if each > 1 else "a block a cell"
    height = max(120, min(420, 60 + 14 * legs * (rows + 1)))
    note = f"{shared}, in plan order"
    return Rects("Stages", note, LEGEND, height, y_ticks=ticks, boxes=boxes)


def _add_leg(
    boxes: Boxes, story: Story, leg: int, busy: list[int], each: int, across: int, base: float
) -> None:
    counts = counts_of(story.cells["state"][leg], each).tolist()
    rows, blocks = math.ceil(len(counts) / across), len(story.plan.index)
    for cell, found in enumerate(counts):
        x, y = cell % across, base + rows - 1 - cell // across
        said = ", ".join(f"{n} {WORDS[state]}" for state, n in enumerate(found) if n)
        first, last = cell * each, min(cell * each + each, blocks) - 1
        which = f"block {first:,}" if first == last else f"blocks {first:,} to {last:,}"
        text = f"{story.legs[leg]}, {which}: {said}"
        colour = cell_colour(found, busy.count(cell))
        boxes.add(x + 0.04, x + 0.96, y + 0.04, y + 0.96, colour, text)


def named_grid(story: Story, running: Running) -> Rects:
    """Return units by stages, each with its name."""
    legs, blocks = story.cells["state"].shape
    keys = [str(f["key"]) for f in fields_of(story)]
    boxes = Boxes()
    for leg in range(legs):
        colours, cells = colours_of(story, running, leg), story.cells[leg]
        for block in range(blocks):
            seconds = cells[block]["seconds"]
            took = f", {seconds:.2f} s" if seconds else ""
            busy = colours[block] == RUNNING
            words = "running" if busy else WORDS[int(cells[block]["state"])]
            text = f"{keys[block]}, {story.legs[leg]}: {words}{took}"
            y = blocks - 1 - block
            boxes.add(leg + 0.03, leg + 0.97, y + 0.08, y + 0.92, colours[block], text)
    return Rects(
        "Stages",
        "",
        LEGEND,
        60 + 22 * blocks,
        x_ticks={leg + 0.5: short(name) for leg, name in enumerate(story.legs)},
        y_ticks={blocks - 0.5 - i: short(key) for i, key in enumerate(keys)},
        boxes=boxes,
    )


def short(name: str, most: int = 24) -> str:
    """Return a name that is cut where it is long."""
    return name if len(name) <= most else f"{name[: most - 1]}…"
