"""Slots and leases: all or nothing, never more than there is."""

from __future__ import annotations

import time
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polytene import Plan, Reduction, Stage, Unit, run
from polytene.core.leases import Leases
from polytene.core.limits import Limits
from polytene.core.stage import legs
from polytene.core.window import Window
from polytene.exceptions import UsageError

WANTS = st.dictionaries(st.sampled_from("abc"), st.floats(0, 5), max_size=3)


@given(st.lists(WANTS, max_size=40), st.randoms())
def test_what_fits_never_exceeds_the_total(wants, random):
    limits = Limits({"a": 5, "b": 7, "c": 9})
    held = []
    for want in wants:
        if limits.fits(want):
            limits.take(want)
            held.append(want)
        elif held and random.random() < 0.5:
            limits.give(held.pop(random.randrange(len(held))))
        assert all(limits.used[n] <= limits.total[n] * (1 + 1e-6) for n in "abc")
        for name in "abc":
            assert limits.used[name] == pytest.approx(sum(w.get(name, 0) for w in held), abs=1e-9)
    for want in held:
        limits.give(want)
    assert limits.used == pytest.approx({"a": 0, "b": 0, "c": 0}, abs=1e-9)


def test_two_wants_are_added_up():
    limits = Limits({"a": 3})
    assert limits.fits({"a": 2})
    assert not limits.fits({"a": 2}, {"a": 2})


def test_what_could_never_run_is_refused_before_any_work():
    limits = Limits({"net": 5})
    limits.check({"net": 5}, "stage fetch")
    with pytest.raises(UsageError, match="stage fetch wants 6 of 'net', and there is 5"):
        limits.check({"net": 6}, "stage fetch")
    with pytest.raises(UsageError, match="has no limit"):
        limits.check({"disk": 1}, "unit SRR1")
    with pytest.raises(UsageError, match="more than 0"):
        Limits({"net": 0})


def test_slots_are_never_exceeded_and_nothing_else_waits_for_them(tmp_path, client, work):
    """Two threads, one slot: the second thread goes on with the later stage."""

    def download(unit):
        work.note("begin")
        time.sleep(0.03)
        work.note("end")
        return unit.key

    def parse(unit, key):
        time.sleep(0.02)
        work.note("later")
        return [key]

    plan = Plan("downloads", [Unit(f"u{n:02d}") for n in range(20)])
    chain = [Stage(download, uses={"net": 1}), parse]
    options = {"run_dir": tmp_path / "run", "client": client, "limits": {"net": 1}}
    assert run(plan, chain, Reduction(join), **options).result == [unit.key for unit in plan]
    words = work.path.read_text().split()
    downloads = [word for word in words if word != "later"]
    assert downloads == ["begin", "end"] * 20
    inside = [a for a, b in pairwise(words) if b == "later"]
    assert "begin" in inside, "a later stage ended during a download"


@given(st.integers(1, 4), st.lists(st.floats(0.5, 6), min_size=1, max_size=12))
def test_every_block_is_admitted_in_the_end_whatever_it_holds(slots, sizes):
    """A window driven by hand: all-or-nothing, both legs, leases held until settled."""
    chain = legs([Stage(first, uses={"net": 1}), second])
    leases = Leases(Limits({"net": slots, "disk": 6}), lambda block: {"disk": sizes[block]})
    window = Window(chain, leases, range(len(sizes)), len(sizes))
    settled, flying = [], []
    while window.waiting or flying:
        flying += window.admit()
        assert flying, "something can always go on"
        assert leases.limits.used["net"] == sum(task.leg == 0 for task in flying) <= slots
        assert leases.limits.used["disk"] <= 6 * (1 + 1e-6)
        task = flying.pop(0)
        window.landed(task)
        if task.leg == 0:
            window.arrive(1, *task.blocks)
        else:
            window.settled(*task.blocks)
            settled += task.blocks
    assert sorted(settled) == list(range(len(sizes)))
    assert leases.limits.used == pytest.approx({"net": 0, "disk": 0}, abs=1e-9)


def join(values):
    return [x for v in values for x in v]


def first(unit):
    return unit.key


def second(unit, key):
    return key
