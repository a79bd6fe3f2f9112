"""What a run directory says of a run that works, has ended, was killed or is damaged."""

from __future__ import annotations

import io
import subprocess
import sys
from dataclasses import dataclass

import pytest
from rich.console import Console

from polytene import BadInput, Partial, Plan, Reduction, Rejected, Unit, run
from polytene.exceptions import IncompleteRun, Interrupted, UsageError
from polytene.watch.status import quarantine, status, verify
from polytene.watch.tables import failures_table, status_table


@dataclass(frozen=True)
class Number(Unit):
    n: int = 0


def join(values):
    return [x for v in values for x in v]


PLAN = Plan("squares", [Number(f"u{n}", n) for n in range(12)], block=4, noun="batch")


def square(unit):
    if unit.n == 3:
        raise BadInput("no-rows", "a.parquet: 0 rows")
    if unit.n == 8:
        raise ConnectionError("net")
    rejected = [Rejected("row 7", "short-row", "3 of 5")] if unit.n == 5 else []
    return Partial([unit.n**2], items=10, nbytes=100, rejected=rejected)


def go(root, stage=square, **options):
    return run(PLAN, [stage], Reduction(join), run_dir=root, **{"max_quarantined": 1, **options})


def test_a_finished_run(tmp_path):
    out = go(tmp_path)
    found = status(tmp_path)
    assert (found.state, found.kind, found.noun, found.units) == (
        "finished",
        "squares",
        "batch",
        12,
    )
    assert (found.done, found.quarantined, found.rejected, found.left) == (10, 2, 1, 0)
    assert (found.items, found.nbytes, found.damaged_lines) == (100, 1000, 0)
    assert found.reasons == {"no-rows": 1, "ConnectionError": 1, "short-row": 1}
    assert found.last["computed"] == out.computed == 10
    listed = quarantine(tmp_path)
    assert sorted(listed) == sorted([*out.quarantined, *out.rejected])
    assert [f.key for f in listed if f.item is None] == ["u3", "u8"]
    checked, problems = verify(tmp_path, deep=True)
    assert (checked, problems) == (len(list(tmp_path.glob("*/*/*/*.json"))), [])


def test_a_second_run_counts_nothing_twice(tmp_path):
    go(tmp_path)
    go(tmp_path, retry_quarantined=True)
    found = status(tmp_path)
    assert (found.units, found.done, found.quarantined, found.items) == (12, 10, 2, 100)
    assert len(quarantine(tmp_path)) == 3


def test_a_stopped_run(tmp_path):
    seen = []
    with pytest.raises(Interrupted):
        go(tmp_path, on_event=seen.append, stop=lambda: len(seen) > 1)
    assert status(tmp_path).state == "stopped"
    go(tmp_path)
    assert status(tmp_path).state == "finished"


def raises(value, plan, failures):
    raise ValueError("finalize")


def test_a_run_that_ended_in_an_error_has_not_died(tmp_path):
    with pytest.raises(IncompleteRun):
        go(tmp_path / "many", max_quarantined=0.01)
    assert status(tmp_path / "many").state == "stopped"
    with pytest.raises(ValueError, match="finalize"):
        run(PLAN, [square], Reduction(join, raises), run_dir=tmp_path / "late", max_quarantined=1)
    assert status(tmp_path / "late").state == "stopped"


def test_a_plan_that_never_ran(tmp_path):
    PLAN.save(tmp_path)
    found = status(tmp_path)
    assert (found.units, found.done, found.left) == (12, 0, 12)
    assert found.state != "died"
    assert quarantine(tmp_path) == []
    assert verify(tmp_path, deep=True) == (0, [])
    assert "12" in text_of(status_table(found))


HELD = """
import sys
from pathlib import Path
from polytene import Plan, Reduction, Unit, run
def wait(unit):
    if unit.key == "u1":
        print("working", flush=True)
        sys.stdin.read()
    return [1]
plan = Plan("held", [Unit(f"u{n}") for n in range(3)])
run(plan, [wait], Reduction(lambda v: sum(v, [])), run_dir=sys.argv[1])
"""


@pytest.fixture
def held(tmp_path):
    """A run in another process, in the middle of its second unit."""
    command = [sys.executable, "-c", HELD, str(tmp_path)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as process:
        assert process.stdout.readline() == b"working\n"
        yield process
        process.kill()


def test_a_run_that_works_and_is_killed(tmp_path, held):
    found = status(tmp_path)
    assert (found.state, found.units) == ("running", 3)
    assert found.driver["pid"] == held.pid
    assert found.left == 3 - found.done > 0
    assert verify(tmp_path, deep=True)[1] == []
    held.kill()
    held.wait()
    assert status(tmp_path).state == "died"
    assert "the same command goes on" in text_of(status_table(status(tmp_path)))


def test_a_run_that_works_and_ends(tmp_path, held):
    assert status(tmp_path).state == "running"
    held.communicate(b"")
    assert status(tmp_path).state == "finished"
    assert status(tmp_path).done == 3


def test_damage_is_counted_and_named(tmp_path):
    go(tmp_path)
    ledger = next((tmp_path / "ledger").glob("*.jsonl"))
    ledger.write_bytes(ledger.read_bytes() + b"torn {")
    part = sorted(tmp_path.glob("parts/*/*/*.json"))[0]
    part.unlink()
    found = status(tmp_path)
    assert found.damaged_lines == 1
    problems = verify(tmp_path)[1]
    assert len(problems) == 2
    assert "1 damaged line" in problems[0]
    assert part.stem in problems[1]
    assert "damaged line" in text_of(status_table(found))


@pytest.mark.parametrize("what", ["plan-*.jsonl", "plan-*.npy"])
def test_a_damaged_plan_is_a_problem_and_no_crash(tmp_path, what):
    go(tmp_path)
    path = next(tmp_path.glob(what))
    path.write_bytes(path.read_bytes()[:-28])
    assert any("plan" in p for p in verify(tmp_path)[1])


@pytest.mark.parametrize("look", [status, quarantine, verify])
def test_another_folder_is_no_run(tmp_path, look):
    with pytest.raises(UsageError, match="not a run directory"):
        look(tmp_path)
    with pytest.raises(UsageError, match="not a run directory"):
        look(tmp_path / "absent")


def test_looking_writes_nothing(tmp_path):
    go(tmp_path)
    before = {p: p.stat().st_mtime_ns for p in tmp_path.rglob("*")}
    status(tmp_path), quarantine(tmp_path), verify(tmp_path, deep=True)
    assert {p: p.stat().st_mtime_ns for p in tmp_path.rglob("*")} == before


def text_of(table):
    console = Console(width=200, record=True, file=io.StringIO())
    console.print(table)
    return console.export_text()


def test_tables_cannot_be_forged(tmp_path):
    evil = "x\x1b[2J\r\nfinished [red]everything[/red]"

    def stage(unit):
        raise BadInput(evil, evil)

    go(tmp_path, stage)
    text = text_of(failures_table(quarantine(tmp_path)[:1], "batch")) + text_of(
        status_table(status(tmp_path))
    )
    assert "\x1b" not in text
    assert "\r" not in text
    assert "[red]" in text
    assert not any(line.startswith("finished") for line in text.splitlines())


def test_a_lost_lock_file_is_no_obstacle(tmp_path):
    go(tmp_path)
    (tmp_path / "lock").unlink()
    found = status(tmp_path)
    assert found.state == "finished"
    assert "squares" in text_of(status_table(found))
