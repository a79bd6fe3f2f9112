"""Requests to stop: heard by the driver they are for, and by no later one."""

from __future__ import annotations

import json
import time

import pytest

from polytene import Plan, Reduction, Settled, Unit, run
from polytene.core.lock import Lock, holder
from polytene.core.stopping import Asked, ask_to_stop, withdraw
from polytene.exceptions import Interrupted, RunLocked
from polytene.watch.status import status


class Clock:
    now = 100.0

    def __call__(self):
        self.now += 0.001
        return self.now


@pytest.fixture
def held(tmp_path):
    with Lock(tmp_path):
        yield tmp_path


def test_a_request_is_heard_within_a_second_and_withdrawn_at_the_end(held):
    clock = Clock()
    with Asked(held, clock=clock) as asked:
        assert not asked()
        ask_to_stop(held, holder(held)["id"], now=False)
        assert not asked(), "the file is looked at once a second"
        clock.now += 1
        assert asked()
        asked.check()
        ask_to_stop(held, holder(held)["id"], now=True)
        clock.now += 1
        with pytest.raises(Interrupted, match="left at once"):
            asked.check()
    asked.check()
    assert not (held / "stop").exists()


@pytest.mark.parametrize("text", ['{"id": "another", "now": true}', "{", "[]", "null", "\xff", ""])
def test_what_is_no_request_to_this_driver_is_ignored(held, text):
    (held / "stop").write_bytes(text.encode("latin-1"))
    with Asked(held) as asked:
        assert not asked()
        asked.check()


def test_other_reasons_to_stop_are_heard_too(held):
    def guard():
        raise RunLocked("taken over")

    asked = Asked(held, lambda: True, guard)
    assert asked()
    with pytest.raises(RunLocked):
        asked.check()


def join(values):
    return [x for v in values for x in v]


PLAN = Plan("stopping", [Unit(f"u{n}") for n in range(40)])


def go(root, client, on_event=None):
    return run(PLAN, [lambda unit: [unit.key]], Reduction(join), run_dir=root, client=client,
               in_flight=1, on_event=on_event)  # fmt: skip


def test_a_driver_that_is_asked_stops_and_the_same_call_goes_on(tmp_path, client):
    def ask(event):
        if isinstance(event, Settled):
            ask_to_stop(tmp_path, holder(tmp_path)["id"], now=False)
            time.sleep(0.3)

    with pytest.raises(Interrupted) as raised:
        go(tmp_path, client, ask)
    assert raised.value.exit_code == 75
    found = status(tmp_path)
    assert found.state == "stopped"
    assert 0 < found.done < 40
    out = go(tmp_path, client)
    assert (out.computed, out.resumed) == (40 - found.done, found.done)


def test_a_request_that_comes_too_late_stops_no_later_run(tmp_path, client):
    go(tmp_path, client)
    ask_to_stop(tmp_path, holder(tmp_path)["id"], now=True)
    assert json.loads((tmp_path / "stop").read_bytes())["now"]
    (tmp_path / "parts").rename(tmp_path / "gone")
    assert go(tmp_path, client).computed == 40
    assert not (tmp_path / "stop").exists()
    withdraw(tmp_path)
