"""Parquet sets: which files belong to one, and what its columns mean.

A set is a folder of Parquet files with a row per sequence. ``polytene codons ingest`` writes one
with a manifest, ``set.json``, and with the coding sequences of its annotated records below
``cds/``, in a file of the same name. Any Parquet file with a column ``sequence`` is read, too.
"""

from __future__ import annotations

import glob
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from polytene.exceptions import BadInput, UsageError

MANIFEST = "set.json"
CDS = "cds"

SEQUENCES = pa.schema(
    [
        pa.field("seq_id", pa.string()),
        pa.field("part", pa.int32()),
        pa.field("part_start", pa.int64()),
        pa.field("length", pa.int64()),
        pa.field("total", pa.int64()),
        pa.field("after", pa.string()),
        pa.field("description", pa.string()),
        pa.field("source", pa.string()),
        pa.field("organism", pa.string()),
        pa.field("taxid", pa.int64()),
        pa.field("organelle", pa.string()),
        pa.field("transl_table", pa.int16()),
        pa.field("sequence", pa.large_string()),
    ]
)

CODING = pa.schema(
    [
        pa.field("row", pa.int64()),
        pa.field("seq_id", pa.string()),
        pa.field("cds_id", pa.string()),
        pa.field("gene", pa.string()),
        pa.field("starts", pa.list_(pa.int64())),
        pa.field("ends", pa.list_(pa.int64())),
        pa.field("strands", pa.list_(pa.int64())),
        pa.field("codon_start", pa.int16()),
        pa.field("transl_table", pa.int16()),
        pa.field("own_table", pa.bool_()),
        pa.field("partial5", pa.bool_()),
        pa.field("partial3", pa.bool_()),
        pa.field("transl_except", pa.string()),
        pa.field("translation_agrees", pa.bool_()),
    ]
)


def find_files(inputs: str | Path | Iterable[str | Path]) -> list[Path]:
    """Return the Parquet files of sets, folders, globs and paths, in a fixed order.

    Raises
    ------
    UsageError
        If nothing matches, or a folder holds no Parquet file.
    """
    given = [inputs] if isinstance(inputs, str | Path) else list(inputs)
    found: dict[Any, Path] = {}
    for item in given:
        for path in _expand(str(item)):
            found.setdefault(_identity(path), path.absolute())
    if not found:
        what = ", ".join(str(item) for item in given[:3]) or "nothing was given"
        raise UsageError(f"no Parquet file in {what}: give a set that holds sequences")
    return list(found.values())


def _identity(path: Path) -> tuple[int, int] | Path:
    """Return what two names of one file share."""
    try:
        about = path.stat()
    except OSError:
        return path.absolute()
    return about.st_dev, about.st_ino


def _expand(item: str) -> list[Path]:
    path = Path(item)
    if path.is_dir():
        return _folder(path)
    if path.exists() or not glob.has_magic(item):
        return [path]
    matches = sorted(Path(p) for p in glob.glob(item, recursive=True))  # noqa: PTH207
    if not matches:
        raise UsageError(f"{item}: nothing matches")
    return matches


def _folder(path: Path) -> list[Path]:
    manifest = path / MANIFEST
    if manifest.exists():
        return [path / f["name"] for f in read_manifest(manifest)]
    if (path / "plan.json").exists():
        raise UsageError(
            f"{path}: its ingest did not come to its end; give the same "
            "`polytene codons ingest` command again"
        )
    files = sorted(path.glob("*.parquet"))
    if not files:
        raise UsageError(
            f"{path}: no .parquet file in it; make a set with `polytene codons ingest IN... -o SET`"
        )
    return files


def coding_file(path: str | Path) -> Path:
    """Return where the coding sequences of a set's file lie, if it has any."""
    path = Path(path)
    return path.parent / CDS / path.name


def is_annotated(path: str | Path) -> bool:
    """Whether coding sequences of a set's file are there, or should be by the set's manifest."""
    path = Path(path)
    if coding_file(path).exists():
        return True
    manifest = path.parent / MANIFEST
    return manifest.exists() and any(
        f["name"] == path.name and f.get("annotated", f["cds"] > 0) for f in read_manifest(manifest)
    )


def read_manifest(path: Path) -> list[dict[str, Any]]:
    """Return what a set's manifest says of its files.

    Raises
    ------
    UsageError
        If it is damaged.
    """
    try:
        files: list[dict[str, Any]] = json.loads(path.read_bytes())["files"]
        if all(isinstance(f["name"], str) and isinstance(f["cds"], int) for f in files):
            return files
    except (ValueError, TypeError, KeyError, OSError):
        pass
    raise UsageError(f"{path} is damaged: give the same `polytene codons ingest` command again")


def string_column(batch: pa.RecordBatch, name: str) -> Sequence[Any]:
    """Return a column as Python values, None where the batch lacks it."""
    if name not in batch.schema.names:
        return [None] * batch.num_rows
    return batch.column(name).to_pylist()  # type: ignore[no-any-return]


def check_numbers(kind: pa.DataType, path: str, name: str) -> None:
    """Refuse a column of numbers that holds none.

    Raises
    ------
    BadInput
        ``wrong-type``.
    """
    types = pa.types
    tests = (types.is_integer, types.is_floating, types.is_decimal, types.is_null)
    if not any(test(kind) for test in tests):
        raise BadInput("wrong-type", f"{path}: column {name!r} holds {kind}, expected numbers")


def check_group_type(kind: pa.DataType, path: str, name: str) -> None:
    """Refuse a group column whose values cannot be sorted.

    Raises
    ------
    BadInput
        ``wrong-type``.
    """
    plain = kind.value_type if pa.types.is_dictionary(kind) else kind
    if pa.types.is_nested(plain) or pa.types.is_float16(plain):
        raise BadInput("wrong-type", f"{path}: column {name!r} holds {kind}, which makes no groups")


def check_column_type(kind: pa.DataType, path: str, name: str) -> None:
    """Refuse a sequence column that holds no text.

    Raises
    ------
    BadInput
        ``wrong-type``.
    """
    plain = kind.value_type if pa.types.is_dictionary(kind) else kind
    tests = (
        pa.types.is_string,
        pa.types.is_large_string,
        pa.types.is_string_view,
        pa.types.is_binary,
        pa.types.is_large_binary,
        pa.types.is_binary_view,
    )
    if not any(test(plain) for test in tests):
        raise BadInput("wrong-type", f"{path}: column {name!r} holds {kind}, expected text")
