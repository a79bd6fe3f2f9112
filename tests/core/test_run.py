"""The run as a whole: stop, full disk, no units, events, and its plain Dask faces."""

from __future__ import annotations

import errno
import functools
import itertools
from dataclasses import dataclass

import dask
import numpy as np
import pytest
from distributed import Client, default_client

from polytene import Begun, Ended, Folding, Partial, Plan, Reduction, Settled, Stage, Unit, run
from polytene.exceptions import Interrupted, NoSpace, PreflightError, UsageError


@dataclass(frozen=True)
class Number(Unit):
    n: int = 0


def join(values):
    return [x for v in values for x in v]


def plan_of(n, block=4):
    return Plan("k", [Number(f"u{i}", i, cost=1.0 + i % 5) for i in range(n)], block=block)


def square(unit):
    return Partial([unit.n**2], items=2, nbytes=10)


def test_no_units(tmp_path, client):
    for _ in range(2):
        out = run(plan_of(0), [square], Reduction(join), run_dir=tmp_path, client=client)
        assert (out.result, out.planned, out.complete) == (None, 0, True)
    out = run(
        plan_of(0), [square], Reduction(None, lambda v, p, f: list(v)), run_dir=tmp_path / "b"
    )
    assert out.result == []


def test_one_unit_without_a_client(tmp_path):
    assert run(plan_of(2), [square], Reduction(join), run_dir=tmp_path).result == [0, 1]
    with pytest.raises(ValueError, match="No client"):
        default_client()


def test_the_current_client_is_used(tmp_path, client):
    before = client.cluster.scheduler.transition_counter
    with client.as_current():
        run(plan_of(2), [square], Reduction(join), run_dir=tmp_path)
    assert client.cluster.scheduler.transition_counter > before
    assert client.status == "running", "who opened it closes it"


@pytest.mark.parametrize("share", [-0.1, 1.1, float("nan")])
def test_a_share_is_between_0_and_1(tmp_path, share):
    with pytest.raises(UsageError, match="max_quarantined"):
        run(plan_of(1), [square], Reduction(join), run_dir=tmp_path, max_quarantined=share)


@pytest.mark.parametrize("most", [0, -1])
def test_something_must_fly(tmp_path, client, most):
    with pytest.raises(UsageError, match="in_flight"):
        run(plan_of(1), [square], Reduction(join), run_dir=tmp_path, client=client, in_flight=most)


@pytest.mark.parametrize("most", [1, 2, 5])
def test_no_more_fly_than_was_said(tmp_path, client, most):
    seen = []

    def watch(event):
        tasks = list(client.cluster.scheduler.tasks.values())
        seen.append(sum(t.state in ("queued", "no-worker", "waiting", "processing") for t in tasks))

    plan = plan_of(60, 1)
    with dask.config.set({"polytene.task-seconds": 0}):
        run(plan, [square], Reduction(join, split_every=100), run_dir=tmp_path, client=client,
            in_flight=most, on_event=watch)  # fmt: skip
    assert max(seen) <= most


def test_events_add_up(tmp_path, client):
    def fails(unit):
        if unit.n == 7:
            raise ConnectionError("net")
        return square(unit)

    for again in (False, True):
        events = []
        out = run(plan_of(40), [fails], Reduction(join), run_dir=tmp_path, client=client,
                  on_event=events.append)  # fmt: skip
        assert isinstance(events[0], Begun)
        assert [type(e) for e in events[-2:]] == [Folding, Ended]
        settled = events[1:-2]
        assert settled
        assert all(isinstance(e, Settled) for e in settled)
        begun, ended = events[0], events[-1]
        assert begun.resumed + sum(e.units for e in settled) == begun.units == 40
        assert begun.resumed_cost + sum(e.cost for e in settled) == pytest.approx(begun.cost)
        assert begun.cost == sum(u.cost for u in plan_of(40))
        assert sum(len(e.failures) for e in settled) == len(out.quarantined) == 1
        assert (ended.computed, ended.resumed, ended.quarantined) == (
            (0, 39, 1) if again else (39, 0, 1)
        )
        if not again:
            assert (sum(e.items for e in settled), sum(e.nbytes for e in settled)) == (78, 390)
        assert out.items == 78


def test_the_longest_blocks_are_first(tmp_path, client, work):
    def stage(unit):
        work.note(unit.key)
        return [unit.n]

    order = []
    plan = Plan("k", [Number(f"u{i}", i, cost=float(i * 7 % 31)) for i in range(31)])
    with dask.config.set({"polytene.task-seconds": 0}):
        run(plan, [stage], Reduction(join), run_dir=tmp_path / "run", client=client,
            in_flight=2, on_event=lambda e: order.append(getattr(e, "cost", 0.0)))  # fmt: skip
    assert all(a >= b - 3 for a, b in itertools.pairwise(order[1:-2]))


def test_a_stop_that_was_asked_before_starts_nothing(tmp_path, client, work):
    def stage(unit):
        work.note(unit.key)
        return [unit.n]

    with pytest.raises(Interrupted, match="4 of 4 units to do"):
        run(
            plan_of(4),
            [stage],
            Reduction(join),
            run_dir=tmp_path / "run",
            client=client,
            stop=lambda: True,
        )
    assert not work.taken()


def test_a_stop_settles_what_runs_and_leaves_what_waits(tmp_path, client, work):
    def stage(unit):
        work.note(unit.key)
        return [unit.n]

    seen = []
    plan = plan_of(500, 1)
    with dask.config.set({"polytene.task-seconds": 0}), pytest.raises(Interrupted):
        run(plan, [stage], Reduction(join), run_dir=tmp_path / "run", client=client,
            on_event=seen.append, stop=lambda: len(seen) > 5)  # fmt: skip
    assert sum(work.taken().values()) < 250, "what only waits at the scheduler is not run"
    out = run(plan, [stage], Reduction(join), run_dir=tmp_path / "run", client=client)
    assert sum(work.taken().values()) == out.computed < 500
    assert out.result == list(range(500))


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_stops_the_run(tmp_path, client, work, number):
    def stage(unit):
        work.note(unit.key)
        if unit.n == 13 and not (tmp_path / "freed").exists():
            raise OSError(number, "No space left on device", "/scratch/x.fq")
        return [unit.n]

    plan, options = plan_of(20, 1), {"run_dir": tmp_path / "run", "client": client}
    with pytest.raises(NoSpace, match=r"no space left for /scratch/x\.fq: free some") as caught:
        run(plan, [stage], Reduction(join), **options)
    assert caught.value.exit_code == 5
    done = work.taken()
    (tmp_path / "freed").touch()
    out = run(plan, [stage], Reduction(join), **options)
    assert out.result == list(range(20))
    assert "u13" in done
    assert out.resumed > 0


def test_a_combine_that_fails_is_raised_and_costs_no_unit(tmp_path, client, work):
    def stage(unit):
        work.note(unit.key)
        return [unit.n]

    def broken(values):
        raise ZeroDivisionError("in combine")

    options = {"run_dir": tmp_path / "run", "client": client}
    with pytest.raises(ZeroDivisionError, match="in combine"):
        run(plan_of(12), [stage], Reduction(broken, version=1), **options)
    work.taken()
    assert run(plan_of(12), [stage], Reduction(join, version=2), **options).result == list(
        range(12)
    )
    assert not work.taken()


def test_memory_that_no_worker_has_is_refused(tmp_path):
    with Client(processes=False, n_workers=1, memory_limit="1GB", dashboard_address="127.0.0.1:0",
                worker_dashboard_address="127.0.0.1:0", set_as_default=False) as small:  # fmt: skip
        with pytest.raises(PreflightError, match=r"needs up to 1.86 GiB.*raise --memory-limit"):
            run(
                plan_of(1),
                [Stage(square, memory=2e9)],
                Reduction(join),
                run_dir=tmp_path,
                client=small,
            )


def times(unit, by):
    return np.full(3, unit.n * by)


def total(unit, array):
    return Partial([float(array.sum())], items=3)


STAGES = [functools.partial(times, by=2), total]


def test_delayed_values_are_those_of_the_run(tmp_path, client):
    plan = plan_of(20)
    expected = run(plan, STAGES, Reduction(join), run_dir=tmp_path, client=client).result
    for scheduler in ("sync", "threads"):
        assert join(dask.compute(*plan.to_delayed(STAGES), scheduler=scheduler)) == expected
    bag = plan.to_bag(6)
    assert bag.npartitions == 4
    values = bag.map(lambda u: total(u, times(u, 2)).value).compute(scheduler="sync")
    assert join(values) == expected
    with pytest.raises(UsageError, match="at least 1"):
        plan.to_bag(0)


def test_delayed_stages_of_one_name(client):
    values = plan_of(3).to_delayed([lambda u: u.n, lambda u, x: x + 1])
    assert dask.compute(*values, scheduler="sync") == (1, 2, 3)


def test_delayed_values_of_two_parameters(client):
    one, two = (plan_of(3).to_delayed([functools.partial(times, by=k), total]) for k in (1, 10))
    found = dask.compute(*one, *two, scheduler="sync")
    assert join(found) == [0.0, 3.0, 6.0, 0.0, 30.0, 60.0]
