"""Units that are pinned to a host: leases per host, files from stage to stage, hosts that go."""

from __future__ import annotations

import threading
import time
from collections import Counter, defaultdict
from functools import partial

import dask
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.core.pinned import LIMITS, Sample, cluster, note, notes, stages

from polytene import Partial, Plan, Reduction, Stage, run
from polytene.core import hosts as core_hosts
from polytene.core.hosts import Hosts
from polytene.core.leases import Leases
from polytene.core.limits import Limits
from polytene.core.scratch import host_scratch, host_top, run_mark
from polytene.exceptions import Interrupted, UsageError

HOSTS = ("127.0.0.2", "127.0.0.3", "127.0.0.4")
ONE = ["--nthreads", "1", "--memory-limit", "600MB"]
TWO = ["--nthreads", "2", "--memory-limit", "900MB"]
PLAN = Plan("samples", [Sample(f"u{n}", 1 + n % 3) for n in range(12)])
KEYS = [unit.key for unit in PLAN]


def join(values):
    return [x for v in values for x in v]


def runs_of(found, word):
    """Return the hosts on which each unit ran a stage, in order."""
    ran = defaultdict(list)
    for entry in found:
        if entry.word == word:
            ran[entry.key].append(entry.host)
    return ran


def eventually(condition, patience=30.0):
    limit = time.monotonic() + patience
    while not condition():
        assert time.monotonic() < limit
        time.sleep(0.02)


@pytest.fixture
def here(tmp_path, client):
    """Options of a run in this process, with the host's scratch in the test's folder."""
    with dask.config.set({"polytene.host-scratch": str(tmp_path / "disk")}):
        yield {"run_dir": tmp_path / "run", "client": client, "limits": LIMITS}


@pytest.fixture
def grace(monkeypatch):
    monkeypatch.setattr(core_hosts, "GRACE", 1.5)


def test_all_stages_of_a_unit_run_on_one_host_and_no_disk_is_overbooked(tmp_path):
    with cluster(tmp_path, dict.fromkeys(HOSTS, ONE)) as made:
        out = run(
            PLAN, stages(tmp_path / "log"), Reduction(join), run_dir=tmp_path / "run",
            client=made.client, limits=LIMITS,
        )  # fmt: skip
        assert out.result == KEYS
        found = notes(tmp_path / "log")
        fetched, ended = runs_of(found, "fetch"), runs_of(found, "done")
        assert fetched == ended
        assert all(len(where) == 1 for where in fetched.values())
        assert {where[0] for where in fetched.values()} == set(HOSTS)
        sizes, held = {unit.key: unit.size for unit in PLAN}, Counter()
        for entry in found:
            change = {"fetch": 1, "done": -1}.get(entry.word, 0)
            held[entry.host] += change * sizes[entry.key]
            assert held[entry.host] <= LIMITS["host.disk"]
        assert made.files() == []


def test_units_of_a_lost_host_begin_again_elsewhere(tmp_path, grace):
    log = tmp_path / "log"
    hold = tmp_path / "log.hold"
    hold.touch()
    with cluster(tmp_path, dict.fromkeys(HOSTS[:2], TWO)) as made:

        def lose():
            eventually(lambda: len(runs_of(notes(log), "quant")) >= 4)
            made.lose(HOSTS[1])
            hold.unlink()

        thread = threading.Thread(target=lose)
        thread.start()
        out = run(
            PLAN, stages(log), Reduction(join), run_dir=tmp_path / "run", client=made.client,
            limits=LIMITS,
        )  # fmt: skip
        thread.join()
        assert (out.result, out.computed) == (KEYS, 12)
        fetched = runs_of(notes(log), "fetch")
        again = {key: where for key, where in fetched.items() if len(where) > 1}
        assert again
        assert all(where == [HOSTS[1], HOSTS[0]] for where in again.values())
        assert not any(HOSTS[0] in str(path) for path in made.files())
        receipts = [path.name for path in (tmp_path / "run" / "parts").glob("*/*/*.json")]
        assert len(receipts) == 2 * 12, "what the lost units had left before is removed"


def test_a_host_that_comes_back_is_cleared_before_it_is_used(tmp_path, grace):
    log, hold = tmp_path / "log", tmp_path / "log.hold"
    hold.touch()
    with cluster(tmp_path, {HOSTS[0]: ONE}) as made:

        def lose_and_start():
            eventually(lambda: runs_of(notes(log), "quant"))
            made.lose(HOSTS[0])
            assert made.files()
            eventually(lambda: not made.client.nthreads())
            time.sleep(4)
            made.start(HOSTS[0], *ONE)
            hold.unlink()

        thread = threading.Thread(target=lose_and_start)
        thread.start()
        out = run(
            PLAN.head(4), stages(log), Reduction(join), run_dir=tmp_path / "run",
            client=made.client, limits=LIMITS,
        )  # fmt: skip
        thread.join()
        assert (out.result, made.files()) == (KEYS[:4], [])


def test_a_worker_that_is_started_again_on_its_host_goes_on_with_the_files(tmp_path):
    log = tmp_path / "log"
    with cluster(tmp_path, dict.fromkeys(HOSTS[:2], ONE)) as made:
        out = run(
            PLAN, stages(log, "die"), Reduction(join), run_dir=tmp_path / "run",
            client=made.client, limits=LIMITS,
        )  # fmt: skip
        assert (out.result, made.files()) == (KEYS, [])
        found = notes(log)
        assert all(len(where) == 1 for where in runs_of(found, "fetch").values())
        assert len(runs_of(found, "quant")["u3"]) == 2


def test_a_resume_begins_again_at_the_first_stage_on_a_clean_disk(tmp_path, here):
    log, hold = tmp_path / "log", tmp_path / "log.hold"
    hold.touch()

    def stop():
        if runs_of(notes(log), "quant"):
            hold.unlink(missing_ok=True)
            return True
        return False

    with pytest.raises(Interrupted):
        run(PLAN, stages(log), Reduction(join), stop=stop, **here)
    before = notes(log)
    done = set(runs_of(before, "done"))
    half = set(runs_of(before, "fetch")) - done
    left = host_top() / run_mark(here["run_dir"]) / "00001" / "left-by-a-killed-driver"
    left.mkdir(parents=True)
    log.unlink()
    out = run(PLAN, stages(log), Reduction(join), **here)
    assert (out.result, out.resumed) == (KEYS, len(done))
    assert set(runs_of(notes(log), "fetch")) == set(KEYS) - done >= half
    assert not left.exists()
    assert len(list((here["run_dir"] / "parts").glob("*/*/*.json"))) == 2 * 12
    assert run(PLAN, stages(log), Reduction(join), **here).resumed == 12


def test_a_retry_finds_the_folder_and_a_failed_unit_leaves_none(tmp_path, here):
    def fetch(unit):
        (host_scratch() / "reads").touch()
        return unit.size

    def quant(unit, size):
        tries = host_scratch() / "tries"
        tries.write_text(tries.read_text() + "x" if tries.exists() else "x")
        assert (host_scratch() / "reads").exists()
        if unit.key == "u1" or len(tries.read_text()) < 3:
            raise ConnectionError(f"try {len(tries.read_text())}")
        return [unit.key]

    chain = [fetch, Stage(quant, uses={"quant": 1})]
    out = run(PLAN, chain, Reduction(join), max_quarantined=1, **here)
    assert out.result == [key for key in KEYS if key != "u1"]
    assert "try 6" in out.quarantined[0].detail
    assert [p for p in (tmp_path / "disk").rglob("*") if p.is_file()] == []


def test_a_lease_that_shrinks_lets_the_next_unit_begin(tmp_path, here):
    log = str(tmp_path / "log")
    plan = Plan("samples", [Sample("a", 4), Sample("b", 4)])

    def fetch(unit):
        note(log, "fetch", unit.key)
        return Partial(unit.key, holds={"host.disk": 0})

    def wait_for_both(unit, key):
        eventually(lambda: len(runs_of(notes(tmp_path / "log"), "fetch")) == 2)
        return [key]

    chain = [fetch, Stage(wait_for_both, uses={"quant": 1})]
    assert run(plan, chain, Reduction(join), **here).result == ["a", "b"]


def test_a_lease_never_grows(here):
    def more(unit):
        return Partial([unit.key], holds={"host.disk": 5})

    out = run(PLAN.head(1), [more], Reduction(join), max_quarantined=1, **here)
    assert "it holds 5 of 'host.disk', more than its footprint says" in str(out.quarantined[0])


class Free(Sample):
    @property
    def footprint(self):
        return {}


def test_what_a_host_cannot_give_is_refused_with_what_to_do(here):
    def ask(unit):
        return str(host_scratch())

    out = run(Plan("k", [Free("a")]), [ask], Reduction(None), max_quarantined=1, **here)
    assert "let Unit.footprint return" in out.quarantined[0].detail
    go = partial(run, reduction=Reduction(join), client=here["client"])
    other = here["run_dir"].with_name("other")
    with pytest.raises(UsageError, match=r"uses 'host\.disk': what belongs to a host is held by a"):
        go(PLAN, [Stage(ask, uses={"host.disk": 1})], limits=LIMITS, run_dir=other)
    with pytest.raises(UsageError, match=r"pinned one by one: Plan\(..., block=1\), not 4"):
        go(Plan("k", list(PLAN), block=4), [ask], limits=LIMITS, run_dir=other.with_name("b"))
    with pytest.raises(UsageError, match="which has no limit"):
        go(PLAN, [ask], limits={"quant": 1}, run_dir=other.with_name("c"))
    with pytest.raises(UsageError, match=r"wants 3 of 'host\.disk', and there is 2"):
        go(PLAN, [ask], limits={"host.disk": 2}, run_dir=other.with_name("d"))


def test_a_place_that_others_may_write_to_is_refused(tmp_path, here):
    host_top().mkdir(parents=True)
    host_top().chmod(0o777)
    out = run(PLAN.head(1), stages(tmp_path / "log"), Reduction(join), max_quarantined=1, **here)
    assert "not a folder that only you may write to" in out.quarantined[0].detail


def test_outside_a_run_it_is_a_temporary_folder():
    first, second = host_scratch(), host_scratch()
    assert first != second
    for folder in (first, second):
        folder.rmdir()


STEPS = st.lists(
    st.tuples(st.integers(0, 9), st.sampled_from(["take", "shrink", "give", "lose"])), max_size=60
)


@given(STEPS)
def test_leases_never_exceed_what_a_host_or_the_cluster_has(steps):
    wants = {n: {"host.disk": 1.0 + n % 4, "disk": 1.0 + n % 2} for n in range(10)}
    leases = Leases(Limits({"host.disk": 5, "disk": 8}), wants.__getitem__)
    for host in "abc":
        leases.hosts.open(host)
    held = {}
    for block, step in steps:
        if step == "take":
            pinned = leases.host(block)
            if leases.take(block, {}):
                assert pinned in (None, leases.host(block)), "a unit stays where it is"
                held.setdefault(block, dict(wants[block]))
        elif step == "shrink" and block in held:
            leases.shrink(block, {"host.disk": 0.5, "disk": 9.0})
            held[block]["host.disk"] = 0.5
        elif step == "give":
            leases.give(block)
            held.pop(block, None)
        elif step == "lose" and (host := leases.host(block)):
            leases.hosts.close(host)
            for lost in leases.on(host):
                leases.give(lost)
                held.pop(lost)
            leases.hosts.open(host)
        on_disk = Counter()
        for one, want in held.items():
            on_disk[leases.host(one)] += want["host.disk"]
        assert all(amount <= 5 for amount in on_disk.values())
        assert leases.limits.used["disk"] == sum(want["disk"] for want in held.values()) <= 8


def test_the_host_with_the_most_left_is_taken():
    hosts = Hosts({"host.disk": 10})
    for host in "ab":
        hosts.open(host)
    hosts.take("a", {"host.disk": 3})
    assert hosts.most_free({"host.disk": 5}) == "b"
    hosts.take("b", {"host.disk": 6})
    assert hosts.most_free({"host.disk": 5}) == "a"
    assert hosts.most_free({"host.disk": 8}) is None
    hosts.close("a")
    assert hosts.most_free({"host.disk": 5}) is None
    hosts.give("a", {"host.disk": 3})
