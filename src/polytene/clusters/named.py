"""The configuration files that polytene ships: ``slurm`` is ``configs/slurm.yaml``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import dask.config

from polytene import config

PACKAGE = Path(config.__file__).parent
FOLDERS = (PACKAGE / "configs", PACKAGE.parents[1] / "configs")  # installed; in a source tree


def names() -> list[str]:
    """Return the names of the files."""
    return sorted({path.stem for folder in FOLDERS for path in folder.glob("*.yaml")})


def file_of(name: str) -> Path | None:
    """Return the file of a name; None if there is none."""
    found = (folder / f"{name}.yaml" for folder in FOLDERS)
    return next((path for path in found if path.is_file()), None)


def packaged(name: str) -> dict[str, Any]:
    """Return the settings of a file; what the user has set elsewhere counts more."""
    path = file_of(name)
    assert path is not None
    return below_users(config.read_file(path))


def kind_of(name: str) -> str:
    """Return the kind of cluster that a file of ours describes."""
    path = file_of(name)
    assert path is not None
    return str(config.read_file(path)["polytene"]["cluster"]["kind"])


def below_users(shipped: dict[str, Any]) -> dict[str, Any]:
    """Return shipped settings, with those in their place that the user has changed."""
    return _merged(shipped, dask.config.config, config.defaults())


def _merged(shipped: dict[str, Any], now: Any, defaults: Any) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for key, value in shipped.items():
        before = defaults.get(key, {}) if isinstance(defaults, dict) else {}
        mine = before
        if isinstance(now, dict):
            mine = now.get(dask.config.canonical_name(key, now), before)
        if isinstance(value, dict) and value:
            result[key] = _merged(value, mine, before)
        else:
            result[key] = value if before == {} or mine == before else mine
    return result
