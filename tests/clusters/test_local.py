"""Local clusters: on loopback only, closed to foreign pages, bounded in memory."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
from dataclasses import dataclass

import dask
import psutil
import pytest
from distributed.system import MEMORY_LIMIT
from tornado.httpclient import HTTPClientError, HTTPRequest
from tornado.websocket import websocket_connect

from polytene import Plan, Reduction, Stage, Unit, cluster, run
from polytene.clusters.local import default_workers, free_port, memory_each
from polytene.exceptions import PreflightError, UsageError

LOOPBACK = {"127.0.0.1", "::1"}


def listeners(*processes):
    """Return the addresses on which processes listen."""
    found = []
    for process in processes:
        for one in process.net_connections("inet"):
            if one.status == psutil.CONN_LISTEN:
                found.append((process.pid, one.laddr.ip, one.laddr.port))
    return found


def test_everything_listens_on_loopback(local_client):
    me = psutil.Process()
    workers = [p for p in me.children(recursive=True) if listeners(p)]
    assert len(workers) == 2
    port = int(local_client.dashboard_link.rsplit(":", 1)[1].split("/")[0])
    found = listeners(*workers)
    assert {ip for _, ip, _ in found} == {"127.0.0.1"}
    assert ("127.0.0.1", port) in {(ip, p) for _, ip, p in listeners(me)}
    addresses = local_client.run_on_scheduler(lambda dask_scheduler: dask_scheduler.address)
    assert addresses.startswith("tcp://127.0.0.1:")


IN_PROCESS = """
import psutil, tempfile
from polytene import Plan, Reduction, Unit, run
def look(unit):
    return [c.laddr.ip for c in psutil.Process().net_connections("inet") if c.status == "LISTEN"]
out = run(Plan("k", [Unit("a")]), [look], Reduction(lambda v: v[0]), run_dir=tempfile.mkdtemp())
print(set(out.result) - {"127.0.0.1", "::1"} or "loopback only")
"""


def test_a_run_in_this_process_opens_nothing_to_the_network():
    done = subprocess.run(
        [sys.executable, "-c", IN_PROCESS], capture_output=True, text=True, timeout=30, check=True
    )
    assert done.stdout == "loopback only\n"


async def connect(port, origin):
    headers = {"Origin": origin} if origin else {}
    url = f"ws://127.0.0.1:{port}/status/ws"
    request = HTTPRequest(url, headers=headers, connect_timeout=10)
    connection = await websocket_connect(request, subprotocols=["bokeh", "no-token"])
    connection.close()


@pytest.mark.parametrize(
    ("origin", "refused"),
    [
        ("http://127.0.0.1:{port}", False),
        ("http://localhost:{port}", False),
        ("https://evil.example", True),
        ("http://127.0.0.1.evil.example:{port}", True),
        ("http://127.0.0.1:1", True),
        ("null", True),
    ],
)
def test_pages_of_others_cannot_read_the_dashboard(local_client, origin, refused):
    port = int(local_client.dashboard_link.rsplit(":", 1)[1].split("/")[0])
    code = None
    try:
        asyncio.run(connect(port, origin.format(port=port)))
    except HTTPClientError as error:
        code = error.code
    assert (code == 403) == refused


def test_memory_is_limited_per_worker(local_client):
    info = local_client.scheduler_info(n_workers=-1)["workers"].values()
    assert [w["memory_limit"] for w in info] == [10**9, 10**9]
    assert [w["nthreads"] for w in info] == [1, 1]
    assert len({w["nanny"] for w in info}) == 2


def test_the_first_death_of_a_worker_is_heard_of(local_client):
    assert (
        local_client.run_on_scheduler(lambda dask_scheduler: dask_scheduler.allowed_failures) == 0
    )


def test_leaving_ends_all_processes_and_the_configuration():
    before = dask.config.get("distributed.scheduler.allowed-failures")
    with cluster("local", workers=1, memory_limit="500MB", dashboard_port=0) as client:
        workers = list(client.run(os.getpid).values())
        assert client.submit(sum, [1, 2]).result() == 3
    assert dask.config.get("distributed.scheduler.allowed-failures") == before
    assert client.status == "closed"
    assert not [pid for pid in workers if psutil.pid_exists(pid)]


def test_a_worker_that_takes_long_to_end_is_waited_for():
    with cluster("local", workers=1, memory_limit="500MB", dashboard_port=0) as client:
        nanny = client.cluster.workers[0]
        client.sync(nanny.kill, timeout=0)
        assert not nanny.is_alive()


def test_nothing_starts_before_it_is_entered():
    before = len(psutil.Process().children())
    made = cluster("local", workers=4)
    assert len(psutil.Process().children()) == before
    del made


@pytest.mark.parametrize(
    "options",
    [
        {"memory_limit": "much"},
        {"workers": -1},
        {"threads": 0},
        {"workers": 1, "start_timeout": "soon"},
    ],
    ids=lambda o: next(iter(o)),
)
def test_values_that_mean_nothing_are_refused(options):
    with (
        pytest.raises(UsageError),
        cluster("local", **{"dashboard_port": 0, "start_timeout": "5s", **options}),
    ):
        pass


def test_a_busy_port_is_left_to_its_owner():
    with socket.socket() as owner:
        owner.bind(("127.0.0.1", 0))
        owner.listen()
        taken = owner.getsockname()[1]
        assert free_port(taken) != taken
    assert free_port(0) > 0


@pytest.mark.parametrize(
    ("limit", "workers", "found"),
    [("2GB", 3, 2 * 10**9), ("2GiB", 3, 2 << 30), (5e8, 1, 500_000_000)],
)
def test_memory_is_what_was_said(limit, workers, found):
    assert memory_each(limit, workers) == found


def test_memory_that_was_not_said_is_shared():
    assert memory_each("auto", 1) == MEMORY_LIMIT
    assert 7 * memory_each("auto", 7) <= MEMORY_LIMIT < 7 * (memory_each("auto", 7) + 1)


def test_workers_by_default():
    assert 1 <= default_workers() <= (psutil.cpu_count() or 1)


@dataclass(frozen=True)
class Number(Unit):
    n: int = 0


def test_a_run_refuses_units_that_fit_no_worker(local_client, tmp_path):
    stage = Stage(abs_of, memory=2e9)
    with pytest.raises(PreflightError, match="--memory-limit"):
        run(
            Plan("k", [Number("a")]), [stage], Reduction(sum), run_dir=tmp_path, client=local_client
        )


def abs_of(unit):
    return abs(unit.n)
