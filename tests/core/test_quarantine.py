"""Failures: named, counted, kept apart; only what can help is tried again."""

from __future__ import annotations

import errno
from collections import Counter
from dataclasses import dataclass

import dask
import numpy as np
import pytest

from polytene import BadInput, Partial, Plan, Reduction, Rejected, Unit, run
from polytene.exceptions import IncompleteRun, TooManyFailures


@dataclass(frozen=True)
class Number(Unit):
    n: int = 0


def join(values):
    return [x for v in values for x in v]


PLAN = Plan("k", [Number(f"u{n}", n) for n in range(12)], block=4)
GOOD = [n for n in range(12) if n not in (3, 8)]

ERRORS = {
    "bad": (lambda: BadInput("no-reads", "a.fq: empty"), "input", "no-reads", "a.fq: empty"),
    "value": (lambda: ValueError("odd"), "tool", "ValueError", "odd (test_quarantine.py:"),
    "key": (lambda: KeyError("x"), "tool", "KeyError", "'x' (test_quarantine.py:"),
    "file": (lambda: FileNotFoundError(2, "gone", "f"), "tool", "FileNotFoundError", "gone"),
    "memory": (lambda: MemoryError("big"), "memory", "MemoryError", "big"),
    "reset": (lambda: ConnectionResetError("peer"), "transport", "ConnectionResetError", "peer"),
    "timeout": (lambda: TimeoutError("slow"), "transport", "TimeoutError", "slow"),
    "pipe": (lambda: BrokenPipeError(32, "pipe"), "transport", "BrokenPipeError", "pipe"),
    "eio": (lambda: OSError(errno.EIO, "disk"), "infrastructure", "OSError", "disk"),
    "stale": (lambda: OSError(errno.ESTALE, "nfs"), "infrastructure", "OSError", "nfs"),
    "long": (lambda: ValueError("x" * 9999), "tool", "ValueError", "x" * 500),
    "object": (lambda: BadInput("why", ValueError("x")), "input", "why", "x"),
    "surrogate": (lambda: BadInput("name", "reads-\udce9.fa"), "input", "name", "reads-"),
    "surrogates": (lambda: ValueError("reads-\udce9.fa"), "tool", "ValueError", "reads-"),
    "control": (lambda: BadInput("name", "a\nb\x00\x1b[2J"), "input", "name", "a\nb"),
}
RETRIED = {"memory", "reset", "timeout", "pipe", "eio", "stale"}


@pytest.fixture
def go(tmp_path, client, work):
    """Run the plan; units 3 and 8 raise what ``error`` makes until ``healed`` is there."""

    def run_it(error=None, *, plan=PLAN, **options):
        def stage(unit):
            work.note(unit.key)
            if unit.n in (3, 8) and error is not None:
                raise error()
            return [unit.n]

        options = {"max_quarantined": 1.0, "run_dir": tmp_path / "run", "client": client, **options}
        out = run(plan, [stage], Reduction(join), **options)
        assert out.planned == out.computed + out.resumed + len(out.quarantined)
        return out

    return run_it


@pytest.mark.parametrize("name", ERRORS)
def test_each_error_is_named_and_blames_nobody_else(go, name):
    make, category, reason, detail = ERRORS[name]
    out = go(make)
    assert out.result == GOOD
    assert [(f.key, f.stage, f.category, f.reason) for f in out.quarantined] == [
        ("u3", "stage", category, reason),
        ("u8", "stage", category, reason),
    ]
    assert detail in out.quarantined[0].detail
    assert len(out.quarantined[0].detail) < 600
    assert not out.complete
    with pytest.raises(IncompleteRun, match="2 quarantined"):
        out.raise_if_incomplete()


@pytest.mark.parametrize("name", ERRORS)
def test_only_what_can_help_is_tried_again(go, work, name):
    failed = go(ERRORS[name][0])
    work.taken()
    again = go()
    expected = Counter({"u3": 1, "u8": 1}) if name in RETRIED else Counter()
    assert work.taken() == expected, "and the kept units of their blocks are not"
    if name in RETRIED:
        assert (again.result, again.computed, again.resumed) == (list(range(12)), 2, 10)
    else:
        assert (again.result, again.quarantined) == (failed.result, failed.quarantined)
        asked = go(retry_quarantined=True)
        assert work.taken() == Counter({"u3": 1, "u8": 1})
        assert (asked.result, asked.computed, asked.resumed) == (list(range(12)), 2, 10)
    assert go().complete
    assert work.taken() == Counter()


def test_a_retry_that_fails_again_is_counted_again(go, work):
    make = ERRORS["reset"][0]
    for expected in (12 + 2 * 5, 2 * 6, 2 * 6):  # a lost connection is tried six times
        out = go(make)
        assert sum(work.taken().values()) == expected
        assert (len(out.quarantined), out.result) == (2, GOOD)


def test_sys_exit_in_a_unit_is_a_failure_of_that_unit(script):
    done = script(
        """
import sys, tempfile
from polytene import Plan, Reduction, Unit, run
def leave(unit):
    if unit.key == "b":
        sys.exit(3)
    return [unit.key]
out = run(Plan("k", [Unit(k) for k in "abc"]), [leave], Reduction(lambda v: sum(v, [])),
          run_dir=tempfile.mkdtemp(), max_quarantined=1)
print(out.result, [(f.key, f.category, f.reason) for f in out.quarantined])
""",
        timeout=10,
    )
    assert done.stdout == "['a', 'c'] [('b', 'tool', 'SystemExit')]\n", done.stderr


@pytest.mark.parametrize(
    ("allowed", "passes"), [(0.0, False), (0.16, False), (0.17, True), (1.0, True)]
)
def test_too_many_failures(go, work, allowed, passes):
    make = ERRORS["bad"][0]
    if passes:
        assert go(make, max_quarantined=allowed).result == GOOD
        return
    with pytest.raises(TooManyFailures, match=r"2 of 12 units are quarantined \(17%") as caught:
        go(make, max_quarantined=allowed)
    assert caught.value.exit_code == 3
    assert "u3: stage: no-reads" in str(caught.value)
    work.taken()
    suggested = float(str(caught.value).rsplit(" ", 1)[1])
    assert go(make, max_quarantined=suggested).resumed == 10, "nothing was lost"
    assert work.taken() == Counter()


def test_the_share_comes_from_the_configuration(tmp_path, client):
    def stage(unit):
        if unit.n in (3, 8):
            raise BadInput("bad")
        return [unit.n]

    with dask.config.set({"polytene.max-quarantined": 0.5}):
        assert run(PLAN, [stage], Reduction(join), run_dir=tmp_path, client=client).result == GOOD


def partial(unit):
    rejected = [Rejected(f"row {i}", "short-row", f"line {i}") for i in range(unit.n % 3)]
    return Partial([unit.n], items=10, nbytes=100, rejected=rejected)


def test_items_rejected_inside_units(tmp_path, client):
    for resumed in (0, 12):
        out = run(
            PLAN, [partial], Reduction(join), run_dir=tmp_path, client=client, max_quarantined=0
        )
        assert (out.result, out.items, out.resumed) == (list(range(12)), 120, resumed)
        assert (len(out.rejected), out.quarantined, out.complete) == (12, [], False)
        assert [(f.key, f.item) for f in out.rejected[:3]] == [
            ("u1", "row 0"),
            ("u2", "row 0"),
            ("u2", "row 1"),
        ]
        assert {(f.category, f.reason) for f in out.rejected} == {("input", "short-row")}
    with pytest.raises(IncompleteRun, match="12 items rejected"):
        out.raise_if_incomplete()


@pytest.mark.parametrize(
    "value",
    [
        Partial([1], items=np.int64(3), nbytes=np.uint32(5)),
        Partial([1], items=3, rejected=[Rejected(0, "short"), Rejected(1, "short")]),
        Partial([1], items=3, rejected=[Rejected(np.int64(7), "short")]),
        Partial([1], items=3, rejected=[Rejected("x", "short", ValueError("why"))]),
        Partial([1], items=3, rejected=[("x", "short")]),
    ],
    ids=["numpy counts", "rows by number", "rows by numpy number", "an exception", "a bare tuple"],
)
def test_accounts_as_people_write_them(tmp_path, client, value):
    plan = PLAN.head(1)
    out = run(plan, [lambda u: value], Reduction(join), run_dir=tmp_path, client=client)
    assert (out.result, out.items) == ([1], 3)
    assert all(isinstance(f.item, str) for f in out.rejected)


@pytest.mark.parametrize("value", [object(), {1, 2}, b"x", np.array([None])])
def test_a_value_that_cannot_be_stored_is_a_failure_of_its_unit(tmp_path, client, value):
    def stage(unit):
        return value if unit.n == 3 else [unit.n]

    out = run(PLAN, [stage], Reduction(join), run_dir=tmp_path, client=client, max_quarantined=1)
    assert [(f.key, f.category, f.reason) for f in out.quarantined] == [("u3", "tool", "TypeError")]
    assert len(out.result) == 11


def test_html_of_an_outcome_is_escaped(go):
    out = go(lambda: BadInput("<script>", "<img src=x onerror=y>"))
    page = out._repr_html_()
    assert "<script" not in page
    assert "<img" not in page
    assert "2 quarantined" in repr(out)
