"""One worker per GPU, over a pretended NVML: this shows the wiring, and nothing about GPUs.

The library of ``fake_nvml.c`` lists three devices, dask-cuda itself starts the workers, and the
kernels run in numba's simulator. dask-cuda pins dask, so that it has an environment of its own.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
from tests import rooms
from tests.scripted import SIMULATED, checks_of, run_checks, run_python, said_by_checks

from polytene import Plan, Reduction, Stage, Unit, cluster, run
from polytene import lightcurves as lc

pytest.importorskip("dask_cuda", reason="dask-cuda is tested in an environment of its own")

GPUS, PLAIN = 3, 2
SOURCE = Path(__file__).with_name("fake_nvml.c")
SHAPE = {"_LANES": 2, "_TEAMS": 2, "_BLOCKS": 2}
ABOUT = {"workers": PLAIN, "memory_limit": "1GB", "dashboard_port": 0, "tls": "on"}


def here(part: Any = None) -> str:
    """Return the GPUs that this process sees, its own first."""
    return os.environ.get("CUDA_VISIBLE_DEVICES", "all")


def owned(client: Any) -> dict[str, dict[str, float]]:
    workers = client.scheduler_info(n_workers=-1)["workers"]
    return {address: about["resources"] for address, about in workers.items()}


def gpu_workers(client: Any) -> list[str]:
    return [address for address, what in owned(client).items() if "GPU" in what]


def pins(client: Any) -> list[str]:
    return sorted(client.run(here, workers=gpu_workers(client)).values())


def current() -> Any:
    from distributed import default_client

    return default_client()


def listening() -> set[str]:
    """Return the addresses on which this process and those below it listen."""
    me = psutil.Process()
    return {
        connection.laddr.ip
        for process in (me, *me.children(recursive=True))
        for connection in process.net_connections("inet")
        if connection.status == psutil.CONN_LISTEN
    }


def check_three_workers_three_pins() -> None:
    client = current()
    assert sorted(map(str, owned(client).values())) == ["{'CPU': 1}"] * 2 + ["{'GPU': 1}"] * 3
    assert pins(client) == ["0,1,2", "1,2,0", "2,0,1"]
    plain = [address for address in owned(client) if address not in gpu_workers(client)]
    assert set(client.run(here, workers=plain).values()) == {""}, "they see no GPU"
    about = client.scheduler_info(n_workers=-1)["workers"].values()
    assert {w["memory_limit"] for w in about} == {10**9}
    assert {w["nthreads"] for w in about} == {1}
    assert {w["host"] for w in about} == {"127.0.0.1"}
    assert client.scheduler.address.startswith("tls://127.0.0.1:")
    assert listening() <= {"127.0.0.1", "::1"}
    order = client.run(os.getenv, "CUDA_DEVICE_ORDER", workers=gpu_workers(client))
    assert set(order.values()) == {"PCI_BUS_ID"}, "a number means the same to CUDA and to NVML"


def check_limits_of_device_memory_are_passed_on() -> None:
    client = current()
    said = client.run(device_limit, workers=gpu_workers(client))
    assert set(said.values()) == {2 * 10**9}


def device_limit(dask_worker: Any) -> float:
    return dask_worker.data.device_buffer.fast.n


def read(unit: Unit) -> list[str]:
    time.sleep(0.01)
    return [here()]


def compute(unit: Unit, before: list[str]) -> list[str]:
    time.sleep(0.01)
    return [*before, here()]


def check_stages_with_needs_go_to_gpus_and_no_others() -> None:
    plan = Plan("routes", [Unit(f"u{i:02}") for i in range(60)], block=2)
    stages = [read, Stage(compute, needs={"GPU": 1}), Stage(compute)]
    where = Reduction(lambda values: sum(map(listed, values), [["fold", here()]]))
    with tempfile.TemporaryDirectory() as folder:
        found = run(plan, stages, where, run_dir=folder, client=current()).result
    folds = [entry for entry in found if entry[0] == "fold"]
    units = [entry for entry in found if entry[0] != "fold"]
    assert len(units) == 60
    assert {(first, last) for first, _, last in units} == {("", "")}
    assert {middle for _, middle, _ in units} == {"0,1,2", "1,2,0", "2,0,1"}
    assert {place for _, place in folds} == {""}


def listed(value: list[Any]) -> list[Any]:
    return value if isinstance(value[0], list) else [value]


def shrink(**shape: int) -> None:
    """Make launches small: a simulated thread costs a thread of Python."""
    from polytene.codons import cuda_kernels
    from polytene.lightcurves import cuda_kernels as search

    vars(cuda_kernels).update(shape)
    search.scores_on_device.__defaults__ = (4,)


def check_codons_are_counted_on_gpus_as_on_the_cpu() -> None:
    client = current()
    client.run(shrink, workers=gpu_workers(client), **SHAPE)
    data = DATA["folder"]
    there = rooms.count_codons(data, data / "codons-gpu", client, device="cuda")
    beside = rooms.count_codons(data, data / "codons-cpu", client)
    assert there.read_bytes() == beside.read_bytes()


def curve(seed: int) -> lc.LightCurve:
    random = np.random.default_rng(seed)
    time = np.sort(random.uniform(0, 10, 150))
    flux = 1 + random.normal(0, 1e-3, 150) - 5e-3 * ((time - 0.7) % 2.2 < 0.15)
    return lc.LightCurve(time, flux)


def search(unit: Unit, *, device: str) -> list[str]:
    periods = np.linspace(2.0, 2.4, 5)
    found = lc.bls(curve(int(unit.key)), periods, [0.1], method="exact", device=device)
    names = ("period", "t0", "duration", "depth", "snr", "power", "index", "n_transits")
    return [here(), *(repr(getattr(found, name)) for name in names)]


def in_order(values: Any, plan: Any, failures: Any) -> list[Any]:
    return [value for _, value in values]


def check_curves_are_searched_on_gpus_as_on_the_cpu() -> None:
    from functools import partial

    client = current()
    client.run(shrink, workers=gpu_workers(client))
    plan = Plan("curves", [Unit(str(i)) for i in range(4)])
    stage = Stage(partial(search, device="cuda"), needs={"GPU": 1})
    with tempfile.TemporaryDirectory() as folder:
        found = run(plan, [stage], Reduction(None, in_order), run_dir=folder, client=client).result
    assert all(place for place, *_ in found)
    assert [one[1:] for one in found] == [search(unit, device="cpu")[1:] for unit in plan], found


def check_a_worker_that_died_has_its_gpu_again() -> None:
    client = current()
    address = gpu_workers(client)[0]
    pid = client.run(os.getpid, workers=[address])[address]
    os.kill(pid, signal.SIGKILL)
    deadline = time.monotonic() + 120
    found: list[str] = []
    while address in owned(client) or found != ["0,1,2", "1,2,0", "2,0,1"]:
        assert time.monotonic() < deadline, f"the nanny started no other worker: {found}"
        time.sleep(0.1)
        with suppress(OSError):  # one that has just gone
            found = pins(client)


def check_rooms_give_the_bytes_of_a_local_cluster() -> None:
    client, data = current(), DATA["folder"]
    there = {name: job(data, data / "there" / name, client) for name, job in rooms.JOBS.items()}
    with cluster("local", workers=2, memory_limit="1GB", dashboard_port=0, tls="off") as local:
        for name, job in rooms.JOBS.items():
            beside = rooms.bytes_of(job(data, data / "local" / name, local))
            assert rooms.bytes_of(there[name]) == beside, name


def check_the_driver_leaves_cuda_alone() -> None:
    assert "numba.cuda" not in sys.modules
    assert "libcuda.so" not in Path("/proc/self/maps").read_text()


CHECKS = checks_of(globals())
DATA: dict[str, Path] = {}


def main() -> None:
    about: dict[str, Any] = {**ABOUT, "device_memory_limit": "2GB"}
    with tempfile.TemporaryDirectory() as folder, cluster("cuda", **about):
        DATA["folder"] = rooms.make_data(Path(folder))
        run_checks(CHECKS)


@pytest.fixture(scope="session")
def pretended(tmp_path_factory) -> dict[str, str]:
    """The environment of a machine with three GPUs, as NVML says."""
    library = tmp_path_factory.mktemp("nvml") / "libnvidia-ml.so.1"
    command = ["gcc", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-o", library, SOURCE]
    subprocess.run(command, check=True)
    return {
        "LD_LIBRARY_PATH": str(library.parent),
        "FAKE_GPUS": str(GPUS),
        "DASK_CUDA_TEST_SINGLE_GPU": "1",
    }


@pytest.fixture(scope="module")
def said(pretended) -> dict[str, str]:
    """What each check said, in a process that sees three GPUs from its start."""
    return said_by_checks(__file__, **pretended, **SIMULATED)


@pytest.mark.parametrize("name", CHECKS)
def test_on_three_pretended_gpus(said: dict[str, str], name: str) -> None:
    assert not said[name], said[name]


CHOSEN = """
import sys
from polytene.clusters.cuda import chosen, require
require()
print(chosen(eval(sys.argv[1])))
"""
OPENED = """
from polytene import cluster
if __name__ == "__main__":
    with cluster("cuda", dashboard_port=0):
        pass
"""


@pytest.mark.parametrize(
    ("gpus", "visible", "found"),
    [
        (None, None, "['0', '1', '2']"),
        (None, "2,1", "['2', '1']"),
        ("1", "2,1", "['1']"),
        ([0, 2], None, "['0', '2']"),
        (2, None, "['2']"),
        (" 0 , 1 ", None, "['0', '1']"),
    ],
)
def test_which_gpus_are_used(pretended, gpus, visible, found):
    environment = pretended | ({"CUDA_VISIBLE_DEVICES": visible} if visible is not None else {})
    done = run_python("-c", CHOSEN, repr(gpus), **environment)
    assert done.stdout.strip() == found, done.stderr


@pytest.mark.parametrize(
    ("gpus", "visible", "says"),
    [
        ("3", None, "there is no GPU 3; this machine has 0 to 2"),
        ("1,1", None, "names one twice"),
        ("one", None, "'one' is no number"),
        (None, "", "CUDA_VISIBLE_DEVICES is empty, which hides all 3 GPUs"),
    ],
)
def test_gpus_that_are_not_there_are_refused(pretended, gpus, visible, says):
    environment = pretended | ({"CUDA_VISIBLE_DEVICES": visible} if visible is not None else {})
    done = run_python("-c", CHOSEN, repr(gpus), **environment)
    assert done.returncode == 1
    assert says in done.stderr.splitlines()[-1]


def test_a_pool_without_rmm_is_refused(pretended, tmp_path):
    script = tmp_path / "script.py"
    script.write_text(OPENED.replace("dashboard_port=0", "dashboard_port=0, rmm_pool_size='1GB'"))
    done = run_python(str(script), **pretended)
    assert done.stderr.splitlines()[-1].startswith("polytene.exceptions.UsageError: ")
    assert "module 'rmm' is not available" in done.stderr


@pytest.mark.parametrize(
    ("environment", "says"),
    [
        ({"FAKE_GPUS": "0"}, "the NVIDIA driver lists no GPU"),
        ({"LD_LIBRARY_PATH": ""}, "finds no NVIDIA driver on this machine"),
    ],
)
def test_without_a_gpu_one_sentence_says_so(pretended, tmp_path, environment, says):
    script = tmp_path / "script.py"
    script.write_text(OPENED)
    done = run_python(str(script), **{**pretended, **environment})
    last = done.stderr.splitlines()[-1]
    assert last.startswith("polytene.exceptions.PreflightError: cluster 'cuda'")
    assert says in last
    assert "use --cluster local" in last


if __name__ == "__main__":
    main()
