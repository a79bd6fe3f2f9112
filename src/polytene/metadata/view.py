"""A build while it works: its shards by size, and the organisms found so far."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet as pq

from polytene.watch.grids import Running, cell_colour, counts_of, overall
from polytene.watch.pictures import LEGEND, Bars, Boxes, Picture, Rects
from polytene.watch.story import WAITING, Story
from polytene.watch.views import View

TOP = 12
MOST_RECTS = 800
WIDE, HIGH, GAP = 4.0, 1.0, 0.006


def view(story: Story) -> View:
    """Return the view of a step of a build."""
    return OrganismsView(story) if story.kind == "metadata-parse" else TreemapView(story)


class TreemapView(View):
    """Shards, or buckets, as areas of their cost."""

    def __init__(self, story: Story) -> None:
        super().__init__(story)
        cost = np.asarray(story.plan.index["cost"], float)
        self._each = max(1, math.ceil(len(cost) / MOST_RECTS))
        starts = np.arange(0, len(cost), self._each)
        self._cost = np.add.reduceat(cost, starts) if len(cost) else cost
        self._boxes = treemap(self._cost, WIDE, HIGH)

    def pictures(self, running: Running) -> list[Picture]:
        """Return the map."""
        return [self._treemap(running)]

    def _treemap(self, running: Running) -> Rects:
        each, noun, found = self._each, self.story.noun, overall(self.story)
        busy: Counter[int] = Counter(b // each for _, b in running if found[b] == WAITING)
        boxes = Boxes()
        for i, counts in enumerate(counts_of(found, each).tolist()):
            last = min((i + 1) * each, len(found)) - 1
            name = f"{noun} {i:,}" if each == 1 else f"{noun}s {i * each:,} to {last:,}"
            text = f"{name}: {self._cost[i]:,.3g}, {sum(counts[1:])} of {sum(counts)} ended"
            left, bottom, right, top = self._boxes[i].tolist()
            gap = min(GAP, (right - left) / 8, (top - bottom) / 8)
            edges = (left + gap, right - gap, bottom + gap, top - gap)
            boxes.add(*edges, cell_colour(counts, busy[i]), text)
        note = f"{each} a box" if each > 1 else ""
        return Rects(f"{noun.capitalize()}s by size", note, LEGEND, 300, boxes=boxes)


class OrganismsView(TreemapView):
    """Counts the samples of each organism, too."""

    wants_values = True

    def __init__(self, story: Story) -> None:
        super().__init__(story)
        self._samples: Counter[str] = Counter()

    def settle(self, block: int, values: Sequence[Any]) -> None:
        """Count the samples of a shard."""
        for folder in values:
            path = folder.path / "tables" / "sample.parquet" if folder is not None else None
            if path is None or not path.exists():
                continue
            names = pq.read_table(path, columns=["organism"]).column(0)
            for pair in pc.value_counts(names.combine_chunks()).to_pylist():
                self._samples[pair["values"] or "(no value)"] += pair["counts"]

    def pictures(self, running: Running) -> list[Picture]:
        """Return the map, and the organisms with the most samples."""
        top = self._samples.most_common(TOP)
        note = f"{self._samples.total():,} samples of {len(self._samples):,} organisms so far"
        names, values = [str(name)[:40] for name, _ in top], [float(n) for _, n in top]
        bars = Bars("Samples by organism", note, height=330, x_label="samples", names=names,
                    values=values)  # fmt: skip
        return [self._treemap(running), *([bars] if top else [])]


def treemap(sizes: np.ndarray[Any, Any], width: float, height: float) -> np.ndarray[Any, Any]:
    """Return a box per size, of its share of the area: ``left, bottom, right, top`` in rows.

    Rows keep the order; each takes as many boxes as make them most square.

    Examples
    --------
    >>> treemap(np.array([1.0, 1.0]), 2.0, 1.0).tolist()
    [[0.0, 0.0, 1.0, 1.0], [1.0, 0.0, 2.0, 1.0]]
    """
    boxes = np.zeros((len(sizes), 4))
    if not len(sizes):
        return boxes
    areas = np.maximum(sizes, 1e-9) / np.maximum(sizes, 1e-9).sum() * width * height
    side = math.sqrt(areas.mean())
    rows = max(1, round(height / side))
    ends = np.searchsorted(np.cumsum(areas), np.arange(1, rows + 1) * areas.sum() / rows - 1e-9)
    first, y = 0, 0.0
    for end in [*(ends[:-1] + 1).tolist(), len(sizes)]:
        if end <= first:
            continue
        row = areas[first:end]
        tall = row.sum() / width
        x = np.concatenate([[0.0], np.cumsum(row / tall)])
        boxes[first:end] = np.stack(
            [x[:-1], np.full(len(row), y), x[1:], np.full(len(row), y + tall)], axis=1
        )
        first, y = end, y + tall
    return boxes
