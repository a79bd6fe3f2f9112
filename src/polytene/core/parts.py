"""Parts: the values and accounts of one block, or one folded value, on disk.

A part is a receipt, ``NAME.json``, and for bulky values a data file or folder beside it. The
receipt is two lines of JSON, the accounts and the layout of the values, and their checksum. It
is renamed in last: that is the commit. Nothing inside depends on time, host or worker, so that
equal work gives equal bytes.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from polytene.core.canonical import Json, canonical, digest
from polytene.core.chaos import point
from polytene.core.files import read_bytes, sync_folder, sync_tree, write_bytes
from polytene.core.values import SUFFIX, Encoded, decode
from polytene.exceptions import DamagedRun

MARK = 16
CHUNK = 1 << 20


@dataclass(frozen=True)
class Ref:
    """Where a part lies in its run directory, and which bytes were committed."""

    name: str
    digest: str


class DamagedPart(DamagedRun):
    """A part is not what was committed.

    Parameters
    ----------
    part
        Its name in the run directory.
    detail
        What is wrong with it.
    """

    def __init__(self, part: str, detail: str) -> None:
        super().__init__(part, detail)
        self.part, self.detail = part, detail

    def __str__(self) -> str:
        return f"{self.part}: {self.detail}"


def write(
    root: Path,
    name: str,
    accounts: dict[str, Json],
    values: Encoded,
    *,
    each: dict[str, Json] | None = None,
    sync: bool = True,
) -> dict[str, Json]:
    """Commit a part as ``name`` (without suffix); return its receipt.

    ``accounts`` are for the driver and come back in the receipt; ``each`` holds accounts per
    unit, which stay in the file.
    """
    base = f"{root}/{name}"
    accounts = {**accounts, "kind": values.kind}
    if values.data is not None:
        _write_file(base + SUFFIX[values.kind], values.data, sync)
        accounts["data"] = [len(values.data), digest(values.data)]
    if values.kind == "folder":
        accounts["data"] = _take_folders(values, Path(base + SUFFIX["folder"]), root, sync)
    point("part.data")
    body = (
        canonical(accounts) + b"\n" + canonical({**(each or {}), "values": values.layout}) + b"\n"
    )
    text = body + digest(body, MARK).encode() + b"\n"
    _write_file(base + ".json", text, sync)
    point("part.receipt")
    return _receipt(accounts, name, text)


def _write_file(path: str, data: bytes, sync: bool) -> None:
    try:
        write_bytes(path, data, sync=sync)
    except FileNotFoundError:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        write_bytes(path, data, sync=sync)


def _receipt(accounts: dict[str, Json], name: str, text: bytes) -> dict[str, Json]:
    return {
        **accounts,
        "part": name,
        "digest": text[-2 * MARK - 1 : -1].decode(),
        "size": len(text),
    }


def _take_folders(values: Encoded, path: Path, root: Path, sync: bool) -> Json:
    if path.exists():
        shutil.rmtree(path)
    path.mkdir(parents=True)
    for i, folder in enumerate(values.folders):
        if folder is None:
            continue
        target = path / str(i)
        if folder.is_relative_to(root / "parts"):
            shutil.copytree(folder, target, copy_function=os.link)
        elif folder.is_relative_to(root / "scratch"):
            os.replace(folder, target)
        else:
            shutil.copytree(folder, target)
        point("part.folder")
        if sync:
            sync_tree(target)
    if sync:
        sync_folder(path)
    return sorted(_listing(path))


def _listing(path: Path) -> Iterator[list[Json]]:
    for base, _, names in os.walk(path):
        for name in names:
            file = Path(base, name)
            yield [str(file.relative_to(path)), file.stat().st_size, file_digest(file)]


def file_digest(path: Path) -> str:
    """Return the digest of a file of any size."""
    with open(path, "rb") as data:
        mark = hashlib.blake2b(digest_size=MARK)
        while chunk := data.read(CHUNK):
            mark.update(chunk)
    return mark.hexdigest()


def read_receipt(root: Path, name: str) -> tuple[dict[str, Json], dict[str, Json]]:
    """Return the receipt of a part, and its second line: accounts per unit, layout of values.

    Raises
    ------
    DamagedRun
        If the bytes are not those that were committed.
    """
    try:
        text = read_bytes(f"{root}/{name}.json")
    except OSError as error:
        raise DamagedPart(name, f"its receipt cannot be read: {error.strerror}") from None
    body = text[: -2 * MARK - 1]
    if text[-2 * MARK - 1 :] != digest(body, MARK).encode() + b"\n":
        raise DamagedPart(name, "the checksum of its receipt does not fit")
    head, layout = body.split(b"\n", 1)
    return _receipt(json.loads(head), name, text), json.loads(layout)


def read(root: Path, ref: Ref) -> tuple[dict[str, Json], dict[str, Json], list[Any]]:
    """Return receipt, second line and values of a part that was committed as ``ref``."""
    receipt, layout = read_receipt(root, ref.name)
    if receipt["digest"] != ref.digest:
        raise DamagedPart(ref.name, "it is not the part that was committed")
    path = data_path(root, receipt)
    if receipt["kind"] in ("arrow", "npz") and not _is(path, receipt["data"][1]):
        raise DamagedPart(ref.name, "the checksum of its data does not fit")
    return receipt, layout, decode(receipt["kind"], layout["values"], path)


def _is(path: Path, mark: str) -> bool:
    try:
        return file_digest(path) == mark
    except OSError:
        return False


def remove(root: Path, name: str) -> None:
    """Remove a part that is damaged, or that another one has replaced; its receipt goes first."""
    (root / f"{name}.json").unlink(missing_ok=True)
    base = root / name
    for path in base.parent.glob(f"{base.name}.*"):
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


def data_path(root: Path, receipt: dict[str, Json]) -> Path:
    """Return the file or folder beside a receipt."""
    return root.joinpath(receipt["part"] + SUFFIX.get(receipt["kind"], ""))


def is_committed(root: Path, name: str) -> bool:
    """Whether there is a part of this name."""
    try:
        os.stat(f"{root}/{name}.json")
    except FileNotFoundError:
        return False
    return True


def is_there(root: Path, receipt: dict[str, Json]) -> bool:
    """Whether the files of a part are there with the sizes that were committed."""
    try:
        if os.stat(root / f"{receipt['part']}.json").st_size != receipt["size"]:
            return False
        path = data_path(root, receipt)
        if receipt["kind"] == "folder":
            return all(os.stat(path / name).st_size == size for name, size, _ in receipt["data"])
        return "data" not in receipt or os.stat(path).st_size == receipt["data"][0]
    except OSError:
        return False


def damage(root: Path, receipt: dict[str, Json]) -> str | None:
    """Read all bytes of a part again; return what is wrong with it, if anything."""
    try:
        found, _ = read_receipt(root, receipt["part"])
    except (DamagedRun, ValueError) as error:
        return str(error)
    if found["digest"] != receipt["digest"]:
        return f"{receipt['part']}.json: not the part that was committed"
    files = receipt.get("data", [])
    if receipt["kind"] in ("arrow", "npz"):
        files = [["", *files]]
    path = data_path(root, receipt)
    for name, _, mark in files:
        file = path / name if name else path
        if not _is(file, mark):
            return f"{file.relative_to(root)}: its bytes are not those that were committed"
    return None
