"""A plan: what its fingerprint covers, what it looks like, and how it lies on disk."""

from __future__ import annotations

import contextlib
import json
import os
from dataclasses import dataclass, field
from functools import cached_property

import pytest

from polytene import Plan, Unit
from polytene.exceptions import DamagedRun, UsageError


@dataclass(frozen=True)
class Sample(Unit):
    n: int = 0
    runs: tuple[str, ...] = ()


@dataclass(frozen=True)
class Other(Unit):
    n: int = 0
    runs: tuple[str, ...] = ()


UNITS = [Sample("a", 1, ("r1", "r2")), Sample("b", 2), Sample("c", 3, cost=5.0)]
BASE = {"kind": "k", "units": UNITS, "params": {"p": 1, "q": [2, "x"]}, "block": 2}


def make(**changes):
    what = BASE | changes
    return Plan(what["kind"], what["units"], what["params"], block=what["block"])


@pytest.mark.parametrize(
    "changes",
    [
        {"kind": "other"},
        {"block": 3},
        {"params": {"p": 2, "q": [2, "x"]}},
        {"params": {"p": 1}},
        {"params": {"p": 1, "q": ["x", 2]}},
        {"params": {"p": "1", "q": [2, "x"]}},
        {"params": {}},
        {"units": UNITS[:2]},
        {"units": [*UNITS, Sample("d")]},
        {"units": UNITS[::-1]},
        {"units": [Sample("A", 1, ("r1", "r2")), *UNITS[1:]]},
        {"units": [Sample("a", 9, ("r1", "r2")), *UNITS[1:]]},
        {"units": [Sample("a", 1, ("r2", "r1")), *UNITS[1:]]},
        {"units": [Sample("a", 1, ("r1r2",)), *UNITS[1:]]},
    ],
)
def test_what_changes_the_fingerprint(changes):
    assert make(**changes).fingerprint != make().fingerprint


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"units": tuple(UNITS)},
        {"units": iter(UNITS)},
        {"units": dict.fromkeys(UNITS)},
        {"units": [Other(u.key, u.n, u.runs, cost=u.cost) for u in UNITS]},
        {"units": [Sample("a", 1, ["r1", "r2"]), *UNITS[1:]]},
        {"params": {"q": [2, "x"], "p": 1}},
        {"params": {"q": (2, "x"), "p": 1}},
    ],
)
def test_what_does_not_change_the_fingerprint(changes):
    assert make(**changes).fingerprint == make().fingerprint


def test_a_property_that_was_read_is_no_field(tmp_path):
    @dataclass(frozen=True)
    class Cached(Unit):
        @cached_property
        def double(self) -> str:
            return self.key * 2

    fresh, used = Plan("k", [Cached("a")]), Plan("k", [Cached("a")])
    assert used.units[0].double == "aa"
    assert used.fingerprint == fresh.fingerprint


def test_units_with_slots_keep_their_fields(tmp_path):
    @dataclass(frozen=True, slots=True)
    class Slotted(Unit):
        path: str = "default"

    Plan("k", [Slotted("a", path="mine")]).save(tmp_path)
    assert next(iter(Plan.load(tmp_path, Slotted))) == Slotted("a", path="mine")


@pytest.mark.parametrize("block", [1, 2, 100])
def test_a_plan_comes_back_from_disk(tmp_path, block):
    plan = make(block=block)
    saved = plan.save(tmp_path)
    back = Plan.load(tmp_path, Sample)
    assert list(back) == list(saved) == UNITS
    assert isinstance(next(iter(back)).runs, tuple)
    assert (back.kind, back.params, back.block, len(back)) == ("k", plan.params, block, 3)
    assert back.fingerprint == plan.fingerprint
    assert list(back) == list(back), "a loaded plan can be listed again"
    assert Plan("k", list(back), plan.params, block=block).fingerprint == plan.fingerprint


def test_parameters_have_one_order_made_or_read_back(tmp_path):
    plan = Plan("k", UNITS, {"b": 1, "a": {"d": 2, "c": 3}}, final={"z": 1, "y": 2})
    plan.save(tmp_path)
    back = Plan.load(tmp_path, Sample)
    assert json.dumps([back.params, back.final]) == json.dumps([plan.params, plan.final])


@dataclass(frozen=True)
class Deep(Unit):
    groups: tuple[tuple[int, ...], ...] = ()
    table: dict[str, tuple[int, ...]] = field(default_factory=dict)


def test_nested_tuples_come_back_as_tuples(tmp_path):
    units = [Deep("a", ((1, 2), (3,), ())), Deep("b")]
    Plan("k", units).save(tmp_path)
    assert list(Plan.load(tmp_path, Deep)) == units


def test_tuples_inside_dicts_come_back_as_tuples(tmp_path):
    units = [Deep("a", (), {"x": (1, 2)})]
    Plan("k", units).save(tmp_path)
    assert list(Plan.load(tmp_path, Deep)) == units


def test_subset_keeps_plan_order_and_names_what_is_missing():
    assert [u.key for u in make().subset(["c", "a"])] == ["a", "c"]
    with pytest.raises(UsageError, match="no unit 'x'"):
        make().subset(["a", "x", "y"])


def test_head():
    assert [u.key for u in make().head(2)] == ["a", "b"]
    assert len(make().head(100)) == 3
    with pytest.raises(UsageError, match="at least 1"):
        make().head(0)


@pytest.mark.parametrize("block", [0, -3])
def test_an_empty_block_is_refused(block):
    with pytest.raises(UsageError, match="at least one unit"):
        make(block=block)


def test_describe_says_what_is_planned():
    text = Plan("count", [*UNITS, Sample("d")], {"table": 11}, noun="batch").describe()
    assert text.splitlines() == [
        "count: 4 x batch, total cost 8",
        "  table: 11",
        "  a",
        "  b",
        "  c",
        "  ...",
    ]


def test_html_is_escaped():
    evil = "<script>alert(1)</script>"
    plan = Plan(evil, [Sample("a", 1, (evil,))], {evil: evil}, noun=evil)
    page = plan._repr_html_()
    assert "<script" not in page
    assert page.count("&lt;script&gt;") == 5
    assert "<table>" in Plan("k", [])._repr_html_()


def replace(path, change):
    path.write_bytes(change(path.read_bytes()))


DAMAGE = {
    "head-empty": ("plan.json", lambda b: b""),
    "head-cut": ("plan.json", lambda b: b[: len(b) // 2]),
    "head-nul": ("plan.json", lambda b: bytes(len(b))),
    "head-list": ("plan.json", lambda b: b"[]\n"),
    "head-units": ("plan.json", lambda b: b.replace(b'"units": 3', b'"units": 4')),
    "index-gone": ("plan-*.npy", None),
    "index-cut": ("plan-*.npy", lambda b: b[:-5]),
    "index-short": ("plan-*.npy", lambda b: b[:-28]),
    "index-offset": ("plan-*.npy", lambda b: b"\xff" * 8 + b[8:]),
    "index-tag": ("plan-*.npy", lambda b: b[:8] + b"\x00" + b[9:]),
    "index-units": ("plan-*.npy", lambda b: b[:24] + b"\x09" + b[25:]),
    "units-gone": ("plan-*.jsonl", None),
    "units-cut": ("plan-*.jsonl", lambda b: b[:-7]),
    "units-empty": ("plan-*.jsonl", lambda b: b""),
    "units-flip": ("plan-*.jsonl", lambda b: b.replace(b'"n":1', b'"n":7')),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_a_damaged_plan_is_named(tmp_path, name):
    make(block=1).save(tmp_path)
    pattern, change = DAMAGE[name]
    path = next(tmp_path.glob(pattern))
    path.unlink() if change is None else replace(path, change)
    with pytest.raises(DamagedRun, match="plan"):
        list(Plan.load(tmp_path, Sample))


def test_a_folder_without_a_plan_is_no_run(tmp_path):
    with pytest.raises(UsageError, match="not a run directory"):
        Plan.load(tmp_path)
    with pytest.raises(UsageError, match="not a run directory"):
        Plan.load(tmp_path / "absent")


def test_a_plan_of_another_format_is_refused(tmp_path):
    make().save(tmp_path)
    replace(tmp_path / "plan.json", lambda b: b.replace(b'"format": 1', b'"format": 99'))
    with pytest.raises(UsageError, match="format 99"):
        Plan.load(tmp_path, Sample)


@pytest.mark.parametrize("last", range(4))
def test_a_kill_between_two_renames_leaves_one_whole_plan(tmp_path, monkeypatch, last):
    old, new = make(), make(units=[*UNITS, Sample("d")])
    old.save(tmp_path)
    real, done = os.replace, []

    def dies(a, b):
        if len(done) == last:
            raise KeyboardInterrupt
        done.append(b)
        real(a, b)

    monkeypatch.setattr(os, "replace", dies)
    with contextlib.suppress(KeyboardInterrupt):
        new.save(tmp_path)
    monkeypatch.undo()
    found = Plan.load(tmp_path, Sample)
    assert found.fingerprint == (new if last == 3 else old).fingerprint
    assert list(found) == (new if last == 3 else old).units
    new.save(tmp_path)
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted(
        [f"plan-{new.fingerprint[:12]}.jsonl", f"plan-{new.fingerprint[:12]}.npy", "plan.json"]
    )
