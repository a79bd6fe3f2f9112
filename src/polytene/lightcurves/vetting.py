"""The strongest signals of an extraction on one page."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from polytene.core.files import write_bytes
from polytene.core.plan import Plan
from polytene.exceptions import BadInput
from polytene.lightcurves.archive import cache_folder
from polytene.lightcurves.curve import LightCurve, stitch
from polytene.lightcurves.features import WINDOW
from polytene.lightcurves.picture import panels, views_of
from polytene.lightcurves.read import read
from polytene.lightcurves.result import read_features
from polytene.lightcurves.sources import Archive, Source, saved_source
from polytene.lightcurves.targets import Target

TOP = 20


def vet_run(run_dir: str | Path, output: str | Path, *, top: int = TOP) -> int:
    """Draw light curve, periodogram and folded transit of the strongest signals of a run.

    Parameters
    ----------
    run_dir
        Of a finished extraction whose light curves still lie where they lay.
    output
        HTML file that loads nothing from elsewhere.
    top
        How many targets; those flagged ``no_signal`` are left out.

    Returns
    -------
    int
        How many were drawn.

    Raises
    ------
    UsageError
        If the folder holds no finished extraction.
    """
    from bokeh.embed import file_html
    from bokeh.layouts import column
    from bokeh.resources import INLINE

    pages = drawn(run_dir, read_features(run_dir).to_pylist(), top)
    page = file_html(column(*pages), INLINE, f"Strongest signals of {Path(run_dir).name}")
    write_bytes(Path(output), str(page).encode())
    return len(pages)


def drawn(run_dir: str | Path, rows: list[dict[str, Any]], top: int) -> list[Any]:
    """Return the panels of the strongest of some rows of a run, as Bokeh layouts."""
    plan: Plan[Target] = Plan.load(run_dir, Target)
    source = saved_source(run_dir)
    chosen = strongest(rows, top)
    targets = {t.key: t for t in plan.subset([row["sample_id"] for row in chosen])}
    window = float(plan.params.get("window", WINDOW))
    pages = []
    for row in chosen:
        curve = _curve_of(targets[row["sample_id"]], source)
        if curve is not None:
            views, _ = views_of(curve, window)
            note = f"{views.title}; {row['flags'] or 'no flag'}"
            pages.append(panels(views._replace(title=note)))
    return pages


def strongest(rows: list[dict[str, Any]], top: int) -> list[dict[str, Any]]:
    """Return the rows with a signal, the one with the highest SNR first."""
    snr = "snr_red" if rows and "snr_red" in rows[0] else "bls_snr"
    found = [r for r in rows if "no_signal" not in r["flags"] and np.isfinite(r[snr])]
    return sorted(found, key=lambda r: -r[snr])[:top]


def _curve_of(target: Target, source: Source) -> LightCurve | None:
    if isinstance(source, Archive):
        paths = sorted(cache_folder(target, source.settings()).glob("*.fits"))
    else:
        paths = [Path(str(file[0])) for file in target.files]
    curves = []
    for path in paths:
        try:
            curves.append(read(path))
        except BadInput:
            continue
    return stitch(curves) if curves else None
