"""Doctor, settings, completion: what is printed is what is so."""

from __future__ import annotations

import copy
import json
import os
import shutil
import socket
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import dask.config
import pytest
import yaml
from click.testing import CliRunner

from polytene import config, doctor_outside
from polytene.cli import polytene
from polytene.clusters.security import others_here
from polytene.doctor_disk import check_disk
from polytene.doctor_outside import check_archives
from polytene.exceptions import UsageError

HOME = Path(sys.executable).parent


def invoke(*args):
    return CliRunner().invoke(polytene, list(map(str, args)))


# doctor


def test_doctor_finds_this_machine_fit(tmp_path):
    done = subprocess.run([sys.executable, "-m", "polytene", "doctor", "--run-dir", tmp_path],
                          capture_output=True, text=True, timeout=180, check=False)  # fmt: skip
    assert done.returncode == 0, done.stdout
    lines = done.stdout.splitlines()
    assert all(line[:5].strip() in ("ok", "warn", "") for line in lines)
    looked_at = ["packages", "memory", "open files", "write speed", "fsync", "locks", "rename"]
    looked_at += ["local cluster", "archives", "dashboard port", "other users", "GPU"]
    for name in looked_at:
        assert any(line[6:].startswith(name) for line in lines)
    assert list(tmp_path.iterdir()) == []


def test_doctor_fails_where_nothing_can_be_written(monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    done = invoke("doctor", "--run-dir", "/proc/here", "--json")
    found = {check["name"]: check for check in json.loads(done.stdout)}
    assert (done.exit_code, found["run directory"]["status"]) == (4, "fail")
    assert "--run-dir DIR" in found["run directory"]["remedy"]
    assert found["local cluster"]["status"] == "ok", "one failure hides no other check"
    assert "samtools" in found["programs"]["said"]


def test_programs_say_their_versions(tmp_path, monkeypatch):
    good, mute = tmp_path / "kallisto", tmp_path / "samtools"
    good.write_text('#!/bin/sh\n[ "$1" = version ] && echo kallisto, version 0.51.1\n')
    mute.write_text("#!/bin/sh\nexit 3\n")
    for path in (good, mute):
        path.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    from polytene.doctor import _programs

    found = {check.name: check for check in _programs()}
    assert (found["kallisto"].status, found["kallisto"].said) == ("ok", f"0.51.1, {good}")
    assert found["samtools"].status == "warn"


def test_archives_that_do_not_answer_are_named():
    with ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        here = f"http://127.0.0.1:{server.server_port}/"
        try:
            good = check_archives({"here": here})
            found = check_archives({"here": here, "nowhere": "http://127.0.0.1:9/"})
        finally:
            server.shutdown()
            thread.join()
    assert (good.status, good.said) == ("ok", "reached: here")
    assert (found.status, found.said) == (
        "warn",
        "reached: here; not reached: nowhere (ConnectError)",
    )
    assert "https_proxy" in found.remedy


@pytest.mark.parametrize(
    ("name", "script", "status", "says"),
    [
        ("sbatch", 'echo "sbatch: Job 7 to start at noon" >&2', "ok", "Job 7 to start at noon"),
        ("sbatch", 'echo "sbatch: error: no account" >&2; exit 1', "warn", "error: no account"),
        ("nvidia-smi", 'echo "No devices were found"; exit 6', "warn", "No devices were found"),
        ("nvidia-smi", 'echo "Tesla T4"', "warn", "Tesla T4; "),
    ],
)
def test_programs_that_lead_outside_are_tried(tmp_path, monkeypatch, name, script, status, says):
    (tmp_path / name).write_text(f"#!/bin/sh\n{script}\n")
    (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin")
    found = doctor_outside._gpus() if name == "nvidia-smi" else next(doctor_outside._jobs())
    assert found.status == status
    assert says in found.said
    assert bool(found.remedy) == (status == "warn")


def test_a_taken_port_is_told():
    with socket.socket() as owner:
        owner.bind(("127.0.0.1", 0))
        owner.listen()
        port = owner.getsockname()[1]
        with dask.config.set({"polytene.cluster.dashboard-port": port}):
            assert doctor_outside._port().said == f"{port} on 127.0.0.1 is taken"
    with dask.config.set({"polytene.cluster.dashboard-port": port}):
        assert doctor_outside._port().status == "ok"


@pytest.mark.parametrize(("tls", "speaks"), [("on", True), ("off", False)])
def test_who_else_is_here_is_told(tls, speaks):
    with dask.config.set({"polytene.cluster.tls": tls}):
        found = doctor_outside._users()
    assert ("speak TLS" in found.said) == speaks
    assert (found.status == "warn") == (others_here() and not speaks)


def test_a_package_that_is_too_old_fails(monkeypatch):
    from polytene import doctor

    monkeypatch.setattr(doctor.metadata, "requires", lambda name: ["dask>=9999", "absent-package"])
    check = doctor._packages()
    assert (check.status, check.remedy) == ("fail", "pip install 'dask>=9999' 'absent-package'")


def test_a_disk_without_links_or_with_slow_writes_is_told(tmp_path, monkeypatch):
    def refuse(*args):
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    monkeypatch.setattr("polytene.doctor_disk.SLOW_FSYNC", -1.0)
    found = {check.name: check for check in check_disk(tmp_path / "not" / "there")}
    assert found["hard links"].status == found["fsync"].status == "warn"
    assert found["locks"].status == found["rename"].status == "ok"
    assert list(tmp_path.iterdir()) == []


# config


@pytest.fixture
def settings(tmp_path, monkeypatch):
    """A folder of settings of our own; the environment has none."""
    for name in [n for n in os.environ if n.startswith("DASK_POLYTENE")]:
        monkeypatch.delenv(name)
    monkeypatch.setattr(dask.config, "paths", [str(tmp_path / "system"), str(tmp_path / "mine")])
    monkeypatch.setattr(dask.config, "PATH", str(tmp_path / "mine"))
    before = copy.deepcopy(dask.config.config)
    yield tmp_path
    dask.config.config.clear()
    dask.config.config.update(before)


def rows(*args):
    done = invoke("config", "show", *args, "--json")
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    return {row["name"]: (row["value"], row["source"], row["known"]) for row in found}


def write(path, text):
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    return str(path)


def test_each_value_says_where_it_is_from(settings, monkeypatch):
    assert {source for _, source, _ in rows().values()} == {"default"}
    assert set(rows()) == {name for name, _ in config._leaves(config.defaults())}
    write(settings / "system" / "a.yaml", "polytene:\n  fsync: false\n  in-flight: 7\n")
    mine = write(settings / "mine" / "b.yaml", "polytene: {in_flight: 8, cluster: {wrokers: 3}}\n")
    monkeypatch.setenv("DASK_POLYTENE__CLUSTER__THREADS", "2")
    dask.config.refresh(paths=dask.config.paths)
    found = rows()
    assert found["polytene.fsync"] == (False, str(settings / "system" / "a.yaml"), True)
    assert found["polytene.in-flight"] == (8, mine, True)
    assert found["polytene.cluster.threads"] == (2, "DASK_POLYTENE__CLUSTER__THREADS", True)
    assert found["polytene.cluster.wrokers"] == (3, mine, False)
    assert found["polytene.task-seconds"][1] == "default"
    assert "polytene reads no such setting" in invoke("config", "show", "cluster").stdout


@pytest.mark.parametrize("key", ["cluster.threads", "polytene.cluster.threads"])
def test_one_key(settings, key):
    assert list(rows(key)) == ["polytene.cluster.threads"]
    assert len(rows("cluster")) > 3
    done = invoke("config", "show", "cluster.thread")
    assert (done.exit_code, "similar: polytene.cluster.threads" in done.stderr) == (2, True)


def test_init_writes_the_defaults_to_edit(settings):
    done = invoke("config", "init")
    path = settings / "mine" / "polytene.yaml"
    assert (done.exit_code, str(path) in done.stdout) == (0, True)
    text = path.read_text()
    assert yaml.safe_load(text) is None, "nothing is set by it"
    body = text.split("\n\n", 1)[1]
    plain = "\n".join(line.removeprefix("# ") for line in body.splitlines())
    assert yaml.safe_load(plain) == config.defaults()
    path.write_text("polytene: {}\n")
    again = invoke("config", "init")
    assert (again.exit_code, "--force" in again.stderr) == (2, True)
    assert path.read_text() == "polytene: {}\n"
    assert invoke("config", "init", "--force").exit_code == 0
    assert path.read_text() == text
    assert invoke("config", "init", settings / "other.yml").exit_code == 0
    assert (settings / "other.yml").read_text() == text
    with pytest.raises(UsageError, match="cannot be written"):
        config.write_defaults(Path("/proc/polytene.yaml"))


# completion


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_says_how_to_install_it(shell):
    done = invoke("completion", shell)
    assert done.exit_code == 0
    assert done.stdout.startswith("# ")
    assert "_POLYTENE_COMPLETE" in done.stdout
    assert f"polytene completion {shell}" in done.stdout.splitlines()[0]


def complete(*words, folder="."):
    """What bash offers for the last word, with the script that polytene prints."""
    script = (
        'eval "$(polytene completion bash)"; '
        f"COMP_WORDS=({' '.join(words)}); COMP_CWORD={len(words) - 1}; "
        "_polytene_completion polytene; printf '%s\\n' \"${COMPREPLY[@]}\""
    )
    env = {**os.environ, "PATH": f"{HOME}:{os.environ['PATH']}"}
    done = subprocess.run(["bash", "-c", script], cwd=folder, env=env, capture_output=True,
                          text=True, timeout=60, check=True)  # fmt: skip
    return set(done.stdout.split())


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash here")
def test_bash_completes():
    assert complete("polytene", "codons", "c") >= {"count", "compare", "cut"}
    assert complete("polytene", "codons", "cou") == {"count"}
    assert complete("polytene", "e") == {"explain"}
    assert "--dry-run" in complete("polytene", "clean", "--d")
    assert complete("polytene", "codons", "count", "--mode", "c") == {"cds"}
