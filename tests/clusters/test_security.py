"""Clusters that other users of the host cannot enter: credentials that live as long as they do."""

from __future__ import annotations

import datetime
import json
import os
import signal
import ssl
import stat
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import pytest
from cryptography import x509
from distributed import Client
from distributed.security import Security
from tests.rooms import count_codons

from polytene import cluster
from polytene.clusters import security as sec
from polytene.exceptions import PreflightError, UsageError
from polytene.testing import write_set

STRANGER = """
import json, os, socket, ssl, sys
port, key = int(sys.argv[1]), sys.argv[2]
context = ssl.create_default_context()
context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
"127.0.0.1".encode("idna")  # its codec cannot be loaded as somebody else
if os.getuid() == 0:
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)
def answer(secure):
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=20) as plain:
            if not secure:
                plain.sendall(bytes(8))
                return plain.recv(8).hex() or "closed"
            with context.wrap_socket(plain) as wrapped:
                wrapped.sendall(bytes(8))
                return wrapped.recv(8).hex() or "closed"
    except OSError as error:
        return "refused: " + type(error).__name__
try:
    open(key).close()
    seen = "read"
except OSError as error:
    seen = type(error).__name__
print(json.dumps([os.getuid(), answer(False), answer(True), seen]))
"""


@pytest.fixture(scope="module")
def closed():
    """A cluster of one worker that takes nobody without its certificate."""
    with cluster("local", workers=1, memory_limit="500MB", dashboard_port=0, tls="on") as client:
        yield client


def stranger(client: Client, key: str) -> list[object]:
    """Ask for an answer as another user of the host, without a certificate."""
    port = urlsplit(client.scheduler.address).port
    done = subprocess.run(
        [sys.executable, "-c", STRANGER, str(port), key],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    return json.loads(done.stdout)


def test_another_user_is_refused(closed):
    key = closed.security.tls_client_key
    uid, plain, encrypted, seen = stranger(closed, key)
    assert uid == (65534 if os.getuid() == 0 else os.getuid())
    assert plain.startswith(("refused", "closed"))
    assert encrypted.startswith(("refused", "closed"))
    assert os.getuid() or seen == "PermissionError"
    assert closed.submit(sum, [1, 2], pure=False).result() == 3, "the cluster goes on"


def test_without_tls_another_user_is_answered(local_client):
    """What TLS is for."""
    _, plain, _, _ = stranger(local_client, __file__)
    assert not plain.startswith(("refused", "closed"))


@pytest.mark.parametrize("who", ["no certificate", "another certificate", "no encryption"])
def test_a_client_without_the_certificate_is_refused(closed, who):
    address = closed.scheduler.address
    if who == "no encryption":
        address = address.replace("tls://", "tcp://")
    with sec.credentials() as others:
        shown = others if who == "another certificate" else Security()
        with pytest.raises((OSError, TypeError)):
            Client(address, security=shown, timeout="3s", set_as_default=False)
    assert closed.submit(sum, [1, 2], pure=False).result() == 3


def test_an_address_with_tls_needs_certificates(closed):
    with pytest.raises(PreflightError, match=r"distributed\.comm\.tls"):
        with cluster(closed.scheduler.address):
            pass


def test_everything_listens_on_loopback_and_speaks_tls(closed):
    me = psutil.Process()
    found = {
        connection.laddr.ip
        for process in (me, *me.children(recursive=True))
        for connection in process.net_connections("inet")
        if connection.status == psutil.CONN_LISTEN
    }
    assert found <= {"127.0.0.1", "::1"}
    assert all(address.startswith("tls://127.0.0.1:") for address in closed.nthreads())


def test_the_bytes_of_a_result_do_not_depend_on_tls(closed, local_client, tmp_path):
    write_set(tmp_path / "set", sequences=12, group_rows=3)
    found = [
        count_codons(tmp_path, tmp_path / name, client).read_bytes()
        for name, client in (("closed", closed), ("open", local_client))
    ]
    assert found[0] == found[1]


def test_credentials_are_for_their_owner_alone_and_end_with_the_cluster(tmp_path):
    with sec.credentials(tmp_path, days=2) as found:
        folder = Path(found.tls_ca_file).parent
        assert folder.parent == tmp_path
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        for path in (found.tls_worker_key, found.tls_scheduler_key, found.tls_client_key):
            assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
        certificate = x509.load_pem_x509_certificate(Path(found.tls_ca_file).read_bytes())
        now = datetime.datetime.now(datetime.UTC)
        assert now < certificate.not_valid_after_utc <= now + datetime.timedelta(days=2)
        assert found.tls_min_version == ssl.TLSVersion.TLSv1_3
    assert list(tmp_path.iterdir()) == []


def test_credentials_end_with_an_error_too(tmp_path):
    with suppress(KeyError), sec.credentials(tmp_path):
        raise KeyError
    assert list(tmp_path.iterdir()) == []


def test_no_two_clusters_have_the_same(tmp_path):
    with sec.credentials(tmp_path) as one, sec.credentials(tmp_path) as two:
        assert Path(one.tls_ca_file).read_bytes() != Path(two.tls_ca_file).read_bytes()
        assert len(list(tmp_path.iterdir())) == 2, "the first is in use, and stays"


HOLD = """
import sys
from polytene.clusters.security import credentials
with credentials(sys.argv[1]) as found:
    print(found.tls_ca_file, flush=True)
    sys.stdin.read()
"""


def test_those_of_a_driver_that_was_killed_are_swept_at_the_next_start(tmp_path):
    command = [sys.executable, "-c", HOLD, str(tmp_path)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, **pipes) as killed, subprocess.Popen(command, **pipes) as alive:
        dead, kept = (Path(one.stdout.readline().strip()).parent for one in (killed, alive))
        killed.send_signal(signal.SIGKILL)
        killed.wait()
        assert dead.exists()
        with sec.credentials(tmp_path):
            assert not dead.exists()
            assert kept.exists(), "its driver lives"
        alive.communicate("")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("days", "stays"), [(1, True), (-1, False)])
def test_those_of_another_host_stay_as_long_as_they_are_valid(tmp_path, days, stays):
    folder = tmp_path / f"{sec.PREFIX}x"
    folder.mkdir(mode=0o700)
    until = datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=days)
    (folder / "owner").write_text(json.dumps({"host": "elsewhere", "until": until.isoformat()}))
    sec.sweep(tmp_path)
    assert folder.exists() == stays


def test_what_only_looks_like_credentials_is_left_alone(tmp_path):
    (tmp_path / "target").mkdir()
    (tmp_path / f"{sec.PREFIX}link").symlink_to(tmp_path / "target")
    (tmp_path / f"{sec.PREFIX}empty").mkdir()
    (tmp_path / f"{sec.PREFIX}torn").mkdir()
    (tmp_path / f"{sec.PREFIX}torn" / "owner").write_text('{"host"')
    sec.sweep(tmp_path)
    assert len(list(tmp_path.iterdir())) == 4


@pytest.mark.parametrize(
    ("mode", "found"), [("on", True), ("off", False), (True, True), (False, False)]
)
def test_modes(mode, found):
    assert sec.wanted(mode) is found


def test_auto_is_on_where_others_are():
    assert sec.wanted("auto") is sec.others_here()
    assert [sec._is_other(uid, 1001) for uid in (0, 999, 1000, 1001, 65534)] == [
        False, False, True, False, False,
    ]  # fmt: skip


@pytest.mark.parametrize("about", [{"tls": "maybe"}, {"tls": "on", "tls_days": 0}])
def test_what_means_nothing_is_refused(about):
    with pytest.raises(UsageError, match="tls"), cluster("local", dashboard_port=0, **about):
        pass


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match=r"file.*no folder for credentials"):
        with sec.credentials(tmp_path / "file"):
            pass
