"""A small run of two legs, folders and folds, in this process: it dies where it is told to."""

from __future__ import annotations

import functools
import os
from pathlib import Path

import dask
import pyarrow as pa

from polytene import Folder, Plan, Reduction, Stage, Unit, run, scratch
from polytene.core import chaos
from polytene.core.files import write_bytes

UNITS, BLOCK = 8, 2


def note(path: str, word: str) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(handle, f"{word}\n".encode())
    os.close(handle)


def write(unit: Unit, log: str) -> Folder:
    note(log, f"write-{unit.key}")
    folder = scratch()
    (folder / "text").write_text(unit.key * 100)
    return Folder(folder, {"key": unit.key})


def read(unit: Unit, folder: Folder, log: str) -> pa.Table:
    note(log, f"read-{unit.key}")
    text = (folder.path / "text").read_text()
    return pa.table({"key": [unit.key], "size": [len(text)]})


def finish(value: pa.Table, plan: object, failures: object) -> bytes:
    return repr(value.to_pylist()).encode()


def main(folder: str, where: str) -> None:
    """Run, and write the result; ``where`` is a point of :mod:`polytene.core.chaos`, or empty."""
    chaos.arm(where)
    root, log = Path(folder), f"{folder}.log"
    plan = Plan("points", [Unit(f"u{n}") for n in range(UNITS)], block=BLOCK)
    stages = [
        Stage(functools.partial(write, log=log), uses={"writing": 1.0}),
        functools.partial(read, log=log),
    ]
    with dask.config.set({"polytene.task-seconds": 0}):
        reduction = Reduction(pa.concat_tables, finish, 2)
        done = run(plan, stages, reduction, run_dir=root, limits={"writing": 2.0})
    write_bytes(root / "result", done.result)
