"""Cleaning frees what nobody needs, and no result, resume or check sees a difference."""

from __future__ import annotations

import functools
import shutil
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from polytene import Folder, Plan, Reduction, Stage, Unit, run, scratch
from polytene.core.cleaning import clean
from polytene.core.files import unique
from polytene.core.lock import Lock
from polytene.exceptions import RunLocked, UsageError
from polytene.watch.status import status, verify


def value(unit, factor, bad=()):
    if unit.key in bad:
        raise ValueError("bad")
    return np.arange(50) * factor


def total(unit, previous):
    return [int(previous.sum())]


def join(values):
    return [x for v in values for x in v]


def go(root, client, factor=1, units=12, bad=(), **options):
    plan = Plan("cleaning", [Unit(f"u{n}") for n in range(units)], {"factor": factor}, block=3)
    first = Stage(functools.partial(value, factor=factor), uses={"slot": 1})
    if bad:  # another function of the same name and meaning, as after a repair
        first = Stage(failing(factor, bad), uses={"slot": 1})
    return run(plan, [first, total], Reduction(join, split_every=2), run_dir=root, client=client,
               limits={"slot": 4}, max_quarantined=1, on_change="rerun", **options)  # fmt: skip


def failing(factor, bad):
    marked = functools.partial(value, factor=factor)
    return functools.partial(_Failing(bad), **marked.keywords)


class _Failing:
    __name__ = "value"

    def __init__(self, bad):
        self.bad = bad

    def __call__(self, unit, factor):
        return value(unit, factor, self.bad)


def sizes(root):
    return {p.relative_to(root): p.stat().st_size for p in root.rglob("*") if p.is_file()}


RESULTS = ("parts", "nodes", "ledger")


def test_former_parameters_units_and_drafts_go_and_nothing_else(tmp_path, client):
    root = tmp_path / "r"
    go(root, client, factor=1)
    go(root, client, factor=2, units=15)
    wanted = go(root, client, factor=2).result
    (root / "scratch" / "00001").mkdir()
    (root / "scratch" / "00001" / "reads").write_bytes(bytes(1000))
    leg = next((root / "parts").glob("*/*"))
    (leg / "0123456789abcdef.00001.00.json.0123456789ab.tmp").write_bytes(bytes(100))
    (leg / f"0123456789abcdef.00001.00.npz.{unique()}.tmp").write_bytes(bytes(100))
    (leg / "0123456789abcdef.00009.00.npz").write_bytes(bytes(10))
    (root / "plan.123.tmp").write_bytes(bytes(1))
    (root / "notes.tmp").write_text("of the user")
    (tmp_path / ".r.77.removed").mkdir()
    (tmp_path / ".r.77.removed" / "part").write_bytes(bytes(5))
    before = sizes(root)
    said = clean(root, dry_run=True)
    assert sizes(root).keys() == before.keys()
    done = clean(root)
    assert (done.found, done.nbytes) == (said.found, said.nbytes)
    after = sizes(root)
    gone = sum(size for path, size in before.items() if path not in after)
    assert done.nbytes.total() == gone + 5
    assert done.found["drafts"] == 3
    assert (done.found["scratch"], done.found["removed runs"]) == (1, 1)
    assert (root / "notes.tmp").exists()
    assert not (tmp_path / ".r.77.removed").exists()
    assert len(list((root / "parts").glob("*"))) == 2, "the two legs of the plan"
    assert verify(root, deep=True)[1] == []
    out = go(root, client, factor=2)
    assert (out.result, out.computed, out.resumed) == (wanted, 0, 12)
    assert clean(root).nbytes.total() == 0


@settings(max_examples=12)
@given(
    steps=st.lists(
        st.tuples(
            st.sampled_from([1, 2]), st.integers(1, 14), st.sets(st.integers(0, 5)), st.booleans()
        ),
        min_size=1,
        max_size=4,
    )
)
def test_after_any_history_the_same_command_finds_all_that_it_left(steps, client):
    root = Path(tempfile.mkdtemp()) / "r"
    try:
        for factor, units, numbers, again in steps:
            bad = {f"u{n}" for n in numbers}
            before = go(root, client, factor, units, bad, retry_quarantined=again)
        done = status(root).done
        clean(root)
        assert verify(root, deep=True)[1] == []
        assert status(root).done == done
        after = go(root, client, factor, units, bad)
        assert (after.result, after.quarantined) == (before.result, before.quarantined)
        assert after.computed == 0
    finally:
        shutil.rmtree(root.parent)


def test_a_part_that_no_ledger_lists_is_kept(tmp_path, client):
    go(tmp_path, client)
    shutil.rmtree(tmp_path / "ledger")
    (tmp_path / "ledger").mkdir()
    clean(tmp_path)
    assert go(tmp_path, client).resumed == 12


def keep(unit):
    folder = scratch()
    (folder / "x.0123456789ab.tmp").write_text(unit.key)
    return Folder(folder, unit.key)


def test_files_of_users_are_no_drafts(tmp_path, client):
    def kept():
        return run(Plan("folders", [Unit("a"), Unit("b")]), [keep],
                   Reduction(None, lambda v, p, f: [x.info for _, x in v]),
                   run_dir=tmp_path, client=client)  # fmt: skip

    kept()
    assert clean(tmp_path).found.total() == 0
    assert verify(tmp_path, deep=True)[1] == []
    assert kept().resumed == 2


def test_nothing_is_cleaned_under_a_driver(tmp_path, client):
    go(tmp_path, client)
    (tmp_path / "scratch" / "x").mkdir()
    with Lock(tmp_path), pytest.raises(RunLocked):
        clean(tmp_path)
    assert (tmp_path / "scratch" / "x").exists()
    with pytest.raises(UsageError, match="not a run directory"):
        clean(tmp_path / "absent")
    assert not (tmp_path / "absent").exists()
