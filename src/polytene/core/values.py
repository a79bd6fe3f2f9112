"""Values as bytes and back: Arrow tables, numpy arrays, folders and JSON; never pickle."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from polytene.core.canonical import Json, plain
from polytene.core.scratch import Folder
from polytene.exceptions import DamagedRun

SUFFIX = {"arrow": ".arrow", "npz": ".npz", "folder": ".files"}


@dataclass(frozen=True)
class Encoded:
    """Values of one block: ``layout`` says where each lies in ``data`` (None: failed)."""

    kind: str
    layout: list[Json]
    data: bytes | None = None
    folders: Sequence[Path | None] = ()


def kind_of(value: object) -> str:
    """Return how a value is stored.

    Raises
    ------
    TypeError
        If it is none of the kinds that a part can hold.
    """
    if isinstance(value, pa.Table):
        return "arrow"
    try:
        if _are_arrays(value):
            return "npz"
        if not isinstance(value, Folder):
            plain(value)
            return "json"
        if not Path(value.path).is_dir():
            raise TypeError(f"Folder({str(value.path)!r}) is not there")
        plain(value.info, "Folder info")
        return "folder"
    except TypeError as error:
        raise TypeError(
            f"{error}: a stage returns a pyarrow.Table, numpy arrays (one, or a dict of them), "
            "a polytene.Folder, or JSON (None, bool, int, float, str, list, dict)"
        ) from None


def _are_arrays(value: object) -> bool:
    named = value if isinstance(value, dict) and value else {"": value}
    if not any(isinstance(a, np.ndarray) for a in named.values()):
        return False
    for name, array in named.items():
        if type(array) is not np.ndarray:
            raise TypeError(f"{name!r} is a {type(array).__name__}, not a plain numpy array")
        if array.dtype.hasobject:
            raise TypeError(f"{name!r} is an array of objects, which needs pickle to be stored")
        if not isinstance(name, str):
            raise TypeError(f"{name!r} names an array and is not a string")
    return True


Form = tuple[str, pa.Schema | None]


def form_of(value: object) -> Form:
    """Return what the values of a block have to share: their kind, and the schema of tables."""
    return kind_of(value), value.schema if isinstance(value, pa.Table) else None


def check_form(value: object, form: Form | None) -> None:
    """Refuse a value that cannot stand beside those before it.

    Raises
    ------
    TypeError
        If it is of another kind, or a table with other columns.
    """
    kind, schema = form_of(value)
    if form is None:
        return
    if kind != form[0]:
        raise TypeError(f"it returned {kind} where the units before it returned {form[0]}")
    if schema is None:
        return
    try:
        pa.unify_schemas([form[1], schema])
    except pa.ArrowInvalid as error:
        raise TypeError(f"its table differs from those of the units before it: {error}") from None


def encode(values: Sequence[object], failed: Sequence[bool]) -> Encoded:
    """Encode the values of a block; the values of failed units are left out."""
    good = [v for v, bad in zip(values, failed, strict=True) if not bad]
    kinds = {kind_of(v) for v in good}
    if len(kinds) > 1:
        raise TypeError(f"one stage returned values of {len(kinds)} kinds: {sorted(kinds)}")
    kind = kinds.pop() if kinds else "json"
    return _ENCODE[kind](values, failed)


def _encode_json(values: Sequence[Any], failed: Sequence[bool]) -> Encoded:
    return Encoded("json", [None if f else plain(v) for v, f in zip(values, failed, strict=True)])


def _encode_arrow(values: Sequence[Any], failed: Sequence[bool]) -> Encoded:
    tables = [v for v, f in zip(values, failed, strict=True) if not f]
    whole = pa.concat_tables([_decoded(t) for t in tables], promote_options="default")
    sink = pa.BufferOutputStream()
    with pa.ipc.new_file(sink, whole.schema) as out:
        out.write_table(whole)
    rows = [None if f else v.num_rows for v, f in zip(values, failed, strict=True)]
    return Encoded("arrow", rows, sink.getvalue().to_pybytes())


def _decoded(table: pa.Table) -> pa.Table:
    """Return a table without dictionaries, which differ from unit to unit."""
    for i, field in enumerate(table.schema):
        if pa.types.is_dictionary(field.type):
            plain_type = field.type.value_type
            column = table.column(i).cast(plain_type)
            table = table.set_column(i, field.with_type(plain_type), column)
    return table


def _encode_npz(values: Sequence[Any], failed: Sequence[bool]) -> Encoded:
    arrays: dict[str, Any] = {}
    layout: list[Json] = []
    for i, (value, bad) in enumerate(zip(values, failed, strict=True)):
        if bad:
            layout.append(None)
            continue
        named = value if isinstance(value, dict) else {"": value}
        layout.append(list(named) if isinstance(value, dict) else "")
        arrays |= {f"{i}:{j}": array for j, array in enumerate(named.values())}
    sink = io.BytesIO()
    np.savez(sink, **arrays)
    return Encoded("npz", layout, sink.getvalue())


def _encode_folder(values: Sequence[Any], failed: Sequence[bool]) -> Encoded:
    pairs = list(zip(values, failed, strict=True))
    layout = [None if f else plain(v.info) for v, f in pairs]
    return Encoded("folder", layout, folders=[None if f else v.path for v, f in pairs])


_ENCODE: dict[str, Callable[[Sequence[Any], Sequence[bool]], Encoded]] = {
    "json": _encode_json,
    "arrow": _encode_arrow,
    "npz": _encode_npz,
    "folder": _encode_folder,
}


def decode(kind: str, layout: list[Json], path: Path) -> list[Any]:
    """Return the values of a block; those of failed units are None.

    ``path`` is the file or folder that holds them; JSON values are the layout itself.
    """
    if kind == "json":
        return layout
    if kind == "arrow":
        return _decode_arrow(layout, path)
    if kind == "npz":
        return _decode_npz(layout, path)
    if kind == "folder":
        return [Folder(path / str(i), info) for i, info in enumerate(layout)]
    raise DamagedRun(f"{path}: unknown kind of value {kind!r}")


def _decode_arrow(layout: list[Json], path: Path) -> list[Any]:
    with pa.OSFile(str(path)) as source:
        table = pa.ipc.open_file(source).read_all()
    out: list[Any] = []
    start = 0
    for rows in layout:
        out.append(None if rows is None else table.slice(start, rows))
        start += rows or 0
    return out


def _decode_npz(layout: list[Json], path: Path) -> list[Any]:
    out: list[Any] = []
    with np.load(path, allow_pickle=False) as arrays:
        for i, names in enumerate(layout):
            if names is None:
                out.append(None)
            elif names == "":
                out.append(arrays[f"{i}:0"])
            else:
                out.append({name: arrays[f"{i}:{j}"] for j, name in enumerate(names)})
    return out
