"""A run that is there to be killed: ``victim.py RUN_DIR MODE``; it appends what it executes."""

from __future__ import annotations

import functools
import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from polytene import Plan, Reduction, Unit, cluster, run

UNITS = 120


@dataclass(frozen=True)
class Number(Unit):
    n: int = 0


def note(path: str, word: str) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(handle, f"{word}\n".encode())
    os.close(handle)


def compute(unit: Number, log: str, mode: str) -> dict[str, object]:
    note(log, unit.key)
    if (mode == "poison" and unit.n == 5) or (mode == "crowd" and unit.n in (2, 5, 8)):
        os._exit(9)
    if mode == "hungry" and unit.n == 5:
        held = []
        while True:
            held.append(np.ones(4_000_000))
            time.sleep(0.02)
    time.sleep(0.01)
    rng = np.random.default_rng(unit.n)
    return {"sum": rng.random(50, dtype=np.float32), "keys": np.array([unit.n])}


def combine(values: list[dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    total = values[0]["sum"]
    for value in values[1:]:
        total = total + value["sum"]
    return {"sum": total, "keys": np.concatenate([v["keys"] for v in values])}


def finish(value: dict[str, np.ndarray], plan: object, failures: list[object]) -> bytes:
    return value["sum"].tobytes() + value["keys"].tobytes()


def main(folder: str, mode: str) -> None:
    root = Path(folder)
    count = 24 if mode in ("poison", "hungry", "crowd") else UNITS
    plan = Plan(
        "victim", [Number(f"u{n}", n) for n in range(count)], block=1 if count < UNITS else 3
    )
    stage = functools.partial(compute, log=f"{folder}.log", mode=mode if mode != "kill" else "")
    every = 2 if mode == "crowd" else 1000 if count < UNITS else 4
    made = None
    if mode != "here":
        made = cluster("local", workers=2, memory_limit="400MB", dashboard_port=0)
    else:
        stage = functools.partial(compute, log=f"{folder}.log", mode="")
    out = run(plan, [stage], Reduction(combine, finish, every), run_dir=root, client=made,
              max_quarantined=1)  # fmt: skip
    (root / "result").write_bytes(out.result)
    said = [f"{f.key} {f.category} {f.reason}" for f in out.quarantined]
    print(out.planned, out.computed, out.resumed, said, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
