"""An extraction while it works: period and depth of what was found; the best, in its report."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from polytene.exceptions import PolyteneError
from polytene.lightcurves.plan import KIND
from polytene.lightcurves.vetting import drawn
from polytene.watch.grids import Running, stage_grid
from polytene.watch.pictures import BLUES, Picture, Points, shade
from polytene.watch.story import Story
from polytene.watch.views import View

MOST = 5000
VETTED = 3
GREY = "#c9cfd6"
LEGEND = ((GREY, "no signal"), (BLUES[2], "SNR 5"), (BLUES[4], "SNR 12"), (BLUES[6], "SNR 20"))


def view(story: Story) -> View | None:
    """Return the view of an extraction; downloads show their stages."""
    return Transits(story) if story.kind == KIND else None


class Transits(View):
    """Collects the rows so far."""

    wants_values = True

    def __init__(self, story: Story) -> None:
        super().__init__(story)
        self._rows: list[dict[str, Any]] = []
        self._n = 0
        self._x: list[float] = []
        self._y: list[float] = []
        self._colour: list[str] = []
        self._text: list[str] = []

    def settle(self, block: int, values: Sequence[Any]) -> None:
        """Take in the rows of a block."""
        for table in values:
            for row in table.to_pylist() if table is not None else ():
                self._n += 1
                self._add(row)

    def _add(self, row: dict[str, Any]) -> None:
        period, depth = row["bls_period"], row["bls_depth"]
        snr = row.get("snr_red", row["bls_snr"])
        if len(self._x) >= MOST or not (period > 0 and depth > 0 and math.isfinite(snr)):
            return
        quiet = "no_signal" in row["flags"]
        if not quiet:
            self._rows.append(row)
        self._x.append(period)
        self._y.append(1e6 * depth)
        self._colour.append(GREY if quiet else shade(snr, 0, 20))
        signal = f"{period:.4f} d, {1e6 * depth:,.0f} ppm, SNR {snr:.1f}"
        self._text.append(f"{row['target_id']}: {signal} {row['flags']}")

    def pictures(self, running: Running) -> list[Picture]:
        """Return the scatter, and the stages."""
        note = f"{len(self._x):,} of {self._n:,} targets so far have a period and a depth"
        points = Points(
            "Period and depth",
            note,
            LEGEND,
            380,
            "period [d]",
            "depth [ppm]",
            x=list(self._x),
            y=list(self._y),
            colour=list(self._colour),
            text=list(self._text),
            x_log=True,
            y_log=True,
        )
        return [points, stage_grid(self.story, running)]

    def figures(self) -> list[tuple[str, Any]]:
        """Return the strongest, drawn, where their light curves still lie."""
        try:
            pages = drawn(self.story.root, self._rows, VETTED)
        except (PolyteneError, OSError):  # the archive's cache or the files are elsewhere
            return []
        return [(f"Signal {i + 1}", page) for i, page in enumerate(pages)]
