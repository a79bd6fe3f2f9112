"""A run over chunks while it works: an ideogram of what became of each."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from polytene.watch.grids import (
    Running,
    cell_colour,
    colours_of,
    overall,
    short,
    stage_grid,
    words_of,
)
from polytene.watch.pictures import LEGEND, Boxes, Picture, Rects
from polytene.watch.rates import counted
from polytene.watch.story import WAITING, Story
from polytene.watch.views import View

SEQUENCES = 24
MOST_RECTS = 1500
CELLS = 150

Ints = np.ndarray[Any, np.dtype[np.int64]]


def view(story: Story) -> View | None:
    """Return the view of a run whose units are chunks with their intervals."""
    if not len(story.plan.index) or "intervals" not in story.plan.fields(0)[0]:
        return None
    return Ideogram(story)


class Ideogram(View):
    """The intervals of each sequence, and the block that each is in."""

    def __init__(self, story: Story) -> None:
        super().__init__(story)
        self._spans: dict[str, list[tuple[int, int, int, str]]] = {}
        for block in range(len(story.plan.index)):
            for unit in story.plan.fields(block):
                for seqid, start, end in unit["intervals"]:
                    span = (int(start), int(end), block, str(unit["chunk_id"]))
                    self._spans.setdefault(str(seqid), []).append(span)
        sizes = {name: max(end for _, end, _, _ in spans) for name, spans in self._spans.items()}
        longest = sorted(sizes, key=lambda name: -sizes[name])[:SEQUENCES]
        self._sizes = {name: sizes[name] for name in sizes if name in longest}
        self._shared: dict[str, tuple[Ints, Ints]] = {}
        if sum(len(self._spans[name]) for name in self._sizes) > MOST_RECTS:
            self._share()

    def _share(self) -> None:
        """Find the cells of each sequence, which many chunks share, and the blocks in them."""
        self._step = max(self._sizes.values()) / CELLS
        for name in self._sizes:
            pairs = [
                (cell, block)
                for start, end, block, _ in self._spans[name]
                for cell in range(int(start / self._step), math.ceil(end / self._step))
            ]
            cells, blocks = np.array(pairs).T
            self._shared[name] = cells, blocks

    def pictures(self, running: Running) -> list[Picture]:
        """Return the ideogram, and the stages where there are several."""
        found: list[Picture] = [self._ideogram(running)]
        return [*found, stage_grid(self.story, running)] if len(self.story.legs) > 1 else found

    def _ideogram(self, running: Running) -> Rects:
        boxes = Boxes()
        (self._add_cells if self._shared else self._add_intervals)(boxes, running)
        names = list(self._sizes)
        others = len(self._spans) - len(names)
        return Rects(
            "Chunks",
            f"and {counted(others, 'shorter sequence')}" if others else "",
            LEGEND,
            80 + 24 * len(names),
            x_label="Mb",
            y_ticks={len(names) - 0.5 - i: short(name, 20) for i, name in enumerate(names)},
            boxes=boxes,
        )

    def _add_intervals(self, boxes: Boxes, running: Running) -> None:
        colours, words = colours_of(self.story, running), words_of(self.story)
        for row, name in enumerate(self._sizes):
            for start, end, block, chunk in self._spans[name]:
                text = f"{chunk}: {name}:{start + 1:,}-{end:,}, {words[block]}"
                _add(boxes, len(self._sizes) - row, start, end, colours[block], text)

    def _add_cells(self, boxes: Boxes, running: Running) -> None:
        states = overall(self.story)
        busy = np.zeros(len(states), int)
        busy[[block for _, block in running if states[block] == WAITING]] = 1
        for row, (name, (cells, blocks)) in enumerate(self._shared.items()):
            counts = np.zeros((int(cells.max()) + 1, 4), int)
            work = np.zeros(len(counts), int)
            np.add.at(counts, (cells, states[blocks]), 1)
            np.add.at(work, cells, busy[blocks])
            for cell, found in enumerate(counts.tolist()):
                start = int(cell * self._step)
                end = min(self._sizes[name], int((cell + 1) * self._step))
                text = f"{name}:{start + 1:,}-{end:,}, {sum(found):,} chunks"
                colour = cell_colour(found, int(work[cell]))
                _add(boxes, len(self._sizes) - row, start, end, colour, text)


def _add(boxes: Boxes, top: int, start: int, end: int, colour: str, text: str) -> None:
    gap = 0.02 * (end - start)
    left, right = (start + gap) / 1e6, (end - gap) / 1e6
    boxes.add(left, right, top - 0.85, top - 0.15, colour, text)
