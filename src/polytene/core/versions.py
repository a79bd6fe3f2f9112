"""Which versions made a result."""

from __future__ import annotations

import platform
from functools import cache
from importlib import metadata

PACKAGES = (
    "polytene",
    "dask",
    "distributed",
    "numpy",
    "numba",
    "pyarrow",
    "xarray",
    "pandas",
    "pyfaidx",
    "bokeh",
    "dask-jobqueue",
    "dask-cuda",
)


@cache
def versions() -> dict[str, str]:
    """Return the versions of Python, of polytene and of what it computes with."""
    found = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found
