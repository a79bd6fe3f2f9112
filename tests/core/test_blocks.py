"""Blocks: ends that follow the keys, so that a changed list leaves most of them as they are."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polytene import Plan, Unit
from polytene.core.saved import blocks, line_of, tag_of


def plan_of(keys, block):
    return Plan("k", [Unit(k) for k in keys], block=block)


def tags(plan):
    return [tag_of(line_of(chunk)) for chunk in blocks(plan)]


KEYS = [f"sample-{i:05d}" for i in range(2000)]


@given(st.integers(0, 300), st.integers(1, 60))
def test_blocks_hold_every_unit_once_and_in_order(n, block):
    plan = plan_of(KEYS[:n], block)
    cut = list(blocks(plan))
    assert [u.key for chunk in cut for u in chunk] == KEYS[:n]
    assert all(1 <= len(chunk) <= 4 * block for chunk in cut)
    assert all(len(chunk) >= max(1, block // 4) for chunk in cut[:-1])


@pytest.mark.parametrize("block", [2, 5, 20, 100])
def test_the_mean_is_near_what_was_asked_for(block):
    count = len(list(blocks(plan_of((f"u{i}" for i in range(20_000)), block))))
    assert 0.75 < 20_000 / count / block < 1.25


def test_blocks_of_one():
    assert [len(c) for c in blocks(plan_of(KEYS[:7], 1))] == [1] * 7
    assert list(blocks(plan_of([], 1))) == list(blocks(plan_of([], 9))) == []


@pytest.mark.parametrize("where", [0, 1, 777, 1000, 1999, 2000])
def test_an_added_unit_leaves_almost_all_blocks(where):
    before = tags(plan_of(KEYS, 25))
    after = tags(plan_of([*KEYS[:where], "new", *KEYS[where:]], 25))
    assert len(set(after) - set(before)) <= 3


def test_removed_and_changed_units_leave_almost_all_blocks():
    before = set(tags(plan_of(KEYS, 25)))
    assert len(set(tags(plan_of(KEYS[:500] + KEYS[501:], 25))) - before) <= 3
    changed = Plan("k", [Unit(k, cost=2.0 if k == KEYS[500] else 1.0) for k in KEYS], block=25)
    assert len(set(tags(changed)) - before) == 1


def test_ten_units_added_anywhere_cost_few_blocks():
    rng = random.Random(1)
    keys = list(KEYS)
    for i in range(10):
        keys.insert(rng.randrange(len(keys)), f"new{i}")
    before, after = tags(plan_of(KEYS, 25)), tags(plan_of(keys, 25))
    assert len(set(after) & set(before)) > len(before) - 25


def test_the_index_says_what_each_block_holds(tmp_path):
    plan = Plan("k", [Unit(k, cost=i) for i, k in enumerate(KEYS[:200])], block=10)
    saved = plan.save(tmp_path)
    chunks = list(blocks(plan))
    assert [saved.block(b) for b in range(len(saved.index))] == chunks
    assert saved.index["units"].tolist() == [len(c) for c in chunks]
    assert saved.index["cost"].tolist() == [sum(u.cost for u in c) for c in chunks]
    assert saved.index["tag"].tolist() == tags(plan)
    assert saved.index.itemsize == 28, "what the driver holds per block"


def test_a_lazy_list_of_units_is_never_held(tmp_path):
    class Lazy:
        alive = most = 0

        def __len__(self):
            return 3000

        def __iter__(self):
            for i in range(3000):
                yield Counted(f"u{i}")

    class Counted(Unit):
        def __init__(self, key, cost=1.0):
            super().__init__(key)
            Lazy.alive += 1
            Lazy.most = max(Lazy.most, Lazy.alive)

        def __del__(self):
            Lazy.alive -= 1

    saved = Plan("k", Lazy(), block=50).save(tmp_path)
    assert len(saved) == 3000
    assert Lazy.most < 500
