"""A count while it works: the RSCU of the largest groups, converging as batches come in."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from bokeh.palettes import RdBu11

from polytene.codons.code import CODONS
from polytene.codons.groups import merge
from polytene.codons.picture import codon_order
from polytene.codons.result import rscu, to_dataset
from polytene.watch.grids import Running, stage_grid
from polytene.watch.pictures import Boxes, Picture, Rects, shade
from polytene.watch.story import Story
from polytene.watch.views import View

SHOWN = 30
KNOWN = 2000
LEGEND = ((RdBu11[0], "0: unused"), (RdBu11[5], "1: even use"), (RdBu11[10], "2: preferred"))


def view(story: Story) -> View | None:
    """Return the view of a count; other work of the room shows its stages."""
    params = story.plan.head["params"]
    if story.kind != "codons-count" or params.get("mode") == "six-frame":
        return None
    return UsageView(story)


class UsageView(View):
    """Adds up the batches so far."""

    wants_values = True

    def __init__(self, story: Story) -> None:
        super().__init__(story)
        self._sum: pa.Table | None = None

    def settle(self, block: int, values: Sequence[Any]) -> None:
        """Add the counts of a block; beyond 2,000 groups those that are known already."""
        tables = [value for value in values if value is not None]
        if self._sum is not None and self._sum.num_rows >= KNOWN:
            known = self._sum.column("group")
            tables = [t.filter(pc.is_in(t.column("group"), value_set=known)) for t in tables]
        if tables:
            self._sum = merge([*([] if self._sum is None else [self._sum]), *tables])

    def pictures(self, running: Running) -> list[Picture]:
        """Return the heat map, and the stages."""
        found: list[Picture] = [] if self._sum is None else [self._heat_map(self._sum)]
        return [*found, stage_grid(self.story, running)]

    def _heat_map(self, table: pa.Table) -> Rects:
        sizes = table.column("expected").to_numpy()
        largest = np.sort(np.argsort(-sizes, kind="stable")[:SHOWN])
        head = self.story.plan.head
        params = {"genetic_code": None, **head["params"], **head["final"]}
        usage = to_dataset(table.take(pa.array(largest)), params)
        values, order = rscu(usage).values, codon_order(usage)
        names = ["(no value)" if g is None else str(g) for g in usage["group"].values.tolist()]
        counts, boxes = usage["count"].values, Boxes()
        for row, name in enumerate(names):
            for place, (i, _) in enumerate(order):
                text = f"{name}, {CODONS[i]}: {counts[row, i]:,}, RSCU {values[row, i]:.2f}"
                y, colour = len(names) - row, shade(values[row, i], 0, 2, RdBu11)
                boxes.add(place, place + 1, y - 1, y, colour, text)
        shown = f"the {len(names)} largest of " if len(names) < table.num_rows else ""
        return Rects(
            "Relative synonymous codon usage",
            f"{shown}{table.num_rows:,} groups by {head['params']['by']}, {sizes.sum():,} codons",
            LEGEND,
            130 + 16 * len(names),
            x_ticks={n + 0.5: f"{acid} {CODONS[i]}" for n, (i, acid) in enumerate(order)},
            y_ticks={len(names) - 0.5 - n: name[:30] for n, name in enumerate(names)},
            boxes=boxes,
        )
