"""Defaults, merged into ``dask.config``; files and ``DASK_POLYTENE__...`` override them."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import Any

import dask.config
import yaml

from polytene.exceptions import UsageError


def defaults() -> dict[str, Any]:
    """Return the defaults that polytene ships."""
    text = files("polytene").joinpath("polytene.yaml").read_text(encoding="utf-8")
    found: dict[str, Any] = yaml.safe_load(text)
    return found


def load() -> None:
    """Put the defaults under what the user has set."""
    dask.config.update_defaults(defaults())


def get(name: str) -> Any:
    """Return the value of ``polytene.<name>``."""
    return dask.config.get(f"polytene.{name}")


def read_file(path: str | Path) -> dict[str, Any]:
    """Return the settings of a configuration file.

    Raises
    ------
    UsageError
        If it cannot be read or is not a mapping of settings.
    """
    try:
        found = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError) as error:
        raise UsageError(f"{path}: cannot be read as YAML: {error}") from None
    if not isinstance(found, dict):
        raise UsageError(f"{path}: expected settings such as 'polytene: cluster: workers: 4'")
    return {name: _section(path, name, value) for name, value in found.items()}


def _section(path: str | Path, name: str, value: Any) -> Any:
    """Return a section; one that is empty changes nothing."""
    if name != "polytene":
        return value or {}
    section = {} if value is None else value
    if not isinstance(section, dict) or not isinstance(section.get("cluster") or {}, dict):
        raise UsageError(f"{path}: polytene and polytene.cluster hold names and values")
    return {**section, "cluster": section.get("cluster") or {}}
