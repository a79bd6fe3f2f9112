"""Pictures as data: rectangles, points and bars, which rooms make and pages draw."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from polytene.watch.story import DONE, FAILED, PARTLY, WAITING

COLOURS = {WAITING: "#dfe4ea", DONE: "#3f9b73", PARTLY: "#e0913c", FAILED: "#c5383c"}
RUNNING = "#f4c542"
LEGEND = (
    (COLOURS[WAITING], "waiting"),
    (RUNNING, "running"),
    (COLOURS[DONE], "done"),
    (COLOURS[PARTLY], "some failed"),
    (COLOURS[FAILED], "failed"),
)
BLUES = ("#f2f6fa", "#d3e2ef", "#a9c9e2", "#74a9cf", "#3f82b8", "#1f5c97", "#0b3a6b")

Ticks = dict[float, str]
Legend = Sequence[tuple[str, str]]


@dataclass(frozen=True)
class Picture:
    """What all pictures have.

    Parameters
    ----------
    title
        What it shows; a picture keeps its title while it changes.
    note
        A line below the title.
    legend
        Colours and what they mean.
    height
        In pixels.
    x_label, y_label
        Of the axes; an axis without label and ticks is not drawn.
    x_ticks, y_ticks
        Places that have names instead of numbers.
    """

    title: str
    note: str = ""
    legend: Legend = ()
    height: int = 260
    x_label: str = ""
    y_label: str = ""
    x_ticks: Ticks | None = None
    y_ticks: Ticks | None = None


class Boxes:
    """Rectangles with a colour and a text each, as columns."""

    def __init__(self) -> None:
        names = ("left", "right", "bottom", "top", "colour", "text")
        self.columns: dict[str, list[Any]] = {name: [] for name in names}

    def add(
        self, left: float, right: float, bottom: float, top: float, colour: str, text: str
    ) -> None:
        """Add one."""
        row = (left, right, bottom, top, colour, text)
        for column, value in zip(self.columns.values(), row, strict=True):
            column.append(value)


@dataclass(frozen=True)
class Rects(Picture):
    """Rectangles."""

    boxes: Boxes = field(default_factory=Boxes)


@dataclass(frozen=True)
class Points(Picture):
    """Points with a colour and a text each, or a line; ``y_range``: what is always in sight."""

    x: Sequence[float] = ()
    y: Sequence[float] = ()
    colour: Sequence[str] = ()
    text: Sequence[str] = ()
    x_log: bool = False
    y_log: bool = False
    line: bool = False
    y_range: tuple[float, float] | None = None


@dataclass(frozen=True)
class Bars(Picture):
    """Names with a bar each, the first on top."""

    names: Sequence[str] = ()
    values: Sequence[float] = field(default_factory=list)


def shade(value: float, low: float, high: float, palette: Sequence[str] = BLUES) -> str:
    """Return the colour of a value between two others; grey where it is no number.

    Examples
    --------
    >>> shade(0.0, 0, 1) == BLUES[0], shade(9.0, 0, 1) == BLUES[-1]
    (True, True)
    >>> shade(float("nan"), 0, 1)
    '#eeeeee'
    """
    if not np.isfinite(value):
        return "#eeeeee"
    share = (value - low) / (high - low) if high > low else 1.0
    return palette[int(np.clip(share * len(palette), 0, len(palette) - 1))]
