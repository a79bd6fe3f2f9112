"""Defaults, merged into ``dask.config``; files and ``DASK_POLYTENE__...`` override them."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import dask.config
import yaml

from polytene.exceptions import UsageError

DEFAULT = "default"
OPEN = ("polytene.cluster.slurm.pools", "polytene.cluster.slurm.resources")  # names of the user's
HEADER = (
    "# Settings of polytene; the values are the defaults. To change one, take away the '# '\n"
    "# before it and before the names of the sections that it is in.\n\n"
)


def text() -> str:
    """Return the defaults that polytene ships, with their comments."""
    return files("polytene").joinpath("polytene.yaml").read_text(encoding="utf-8")


def defaults() -> dict[str, Any]:
    """Return the defaults that polytene ships."""
    found: dict[str, Any] = yaml.safe_load(text())
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


@dataclass(frozen=True)
class Setting:
    """A setting that is in effect.

    Parameters
    ----------
    name
        Such as ``"polytene.cluster.workers"``.
    value
        What it is.
    source
        ``default``, the name of an environment variable, or the path of a file.
    known
        Whether polytene reads it.
    """

    name: str
    value: Any
    source: str
    known: bool = True


def settings(prefix: str = "") -> list[Setting]:
    """Return the settings in effect whose names begin with ``prefix``, and where each is from.

    ``prefix`` may leave out ``polytene.``.

    Raises
    ------
    UsageError
        If there is no such setting.

    Examples
    --------
    >>> settings("cluster.threads")
    [Setting(name='polytene.cluster.threads', value=1, source='default', known=True)]
    """
    known = dict(_leaves(defaults()))
    found = dict(_leaves({"polytene": dask.config.get("polytene")}))
    whole = ".".join(filter(None, ["polytene", prefix.removeprefix("polytene").strip(".")]))
    names = [n for n in {**known, **found} if n == whole or n.startswith(f"{whole}.")]
    if not names:
        near = difflib.get_close_matches(whole, known)
        like = f"; similar: {', '.join(near)}" if near else "; all of them: polytene config show"
        raise UsageError(f"no setting {whole!r}{like}")
    sources = _sources()
    return [Setting(n, found.get(n), sources.get(n, DEFAULT), _known(n, known)) for n in names]


def _known(name: str, known: Mapping[str, Any]) -> bool:
    return name in known or name.startswith(tuple(f"{section}." for section in OPEN))


def _leaves(section: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(section, Mapping):
        for key, value in section.items():
            word = str(key).replace("_", "-")
            yield from _leaves(value, f"{name}.{word}" if name else word)
    else:
        yield name, section


def _sources() -> dict[str, str]:
    """Return which file or variable set each setting that is no default, as Dask reads them."""
    found: dict[str, str] = {}
    for path, data in dask.config.collect_yaml(dask.config.paths, return_paths=True):
        own = {"polytene": (data or {}).get("polytene", {})}
        found |= {name: str(path) for name, _ in _leaves(own)}
    own = {"polytene": dask.config.collect_env().get("polytene", {})}
    for name, _ in _leaves(own):
        found[name] = "DASK_" + name.upper().replace(".", "__").replace("-", "_")
    return found


def write_defaults(path: Path, *, force: bool = False) -> None:
    """Write the defaults, commented out, as a file to edit.

    Raises
    ------
    UsageError
        If there is a file, unless ``force``; or if it cannot be written.
    """
    if path.exists() and not force:
        raise UsageError(f"{path} is there: edit it, or give --force to replace it")
    lines = [f"# {line}" if line.strip() else line for line in text().splitlines()]
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(HEADER + "\n".join(lines) + "\n", encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{path}: cannot be written: {error.strerror}") from None
