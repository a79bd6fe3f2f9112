"""Chains of stages: one part per leg, folders of files, and a resume in their middle."""

from __future__ import annotations

import contextlib
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from polytene import Folder, Plan, Reduction, Stage, Unit, run, scratch
from polytene.core.stage import legs
from polytene.exceptions import TooManyFailures, UsageError


@dataclass(frozen=True)
class Number(Unit):
    n: int = 0


GPU = {"GPU": 1}
PLAN = Plan("k", [Number(f"u{n}", n) for n in range(12)], block=4)


def join(values):
    return [x for v in values for x in v]


def read(unit):
    return np.arange(unit.n)


def size(unit, array):
    return {"n": int(array.sum())}


def last(unit, found):
    return [found["n"]]


SUMS = [n * (n - 1) // 2 for n in range(12)]


def parts_of(root):
    return sorted(p.name for p in (root / "parts").iterdir())


@pytest.mark.parametrize(
    ("needs", "count"),
    [
        (({}, {}, {}), 1),
        (({}, GPU, {}), 3),
        ((GPU, GPU, {}), 2),
        ((GPU, GPU, GPU), 1),
        (({}, {}, GPU), 2),
    ],
)
def test_neighbours_with_equal_needs_are_one_leg(tmp_path, client, needs, count):
    stages = [Stage(f, needs=n) for f, n in zip((read, size, last), needs, strict=True)]
    assert len(legs(stages)) == count
    out = run(PLAN, stages, Reduction(join), run_dir=tmp_path, client=client)
    assert out.result == SUMS
    assert len(parts_of(tmp_path)) == count


def test_stages_of_one_name_in_two_legs(tmp_path, client):
    stages = [lambda u: u.n, Stage(lambda u, n: n + 100, needs=GPU), lambda u, n: [n * 2]]
    out = run(PLAN, stages, Reduction(join), run_dir=tmp_path, client=client)
    assert out.result == [2 * (n + 100) for n in range(12)]


def test_the_fingerprint_of_a_leg_covers_what_comes_before_it():
    chain = [Stage(read), Stage(size, needs=GPU), Stage(last)]
    marks = [leg.fingerprint for leg in legs(chain)]
    for i in range(3):
        changed = list(chain)
        changed[i] = Stage(chain[i].func, needs=chain[i].needs, version=2)
        found = [leg.fingerprint for leg in legs(changed)]
        assert found[:i] == marks[:i], "earlier legs keep their parts"
        assert all(a != b for a, b in zip(found[i:], marks[i:], strict=True))


@pytest.fixture
def chain(work, tmp_path):
    """Three legs that count themselves; the second fails for 5 until ``healed`` is there."""

    def first(unit):
        work.note(f"first-{unit.key}")
        return unit.n

    def second(unit, n):
        work.note(f"second-{unit.key}")
        if n == 5 and not (tmp_path / "healed").exists():
            raise ConnectionError("net")
        return n + 1

    def third(unit, n):
        work.note(f"third-{unit.key}")
        return [n]

    return [Stage(first), Stage(second, needs=GPU), Stage(third)]


def test_a_retry_begins_at_the_leg_that_failed(tmp_path, client, chain, work):
    options = {"run_dir": tmp_path / "run", "client": client, "max_quarantined": 1}
    out = run(PLAN, chain, Reduction(join), **options)
    assert [f.stage for f in out.quarantined] == ["second"]
    assert sum(work.taken().values()) == 12 + (12 + 5) + 11, "a timeout is tried six times"
    (tmp_path / "healed").touch()
    again = run(PLAN, chain, Reduction(join), **options)
    assert (again.result, again.computed, again.resumed) == (list(range(1, 13)), 1, 11)
    assert work.taken() == Counter({"second-u5": 1, "third-u5": 1})


def test_a_changed_later_stage_keeps_the_earlier_ones(tmp_path, client, chain, work):
    (tmp_path / "healed").touch()
    options = {"run_dir": tmp_path / "run", "client": client}
    run(PLAN, chain, Reduction(join), **options)
    work.taken()
    newer = [*chain[:2], Stage(chain[2].func, version=2)]
    run(PLAN, newer, Reduction(join), on_change="rerun", **options)
    assert {word.split("-")[0] for word in work.taken()} == {"third"}


def write(unit):
    path = scratch() / "out"
    path.mkdir()
    (path / "a.txt").write_text(unit.key)
    (path / "deep").mkdir()
    (path / "deep" / "b.txt").write_text(unit.key * unit.n)
    return Folder(path, {"n": unit.n})


def texts(values, plan, failures):
    return {
        u.key: (
            (f.path / "a.txt").read_text(),
            (f.path / "deep" / "b.txt").read_text(),
            f.info["n"],
        )
        for u, f in values
    }


EXPECTED = {u.key: (u.key, u.key * u.n, u.n) for u in PLAN}


def test_folders_of_files(tmp_path, client):
    for resumed in (0, 12):
        out = run(PLAN, [write], Reduction(None, texts), run_dir=tmp_path, client=client)
        assert (out.result, out.resumed) == (EXPECTED, resumed)
        assert list((tmp_path / "scratch").iterdir()) == []


def test_folders_pass_from_leg_to_leg(tmp_path, client):
    def check(unit, folder):
        assert folder.info == {"n": unit.n}
        return Folder(folder.path, {"n": unit.n})

    stages = [write, Stage(check, needs=GPU)]
    out = run(PLAN, stages, Reduction(None, texts), run_dir=tmp_path, client=client)
    assert out.result == EXPECTED


def test_a_retry_keeps_the_folders_of_the_other_units(tmp_path, client, work):
    def stage(unit):
        work.note(unit.key)
        if unit.n == 5 and not (tmp_path / "healed").exists():
            raise TimeoutError("slow")
        return write(unit)

    options = {"run_dir": tmp_path / "run", "client": client, "max_quarantined": 1}
    first = run(PLAN, [stage], Reduction(None, texts), **options)
    assert first.result == {k: v for k, v in EXPECTED.items() if k != "u5"}
    work.taken()
    (tmp_path / "healed").touch()
    assert run(PLAN, [stage], Reduction(None, texts), **options).result == EXPECTED
    assert work.taken() == Counter({"u5": 1})


def test_a_folder_that_is_not_there_is_a_failure_of_its_unit(tmp_path, client):
    def stage(unit):
        return Folder(Path("/nonexistent"), {}) if unit.n == 5 else write(unit)

    reduction, options = Reduction(None, texts), {"client": client, "max_quarantined": 1}
    out = run(PLAN, [stage], reduction, run_dir=tmp_path, **options)
    assert [f.key for f in out.quarantined] == ["u5"]
    assert len(out.result) == 11


def test_a_folder_that_is_not_scratch_stays_where_it_is(tmp_path, client):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "data").write_text("precious")

    def stage(unit):
        return Folder(tmp_path / "mine", {})

    with contextlib.suppress(TooManyFailures):
        run(PLAN.head(1), [stage], Reduction(None), run_dir=tmp_path / "run", client=client)
    assert (tmp_path / "mine" / "data").read_text() == "precious"


def test_folders_that_are_not_returned_are_removed(tmp_path, client):
    def stage(unit):
        (scratch() / "big").write_text("x")
        if unit.n % 2:
            raise ValueError("odd")
        return [unit.n]

    options = {"client": client, "max_quarantined": 1}
    run(PLAN, [stage], Reduction(join), run_dir=tmp_path, **options)
    assert list((tmp_path / "scratch").iterdir()) == []


class Workload:
    def method(self, unit):
        return 1

    @classmethod
    def of_class(cls, unit):
        return [unit.n]

    @staticmethod
    def of_nobody(unit):
        return [unit.n]


def test_a_bound_method_is_refused():
    with pytest.raises(UsageError, match="'method' is a bound method"):
        Stage(Workload().method)
    with pytest.raises(UsageError, match="at least one stage"):
        legs([])


@pytest.mark.parametrize(
    "func", [Workload.of_class, Workload.of_nobody, Workload().of_nobody, repr]
)
def test_functions_that_hold_no_object_are_stages(func):
    assert Stage(func).name in ("of_class", "of_nobody", "repr")
