"""Codon usage as a picture: a heat map of RSCU in one HTML file that needs no network."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr
from bokeh.embed import file_html
from bokeh.models import BasicTicker, ColorBar, ColumnDataSource, FactorRange, LinearColorMapper
from bokeh.palettes import RdBu11
from bokeh.plotting import figure
from bokeh.resources import INLINE

from polytene.codons.code import CODONS, GENETIC_CODES
from polytene.codons.result import rscu

MOST = 200


def usage_map(result: xr.Dataset, title: str) -> str:
    """Return an HTML page with the RSCU of each group, its codons ordered by amino acid.

    Parameters
    ----------
    result
        Result of :func:`polytene.codons.count`; its groups must have genetic codes. Beyond 200
        groups the first 200 are shown.
    title
        Title of the page.
    """
    shown = result.isel(group=slice(MOST)).sortby("transl_table")
    values = rscu(shown).values
    data = _cells(shown, values)
    columns = [(acids, CODONS[i]) for i, acids in codon_order(shown)]
    rows = list(dict.fromkeys(data["row"]))
    plot = figure(
        title=f"{title}: relative synonymous codon usage (1: even use within the amino acid)",
        x_range=FactorRange(*columns, group_padding=0.4),
        y_range=FactorRange(*reversed(rows)),
        sizing_mode="stretch_width",
        max_width=1400,
        height=160 + 14 * len(rows),
        x_axis_location="above",
        tools="hover,save",
        tooltips=[
            ("", "@row"),
            ("codon", "@codon (@aa)"),
            ("count", "@count{0,0}"),
            ("RSCU", "@rscu"),
        ],
    )
    colours = LinearColorMapper(palette=RdBu11, low=0, high=2, nan_color="#eeeeee")
    where = {"x": "column", "y": "row", "width": 1, "height": 1}
    fill = {"field": "rscu", "transform": colours}
    plot.rect(**where, source=ColumnDataSource(data), fill_color=fill, line_color=None)
    plot.add_layout(ColorBar(color_mapper=colours, ticker=BasicTicker(), title="RSCU"), "right")
    plot.xaxis.major_label_orientation = np.pi / 2
    plot.grid.grid_line_color = None
    page: str = file_html(plot, INLINE, title)
    return page


def codon_order(result: xr.Dataset) -> list[tuple[int, str]]:
    """Return the codons by amino acid under the first group's code, stops last."""
    acids = result["amino_acid"].values[0].tolist()
    order = sorted(range(64), key=lambda i: (acids[i] == "*", acids[i], i))
    return [(i, acids[i]) for i in order]


def _label(group: object) -> str:
    return "(no value)" if group is None else str(group)


def _cells(result: xr.Dataset, values: np.ndarray[Any, Any]) -> dict[str, list[Any]]:
    rows = [
        f"{_label(group)} ({GENETIC_CODES[code].name.split(';')[0]}, code {code})"
        for group, code in zip(
            result["group"].values.tolist(), result["transl_table"].values.tolist(), strict=True
        )
    ]
    n = len(rows)
    column = {i: (acid, CODONS[i]) for i, acid in codon_order(result)}
    return {
        "column": [column[i] for i in range(64)] * n,
        "row": [row for row in rows for _ in range(64)],
        "codon": list(CODONS) * n,
        "aa": result["amino_acid"].values.ravel().tolist(),
        "count": result["count"].values.ravel().tolist(),
        "rscu": np.round(values, 3).ravel().tolist(),
    }
