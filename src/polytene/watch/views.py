"""What is shown of a run: its room's own view, found by the kind of its plan, or its stages."""

from __future__ import annotations

import importlib
import logging
from collections.abc import Callable, Sequence
from typing import Any

from polytene.core import parts
from polytene.exceptions import DamagedRun
from polytene.watch.grids import Running, stage_grid
from polytene.watch.pictures import Picture
from polytene.watch.story import Story

logger = logging.getLogger(__name__)

VIEWS = {
    "codons": "polytene.codons.view",
    "genome": "polytene.genome.run_view",
    "lightcurves": "polytene.lightcurves.view",
    "metadata": "polytene.metadata.view",
    "rnaseq": "polytene.rnaseq.view",
}


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
