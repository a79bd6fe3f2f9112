"""The partition against all partitions, on small axes."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from polytene.exceptions import UsageError
from polytene.genome.planning.atoms import Track, gene_starts, make_axis
from polytene.genome.planning.partition import partition, parts_needed


@st.composite
def axes(draw):
    bases = draw(st.integers(1, 36))
    marks = draw(st.lists(st.integers(0, bases), unique=True, max_size=10).map(sorted))
    pairs = [(a, b) for a, b in zip(marks[::2], marks[1::2], strict=False)]
    weights = draw(st.lists(st.integers(0, 9), min_size=len(pairs), max_size=len(pairs)))
    per_base = draw(st.integers(0, 3))
    track = None
    if draw(st.booleans()):
        spans = draw(st.lists(st.tuples(st.integers(0, bases - 1), st.integers(1, 12),
                                        st.integers(0, 5)), min_size=1, max_size=4))  # fmt: skip
        track = [(a, min(a + n, bases), w) for a, n, w in spans]
    return bases, per_base, pairs, weights, track


def build(bases, per_base, pairs, weights, track):
    columns = [np.array(c, np.int64) for c in (zip(*pairs, strict=True) if pairs else ((), ()))]
    more = None
    if track:
        more = Track(*(np.array(c, np.int64) for c in zip(*track, strict=True)))
    return make_axis(bases, per_base, (*columns, np.array(weights, np.int64)), more)


def costs(bases, per_base, pairs, weights, track):
    """The cost up to each place, and the places where a cut is allowed."""
    up_to = [0] * (bases + 1)
    for x in range(bases + 1):
        up_to[x] = per_base * x + sum(w for (_, b), w in zip(pairs, weights, strict=True) if b <= x)
        up_to[x] += sum(s * max(0, min(x, b) - a) for a, b, s in track or ())
    allowed = [x for x in range(bases + 1) if not any(a < x < b for a, b in pairs)]
    return up_to, allowed


def brute(up_to, allowed, n, max_bp):
    """The least cost of the dearest of exactly n parts, by dynamic programming."""
    best = {0: 0}
    for _ in range(n):
        after = {}
        for p, worst in best.items():
            for x in allowed:
                if x > p and (not max_bp or x - p <= max_bp):
                    worse = max(worst, up_to[x] - up_to[p])
                    after[x] = min(after.get(x, worse), worse)
        best = after
    return best.get(allowed[-1])


@given(axes(), st.integers(1, 8), st.sampled_from([0, 0, 5, 12]))
@settings(max_examples=500)
def test_no_partition_is_better(made, n, max_bp):
    axis = build(*made)
    up_to, allowed = costs(*made)
    expected = brute(up_to, allowed, n, max_bp)
    if expected is None:
        with pytest.raises(UsageError):
            partition(axis, n, max_bp)
        return
    found = partition(axis, n, max_bp)
    cuts = found.cuts.tolist()
    assert found.least == expected
    assert (cuts[0], cuts[-1], len(cuts)) == (0, made[0], n + 1)
    assert set(cuts) <= set(allowed)
    assert sorted(set(cuts)) == cuts
    spent = [up_to[b] - up_to[a] for a, b in itertools.pairwise(cuts)]
    assert max(spent) == expected
    assert not max_bp or max(np.diff(cuts)) <= max_bp
    assert found.lower_bound <= found.least
    assert axis.cost_at(found.cuts).tolist() == [up_to[c] for c in cuts]
    if found.least:
        assert parts_needed(axis, found.least - 1, max_bp, n) == n + 1


@given(axes(), st.integers(1, 6), st.integers(0, 40))
@settings(max_examples=100)
def test_any_preference_keeps_the_optimum(made, n, wish):
    axis = build(*made)
    if n > axis.ranks[-1]:
        return
    plain = partition(axis, n)
    moved = partition(axis, n, prefer=lambda low, high, ideal: wish)
    spent = np.diff(axis.cost_at(moved.cuts))
    assert (moved.least, int(spent.max())) == (plain.least, plain.least)


def test_parts_are_even_where_one_locus_is_dear():
    loci = tuple(np.array([v], np.int64) for v in (0, 500, 0))
    found = partition(make_axis(1000, 1, loci), 6)
    assert found.least == found.lower_bound == 500
    assert np.diff(found.cuts).tolist() == [500, 100, 100, 100, 100, 100]


def test_what_cannot_be_is_said():
    loci = tuple(np.array([v], np.int64) for v in (10, 90, 1))
    axis = make_axis(100, 1, loci)
    with pytest.raises(UsageError, match="22 chunks are more than possible: at most 21"):
        partition(axis, 22)
    with pytest.raises(UsageError, match=r"span 80 bases.*max_bp.*cut='owned'"):
        partition(axis, 5, max_bp=50)
    with pytest.raises(UsageError, match="10 are needed"):
        partition(make_axis(100, 1, None), 5, max_bp=10)


def test_genes_of_one_start_are_counted_together():
    starts, ends, cost = gene_starts(np.array([5, 5, 9]), 4)
    assert (starts.tolist(), ends.tolist(), cost.tolist()) == ([5, 9], [6, 10], [8, 4])
