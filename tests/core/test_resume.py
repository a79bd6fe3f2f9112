"""Resume: nothing is computed twice, and what changed is seen before any work."""

from __future__ import annotations

import functools
import shutil
from collections import Counter
from dataclasses import dataclass

import pytest

from polytene import Plan, Reduction, Stage, Unit, run
from polytene.exceptions import Interrupted, PlanChanged, UsageError


@dataclass(frozen=True)
class Number(Unit):
    n: int = 0
    tags: tuple[str, ...] = ()


def join(values):
    return [x for v in values for x in v]


def units(*numbers):
    return [Number(f"u{n}", n, (str(n),)) for n in numbers]


def plan_of(numbers, block=4, **params):
    return Plan("squares", units(*numbers), params, block=block)


@pytest.fixture
def go(tmp_path, client, work):
    """Run a plan of squares in one directory; return the outcome and what was executed."""

    def square(unit, power=2):
        work.note(unit.key)
        return [unit.n**power]

    def run_it(plan, stage=square, power=2, version=1, **options):
        bound = functools.partial(stage, power=power) if stage is square else stage
        options = {"run_dir": tmp_path / "run", "client": client, **options}
        out = run(plan, [Stage(bound, version=version)], Reduction(join, split_every=3), **options)
        assert out.planned == out.computed + out.resumed + len(out.quarantined)
        return out, work.taken()

    run_it.square = square
    return run_it


def keys(numbers):
    return Counter(f"u{n}" for n in numbers)


@pytest.mark.parametrize("block", [1, 4, 100])
def test_the_second_run_computes_nothing(go, block):
    first, ran = go(plan_of(range(30), block))
    assert ran == keys(range(30))
    second, ran = go(plan_of(range(30), block))
    assert ran == Counter()
    assert (second.computed, second.resumed) == (0, 30)
    assert second.result == first.result == [n * n for n in range(30)]


def test_a_finished_run_needs_no_client(go):
    class Never:
        def __enter__(self):
            raise AssertionError("a finished run starts no cluster")

        def __exit__(self, *about):
            pass

    go(plan_of(range(9)))
    assert go(plan_of(range(9)), client=Never())[0].resumed == 9


@pytest.mark.parametrize("after", [1, 3, 8])
def test_what_was_done_before_a_stop_is_kept(go, after):
    seen = []
    with pytest.raises(Interrupted) as caught:
        go(
            plan_of(range(400), 1),
            on_event=seen.append,
            stop=lambda: len(seen) > after,
            in_flight=4,
        )
    assert caught.value.exit_code == 75
    out, ran = go(plan_of(range(400), 1))
    assert max(ran.values()) == 1, "over both runs no unit was executed twice"
    assert ran == keys(range(400))
    assert 0 < out.resumed == 400 - out.computed
    assert out.result == [n * n for n in range(400)]


def test_removed_ledger_and_nodes_cost_no_execution(go, tmp_path):
    first, _ = go(plan_of(range(30)))
    shutil.rmtree(tmp_path / "run" / "ledger")
    shutil.rmtree(tmp_path / "run" / "nodes")
    again, ran = go(plan_of(range(30)))
    assert (ran, again.result) == (Counter(), first.result)


def test_a_moved_run_directory_goes_on(go, tmp_path):
    first, _ = go(plan_of(range(30)))
    (tmp_path / "run").rename(tmp_path / "moved")
    again, ran = go(plan_of(range(30)), run_dir=tmp_path / "moved")
    assert (ran, again.result) == (Counter(), first.result)


def test_added_units_are_computed_without_a_question(go):
    go(plan_of(range(300), 10))
    out, ran = go(plan_of([*range(150), 1000, *range(150, 300)], 10))
    assert ran["u1000"] == 1
    assert sum(ran.values()) == out.computed <= 80
    assert out.result == [n * n for n in [*range(150), 1000, *range(150, 300)]]


def test_removed_units_are_listed(go):
    go(plan_of(range(20), 1))
    out, ran = go(plan_of(range(5, 20), 1))
    assert (ran, out.removed) == (Counter(), [f"u{n}" for n in range(5)])
    assert out.result == [n * n for n in range(5, 20)]
    assert out.planned == out.resumed == 15
    back, ran = go(plan_of(range(20), 1))
    assert (ran, back.removed, len(back.result)) == (Counter(), [], 20)


def test_another_order_needs_no_new_work(go):
    go(plan_of(range(20), 1))
    out, ran = go(plan_of(range(19, -1, -1), 1))
    assert (ran, out.result) == (Counter(), [n * n for n in range(19, -1, -1)])


def test_a_changed_unit_needs_a_choice(go):
    go(plan_of(range(20), 1))
    changed = plan_of(range(20), 1)
    changed.units[7] = Number("u7", 70, ("7",))
    with pytest.raises(PlanChanged, match="unit changed: u7") as caught:
        go(changed)
    assert caught.value.exit_code == 4
    assert "--on-change rerun" in str(caught.value)
    out, ran = go(changed, on_change="rerun")
    assert (ran, out.computed, out.result[7]) == (Counter({"u7": 1}), 1, 4900)
    assert go(changed)[0].resumed == 20


def test_a_changed_parameter_of_a_stage_needs_a_choice(go):
    first, _ = go(plan_of(range(9)))
    with pytest.raises(PlanChanged, match="stage square power: 2 -> 3"):
        go(plan_of(range(9)), power=3)
    out, ran = go(plan_of(range(9)), power=3, on_change="rerun")
    assert (ran, out.result) == (keys(range(9)), [n**3 for n in range(9)])
    back, ran = go(plan_of(range(9)), power=2, on_change="rerun")
    assert (ran, back.result) == (Counter(), first.result), "what was computed once is kept"


def test_a_new_version_of_a_stage_needs_a_choice(go):
    go(plan_of(range(9)))
    with pytest.raises(PlanChanged, match="stage square version: 1 -> 2"):
        go(plan_of(range(9)), version=2)
    assert go(plan_of(range(9)), version=2, on_change="rerun")[1] == keys(range(9))


def test_a_changed_parameter_of_the_plan_is_computed_anew(go, work):
    def times(plan):
        def stage(unit):
            work.note(unit.key)
            return [unit.n * plan.params["by"]]

        return stage

    two, ten = plan_of(range(6), by=2), plan_of(range(6), by=10)
    go(two, times(two))
    with pytest.raises(PlanChanged, match="by: 2 -> 10"):
        go(ten, times(ten))
    out, ran = go(ten, times(ten), on_change="rerun")
    assert ran == keys(range(6))
    assert out.result == [n * 10 for n in range(6)]


@pytest.mark.parametrize("change", [{"block": 3}, {"kind": "other"}])
def test_other_changes_of_the_plan_need_a_choice(go, change):
    go(plan_of(range(9)))
    what = {"kind": "squares", "block": 4} | change
    other = Plan(what["kind"], units(*range(9)), block=what["block"])
    with pytest.raises(PlanChanged, match=next(iter(change))):
        go(other)
    assert go(other, on_change="rerun")[0].result == [n * n for n in range(9)]


def test_a_refused_change_leaves_the_directory_as_it_was(go, tmp_path):
    go(plan_of(range(9)))
    before = {p: p.read_bytes() for p in (tmp_path / "run").glob("plan*")}
    with pytest.raises(PlanChanged):
        go(plan_of(range(9), by=3))
    assert {p: p.read_bytes() for p in (tmp_path / "run").glob("plan*")} == before
    assert go(plan_of(range(9)))[0].resumed == 9


def test_tuples_in_parameters_are_no_change(go):
    go(plan_of(range(6), 100, codes=(1, 2)))
    assert go(plan_of(range(7), 100, codes=(1, 2)))[0].planned == 7


def test_lists_in_units_are_no_change(go):
    some = [Number(f"u{n}", n, [str(n)]) for n in range(7)]
    go(Plan("squares", some[:6], block=100))
    assert go(Plan("squares", some, block=100))[0].planned == 7


def test_a_unit_class_with_other_fields_is_a_change(go):
    @dataclass(frozen=True)
    class Renamed(Unit):
        number: int = 0

    def stage(unit):
        return [unit.number]

    go(plan_of(range(3)))
    plan = Plan("squares", [Renamed("u0", 5)], block=4)
    with pytest.raises(PlanChanged, match="u0"):
        go(plan, stage)
    assert go(plan, stage, on_change="rerun")[0].result == [5]


def test_a_plan_that_was_saved_first(go, tmp_path):
    plan_of(range(9)).save(tmp_path / "run")
    assert go(plan_of(range(9)))[0].computed == 9


def test_a_plan_that_was_loaded(go, tmp_path):
    go(plan_of(range(9)))
    loaded = Plan.load(tmp_path / "run", Number)
    assert go(loaded)[0].resumed == 9
    out, ran = go(loaded, power=3, on_change="rerun")
    assert (sum(ran.values()), out.result) == (9, [n**3 for n in range(9)])


def test_an_unknown_choice_is_refused(go):
    with pytest.raises(UsageError, match="one of fail, rerun"):
        go(plan_of(range(3)), on_change="maybe")
