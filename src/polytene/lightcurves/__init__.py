"""Light curves: read, search for transits, and features of survey-size lists of targets.

``read`` and ``stitch`` make a ``LightCurve``; ``bls`` and ``tls`` search it; ``features`` describes
it; ``extract`` does all of it for a table of targets, as one resumable run.
"""

from polytene.lightcurves.bls import bls
from polytene.lightcurves.bls_result import BLSResult
from polytene.lightcurves.checkpoints import CheckpointManager
from polytene.lightcurves.curve import LightCurve, stitch
from polytene.lightcurves.features import Features, features
from polytene.lightcurves.grids import optimal_periods, orbital_durations, uniform_periods
from polytene.lightcurves.plan import plan
from polytene.lightcurves.read import read
from polytene.lightcurves.result import merge, read_features, to_xarray, write
from polytene.lightcurves.run import extract, fetch, reduction, stages
from polytene.lightcurves.sources import Archive, LocalFiles
from polytene.lightcurves.starter import extract_features_batch_parallel
from polytene.lightcurves.targets import Target
from polytene.lightcurves.tls import tls

__all__ = [
    "Archive",
    "BLSResult",
    "CheckpointManager",
    "Features",
    "LightCurve",
    "LocalFiles",
    "Target",
    "bls",
    "extract",
    "extract_features_batch_parallel",
    "features",
    "fetch",
    "merge",
    "optimal_periods",
    "orbital_durations",
    "plan",
    "read",
    "read_features",
    "reduction",
    "stages",
    "stitch",
    "tls",
    "to_xarray",
    "uniform_periods",
    "write",
]
