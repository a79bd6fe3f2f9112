"""A run with a tool and two legs, to be disturbed: ``two_legs.py RUN_DIR [WORKERS | ADDRESS]``.

What it executes it appends to ``RUN_DIR.log``; what came of it is its last line, as JSON.
"""

from __future__ import annotations

import faulthandler
import functools
import json
import os
import signal
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from polytene import Folder, Plan, Reduction, Stage, Unit, cluster, run, scratch
from polytene.core.files import write_bytes
from polytene.core.tools import run_tool
from polytene.exceptions import PolyteneError

UNITS = 48
BLOCK = 2
MOST_UNITS = 4 * BLOCK
TOOL = 'set -e; for i in 1 2 3 4; do seq "$1" "$(($1 + 99))" >> numbers; sleep 0.03; done'


faulthandler.register(signal.SIGUSR2)  # what hangs can be asked where


@dataclass(frozen=True)
class Number(Unit):
    n: int = 0


def note(path: str, word: str) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(handle, f"{word}\n".encode())
    os.close(handle)


def list_numbers(unit: Number, log: str) -> Folder:
    note(log, f"tool-{unit.key}")
    folder = scratch()
    run_tool(["sh", "-c", TOOL, unit.key, str(unit.n)], log=folder / "said", cwd=folder)
    return Folder(folder, {"n": unit.n})


def add_up(unit: Number, folder: Folder, log: str) -> dict[str, Any]:
    note(log, f"sum-{unit.key}")
    numbers = np.loadtxt(folder.path / "numbers")
    assert numbers.size == 400, f"{unit.key}: {numbers.size} numbers of 400"
    noise = np.random.default_rng(unit.n).random(50, dtype=np.float32)
    return {"sum": noise * np.float32(numbers.mean()), "keys": np.array([unit.n])}


def combine(values: list[dict[str, Any]]) -> dict[str, Any]:
    total = values[0]["sum"]
    for value in values[1:]:
        total = total + value["sum"]
    return {"sum": total, "keys": np.concatenate([v["keys"] for v in values])}


def as_bytes(value: dict[str, Any], plan: object, failures: list[object]) -> bytes:
    return b"" if value is None else value["sum"].tobytes() + value["keys"].tobytes()


def main(folder: str, where: str = "2", *more: str) -> int:
    root, log = Path(folder), f"{folder}.log"
    plan = Plan("two-legs", [Number(f"u{n}", n) for n in range(UNITS)], block=BLOCK)
    tool = Stage(functools.partial(list_numbers, log=log), isolate=True)
    if "://" in where:
        client = cluster(where)
    else:
        client = cluster("local", workers=int(where), memory_limit="500MB", dashboard_port=0)
    try:
        out = run(
            plan,
            [tool, functools.partial(add_up, log=log)],
            Reduction(combine, as_bytes, 4),
            run_dir=root,
            client=client,
            max_quarantined=1,
            retry_quarantined="retry" in more,
        )
    except PolyteneError as error:
        print(f"Error: {error}", file=sys.stderr)
        return error.exit_code
    write_bytes(root / "result", out.result)
    bad = [[f.key, f.stage, f.category, f.reason, f.detail] for f in out.quarantined]
    print(json.dumps([out.planned, out.computed, out.resumed, bad]), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
