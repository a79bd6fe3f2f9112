"""Jobs that do not come up are told of at once, with SLURM's own words or the job's log."""

from __future__ import annotations

import itertools
import os
from pathlib import Path

import dask
import pytest
import yaml

from polytene import cluster
from polytene.clusters import slurm_script
from polytene.clusters.named import FOLDERS, packaged
from polytene.clusters.slurm import settings_of
from polytene.clusters.slurm_script import kinds_of, own_paths, script_of, seconds, slurm_time
from polytene.exceptions import Interrupted, PreflightError, UsageError

QUICK = {"memory_limit": "1GB", "walltime": "00:10:00", "margin": "30s", "dashboard_port": 0}


@pytest.fixture(autouse=True)
def in_own_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"memory_limit": "900GB"}, "Requested node configuration is not available"),
        ({"queue": "nosuch"}, "invalid partition specified: nosuch"),
        ({"gres": "tpu:1"}, "Invalid generic resource"),
        ({"directives": ["--no-such-option"]}, "unrecognized option '--no-such-option'"),
        ({"queue": "short"}, "PartitionTimeLimit"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_a_refused_job_raises_with_the_words_of_slurm(slurm, options, words):
    with pytest.raises(PreflightError, match=words), cluster("slurm", **{**QUICK, **options}):
        pass
    slurm.wait(lambda: not slurm.jobs(), "end of all jobs")


def test_a_failing_prologue_raises_with_the_end_of_its_log(slurm):
    """Not for ever: a few jobs are tried, and no more."""
    line = "module load no-such-module || { echo 'no such module' >&2; exit 7; }"
    before = slurm.jobs("FAILED").keys()
    with pytest.raises(PreflightError, match=r"do not come up(?s:.*)no such module") as caught:
        with cluster("slurm", workers=2, prologue=[line], **QUICK):
            pass
    assert "before its worker was up" in str(caught.value)
    assert 3 <= len(slurm.jobs("FAILED").keys() - before) <= 5
    slurm.wait(lambda: not slurm.jobs(), "end of all jobs")


def test_a_worker_that_cannot_reach_the_scheduler_is_named(slurm):
    line = "exec sleep 60"
    with pytest.raises(PreflightError, match="does it reach this machine"):
        with cluster("slurm", workers=1, prologue=[line], start_timeout="2s", **QUICK):
            pass
    slurm.wait(lambda: not slurm.jobs(), "end of all jobs")


def test_who_asks_for_a_stop_does_not_wait_for_the_queue(slurm):
    """Eight cores are all there are."""
    with pytest.raises(Interrupted, match="stopped while jobs waited"):
        with cluster("slurm", workers=1, prologue=["sleep 60"], stop=lambda: True, **QUICK):
            pass
    slurm.wait(lambda: not slurm.jobs(), "end of all jobs")


def test_without_slurm_it_says_what_is_missing(monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(PreflightError, match="sbatch is not on PATH"), cluster("slurm"):
        pass


# The script


def kinds(name="slurm", **overrides):
    return kinds_of(settings_of(packaged(name), overrides))


def script(**overrides):
    (kind,) = kinds(**overrides)
    return script_of(kind, 0, "tls://127.0.0.1:1", "name", Path("/x"), None)


@pytest.mark.parametrize("field", ["queue", "account", "constraint", "gres", "interface"])
@pytest.mark.parametrize("evil", ["q\ntouch pwned #", "q\r", "q\0", "q\x1b[2J", "q\u2028x", "a b"])
def test_control_characters_are_refused_in_every_field(field, evil):
    with pytest.raises(UsageError, match=rf"slurm\.{field}"):
        kinds(**{field: evil})


@pytest.mark.parametrize("field", ["directives", "prologue"])
def test_control_characters_are_refused_in_every_line(field):
    with pytest.raises(UsageError, match=rf"slurm\.{field} holds a control character"):
        kinds(**{field: ["--qos=a\ntouch pwned"]})


def test_control_characters_are_refused_in_pools_and_resources():
    for pool in ({"queue": "q\nx"}, {"resources": {"G\nX": 1}}, {"prologue": ["a\nb"]}):
        with pytest.raises(UsageError, match="control character"):
            kinds(pools={"gpu": pool})
    with pytest.raises(UsageError, match="control character"):
        kinds(pools={"g\nx": {}})


def test_the_shipped_settings_name_no_queue_account_constraint_or_interface():
    text = script()
    directives = [line.split()[1] for line in text.splitlines() if line.startswith("#SBATCH")]
    assert sorted(directives) == [
        "--cpus-per-task=1", "--mem=3815M", "--no-requeue", "--signal=B:USR1@60", "-J", "-n", "-t",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("limit", "mem"),
    [("4GB", "3815M"), ("4GiB", "4096M"), ("1.5GiB", "1536M"), (10**9, "954M"), ("700MB", "668M")],
)
def test_memory_is_what_was_asked_for_to_the_mebibyte(limit, mem):
    assert f"#SBATCH --mem={mem}\n" in script(memory_limit=limit)


def test_auto_leaves_memory_to_slurm():
    text = script(memory_limit="auto")
    assert "--mem=" not in text
    assert "--memory-limit allotted" in text


@pytest.mark.parametrize(
    ("text", "expected"),
    [("30", 1800), ("30:10", 1810), ("1:30:00", 5400), ("2-00", 172800), ("2-12:30", 217800),
     ("90s", 90), ("2h", 7200)],
)  # fmt: skip
def test_times_are_read_as_slurm_reads_them(text, expected):
    assert seconds("walltime", text) == expected
    assert seconds("walltime", slurm_time(expected)) == expected


@pytest.mark.parametrize("value", [3600, 5400.0, None, "soon", "", "1:2:3:4"])
def test_other_times_are_refused(value):
    with pytest.raises(UsageError, match="give a time in quotes"):
        seconds("walltime", value)


def test_a_walltime_without_a_life_is_refused():
    with pytest.raises(UsageError, match="leaves 0 s"):
        kinds(walltime="00:02:00", margin="2m")


def test_lifetimes_are_spread_widely():
    (kind,) = kinds(walltime="1h", margin="2m")
    ends = sorted(kind.drain_after(i) for i in range(10))
    assert kind.lifetime / 2 <= ends[0]
    assert ends[-1] == kind.lifetime
    assert min(b - a for a, b in itertools.pairwise(ends)) > 60


def test_pools_say_what_is_different():
    cpu, gpu = kinds("slurm-gpu", workers=3)
    assert (cpu.workers, gpu.workers) == (3, 1)
    assert (cpu.resources, gpu.resources) == ({"CPU": 1.0}, {"GPU": 1.0})
    assert (cpu.gres, gpu.gres) == (None, "gpu:1")
    assert (cpu.walltime, cpu.memory, gpu.memory) == (gpu.walltime, 4 * 10**9, 8 * 10**9)
    with pytest.raises(UsageError, match=r"pool .gpu.: there is no setting memory"):
        kinds(pools={"gpu": {"memory": "8GB"}})


def test_what_the_user_has_set_counts_more_than_what_is_shipped(tmp_path):
    own = {"polytene.cluster.slurm.queue": "long", "polytene.cluster.workers": 7}
    with dask.config.set(own):
        (kind,) = kinds()
        assert (kind.queue, kind.workers, kind.memory) == ("long", 7, 4 * 10**9)
        (kind,) = kinds(queue="short")
        assert (kind.queue, kind.workers) == ("short", 7)


def test_shipped_files_hold_what_the_defaults_say():
    """What slurm.yaml explains with a value of its own is the default, save what SLURM needs."""
    path = next(f / "slurm.yaml" for f in FOLDERS if f.is_dir())
    shipped = yaml.safe_load(path.read_text())["polytene"]["cluster"]["slurm"]
    assert shipped == dask.config.get("polytene.cluster.slurm")


def test_modules_beside_the_script_are_found_by_workers(monkeypatch, tmp_path):
    monkeypatch.syspath_prepend(str(tmp_path))
    assert own_paths()[0] == str(tmp_path)
    assert not [path for path in own_paths() if Path(path).is_relative_to(Path(os.__file__).parent)]


def test_nothing_is_written_into_the_home_folder(monkeypatch, tmp_path):
    import dask_jobqueue.config

    monkeypatch.setattr(dask.config, "PATH", str(tmp_path / "home"))
    slurm_script.jobqueue()
    assert not (tmp_path / "home").exists()
    assert dask_jobqueue.config
