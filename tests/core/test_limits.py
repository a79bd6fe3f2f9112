"""Slots and leases: all or nothing, never more than there is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polytene.core.limits import Limits
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
