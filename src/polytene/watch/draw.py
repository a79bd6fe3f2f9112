"""Pictures drawn with Bokeh, and drawn on: only what has changed is sent."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from bokeh.layouts import column
from bokeh.models import (
    ColumnDataSource,
    Div,
    FactorRange,
    FixedTicker,
    HoverTool,
    NumeralTickFormatter,
)
from bokeh.plotting import figure

from polytene.watch.markup import STYLE, caption
from polytene.watch.pictures import Bars, Picture, Points, Rects

BLUE = "#3f82b8"


class Drawing:
    """A picture as a Bokeh model that can follow its changes."""

    def __init__(self, picture: Picture) -> None:
        self.picture = picture
        self._head = Div(text=caption(picture), sizing_mode="stretch_width", stylesheets=[STYLE])
        self._source = ColumnDataSource(_data(picture))
        self._figure = _figure(picture, self._source)
        self.model = column(self._head, self._figure, sizing_mode="stretch_width")

    def update(self, picture: Picture) -> int:
        """Show a later state; return how many values were sent."""
        old, self.picture = self.picture, picture
        if (text := caption(picture)) != self._head.text:
            self._head.text = text
        if picture.height != old.height:
            self._figure.height = picture.height
        for axis in ("x", "y"):
            if getattr(picture, f"{axis}_ticks") != getattr(old, f"{axis}_ticks"):
                _ticks(self._figure, axis, getattr(picture, f"{axis}_ticks"))
        if isinstance(picture, Bars):
            self._rename(picture)
        return _send(self._source, _data(picture))

    def _rename(self, picture: Bars) -> None:
        names = list(reversed(picture.names))
        if self._figure.y_range.factors != names:
            self._figure.y_range.factors = names


def _send(source: ColumnDataSource, new: dict[str, list[Any]]) -> int:
    """Bring a source up to date: by patches where it keeps its length, else by what was added."""
    old = source.data
    first = next(iter(new))
    before, now = len(old[first]), len(new[first])
    if now == before:
        patches = {
            name: [(i, v) for i, (u, v) in enumerate(zip(old[name], values, strict=True)) if u != v]
            for name, values in new.items()
        }
        patches = {name: changes for name, changes in patches.items() if changes}
        if patches:
            source.patch(patches)
        return sum(map(len, patches.values()))
    if now > before and all(list(old[n]) == values[:before] for n, values in new.items()):
        source.stream({n: values[before:] for n, values in new.items()})
        return (now - before) * len(new)
    source.data = new
    return now * len(new)


def _data(picture: Picture) -> dict[str, list[Any]]:
    if isinstance(picture, Rects):
        return picture.boxes.columns
    if isinstance(picture, Points):
        names: Sequence[str] = ("x", "y", "colour", "text")
    else:
        names = ("names", "values")
    return {name: list(getattr(picture, name)) for name in names}


def _figure(picture: Picture, source: ColumnDataSource) -> Any:
    about: dict[str, Any] = {}
    if isinstance(picture, Points):
        about = {f"{a}_axis_type": "log" for a in "xy" if getattr(picture, f"{a}_log")}
        about |= {"y_range": picture.y_range} if picture.y_range else {}
    if isinstance(picture, Bars):
        about["y_range"] = FactorRange(*reversed(picture.names))
    plot = figure(
        height=picture.height,
        sizing_mode="stretch_width",
        tools="pan,box_zoom,wheel_zoom,reset,save",
        toolbar_location="right" if isinstance(picture, Points) else None,
        x_axis_label=picture.x_label or None,
        y_axis_label=picture.y_label or None,
        **about,
    )
    plot.toolbar.logo = None
    plot.toolbar.active_drag = None
    plot.outline_line_color = None
    _glyph(plot, picture, source)
    for axis in ("x", "y"):
        _ticks(plot, axis, getattr(picture, f"{axis}_ticks"))
        named = getattr(picture, f"{axis}_label") or getattr(picture, f"{axis}_ticks")
        bars = isinstance(picture, Bars)
        getattr(plot, f"{axis}axis").visible = bool(named) or bars
        if not isinstance(picture, Points):
            getattr(plot, f"{axis}grid").visible = bars and axis == "x"
    return plot


def _glyph(plot: Any, picture: Picture, source: ColumnDataSource) -> None:
    if isinstance(picture, Rects):
        edges = {"left": "left", "right": "right", "bottom": "bottom", "top": "top"}
        made = plot.quad(**edges, source=source, fill_color="colour", line_color=None)
        plot.x_range.range_padding = plot.y_range.range_padding = 0.01
    elif isinstance(picture, Points) and picture.line:
        made = plot.line("x", "y", source=source, line_color=BLUE, line_width=2)
    elif isinstance(picture, Points):
        made = plot.scatter(
            "x", "y", source=source, size=9, fill_color="colour", line_color="white", fill_alpha=0.8
        )
    else:
        made = plot.hbar(y="names", right="values", height=0.7, source=source, fill_color=BLUE,
                         line_color=None)  # fmt: skip
        plot.x_range.start = 0
        plot.xaxis.formatter = NumeralTickFormatter(format="0,0")
    text = "@names: @values{0,0}" if isinstance(picture, Bars) else "@text"
    if not (isinstance(picture, Points) and picture.line):
        plot.add_tools(HoverTool(renderers=[made], tooltips=[("", text)]))


def _ticks(plot: Any, axis: str, ticks: dict[float, str] | None) -> None:
    if ticks is None:
        return
    found = getattr(plot, f"{axis}axis")
    found.ticker = FixedTicker(ticks=list(ticks))
    found.major_label_overrides = ticks
    found.major_tick_line_color = None
    if axis == "x" and len(ticks) > 12:
        found.major_label_orientation = 1.2
