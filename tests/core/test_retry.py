"""What is tried again, how often and how soon; and when a run is stopped."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polytene.core.failure import CATEGORIES, Failure
from polytene.core.retry import POLICIES, Breaker, Policy, Retries
from polytene.exceptions import PreflightError


@pytest.mark.parametrize("category", CATEGORIES)
def test_each_category_has_its_number_of_tries(category):
    retries = Retries()
    tried = 0
    while retries.again(0, 7, [(category, None)])[0]:
        tried += 1
    assert tried == POLICIES[category].times
    assert {"transport": 5, "memory": 1, "tool": 1, "input": 0}.get(category, tried) == tried


def test_blocks_and_legs_are_counted_apart():
    retries = Retries()
    assert retries.again(0, 1, [("tool", None)])[0] == ("tool",)
    assert retries.again(0, 1, [("tool", None)])[0] == ()
    assert retries.again(0, 2, [("tool", None)])[0] == ("tool",)
    assert retries.again(1, 1, [("tool", None)])[0] == ("tool",)


def test_only_what_can_help_is_tried_again():
    again, _ = Retries().again(0, 0, [("input", None), ("transport", None)])
    assert again == ("transport",)


@given(st.integers(0, 12), st.integers(0, 2**32))
def test_waiting_grows_up_to_a_most_and_is_spread(tried, seed):
    policy = Policy(5, base=1.0, most=60.0)
    wait = policy.wait(tried, random.Random(seed))
    full = min(60.0, 2.0**tried)
    assert full / 2 <= wait <= full


def test_a_server_that_names_a_time_is_obeyed():
    _, wait = Retries().again(0, 0, [("transport", 37.0)])
    assert wait == 37.0


def failures(n: int, category: str) -> list[Failure]:
    return [Failure(f"u{i}", "fetch", category, "http-503", "down") for i in range(n)]


def test_the_breaker_waits_for_enough_units():
    breaker = Breaker()
    breaker.settled(19, failures(19, "transport"))
    with pytest.raises(PreflightError, match=r"20 of the first 20 units failed \(transport\)"):
        breaker.settled(1, failures(1, "transport"))


def test_the_breaker_counts_categories_apart_and_items_not_at_all():
    breaker = Breaker()
    breaker.settled(40, failures(20, "transport") + failures(20, "tool"))
    items = [Failure("u", "s", "input", "bad-row", item=str(i)) for i in range(500)]
    breaker.settled(10, items)


def test_a_user_who_accepts_all_failures_is_not_stopped():
    Breaker(share=1.0).settled(100, failures(100, "input"))
