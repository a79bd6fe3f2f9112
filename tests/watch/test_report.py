"""The report of a run directory: at any moment, whole, and harmless."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import dataclass

import pytest
from click.testing import CliRunner

from polytene import BadInput, Partial, Plan, Reduction, Rejected, Stage, Unit, run
from polytene.cli import polytene
from polytene.core.ledger import segments
from polytene.exceptions import UsageError
from polytene.watch.report import report
from polytene.watch.status import status
from polytene.watch.story import FAILED, WAITING, Story
from polytene.watch.timeline import by_stage, clock_of, pace, stage_heads, timeline

EVIL = "<script>alert('x')</script>"


@dataclass(frozen=True)
class Number(Unit):
    n: int = 0
    label: str = ""


def total(values):
    return sum(values)


def double(unit):
    if unit.n == 3:
        raise BadInput("no-rows", f"{EVIL} \x1b[2J")
    return unit.n * 2


def add(unit, value):
    if unit.n == 8:
        raise ValueError(EVIL)
    rejected = [Rejected(EVIL, "short-row", EVIL)] if unit.n == 5 else []
    return Partial(value, items=10, nbytes=100, rejected=rejected)


PLAN = Plan("squares", [Number(f"u{n}", n, label=EVIL) for n in range(12)], {"note": EVIL}, block=4)
STAGES = [Stage(double, uses={"a": 1}), Stage(add, uses={"b": 1})]


def go(root, plan=PLAN, **options):
    about = {"run_dir": root, "limits": {"a": 2, "b": 2}, "max_quarantined": 1, **options}
    return run(plan, STAGES, Reduction(total), **about)


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    root = tmp_path_factory.mktemp("done")
    go(root)
    return root


def test_the_story_has_the_accounts_of_the_run(done):
    story = Story(done)
    blocks = story.read_on()
    assert sorted(blocks) == list(range(len(story.plan.index)))
    found, seen = status(done), story.totals
    assert (seen.units, seen.done, seen.quarantined, seen.rejected) == (12, 10, 2, 1)
    assert (seen.done, seen.items, seen.nbytes) == (found.done, found.items, found.nbytes)
    assert dict(story.reasons) == found.reasons
    assert [f.key for f in story.failures() if f.item is None] == ["u3", "u8"]
    assert story.share == 1
    assert story.legs == ["double", "add"]
    assert story.read_on() == []


def test_the_story_reads_on_line_by_line_and_stops_at_a_torn_one(done, tmp_path):
    whole = Story(done)
    whole.read_on()
    (tmp_path / "ledger").mkdir()
    for path in done.glob("plan*"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    (source,) = segments(done)
    data = source.read_bytes()
    part = Story(tmp_path)
    ended = []
    for end in range(0, len(data) + 700, 700):
        (tmp_path / "ledger" / source.name).write_bytes(data[:end])
        ended += part.read_on()
    assert part.damaged == 0
    assert set(ended) == set(range(len(whole.plan.index)))
    assert part.cells.tobytes() == whole.cells.tobytes()


def test_where_and_when_each_stage_worked_is_known(done):
    story = Story(done)
    story.read_on()
    begun = clock_of(story)
    assert (begun >= 0).all()
    assert (begun[1] >= begun[0]).all()
    assert (story.cells["memory"] > 1e6).all()
    assert len(story.workers) == 1
    assert timeline(story) is not None
    assert pace(story) is not None
    rows = by_stage(story)
    blocks = str(len(story.plan.index))
    assert [row[:4] for row in rows] == [("double", blocks, "12", "1"), ("add", blocks, "12", "2")]


def test_gpus_are_told_of_where_there_are_some(done):
    story = Story(done)
    story.read_on()
    assert "GPU memory" not in stage_heads(story)
    story.cells["gpu_memory"][1, 0] = 3 << 30
    story.cells["gpu_use"][1] = [50] + [float("nan")] * (story.cells.shape[1] - 1)
    heads = stage_heads(story)
    rows = [dict(zip(heads, row, strict=True)) for row in by_stage(story)]
    assert [(r["GPU memory"], r["GPU in use"]) for r in rows] == [("", ""), ("3.00 GiB", "50%")]


def test_nothing_of_the_data_becomes_markup(done):
    path = report(done)
    assert path == done / "report.html"
    text = path.read_text(encoding="utf-8")
    assert "<script>alert" not in text
    assert text.count("&lt;script&gt;alert") >= 4
    assert "\x1b" not in text
    assert not re.findall(r"<(?:script|img|link) [^>]*(?:src|href)=.?https?:", text)
    for said in ("no-rows", "short-row", "ValueError", "plan.subset", "Provenance", "numpy"):
        assert said in text


def test_the_report_is_a_command(done, tmp_path):
    output = tmp_path / "r.html"
    found = CliRunner().invoke(polytene, ["report", str(done), "-o", str(output)])
    assert found.exit_code == 0, found.output
    assert found.output.strip() == f"report: {output}"
    assert "squares: finished" in output.read_text()


def test_a_folder_without_a_run_is_refused(tmp_path):
    with pytest.raises(UsageError, match="not a run directory"):
        report(tmp_path)


SCRIPT = """
import sys, time
from polytene import Plan, Reduction, Unit, run

def slow(unit):
    time.sleep(0.05)
    return 1

if __name__ == "__main__":
    plan = Plan("slow", [Unit(f"u{i}") for i in range(400)])
    run(plan, [slow], Reduction(sum), run_dir=sys.argv[1])
"""


def test_a_killed_run_has_a_report(tmp_path):
    root, script = tmp_path / "run", tmp_path / "script.py"
    script.write_text(SCRIPT)
    process = subprocess.Popen([sys.executable, str(script), str(root)], start_new_session=True)
    try:
        end = time.monotonic() + 120
        while not (root / "plan.json").exists() or status(root).done < 5:
            assert process.poll() is None
            assert time.monotonic() < end
            time.sleep(0.1)
        text = report(root).read_text()
        assert "slow: running" in text
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(60)
    text = report(root).read_text()
    assert "slow: died" in text
    assert "the same command goes on from here" in text
    assert "no end was noted" in text
    story = Story(root)
    story.read_on()
    assert 5 <= story.totals.done < 400
    assert (story.cells[-1]["state"] == WAITING).any()


def test_what_is_tried_again_replaces_what_it_was(tmp_path):
    calls = tmp_path / "calls"

    def flaky(unit):
        if unit.key == "b" and not calls.exists():
            calls.touch()
            raise ConnectionError("net")
        return 1

    plan = Plan("flaky", [Unit(k) for k in "abc"], block=1)
    outcome = run(plan, [flaky], Reduction(sum), run_dir=tmp_path / "run", max_quarantined=1)
    story = Story(tmp_path / "run")
    story.read_on()
    assert story.totals.done == outcome.computed == 3
    assert not story.reasons
    assert not (story.cells["state"] == FAILED).any()
