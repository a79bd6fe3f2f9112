"""The device of a run: asked for, or what the cluster owns when the run begins."""

from __future__ import annotations

import pytest
from distributed import Client

from polytene.core.device import settled
from polytene.exceptions import UsageError


@pytest.fixture(scope="module")
def with_gpu():
    about = {"dashboard_address": "127.0.0.1:0", "worker_dashboard_address": "127.0.0.1:0"}
    about |= {"memory_limit": None, "resources": {"GPU": 1}, "set_as_default": False}
    with Client(processes=False, n_workers=1, **about) as client:
        yield client


def test_auto_is_what_the_cluster_has_when_the_run_begins(tmp_path, with_gpu):
    with settled("auto", tmp_path / "a", with_gpu) as (device, client):
        assert (device, client) == ("cuda", with_gpu)
    with settled("auto", tmp_path / "b") as (device, client):
        assert (device, client.status) == ("cpu", "running")
    assert client.status == "closed"
    with settled("auto", tmp_path / "b", with_gpu) as (device, _):
        assert device == "cpu", "a resumed run goes on where it was"
    not_opened = object()
    with settled("auto", tmp_path / "a", not_opened) as (device, client):
        assert (device, client) == ("cuda", not_opened)


@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_what_is_asked_for_opens_nothing(tmp_path, device):
    with settled(device, tmp_path / "run", None) as found:
        assert found == (device, None)
    assert not (tmp_path / "run").exists()


def test_another_device_is_refused(tmp_path):
    with pytest.raises(UsageError, match="device is 'tpu': one of auto, cpu, cuda"):
        with settled("tpu", tmp_path):
            pass
