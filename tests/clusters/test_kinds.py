"""Kinds of clusters and where their settings come from."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import dask
import jsonschema
import pytest
import yaml

import polytene
from polytene import cluster, config
from polytene.clusters import OPTIONS
from polytene.exceptions import PreflightError, UsageError

ROOT = Path(__file__).parents[2]
PACKAGE = Path(polytene.__file__).parent
SCHEMA = yaml.safe_load((PACKAGE / "polytene-schema.yaml").read_text())
CONFIGS = sorted((ROOT / "configs").glob("*.yaml"))


@pytest.mark.parametrize(
    "kind", ["slum", "Local", "local ", "cuda0", "http://x", "tcp:/127.0.0.1:1", "dir/"]
)
def test_an_unknown_kind_is_refused_with_what_there_is(kind):
    with pytest.raises(UsageError, match=r"'local', the path of a \.yaml file"):
        cluster(kind)


def test_an_unknown_option_is_refused_with_what_there_is():
    with pytest.raises(UsageError, match="no cluster option 'worker': one of workers, threads"):
        cluster("local", worker=2)


@pytest.mark.parametrize("text", ["", "- a\n", "just text", "a: [", "\x00"])
def test_a_file_that_holds_no_settings_is_refused(tmp_path, text):
    path = tmp_path / "own.yaml"
    path.write_text(text)
    with pytest.raises(UsageError, match=r"own\.yaml"):
        cluster(path)


def test_a_file_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(UsageError, match=r"absent\.yaml: cannot be read"):
        cluster(tmp_path / "absent.yaml")


@pytest.mark.parametrize("text", ["polytene:\n", "polytene:\n  cluster:\n", "polytene: 3\n"])
def test_a_file_with_an_empty_section_is_read_or_named(tmp_path, text):
    path = tmp_path / "own.yaml"
    path.write_text(text)
    said = "own.yaml"
    try:
        cluster(path)
    except UsageError as error:
        said = str(error)
    assert "own.yaml" in said


def test_a_shipped_file_starts_a_cluster():
    path = ROOT / "configs" / "local.yaml"
    before = dask.config.get("distributed")
    with cluster(path, workers=1, memory_limit="500MB", dashboard_port=0) as client:
        assert client.submit(sum, [1, 2]).result() == 3
        assert dask.config.get("distributed.worker.memory.pause") == 0.8
        assert dask.config.get("distributed.comm.timeouts.connect")
    assert dask.config.get("distributed") == before


def test_a_file_changes_what_it_names_and_nothing_else(tmp_path):
    path = tmp_path / "own.yaml"
    path.write_text(
        "polytene:\n  cluster:\n    workers: 1\n    memory-limit: 600MB\n    dashboard-port: 0\n"
    )
    with cluster(path) as client:
        (worker,) = client.scheduler_info()["workers"].values()
        assert worker["memory_limit"] == 600_000_000
        assert (
            dask.config.get("polytene.task-seconds")
            == config.defaults()["polytene"]["task-seconds"]
        )


def test_an_address(local_client):
    address = local_client.scheduler.address
    with cluster(address) as client:
        assert client.submit(sum, [1, 2]).result() == 3
    assert local_client.status == "running"
    assert len(local_client.nthreads()) == 2, "leaving stops nothing there"


def test_an_address_where_nobody_answers():
    from polytene.clusters.address import open_address

    address = "tcp://127.0.0.1:9"
    with pytest.raises(PreflightError, match=r"no scheduler answers at tcp://127\.0\.0\.1:9"):
        with open_address(address, timeout="1s"):
            pass


def leaves(tree, path=()):
    for key, value in tree.items():
        if isinstance(value, dict) and value:
            yield from leaves(value, (*path, key))
        else:
            yield (*path, key)


def described(path):
    node = SCHEMA
    for key in path:
        node = node["properties"].get(key)
        if node is None:
            return False
    return "description" in node


def test_the_schema_describes_every_setting():
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    settings = list(leaves(config.defaults()))
    assert len(settings) >= 10
    assert [s for s in settings if not described(s)] == []
    names = {s[-1].replace("-", "_") for s in settings if s[1] == "cluster"} - {"kind"}
    assert names == set(OPTIONS)


def test_every_default_is_explained_where_it_stands():
    lines = (PACKAGE / "polytene.yaml").read_text().splitlines()
    assert [line for line in lines if not line.rstrip().endswith(":") and "# " not in line] == []


@pytest.mark.parametrize("path", [PACKAGE / "polytene.yaml", *CONFIGS], ids=lambda p: p.name)
def test_shipped_settings_are_valid(path):
    jsonschema.validate(yaml.safe_load(path.read_text()), SCHEMA)


@pytest.mark.parametrize(
    "wrong",
    [
        {"in-flights": 3},
        {"in-flight": 0},
        {"max-quarantined": 2},
        {"cluster": {"worker": 1}},
        {"fsync": "no"},
    ],
)
def test_the_schema_refuses_what_is_wrong(wrong):
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"polytene": wrong}, SCHEMA)


def in_new_process(code, **environment):
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30,
                          env={**os.environ, **environment}, check=True)  # fmt: skip
    return json.loads(done.stdout)


SHOW = """
import json, polytene
from polytene import config
names = ("in-flight", "cluster.memory-limit", "fsync", "max-quarantined")
print(json.dumps([config.get(n) for n in names]))
"""


def test_the_environment_overrides():
    assert in_new_process(SHOW) == [1000, "auto", True, 0.05]
    found = in_new_process(
        SHOW,
        DASK_POLYTENE__IN_FLIGHT="7",
        DASK_POLYTENE__CLUSTER__MEMORY_LIMIT="3GB",
        DASK_POLYTENE__FSYNC="False",
    )
    assert found == [7, "3GB", False, 0.05]


USE = """
import json, tempfile
from polytene import Plan, Reduction, Unit, run
def fail(unit):
    raise ValueError("x")
plan = Plan("k", [Unit("a")])
print(json.dumps(len(run(plan, [fail], Reduction(sum), run_dir=tempfile.mkdtemp()).quarantined)))
"""


def test_the_environment_reaches_a_run():
    assert in_new_process(USE, DASK_POLYTENE__MAX_QUARANTINED="1.0") == 1


def test_pools_of_slurm_are_no_matter_of_this_host():
    pools = {"gpu": {"workers": 7, "memory-limit": "1TB"}}
    with dask.config.set({"polytene.cluster.slurm.pools": pools}):
        with cluster("local", workers=None, memory_limit="500MB", dashboard_port=0) as client:
            assert len(client.nthreads()) != 7


DISTRIBUTED = """
import json, dask.config
dask.config.set({"distributed.comm.retry.count": 3})
import polytene
import distributed
words = "comm.retry.count scheduler.work-stealing worker.memory.pause worker.profile.low-level"
print(json.dumps([dask.config.get(f"distributed.{n}") for n in words.split()]))
"""


def test_what_is_set_for_dask_before_it_is_imported_holds(tmp_path):
    """By a call, a variable and a file; what nobody set is Dask's own."""
    (tmp_path / "own.yaml").write_text("distributed: {worker: {memory: {pause: 0.5}}}\n")
    found = in_new_process(
        DISTRIBUTED,
        DASK_CONFIG=str(tmp_path),
        DASK_DISTRIBUTED__SCHEDULER__WORK_STEALING="False",
    )
    assert found == [3, False, 0.5, False]
