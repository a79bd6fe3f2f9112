"""What is tried again, how often and how soon; and when a run is stopped."""

from __future__ import annotations

import random
import threading
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.core.pinned import allocate, cluster, notes

from polytene import Plan, Reduction, Stage, Unit, run
from polytene.core.failure import CATEGORIES, Failure
from polytene.core.isolate import Gate, cap_of
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


SMALL, LARGE = "127.0.0.2", "127.0.0.3"
WORKERS = {
    SMALL: ["--nthreads", "1", "--memory-limit", "600MB"],
    LARGE: ["--nthreads", "2", "--memory-limit", "1.6GB"],
}
MIDDLE, HUGE = 1_000_000_000, 4_000_000_000


def join(values):
    return [x for v in values for x in v]


def test_what_died_for_memory_is_tried_once_more_alone_where_there_is_most(tmp_path):
    """A thread of either worker may allocate less than MIDDLE, the whole large one more."""
    keys = [f"u{n}" for n in range(12)]
    sizes = {"u1": MIDDLE, "u4": HUGE, "u5": MIDDLE}
    log = tmp_path / "log"
    stage = Stage(partial(allocate, log=str(log), sizes=sizes), isolate=True)
    with cluster(tmp_path, WORKERS) as made:
        out = run(
            Plan("k", [Unit(key) for key in keys]), [stage], Reduction(join),
            run_dir=tmp_path / "run", client=made.client, max_quarantined=1,
        )  # fmt: skip
    assert out.result == [key for key in keys if key != "u4"]
    assert [(f.key, f.category) for f in out.quarantined] == [("u4", "memory")]
    found = notes(log)
    ran = {key: [n.host for n in found if (n.word, n.key) == ("begin", key)] for key in keys}
    assert [len(ran[key]) for key in keys] == [2 if key in sizes else 1 for key in keys]
    for key in sizes:
        assert ran[key][1] == LARGE
        last = [i for i, n in enumerate(found) if n.key == key and n.host == LARGE][-2:]
        inside = [n for n in found[last[0] + 1 : last[1]] if n.host == LARGE]
        assert inside == [], "nothing else ran on the worker"


def test_what_no_worker_has_more_memory_for_is_not_tried_again(tmp_path):
    log = tmp_path / "log"
    stage = Stage(partial(allocate, log=str(log), sizes={"u1": MIDDLE}), isolate=True)
    with cluster(tmp_path, {SMALL: WORKERS[SMALL], LARGE: WORKERS[SMALL]}) as made:
        out = run(
            Plan("k", [Unit(f"u{n}") for n in range(4)]), [stage], Reduction(join),
            run_dir=tmp_path / "run", client=made.client, max_quarantined=1,
        )  # fmt: skip
    assert [f.key for f in out.quarantined] == ["u1"]
    assert sum(n.word == "begin" for n in notes(log)) == 4


def test_a_cap_is_a_share_of_the_worker():
    assert cap_of(4e9) == 2 * cap_of(4e9, 2) == int(0.9 * 4e9)


def test_who_is_alone_behind_a_gate_is_alone():
    gate, inside, seen = Gate(), [], []
    mutex = threading.Lock()

    def go(n):
        alone = n % 7 == 3
        with gate.entered(alone=alone):
            with mutex:
                inside.append(n)
                seen.append((alone, len(inside)))
            threading.Event().wait(0.001)
            with mutex:
                inside.remove(n)

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(go, range(200)))
    assert len(seen) == 200
    assert all(count == 1 for alone, count in seen if alone)
    assert max(count for _, count in seen) > 1
