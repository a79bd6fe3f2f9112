"""A room for tests, with one command: ``lab.py lab LOG [--mode MODE]``; units u0, u1, ..."""

from __future__ import annotations

import functools
import os
import time
from dataclasses import dataclass

import click

from polytene import BadInput, Partial, Plan, Reduction, Rejected, Unit, run, scratch
from polytene.cli import polytene
from polytene.command import execute, finish, run_options, say
from polytene.core.tools import run_tool


@dataclass(frozen=True)
class Sample(Unit):
    n: int = 0


def note(path, word):
    handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(handle, f"{word}\n".encode())
    os.close(handle)


def measure(unit, log, mode):
    note(log, f"{unit.key} {os.getpid()}")
    if unit.n == 1 and mode == "bad":
        raise BadInput("no-reads", f"{unit.key}.fq: 0 reads")
    if unit.n == 2 and mode == "bad":
        return Partial([4], 3, 30, [Rejected("read 7", "short", "3 of 5 bases")])
    if unit.n == 3 and mode == "bad":
        return deeper(unit)
    if mode == "slow":
        time.sleep(0 if os.path.exists(f"{log}.quick") else 1)  # noqa: PTH110
    if mode == "hangs":
        run_tool(["sleep", "600"], log=scratch() / "log")
    return Partial([unit.n**2], 3, 30)


def deeper(unit):
    raise ZeroDivisionError(f"{unit.key} has no coverage")


def join(values):
    return [x for v in values for x in v]


@polytene.command("lab")
@click.argument("log")
@click.option("--mode", default="")
@click.option("--units", default=5)
@run_options
def lab(options, log, mode, units):
    plan = Plan("lab", [Sample(f"u{n}", n) for n in range(units)], noun="sample")
    stage = functools.partial(measure, log=log, mode=mode)
    outcome = execute(
        options,
        plan,
        lambda plan, **engine: run(plan, [stage], Reduction(join), **engine),
        options.run_dir,
    )
    if outcome is not None:
        say(options, f"sum {sum(outcome.result)}")
        finish(options, outcome)


if __name__ == "__main__":
    polytene(prog_name="polytene")
