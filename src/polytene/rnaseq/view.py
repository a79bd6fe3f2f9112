"""A sample list while it works: each run by stage, and how well its reads align."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

from polytene.watch.grids import Running, fields_of, named_grid, stage_grid
from polytene.watch.pictures import COLOURS, Picture, Points
from polytene.watch.story import DONE, Story
from polytene.watch.views import View

NAMED = 60
MOST = 5000


def view(story: Story) -> View | None:
    """Return the view of a quantification; a merge shows its stages."""
    return Runs(story) if story.kind == "rnaseq-quant" else None


class Runs(View):
    """The runs of a list: where each is, and what it came to."""

    wants_values = True

    def __init__(self, story: Story) -> None:
        super().__init__(story)
        last = len(story.legs) - 1
        story.legs = [f"source {n + 1}" if n < last else "quantify" for n in range(last + 1)]
        self._keys = [str(fields["key"]) for fields in fields_of(story)]
        self._found: dict[str, tuple[int, float]] = {}

    def settle(self, block: int, values: Sequence[Any]) -> None:
        """Take in the record of a run."""
        for record in values:
            if record and record.get("p_pseudoaligned") is not None and len(self._found) < MOST:
                reads, share = int(record["n_processed"]), float(record["p_pseudoaligned"])
                self._found[self._keys[block]] = reads, share

    def pictures(self, running: Running) -> list[Picture]:
        """Return runs by stages, and reads against alignment."""
        named = len(self._keys) <= NAMED
        grid = (named_grid if named else stage_grid)(self.story, running)
        found: list[Picture] = [dataclasses.replace(grid, title="Runs by stage")]
        if self._found:
            found.append(self._alignment())
        return found

    def _alignment(self) -> Points:
        pairs = list(self._found.items())
        return Points(
            "Reads and how many of them align",
            f"{len(pairs):,} runs so far",
            height=260,
            x_label="reads",
            y_label="aligned [%]",
            y_range=(0, 105),
            x=[reads for _, (reads, _) in pairs],
            y=[share for _, (_, share) in pairs],
            colour=[COLOURS[DONE]] * len(pairs),
            text=[f"{run}: {reads:,} reads, {share:.1f} %" for run, (reads, share) in pairs],
        )
