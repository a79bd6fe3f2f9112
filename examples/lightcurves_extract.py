"""Features of many stars, on worker processes: python lightcurves_extract.py [targets.csv dir]."""

import sys

from polytene import cluster, testing
from polytene import lightcurves as lc

if __name__ == "__main__":
    table, folder = sys.argv[1:] or ["sky/targets.csv", testing.write_stars("sky")]
    with cluster("local", workers=2) as client:
        outcome = lc.extract(table, "features.run", source=folder, client=client)
    found = lc.to_xarray(outcome.result)["value"].sel(feature=["bls_period", "bls_depth"])
    print(found.to_pandas().assign(status=found.status, flags=found.flags).round(4))
    print(outcome)
