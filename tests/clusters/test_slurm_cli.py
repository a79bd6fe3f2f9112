"""The commands on a real SLURM: show, check, start, and a driver that is a job itself."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from polytene import genome
from polytene.cli import polytene
from polytene.clusters.slurm import FOLDER
from polytene.testing import write_assembly

POLYTENE = [sys.executable, "-m", "polytene"]
CHUNKS = 10
SITE = {
    "polytene": {
        "cluster": {
            "kind": "slurm",
            "workers": 1,
            "memory-limit": "1GB",
            "dashboard-port": 0,
            "slurm": {"walltime": "00:10:00", "driver-memory": "1GB"},
        }
    }
}


@pytest.fixture
def site(tmp_path, monkeypatch):
    """A folder with the configuration file of a site."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "site.yaml").write_text(yaml.safe_dump(SITE))
    return tmp_path


def said(*words):
    done = CliRunner().invoke(polytene, words)
    return done.exit_code, done.output


def test_show_lists_what_there_is_and_prints_the_script_of_a_job(site):
    code, text = said("cluster", "show")
    assert code == 0
    assert [line.split()[0] for line in text.splitlines()] == [
        "cuda", "local", "slurm", "slurm-gpu",
    ]  # fmt: skip
    code, text = said("cluster", "show", "site.yaml")
    assert code == 0
    assert "#SBATCH --mem=954M" in text
    assert "walltime: 00:10:00" in text


def test_check_tries_a_job_and_looks_at_it_from_inside(slurm, site):
    code, text = said("cluster", "check", "site.yaml")
    assert code == 0, text
    assert "FAIL" not in text
    seen = ("slurm-wlm", "way to the nodes: 127.0.0.1", "to start at", "794.00 MiB, 1 threads")
    for words in (*seen, "the same files as here", "free", "the same as here"):
        assert words in text
    slurm.wait(lambda: not slurm.jobs(), "end of all jobs")
    assert sorted(p.name for p in site.iterdir()) == ["site.yaml"]


def test_check_says_what_is_wrong(slurm, site):
    wrong = yaml.safe_load((site / "site.yaml").read_text())
    wrong["polytene"]["cluster"]["memory-limit"] = "900GB"
    (site / "site.yaml").write_text(yaml.safe_dump(wrong))
    code, text = said("cluster", "check", "site.yaml")
    assert code == 4
    assert "FAIL SLURM: sbatch: " in text
    assert "Requested node configuration is not available" in text


def test_a_cluster_that_stays_serves_commands_in_turn(slurm, site):
    """Who cannot read its certificate cannot connect."""
    with subprocess.Popen([*POLYTENE, "cluster", "start", "site.yaml"], text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE) as kept:  # fmt: skip
        try:
            slurm.wait((site / "cluster.yaml").exists, "connection file")
            assert (site / "cluster.yaml").stat().st_mode & 0o777 == 0o600
            code, text = said("cluster", "check", "cluster.yaml")
            assert code == 0, text
            address = yaml.safe_load((site / "cluster.yaml").read_text())["polytene"]["cluster"]
            code, text = said("cluster", "check", address["kind"])
            assert code == 4
            assert "takes only who has its certificate" in text
        finally:
            kept.kill()
            kept.communicate(timeout=60)
    (site / "cluster.yaml").unlink()
    slurm.wait(lambda: not slurm.jobs("RUNNING"), "end of jobs whose scheduler is gone")
    (left,) = (site / FOLDER).iterdir()
    with subprocess.Popen([*POLYTENE, "cluster", "start", "site.yaml"], text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE) as kept:  # fmt: skip
        slurm.wait((site / "cluster.yaml").exists, "connection file")
        assert not left.exists(), "what a killed one left behind"
        kept.send_signal(signal.SIGINT)
        kept.communicate(timeout=60)
    assert sorted(path.name for path in site.iterdir()) == ["site.yaml"]
    slurm.wait(lambda: not slurm.jobs(), "end of all jobs")


def plan_chunks(folder):
    made = write_assembly(folder / "assembly", bases=60_000)
    genome.plan_chunks(made.fasta, n_chunks=CHUNKS).save(folder / "chunks.json")
    task = 'sh -c "sleep 1; echo {chunk_id} > {output_dir}/{chunk_id}.txt"'
    return ["genome", "run", "--chunk-plan", "chunks.json", "--command", task,
            "--output-dir", "out", "--run-dir", "run"]  # fmt: skip


def test_a_driver_in_a_job_goes_on_where_it_was_when_its_job_is_requeued(slurm, site):
    """Its warning makes it exit with 75, and the job goes back to the queue by itself."""
    own = ["--workers", "1", "--memory-limit", "1GB", "--cluster", "local", "--submit", "--json"]
    code, text = said(*plan_chunks(site), *own)
    assert code == 0, text
    about = json.loads(text)
    job, log = about["job"], Path(about["log"])
    begun = re.compile(r"^chunk [2-6]/", re.M)
    slurm.wait(lambda: log.exists() and begun.search(log.read_text()), "begun work")
    slurm("scancel", "--signal=USR1", "--batch", job)
    slurm.wait(lambda: "SIGUSR1" in log.read_text(), "heard signal")
    slurm.wait(lambda: job not in slurm.jobs("PENDING,RUNNING,COMPLETING"), "end of the job", 180)
    (last,) = [line for line in log.read_text().splitlines() if " planned: " in line]
    assert last.startswith(f"{CHUNKS} planned: ")
    assert " 0 resumed" not in last
    assert len(list((site / "out").glob("*.txt"))) == CHUNKS
    assert slurm("squeue", "-h", "-t", "all", "-j", job, "-o", "%T") == "COMPLETED"


def test_a_submitted_run_has_to_say_how_large_it_is(slurm, site):
    code, text = said(*plan_chunks(site), "--submit", "--cluster", "local")
    assert code == 2
    assert "give --workers and --memory-limit" in text
    slurm.wait(lambda: not slurm.jobs(), "end of all jobs")
