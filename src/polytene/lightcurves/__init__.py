"""Light curves."""

from polytene.lightcurves.bls import bls
from polytene.lightcurves.bls_result import BLSResult
from polytene.lightcurves.curve import LightCurve, stitch
from polytene.lightcurves.grids import optimal_periods, orbital_durations, uniform_periods
from polytene.lightcurves.read import read

__all__ = [
    "BLSResult",
    "LightCurve",
    "bls",
    "optimal_periods",
    "orbital_durations",
    "read",
    "stitch",
    "uniform_periods",
]
