"""Which targets are looked at, and how."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from polytene.core.device import WANTED
from polytene.core.plan import Plan
from polytene.exceptions import UsageError
from polytene.lightcurves.features import SCHEMAS, WINDOW, Schema
from polytene.lightcurves.sources import Archive, LocalFiles, Source, read_products
from polytene.lightcurves.targets import Samples, Target, read_samples

BATCH_SIZE = 100
KIND = "lightcurves-extract"
FETCH_KIND = "lightcurves-fetch"


def plan(
    samples: Samples,
    *,
    source: Source | str | Path,
    schema: Schema = "v1",
    tls: bool = False,
    window: float = WINDOW,
    batch_size: int = BATCH_SIZE,
    device: str = "cpu",
) -> Plan[Target]:
    """Plan an extraction: one unit per row of the table of targets.

    Parameters
    ----------
    samples
        As for :func:`read_samples`: a CSV or Parquet file, a pandas table, names or mappings.
    source
        :class:`LocalFiles`, :class:`Archive`, or the path of a folder.
    schema, tls, window
        As for :func:`features`.
    batch_size
        Targets that share one part file, on average; no result depends on it.
    device
        ``"cpu"``, ``"cuda"`` for workers that own a GPU, or ``"auto"`` for what the cluster has.

    Raises
    ------
    UsageError
        If an argument is wrong or the table has no usable row.

    Examples
    --------
    >>> from polytene.testing import write_stars
    >>> folder = write_stars(n=2)
    >>> print(plan(folder / "targets.csv", source=folder).describe().splitlines()[0])
    lightcurves-extract: 3 x target, total cost 3
    """
    if schema not in SCHEMAS:
        raise UsageError(f"schema is {schema!r}: one of {', '.join(SCHEMAS)}")
    if not window > 0:
        raise UsageError(f"window is {window}: give days above 0")
    if device not in WANTED:
        raise UsageError(f"device is {device!r}: one of {', '.join(WANTED)}")
    chosen = as_source(source)
    units = _units(samples, chosen)
    params: dict[str, Any] = {"schema": schema, "tls": tls, "window": float(window)}
    params |= {"device": device} if device != "cpu" else {}
    params |= _source_params(chosen)
    return Plan(KIND, units, params, block=batch_size, noun="target")


def on_device(plan: Plan[Target], device: str) -> Plan[Target]:
    """Return a plan whose device is settled."""
    params = {k: v for k, v in plan.params.items() if k != "device"}
    params |= {"device": device} if device != "cpu" else {}
    return Plan(plan.kind, plan.units, params, block=plan.block, noun=plan.noun)


def fetch_plan(samples: Samples, archive: Archive, batch_size: int = 1) -> Plan[Target]:
    """Plan downloads alone."""
    params = _source_params(archive)
    return Plan(FETCH_KIND, _units(samples, archive), params, block=batch_size, noun="target")


def as_source(source: Source | str | Path) -> Source:
    """Return a folder's path as a source."""
    return source if isinstance(source, LocalFiles | Archive) else LocalFiles(source)


def _source_params(source: Source) -> dict[str, Any]:
    """Return what of the source changes what is computed; where it lies does not."""
    if isinstance(source, Archive):
        return {"source": "archive", "family": source.family}
    return {"source": "files"}


def _units(samples: Samples, source: Source) -> list[Target]:
    rows = read_samples(samples)
    if isinstance(source, LocalFiles):
        files = source.files()
    else:
        files = read_products(source.products) if source.products else {}
    return [Target(key, name, about, files.get(name, [])) for key, name, about in rows]
