"""Where light curves come from: files on disk, or the missions' archives."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from polytene.core.canonical import Json
from polytene.core.files import write_bytes
from polytene.exceptions import UsageError
from polytene.lightcurves.read import target_of
from polytene.lightcurves.targets import normal_id

SUFFIXES = (".fits", ".fits.gz", ".csv", ".csv.gz", ".tsv", ".txt", ".dat")
S3 = "https://stpubdata.s3.amazonaws.com"
MAST = "https://mast.stsci.edu"
CONNECTIONS = 6
SLOT = "net.archive"
SOURCE = "source.json"
Family = Literal["spoc-120", "spoc-20", "long", "short"]


@dataclass(frozen=True)
class LocalFiles:
    """Files below a folder, each named as the archives do or by its target.

    ``tess...-0000000025155310-...fits`` and ``TIC25155310.csv`` belong to TIC25155310; of any other
    name the part before the suffix, or the folder that holds the file, is the target.

    Parameters
    ----------
    folder
        Where to look, with all folders in it.
    """

    folder: str | os.PathLike[str]

    def files(self) -> dict[str, list[list[Json]]]:
        """Return path, size and time of change [ns] of each file, by target.

        Raises
        ------
        UsageError
            If there is no such folder, or no light curve in it.
        """
        folder = Path(self.folder).absolute()
        if not folder.is_dir():
            raise UsageError(f"{folder}: no such folder of light curves")
        found: dict[str, list[list[Json]]] = {}
        for path in sorted(folder.rglob("*")):
            if path.name.lower().endswith(SUFFIXES) and path.is_file():
                about = path.stat()
                entry: list[Json] = [str(path), about.st_size, about.st_mtime_ns]
                for name in _names(path, folder):
                    found.setdefault(name, []).append(entry)
        if not found:
            raise UsageError(f"{folder}: no file ends in {', '.join(SUFFIXES)}")
        return found


def _names(path: Path, folder: Path) -> list[str]:
    if known := target_of(path):
        return [known]
    suffix = next(
        s for s in sorted(SUFFIXES, key=len, reverse=True) if path.name.lower().endswith(s)
    )
    names = [normal_id(path.name[: -len(suffix)])]
    if path.parent != folder:
        names.append(normal_id(path.parent.name))
    return names


@dataclass(frozen=True)
class Archive:
    """The public archives of TESS, Kepler and K2, through a cache on disk.

    Files come from the open-data bucket first, and from MAST where it lacks one. A target's files
    are all of one product family, so that cadences and pipelines are never mixed. Whether the
    servers answer as they did when this was written cannot be tested without them: the tests run
    against a server on loopback.

    Parameters
    ----------
    cache
        Folder of what was downloaded; many runs may share it.
    family
        ``"spoc-120"``: SPOC at two minutes for TIC, long cadence for KIC and EPIC. ``"spoc-20"``:
        SPOC at 20 seconds. ``"short"``: short cadence of Kepler.
    connections
        Downloads at a time, over the whole cluster.
    products
        A table of one's own with the columns ``target_id`` and ``url`` and, where they are known,
        ``bytes`` and ``md5``: nothing is asked of MAST then. URLs may be relative to the bases.
    bases
        Where files are downloaded from, best first.
    search
        Base of the search service.
    timeout
        Seconds without a byte after which a download is given up, and tried again.
    """

    cache: str | os.PathLike[str]
    family: Family = "spoc-120"
    connections: int = CONNECTIONS
    products: str | os.PathLike[str] | None = None
    bases: Sequence[str] = (S3, MAST)
    search: str = MAST
    timeout: float = 30.0
    limits: Mapping[str, float] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        if self.connections < 1:
            raise UsageError(f"connections is {self.connections}: at least 1")
        if self.family not in ("spoc-120", "spoc-20", "long", "short"):
            raise UsageError(f"family is {self.family!r}: spoc-120, spoc-20, long or short")
        object.__setattr__(self, "limits", {SLOT: float(self.connections)})

    def settings(self) -> dict[str, Any]:
        """Return what a worker needs to know, as JSON."""
        return {
            "cache": str(Path(self.cache).absolute()),
            "family": self.family,
            "bases": [b.rstrip("/") for b in self.bases],
            "search": self.search.rstrip("/"),
            "timeout": self.timeout,
        }


Source = LocalFiles | Archive


def read_products(path: str | os.PathLike[str]) -> dict[str, list[list[Json]]]:
    """Return URL, bytes and MD5 of each product, by target.

    Raises
    ------
    UsageError
        If the table cannot be read or lacks a column.
    """
    import pandas as pd

    try:
        parquet = str(path).endswith((".parquet", ".pq"))
        table = pd.read_parquet(path) if parquet else pd.read_csv(path, dtype={"md5": str})
    except (OSError, ValueError) as error:
        raise UsageError(f"{path}: {error}; expected a table of products") from None
    if missing := {"target_id", "url"} - set(table.columns):
        raise UsageError(f"{path}: no column {sorted(missing)[0]}; expected target_id and url")
    found: dict[str, list[list[Json]]] = {}
    for row in table.to_dict("records"):
        size, md5 = row.get("bytes"), row.get("md5")
        known: list[Json] = [
            None if pd.isna(size) else int(size),
            None if pd.isna(md5) else str(md5),
        ]
        found.setdefault(normal_id(str(row["target_id"])), []).append([str(row["url"]), *known])
    return found


def save_source(source: Source, run_dir: Path) -> None:
    """Write down where the light curves of a run come from, so that it can be retried."""
    about: dict[str, Any]
    if isinstance(source, Archive):
        about = {"archive": {**source.settings(), "connections": source.connections}}
    else:
        about = {"folder": str(Path(source.folder).absolute())}
    run_dir.mkdir(parents=True, exist_ok=True)
    write_bytes(run_dir / SOURCE, json.dumps(about, indent=1).encode() + b"\n", sync=False)


def saved_source(run_dir: str | Path) -> Source:
    """Return where the light curves of a run come from.

    Raises
    ------
    UsageError
        If the folder holds no extraction.
    """
    path = Path(run_dir) / SOURCE
    try:
        about = json.loads(path.read_bytes())
    except FileNotFoundError:
        raise UsageError(f"{run_dir}: no extraction of light curves; {SOURCE} is missing") from None
    return Archive(**about["archive"]) if "archive" in about else LocalFiles(about["folder"])
