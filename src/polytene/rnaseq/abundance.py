"""A quantifier's answer as arrays, read strictly: what is missing or no number is an error."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv as csv

from polytene.core.canonical import digest
from polytene.exceptions import BadInput

COLUMNS = ("target_id", "length", "eff_length", "est_counts", "tpm")
TYPES = {
    "target_id": pa.string(),
    "length": pa.int64(),
    "eff_length": pa.float64(),
    "est_counts": pa.float64(),
    "tpm": pa.float64(),
}
NUMBERS = ("eff_length", "est_counts", "tpm")


@dataclass(frozen=True)
class Counts:
    """What a quantifier says of its own run.

    Parameters
    ----------
    n_targets
        Transcripts of the index.
    n_processed, n_pseudoaligned
        Reads, or pairs of them, that it saw and that it could place.
    version, index_version
        Of the program, and of its index.
    """

    n_targets: int
    n_processed: int
    n_pseudoaligned: int
    version: str
    index_version: str


def read_abundance(path: Path) -> pa.Table:
    """Return ``abundance.tsv``: ``target_id, length, eff_length, est_counts, tpm``.

    Raises
    ------
    BadInput
        ``bad-abundance`` if it cannot be read, has other columns, or holds a number that is
        negative or none.
    """
    options = csv.ConvertOptions(column_types=TYPES, null_values=[], strings_can_be_null=False)
    tabs = csv.ParseOptions(delimiter="\t")
    try:
        table = csv.read_csv(path, parse_options=tabs, convert_options=options)
    except (pa.ArrowInvalid, OSError) as error:
        raise BadInput("bad-abundance", f"{path}: {error}") from None
    if tuple(table.column_names) != COLUMNS:
        raise BadInput("bad-abundance", f"{path}: columns {table.column_names}, not {COLUMNS}")
    for name in NUMBERS:
        values = table.column(name).to_numpy()
        bad = np.flatnonzero(~(np.isfinite(values) & (values >= 0)))
        if len(bad):
            detail = f"{path}, line {bad[0] + 2}: {name} is {values[bad[0]]}"
            raise BadInput("bad-abundance", detail)
    return table


def targets_digest(table: pa.Table) -> str:
    """Return a digest of the transcripts, their lengths and their order."""
    ids = "\n".join(table.column("target_id").to_pylist())
    lengths = table.column("length").to_numpy().astype("<i8").tobytes()
    return digest(ids.encode() + lengths)


def read_json(path: Path) -> dict[str, Any]:
    """Return a JSON object.

    Raises
    ------
    BadInput
        ``bad-run-info`` if the file is missing, cut or something else.
    """
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BadInput("bad-run-info", f"{path}: {error}") from None
    if not isinstance(found, dict):
        raise BadInput("bad-run-info", f"{path}: not a JSON object")
    return found
