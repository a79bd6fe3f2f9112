"""The schedule of the original's case, through the engine's own window with a reckoned clock."""

from __future__ import annotations

import random

import pytest

from polytene.rnaseq.schedule import lower_bound, simulate

USES = [{"net": 1.0}, {"quant": 1.0}]
SLOTS = {"net": 5.0, "quant": 2.0}


def test_81_equal_samples_need_no_more_than_whole_waves():
    seconds = [[15.0] * 81, [3.0] * 81]
    found = simulate(seconds, USES, {**SLOTS, "disk": 30.0}, [5.0] * 81)
    assert lower_bound(seconds, [5, 2]) == 243
    assert found.makespan <= 1.01 * 258
    assert found.peak_disk <= 30


@pytest.mark.parametrize("quota", [25.0, 30.0, 40.0])
def test_a_quota_is_never_exceeded(quota):
    chance = random.Random(1)
    sizes = [chance.lognormvariate(-0.125, 0.5) for _ in range(81)]
    seconds = [[15 * s for s in sizes], [3 * s for s in sizes]]
    found = simulate(seconds, USES, {**SLOTS, "disk": quota}, [5 * s for s in sizes])
    assert found.peak_disk <= quota * (1 + 1e-9)


def test_longest_first_comes_close_to_the_fluid_bound():
    ratios = []
    for seed in range(20):
        chance = random.Random(seed)
        sizes = [chance.lognormvariate(-0.125, 0.5) for _ in range(81)]
        seconds = [[15 * s for s in sizes], [3 * s for s in sizes]]
        found = simulate(seconds, USES, SLOTS)
        ratios.append(found.makespan / lower_bound(seconds, [5, 2]))
    assert sum(ratios) / len(ratios) <= 1.03
