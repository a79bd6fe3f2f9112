"""A page to judge a transit by: light curve, periodogram, folded transit."""

from __future__ import annotations

from html import escape
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from polytene.core.files import write_bytes
from polytene.exceptions import PreflightError, UsageError
from polytene.lightcurves.bls import bls
from polytene.lightcurves.bls_kernels import Floats
from polytene.lightcurves.bls_result import BLSResult
from polytene.lightcurves.curve import LightCurve
from polytene.lightcurves.features import WINDOW

MOST_POINTS = 20_000
_FOLD_BINS = 60
_FOLD_WIDTHS = 3.0
_FLUX_LABEL = "relative flux (blue: flat, moved down)"
_GREY, _BLUE, _RED = "#8a8f98", "#1f5fa8", "#c0392b"


class Views(NamedTuple):
    """What is drawn."""

    title: str
    time: Floats
    flux: Floats
    flat: Floats
    period: Floats
    snr: Floats
    hours: Floats
    folded: Floats
    bin_hours: Floats
    bin_flux: Floats
    time_label: str


def vet(
    curve: LightCurve, output: str | Path | None = None, *, window: float = WINDOW
) -> BLSResult:
    """Search a light curve and draw what was found.

    Parameters
    ----------
    curve
        As :func:`read` or :func:`stitch` give it.
    output
        ``.html`` (Bokeh, needs nothing else to be looked at) or ``.png`` (needs matplotlib); None
        draws nothing.
    window
        Of :meth:`LightCurve.flatten` [d].

    Returns
    -------
    BLSResult
        With its whole spectrum.

    Raises
    ------
    UsageError
        For another suffix.
    PreflightError
        If matplotlib is asked for and not installed.
    """
    views, found = views_of(curve, window)
    if output is None:
        return found
    path = Path(output)
    if path.suffix == ".html":
        write_bytes(path, html(views).encode())
    elif path.suffix == ".png":
        write_bytes(path, png(views))
    else:
        raise UsageError(f"{path}: its name ends in neither .html nor .png")
    return found


def views_of(curve: LightCurve, window: float) -> tuple[Views, BLSResult]:
    """Return what is drawn of a light curve, and what was found in it."""
    flat = curve.flatten(window)
    found = bls(flat, method="exact")
    return _views(curve, flat, found), found


def _views(curve: LightCurve, flat: LightCurve, found: BLSResult) -> Views:
    every = max(1, -(-len(curve) // MOST_POINTS))
    spectrum = found.spectrum
    hours = 24 * flat.fold(found.period, found.t0)
    near = np.abs(hours) < 24 * _FOLD_WIDTHS * found.duration
    bins, means = _binned(hours[near], flat.flux[near])
    thin = np.flatnonzero(near)[:: max(1, int(near.sum()) // MOST_POINTS)]
    name = curve.meta.get("target_id") or Path(str(curve.meta.get("path", "light curve"))).name
    title = (
        f"{name}: P = {found.period:.5f} d, t0 = {found.t0:.4f}, depth = {found.depth:.6f}, "
        f"SNR = {found.snr:.1f}, SDE = {found.sde:.1f}, {found.n_transits} transits"
    )
    return Views(
        title,
        curve.time[::every],
        curve.flux[::every],
        flat.flux[::every],
        found.peaks.period if found.peaks else np.zeros(0),
        spectrum["snr"].values,
        hours[thin],
        flat.flux[thin],
        bins,
        means,
        f"time [{curve.meta.get('time_system', 'd')}]",
    )


def _binned(hours: Floats, flux: Floats) -> tuple[Floats, Floats]:
    if not hours.size:
        return np.zeros(0), np.zeros(0)
    edges = np.linspace(hours.min(), hours.max() + 1e-9, _FOLD_BINS + 1)
    place = np.digitize(hours, edges) - 1
    count = np.bincount(place, minlength=_FOLD_BINS)[:_FOLD_BINS]
    total = np.bincount(place, flux, _FOLD_BINS)[:_FOLD_BINS]
    full = count > 0
    middle = (edges[1:] + edges[:-1]) / 2
    return middle[full], total[full] / count[full]


def html(views: Views) -> str:
    """Return the page as one HTML file that loads nothing from elsewhere."""
    from bokeh.embed import file_html
    from bokeh.resources import INLINE

    return str(file_html(panels(views), INLINE, views.title))


def panels(views: Views) -> Any:
    """Return title and panels as a Bokeh layout."""
    from bokeh.layouts import column, row
    from bokeh.models import Div

    title = f"<h3 style='font-family:sans-serif'>{escape(views.title)}</h3>"
    return column(
        Div(text=title, width=1000),
        _figure("Light curve", views.time_label, _FLUX_LABEL, _light_curve(views), 1000),
        row(
            _figure("Periodogram", "period [d]", "SNR of the best box", _periodogram(views), 495,
                    x_axis_type="log"),
            _figure("Folded", "hours from mid-transit", "flat flux", _folded(views), 495),
        ),
    )  # fmt: skip


def _figure(title: str, x: str, y: str, layers: list[Any], width: int, **more: Any) -> Any:
    from bokeh.plotting import figure

    plot = figure(
        title=title, width=width, height=300, x_axis_label=x, y_axis_label=y,
        tools="pan,box_zoom,wheel_zoom,reset,save", output_backend="webgl", **more,
    )  # fmt: skip
    for kind, a, b, style in layers:
        if kind == "points":
            plot.scatter(a, b, **style)
        else:
            plot.line(a, b, **style)
    plot.toolbar.logo = None
    return plot


def _light_curve(views: Views) -> list[Any]:
    grey = {"color": _GREY, "size": 2, "alpha": 0.5}
    blue = {"color": _BLUE, "size": 2, "alpha": 0.6}
    below = float(np.ptp(views.flux)) if views.flux.size else 0.0
    return [
        ("points", views.time, views.flux, grey),
        ("points", views.time, views.flat - below, blue),
    ]


def _periodogram(views: Views) -> list[Any]:
    return [("line", views.period, views.snr, {"color": _BLUE, "line_width": 1})]


def _folded(views: Views) -> list[Any]:
    grey = {"color": _GREY, "size": 2, "alpha": 0.4}
    return [
        ("points", views.hours, views.folded, grey),
        ("points", views.bin_hours, views.bin_flux, {"color": _RED, "size": 6}),
    ]


def png(views: Views) -> bytes:
    """Return the page as a picture."""
    import io

    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise PreflightError(f"PNG needs matplotlib ({error}); or write .html") from None
    page = Figure(figsize=(11, 7), layout="constrained")
    page.suptitle(views.title, fontsize=11)
    grid = page.add_gridspec(2, 2)
    panels = (
        (
            grid[0, :],
            views.time_label,
            _FLUX_LABEL,
            _light_curve(views),
        ),
        (grid[1, 0], "period [d]", "SNR of the best box", _periodogram(views)),
        (grid[1, 1], "hours from mid-transit", "flat flux", _folded(views)),
    )
    for place, x, y, layers in panels:
        axes = page.add_subplot(place)
        for kind, a, b, style in layers:
            look = {"color": style["color"], "alpha": style.get("alpha", 1)}
            if kind == "points":
                axes.plot(a, b, ".", markersize=style["size"] * 0.8, **look)
            else:
                axes.plot(a, b, linewidth=0.8, **look)
        axes.set(xlabel=x, ylabel=y)
    page.axes[1].set_xscale("log")
    sink = io.BytesIO()
    page.savefig(sink, format="png", dpi=80, metadata={"Software": None})
    return sink.getvalue()
