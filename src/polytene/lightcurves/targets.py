"""The table of targets: which stars, and what a catalogue says of them."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from polytene.core.canonical import Json
from polytene.core.keys import safe_key
from polytene.core.plan import Unit
from polytene.exceptions import UsageError

if TYPE_CHECKING:
    import pandas as pd

Samples: TypeAlias = "str | Path | pd.DataFrame | Iterable[str | Mapping[str, Any]]"
CARRIED = ("label", "toi", "period", "depth", "duration", "epoch")
_IDENTIFIER = re.compile(r"(TIC|KIC|EPIC)[ _-]*0*(\d{1,12})", re.IGNORECASE)


@dataclass(frozen=True)
class Target(Unit):
    """One row of the table of targets.

    Parameters
    ----------
    target_id
        ``"TIC25155310"`` and the like, or another name for files of one's own.
    catalogue
        What the table says of it: ``label``, ``toi``, ``period`` [d], ``depth`` [ppm],
        ``duration`` [h], ``epoch``.
    files
        Path, size and time of change [ns] of each of its files, where they lie on disk.
    """

    target_id: str
    catalogue: dict[str, Json] = field(default_factory=dict)
    files: list[list[Json]] = field(default_factory=list)


def normal_id(text: str) -> str:
    """Return a target's name as the catalogues write it, and another name as it is.

    Examples
    --------
    >>> normal_id("tic 0025155310"), normal_id(" my star ")
    ('TIC25155310', 'my star')
    """
    text = text.strip()
    found = _IDENTIFIER.fullmatch(text)
    return f"{found[1].upper()}{int(found[2])}" if found else text


def split_id(target_id: str) -> tuple[str, int] | None:
    """Return catalogue and number; None of another name.

    Examples
    --------
    >>> split_id("KIC11446443"), split_id("my star")
    (('KIC', 11446443), None)
    """
    found = _IDENTIFIER.fullmatch(target_id)
    return (found[1].upper(), int(found[2])) if found else None


def read_samples(samples: Samples) -> list[tuple[str, str, dict[str, Json]]]:
    """Return key, target and catalogue entries of each row.

    Parameters
    ----------
    samples
        A CSV or Parquet file or a pandas table with a column ``target_id``; or target names; or
        mappings. Of further columns ``label``, ``toi``, ``period``, ``depth``, ``duration`` and
        ``epoch`` are kept.

    Raises
    ------
    UsageError
        If there is no such file, no column ``target_id``, no row, or a row without a target.
    """
    rows = list(_rows(samples))
    if not rows:
        raise UsageError("the table of targets has no row")
    empty = [i for i, row in enumerate(rows) if _is_missing(row.get("target_id"))]
    if empty:
        raise UsageError(f"row {empty[0] + 1} of the table of targets has no target_id")
    seen: Counter[str] = Counter()
    out = []
    for row in rows:
        name = normal_id(str(row["target_id"]))
        seen[name] += 1
        again = f"@{seen[name]}" if seen[name] > 1 else ""
        about = {k: _plain(row[k]) for k in CARRIED if not _is_missing(row.get(k))}
        out.append((safe_key(f"{name}{again}"), name, about))
    return out


def _rows(samples: Samples) -> Iterable[Mapping[str, Any]]:
    if isinstance(samples, str | Path):
        return _records(_read(Path(samples)), str(samples))
    if hasattr(samples, "to_dict") and hasattr(samples, "columns"):
        return _records(samples, "the table")
    return [{"target_id": s} if isinstance(s, str) else s for s in samples]


def _records(table: Any, name: str) -> list[dict[str, Any]]:
    if "target_id" not in table.columns:
        known = ", ".join(map(str, table.columns)) or "none"
        raise UsageError(f"{name}: no column target_id; its columns are {known}")
    kept = ["target_id", *(c for c in CARRIED if c in table.columns)]
    records: list[dict[str, Any]] = table[kept].to_dict("records")
    return records


def _read(path: Path) -> Any:
    import pandas as pd

    try:
        if path.suffix in (".parquet", ".pq"):
            return pd.read_parquet(path)
        separator = "\t" if path.suffix == ".tsv" else ","
        return pd.read_csv(path, sep=separator, comment="#", dtype={"target_id": str, "toi": str})
    except FileNotFoundError:
        raise UsageError(f"{path}: no such file; expected a table of targets") from None
    except (ValueError, OSError) as error:
        raise UsageError(f"{path}: {error}; expected CSV or Parquet") from None


def _is_missing(value: Any) -> bool:
    if value is None or (isinstance(value, str) and not value.strip()):
        return True
    return isinstance(value, float) and math.isnan(value)


def _plain(value: Any) -> Json:
    """Return a value of numpy as one of Python."""
    found: Json = value.item() if hasattr(value, "item") else value
    return int(found) if isinstance(found, float) and found.is_integer() else found
