"""Which workers get a task: stages say what they need; the others stay off what is scarce."""

from __future__ import annotations

from contextlib import contextmanager

import pytest
from distributed import Client, Scheduler, SpecCluster, Worker, get_worker

from polytene import Plan, Reduction, Stage, Unit, run
from polytene.core.hosts import Workers


@contextmanager
def workers(**resources):
    """A cluster in this process, with a worker of each name that owns its resources."""
    about = {"nthreads": 1, "memory_limit": None, "protocol": "inproc://"}
    about |= {"dashboard_address": "127.0.0.1:0"}
    made = {
        name: {"cls": Worker, "options": {**about, "name": name, "resources": owned}}
        for name, owned in resources.items()
    }
    options = {"protocol": "inproc://", "dashboard_address": "127.0.0.1:0"}
    scheduler = {"cls": Scheduler, "options": options}
    with SpecCluster(workers=made, scheduler=scheduler, silence_logs=30) as cluster:
        with Client(cluster, set_as_default=False) as client:
            client.wait_for_workers(len(made), timeout=60)
            yield client


def here(unit, before=()):
    return [*before, get_worker().name]


def compute(unit, before):
    return [*before, get_worker().name]


def who(values):
    """Return the routes of the units, and which workers combined them."""
    pairs = [v if isinstance(v[0], list) else ([v], []) for v in values]
    units = [route for routes, _ in pairs for route in routes]
    return [units, [*(name for _, folds in pairs for name in folds), get_worker().name]]


def routes(client, folder, needs):
    plan = Plan("routes", [Unit(f"u{i:02}") for i in range(40)])
    stages = [here, Stage(compute, needs=needs)]
    return run(plan, stages, Reduction(who, version=2), run_dir=folder, client=client).result


def test_what_needs_no_gpu_stays_off_its_worker(tmp_path):
    with workers(gpu={"GPU": 1}, one={"CPU": 1}, two={"CPU": 1}) as client:
        units, folds = routes(client, tmp_path, {"GPU": 1})
    assert len(units) == 40
    assert {first for first, _ in units} <= {"one", "two"}
    assert {second for _, second in units} == {"gpu"}
    assert set(folds) <= {"one", "two"}


@pytest.mark.parametrize("owned", [{"GPU": 1}, {}])
def test_where_no_worker_is_kept_for_it_it_runs_anywhere(tmp_path, owned):
    with workers(only=owned) as client:
        units, folds = routes(client, tmp_path, owned)
    assert set(folds) == {"only"}
    assert units == [["only", "only"]] * 40


def test_what_is_asked_of_a_worker():
    with workers(gpu={"GPU": 1}, plain={"CPU": 2}) as client:
        found = Workers(client)
        assert found.asks({}) == {"CPU": 1}
        assert found.asks({"GPU": 1}) == {"GPU": 1}
        name = {address: about["name"] for address, about in found.about.items()}
        assert name[found.roomiest({})[0]] == "plain"
        assert name[found.roomiest({"GPU": 1})[0]] == "gpu"
        assert found.roomiest({"GPU": 2}) is None
