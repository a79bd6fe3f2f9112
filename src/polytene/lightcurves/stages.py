"""What a worker does with a target: fetch its files, compute its row."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa

from polytene.core.scratch import Folder
from polytene.core.stage import Partial
from polytene.exceptions import BadInput, Rejected
from polytene.lightcurves.bls import Device
from polytene.lightcurves.curve import LightCurve, stitch
from polytene.lightcurves.features import Schema, features
from polytene.lightcurves.read import read
from polytene.lightcurves.rows import row, row_table
from polytene.lightcurves.targets import Target


class Options(NamedTuple):
    """What is computed of each target."""

    schema: Schema
    tls: bool
    window: float
    device: Device


_COUNTS = ("n_flagged", "n_bad_time", "n_bad_flux", "n_bad_err")


def extract_local(
    target: Target, *, schema: Schema, tls: bool, window: float, device: Device
) -> Partial:
    """Compute the row of a target whose files lie on disk.

    Raises
    ------
    BadInput
        ``corrupt-file`` if it has files and none can be used.
    """
    paths = [Path(str(file[0])) for file in target.files]
    return _extract(target, paths, Options(schema, tls, window, device))


def extract_fetched(
    target: Target, fetched: Folder, *, schema: Schema, tls: bool, window: float, device: Device
) -> Partial:
    """Compute the row of a target whose files were fetched."""
    info: Any = fetched.info
    paths = [fetched.path / file["name"] for file in info["files"]]
    how = Options(schema, tls, window, device)
    return _extract(target, paths, how, lost=info["lost"])


def _extract(target: Target, paths: list[Path], how: Options, lost: int = 0) -> Partial:
    schema = how.schema
    if not paths:
        about = row(target, "missing", "no_product", schema)
        why = Rejected(target.target_id, "no-product", "no light curve of this target was found")
        return Partial(row_table(about, schema), items=1, rejected=[why])
    curves, rejected = _read_all(paths)
    if not curves:
        first = rejected[0]
        detail = f"none of {len(paths)} files can be used; {first.item}: {first.detail}"
        raise BadInput("corrupt-file", detail)
    curve = stitch(curves)
    about = {"window": how.window, "device": how.device}
    found = features(curve, schema, how.tls, target.catalogue, **about)
    n_files = len(paths) + lost
    status, reason = "ok", ""
    if len(curves) < n_files:
        status, reason = "partial", f"{len(curves)}_of_{n_files}_files"
    if found.skipped:
        status, reason = "skipped", found.skipped
    cells = row(target, status, reason, schema) | _accounts(curve, n_files, len(curves))
    cells |= {"flags": ";".join(found.flags), **found.values}
    nbytes = sum(p.stat().st_size for p in paths if p.exists())
    return Partial(row_table(cells, schema), len(paths), nbytes, rejected)


def _read_all(paths: list[Path]) -> tuple[list[LightCurve], list[Rejected]]:
    curves, rejected = [], []
    for path in paths:
        try:
            curves.append(read(path))
        except BadInput as error:
            rejected.append(Rejected(path.name, error.reason, error.detail))
    return curves, rejected


def _accounts(curve: LightCurve, n_files: int, n_used: int) -> dict[str, Any]:
    meta = curve.meta
    return {
        "n_points": len(curve),
        "n_dropped": sum(int(meta.get(name, 0)) for name in _COUNTS),
        "n_duplicate": int(meta.get("n_duplicate", 0)),
        "n_files": n_files,
        "n_files_used": n_used,
        "baseline_d": curve.baseline,
    }


def concat(tables: Any) -> pa.Table:
    """Join rows, in plan order."""
    return pa.concat_tables(tables).combine_chunks()
