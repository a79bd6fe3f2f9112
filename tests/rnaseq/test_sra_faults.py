"""What goes wrong with the SRA's own programs: each try is alone, and the next source is asked."""

from __future__ import annotations

import json
import threading
import time
from pathlib import Path

import psutil
import pytest
from tests.conftest import require_tool

RUN = "SRR90000001"
INF = float("inf")


@pytest.fixture
def sra(archive, make_sra, generated):
    for tool in ("prefetch", "fasterq-dump"):
        require_tool(tool)
    pair = [generated / "reads" / f"{RUN}_{end}.fastq.gz" for end in (1, 2)]
    make_sra(RUN, archive.folder, *pair)
    return archive


def table(plan) -> bytes:
    return (plan.settings.result_of(RUN) / "abundance.tsv").read_bytes()


def source_of(plan) -> str:
    done = json.loads((plan.settings.result_of(RUN) / "done.json").read_text())
    return str(done["made_of"]["source"])


@pytest.mark.parametrize("kind", ["truncate", "503", "corrupt", "html", "404"])
def test_a_fault_that_passes(plan, run, sra, truth, kind):
    made = plan([RUN], sources=["sra", "ena"])
    sra.fail(f"{RUN}.sra", kind)
    assert run(made).complete
    assert table(made) == truth(RUN)


@pytest.mark.parametrize("kind", ["truncate", "503", "corrupt", "404"])
def test_a_fault_that_stays_leads_to_the_next_source(plan, run, sra, truth, kind):
    made = plan([RUN], sources=["sra", "ena"])
    sra.fail(f"{RUN}.sra", kind, INF)
    assert run(made).complete
    assert source_of(made) == "ena"
    assert table(made) == truth(RUN)
    assert not list((made.settings.folder / "fastq").rglob("*.sra*"))


def test_where_no_other_source_is_asked_the_run_fails_in_a_way_that_may_pass(plan, run, sra):
    sra.fail(f"{RUN}.sra", "truncate", INF)
    (failure,) = run(plan([RUN], sources=["sra"])).quarantined
    assert failure.category == "transport"
    assert "prefetch" in failure.detail


def test_prefetch_that_hangs_is_ended_when_nothing_comes(plan, run, sra, truth):
    made = plan([RUN], sources=["sra", "ena"])
    sra.fail(f"{RUN}.sra", "stall", INF)
    sra.stall = 60.0
    assert run(made).complete
    assert source_of(made) == "ena"


def test_prefetch_killed_leaves_no_lock_that_matters(plan, run, sra, truth):
    """A lock that prefetch left behind stops any later prefetch in the same folder."""
    made = plan([RUN], sources=["sra"])
    folder = made.settings.folder / "fastq" / RUN
    folder.mkdir(parents=True)
    for name in (f"{RUN}.sra.lock", f"{RUN}.sra.tmp", f"{RUN}.sra.prf", f".{RUN}.lock"):
        (folder / name).touch()
    sra.rate = (sra.folder / f"{RUN}.sra").stat().st_size / 2.0
    killed: list[int] = []

    def kill() -> None:
        limit = time.monotonic() + 60
        while not killed and time.monotonic() < limit:
            time.sleep(0.02)
            if not list(folder.rglob("prefetch-*/**/*.lock")):
                continue
            for process in psutil.process_iter(["name", "cmdline"]):
                words = process.info["cmdline"] or [""]
                if Path(words[0]).name.startswith("prefetch") and str(folder) in " ".join(words):
                    process.kill()
                    killed.append(process.pid)
        sra.rate = 0.0

    killer = threading.Thread(target=kill)
    killer.start()
    outcome = run(made)
    killer.join()
    assert killed
    assert outcome.complete
    assert table(made) == truth(RUN)
    assert not list((made.settings.folder / "fastq").rglob("*.fastq"))


@pytest.mark.parametrize("damage", [lambda d: d[: len(d) // 2], lambda d: d[:-9000] + bytes(9000)])
def test_a_damaged_sra_file_in_the_local_folder(plan, run, sra, truth, tmp_path, damage):
    local = tmp_path / "local"
    local.mkdir()
    (local / f"{RUN}.sra").write_bytes(damage((sra.folder / f"{RUN}.sra").read_bytes()))
    (failure,) = run(plan([RUN], sources=["local"], local_dir=local)).quarantined
    assert (failure.reason, failure.category) == ("damaged-sra", "input")
    made = plan([RUN], sources=["local", "ena"], local_dir=local)
    assert run(made).complete
    assert table(made) == truth(RUN)
