"""What is shown of a run: each room's own view, found by the kind of the plan, or blocks by stage."""

from __future__ import annotations

import importlib
import logging
import math
from collections.abc import Callable, Collection, Sequence
from typing import Any

import numpy as np

from polytene.core import parts
from polytene.core.canonical import Json
from polytene.exceptions import DamagedRun
from polytene.watch.pictures import COLOURS, LEGEND, RUNNING, Picture, Rects
from polytene.watch.rates import counted
from polytene.watch.story import DONE, FAILED, PARTLY, WAITING, Story

logger = logging.getLogger(__name__)

VIEWS = {
    "codons": "polytene.codons.view",
    "genome": "polytene.genome.run_view",
    "lightcurves": "polytene.lightcurves.view",
    "metadata": "polytene.metadata.view",
    "rnaseq": "polytene.rnaseq.view",
}
MOST_CELLS = 2000
FEW = 40
WORDS = {WAITING: "waiting", DONE: "done", PARTLY: "some failed", FAILED: "failed"}

Running = Collection[tuple[int, int]]


class View:
    """What is shown of a run; rooms show more of theirs.

    Parameters
    ----------
    story
        The run.
    """

    wants_values = False
    """Whether :meth:`settle` is given what the units came to."""

    def __init__(self, story: Story) -> None:
        self.story = story

    def settle(self, block: int, values: Sequence[Any]) -> None:
        """Take in the values of a block; None stands for those of failed units."""

    def pictures(self, running: Running) -> list[Picture]:
        """Return what there is to see now; ``running``: legs and blocks that workers have."""
        return [stage_grid(self.story, running)]

    def figures(self) -> list[tuple[str, Any]]:
        """Return more of a run at rest, for its report: titles and Bokeh models."""
        return []

    def take_in(self, blocks: Sequence[int], go_on: Callable[[], bool]) -> list[int]:
        """Read and settle blocks while ``go_on()``; return those that are left."""
        if not self.wants_values:
            return []
        for i, block in enumerate(blocks):
            if not go_on():
                return list(blocks[i:])
            ref = self.story.parts.get(block)
            try:
                if ref is not None:
                    self.settle(block, parts.read(self.story.root, ref)[2])
            except DamagedRun as error:
                logger.info("not shown: %s", error)
        return []


def view_of(story: Story) -> View:
    """Return the view of a run's room; that of every run where the room cannot be imported."""
    module = VIEWS.get(story.kind.partition("-")[0])
    if module is None:
        return View(story)
    try:
        found: View | None = importlib.import_module(module).view(story)
    except ImportError as error:
        logger.warning("%s shows its stages only: %s", story.kind, error)
        return View(story)
    return found or View(story)


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


def stage_grid(story: Story, running: Running) -> Rects:
    """Return stages by blocks; many blocks share a cell, which shows the worst of them."""
    legs, blocks = story.cells["state"].shape
    if blocks <= FEW and legs > 1:
        return _named_grid(story, running)
    across = max(1, min(blocks, 100, MOST_CELLS // legs))
    down = min(math.ceil(blocks / across), max(1, MOST_CELLS // (legs * across)))
    each = math.ceil(blocks / (across * down))
    cells = math.ceil(blocks / each)
    busy = np.zeros((legs, cells), int)
    for leg, block in running:
        busy[leg, block // each] += 1
    data: dict[str, list[Any]] = {k: [] for k in ("left", "right", "bottom", "top", "colour", "text")}
    rows = math.ceil(cells / across)
    for leg in range(legs):
        padded = np.full(cells * each, 255, np.uint8)
        padded[:blocks] = story.cells["state"][leg]
        counts = [(padded.reshape(cells, each) == s).sum(axis=1) for s in range(4)]
        base = (legs - 1 - leg) * (rows + 0.6)
        for cell in range(cells):
            y = base + rows - 1 - cell // across
            n = [int(c[cell]) for c in counts]
            data["left"].append(cell % across + 0.04)
            data["right"].append(cell % across + 0.96)
            data["bottom"].append(y + 0.04)
            data["top"].append(y + 0.96)
            data["colour"].append(_of_cell(n, int(busy[leg, cell])))
            said = ", ".join(f"{k} {WORDS[s]}" for s, k in enumerate(n) if k)
            first = cell * each
            data["text"].append(f"{story.legs[leg]}, blocks {first:,} to {min(first + each, blocks) - 1:,}: {said}")
    ticks = {(legs - 1 - leg) * (rows + 0.6) + rows / 2: _short(name) for leg, name in enumerate(story.legs)}
    shared = f"{each:,} blocks of {story.noun}s a cell" if each > 1 else "a block a cell, in plan order"
    height = max(120, min(420, 60 + 14 * legs * (rows + 1)))
    return Rects("Stages", shared, LEGEND, height, y_ticks=ticks, **data)


def _short(name: str) -> str:
    return name if len(name) <= 24 else f"{name[:23]}…"


def _of_cell(counts: Sequence[int], busy: int) -> str:
    """Return the colour of a cell: trouble first, then work, then rest."""
    if counts[FAILED] and not counts[DONE] + counts[PARTLY] + counts[WAITING]:
        return COLOURS[FAILED]
    if counts[FAILED] or counts[PARTLY]:
        return COLOURS[PARTLY]
    if busy and counts[WAITING]:
        return RUNNING
    if counts[WAITING] and counts[DONE]:
        return "#a8d3bd"
    return COLOURS[DONE] if counts[DONE] else COLOURS[WAITING]


def _named_grid(story: Story, running: Running) -> Rects:
    """Return units by stages, each with its name."""
    legs, blocks = story.cells["state"].shape
    data: dict[str, list[Any]] = {k: [] for k in ("left", "right", "bottom", "top", "colour", "text")}
    keys = [str(f["key"]) for f in fields_of(story)]
    for leg in range(legs):
        colours, cells = colours_of(story, running, leg), story.cells[leg]
        for block in range(blocks):
            y = blocks - 1 - block
            data["left"].append(leg + 0.03)
            data["right"].append(leg + 0.97)
            data["bottom"].append(y + 0.08)
            data["top"].append(y + 0.92)
            data["colour"].append(colours[block])
            cell = cells[block]
            took = f", {cell['seconds']:.2f} s" if cell["seconds"] else ""
            words = WORDS[int(cell["state"])] if colours[block] != RUNNING else "running"
            data["text"].append(f"{keys[block]}, {story.legs[leg]}: {words}{took}")
    return Rects(
        "Stages",
        "",
        LEGEND,
        60 + 22 * blocks,
        x_ticks={leg + 0.5: _short(name) for leg, name in enumerate(story.legs)},
        y_ticks={blocks - 0.5 - i: _short(key) for i, key in enumerate(keys)},
        **data,
    )
