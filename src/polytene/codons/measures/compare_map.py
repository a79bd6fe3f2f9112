"""The difference of two usage tables as a picture: heat maps in one HTML file, without network."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr
from bokeh.embed import file_html
from bokeh.layouts import column
from bokeh.models import BasicTicker, ColorBar, ColumnDataSource, FactorRange, LinearColorMapper
from bokeh.palettes import RdBu11
from bokeh.plotting import figure
from bokeh.resources import INLINE

from polytene.codons.code import CODONS

MOST = 100
NOTHING = "#e6e6e6"


def difference_map(comparison: xr.Dataset, a: str, b: str) -> str:
    """Return an HTML page with two heat maps: the choice among synonyms, and the use of codons.

    Red is more in `a`, blue more in `b`, grey where RSCU says nothing: stops, codons without
    synonyms, families that do not occur. Codons stand by amino acid, groups by how far apart
    their tables are; beyond 100 groups the most different 100 are shown.

    Parameters
    ----------
    comparison
        A result of :func:`polytene.codons.compare`.
    a, b
        Names of the two tables.

    Examples
    --------
    >>> import tempfile
    >>> from polytene import codons
    >>> from polytene.testing import write_set
    >>> usage = codons.count(write_set(), run_dir=tempfile.mkdtemp(), by="source").result
    >>> page = difference_map(codons.compare(usage, usage.isel(group=[0]), 11), "all", "one")
    >>> "RSCU" in page, "<script src" in page
    (True, False)
    """
    order = np.argsort(-np.nan_to_num(comparison["rscu_distance"].values, nan=-1), kind="stable")
    shown = comparison.isel(group=order[:MOST])
    data = _cells(shown)
    source = ColumnDataSource(data)
    columns = [(letter, CODONS[i]) for i, letter in _order(shown)]
    rows = list(dict.fromkeys(data["row"]))
    panels = [
        _panel(
            source,
            columns,
            rows,
            field,
            f"{what}: red is more in {a}, blue more in {b}",
            unit,
            most,
        )
        for field, what, unit, most in (
            ("rscu", "Choice among synonyms (RSCU)", "RSCU", 1.0),
            ("use", "Use of codons (per thousand)", "per 1,000", _most(data["use"])),
        )
    ]
    title = f"Codon usage: {a} and {b}"
    page: str = file_html(column(*panels), INLINE, title)
    return page


def _most(values: list[float]) -> float:
    finite = np.abs(np.array(values, dtype=float))
    return float(np.ceil(np.nanmax(finite, initial=1.0)))


def _panel(
    source: ColumnDataSource,
    columns: list[tuple[str, str]],
    rows: list[str],
    field: str,
    title: str,
    unit: str,
    most: float,
) -> Any:
    plot = figure(
        title=title,
        x_range=FactorRange(*columns, group_padding=0.4),
        y_range=FactorRange(*reversed(rows)),
        sizing_mode="stretch_width",
        max_width=1400,
        height=170 + 18 * max(len(rows), 3),
        x_axis_location="above",
        tools="hover,save",
        tooltips=[
            ("", "@row"),
            ("codon", "@codon (@aa)"),
            ("per thousand", "@use_a and @use_b"),
            ("RSCU", "@rscu_a and @rscu_b"),
            ("difference", f"@{field}"),
        ],
    )
    colours = LinearColorMapper(palette=RdBu11, low=-most, high=most, nan_color=NOTHING)
    where = {"x": "column", "y": "row", "width": 1, "height": 1}
    fill = {"field": field, "transform": colours}
    plot.rect(**where, source=source, fill_color=fill, line_color="white")
    bar = ColorBar(color_mapper=colours, ticker=BasicTicker(desired_num_ticks=5), title=unit)
    plot.add_layout(bar, "right")
    plot.xaxis.major_label_orientation = np.pi / 2
    plot.grid.grid_line_color = None
    return plot


def _order(comparison: xr.Dataset) -> list[tuple[int, str]]:
    """Return the codons by amino acid under the first group's code, stops last."""
    acids = comparison["amino_acid"].values[0].tolist()
    order = sorted(range(64), key=lambda i: (acids[i] == "*", acids[i], i))
    return [(i, acids[i]) for i in order]


def _cells(comparison: xr.Dataset) -> dict[str, list[Any]]:
    codes = comparison["transl_table"].values.tolist()
    names = [
        f"{group} (code {code})"
        for group, code in zip(comparison["group"].values.tolist(), codes, strict=True)
    ]
    place = {i: (letter, CODONS[i]) for i, letter in _order(comparison)}

    def flat(values: np.ndarray[Any, Any]) -> list[Any]:
        numbers: list[Any] = np.round(values, 3).ravel().tolist()
        return numbers

    use, synonyms = comparison["per_thousand"].values, comparison["rscu"].values
    return {
        "column": [place[i] for i in range(64)] * len(names),
        "row": [name for name in names for _ in range(64)],
        "codon": list(CODONS) * len(names),
        "aa": comparison["amino_acid"].values.ravel().tolist(),
        "use": flat(comparison["difference"].values),
        "rscu": flat(comparison["rscu_difference"].values),
        "use_a": flat(use[0]),
        "use_b": flat(use[1]),
        "rscu_a": flat(synonyms[0]),
        "rscu_b": flat(synonyms[1]),
    }
