"""What goes wrong on the way, and what becomes of it: nothing partial ever counts as done."""

from __future__ import annotations

import gzip
import importlib
import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from tests.conftest import require_tool
from tests.rnaseq.conftest import DEBIAN, READS, until

from polytene import rnaseq

RUN = "SRR90000001"
MATE = f"{RUN}_2.fastq.gz"
MODES = ["stream", "staged"]


def table(plan, name=RUN) -> bytes:
    return (plan.settings.result_of(name) / "abundance.tsv").read_bytes()


def only_whole(plan) -> None:
    """Nothing is left but proven results."""
    quant = plan.settings.folder / "quant"
    for folder in quant.iterdir() if quant.exists() else ():
        assert not folder.name.startswith("."), folder
        assert (folder / "done.json").exists()
    fastq = plan.settings.folder / "fastq"
    assert not [p for p in fastq.rglob("*.fastq*") if not p.name.endswith(".part")]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("kind", ["truncate", "503", "429", "stall", "html"])
def test_a_fault_that_passes_is_healed(plan, run, archive, truth, mode, kind):
    made = plan([RUN], mode=mode)
    archive.fail(MATE, kind)
    outcome = run(made)
    assert outcome.complete, outcome.quarantined
    assert table(made) == truth(RUN)
    only_whole(made)


@pytest.mark.parametrize("mode", MODES)
def test_a_cut_download_goes_on_where_it_was_cut(plan, run, archive, mode):
    made = plan([RUN], mode=mode)
    archive.fail(MATE, "truncate", 2)
    assert run(made).complete
    size = (archive.folder / MATE).stat().st_size
    assert archive.given[MATE] == size
    assert [r for n, r in archive.requests if n == MATE and r] == [
        f"bytes={size // 2}-",
        f"bytes={size // 2 + (size - size // 2) // 2}-",
    ]


@pytest.mark.parametrize("mode", MODES)
def test_a_changed_byte_is_seen_though_kallisto_is_content(plan, run, archive, truth, mode):
    made = plan([RUN], mode=mode)
    archive.fail(MATE, "corrupt", 1)
    assert run(made).complete
    assert table(made) == truth(RUN)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("corrupt", "wrong-checksum"),
        ("503", "503"),
        ("truncate", "connection-lost"),
        ("404", "not-found"),
    ],
)
def test_a_fault_that_stays_costs_its_run_alone(plan, run, archive, mode, kind, said):
    made = plan([RUN, "SRR90000002"], mode=mode)
    archive.fail(MATE, kind, float("inf"))
    outcome = run(made)
    (failure,) = outcome.quarantined
    assert failure.key == RUN
    assert said in f"{failure.reason} {failure.detail}"
    assert failure.category == ("input" if kind == "404" else "transport")
    assert not made.settings.result_of(RUN).exists()
    assert [p.name for p in (made.settings.folder / "quant").iterdir()] == ["SRR90000002"]


@pytest.mark.parametrize("mode", MODES)
def test_transport_failures_are_tried_again_by_the_same_command(plan, run, archive, truth, mode):
    made = plan([RUN], mode=mode)
    archive.fail(MATE, "503", float("inf"))
    assert len(run(made).quarantined) == 1
    archive.faults.clear()
    assert run(made).complete
    assert table(made) == truth(RUN)
    first = f"{RUN}_1.fastq.gz"
    if mode == "staged":  # what came whole is not downloaded again
        assert archive.given[first] == (archive.folder / first).stat().st_size


@pytest.mark.parametrize("mode", MODES)
def test_fewer_reads_than_the_archive_counts_are_no_success_and_no_retry(plan, run, archive, mode):
    archive.reads[RUN] = READS + 1
    (failure,) = run(plan([RUN], mode=mode)).quarantined
    assert (failure.reason, failure.category) == ("other-read-count", "input")
    assert f"{READS:,} reads in files that are whole" in failure.detail
    assert archive.given[MATE] == (archive.folder / MATE).stat().st_size


@pytest.mark.parametrize("mode", MODES)
def test_a_quantifier_that_takes_too_long_is_not_the_sources_fault(
    plan, run, archive, tmp_path, mode
):
    slow = tmp_path / "kallisto"
    slow.write_text('#!/bin/sh\nif [ "$1" = quant ]; then sleep 30; fi\nexec kallisto "$@"\n')
    slow.chmod(0o755)
    made = plan([RUN], mode=mode, program=str(slow), quant_timeout=0.5)
    (failure,) = run(made).quarantined
    assert failure.category == "tool"
    assert "kallisto was ended after 0.5 s" in failure.detail
    tries = 2 if mode == "stream" else 1
    assert archive.given[MATE] <= tries * (archive.folder / MATE).stat().st_size


@pytest.mark.parametrize("mode", MODES)
def test_where_the_archive_counts_nothing_the_reads_are_counted(plan, run, archive, truth, mode):
    archive.reads.clear()
    made = plan([RUN], mode=mode)
    assert run(made).complete
    done = json.loads((made.settings.result_of(RUN) / "done.json").read_text())
    assert done["reads_expected"] == done["n_processed"] == READS
    assert table(made) == truth(RUN)


@pytest.mark.parametrize("mode", MODES)
def test_reads_of_something_else_are_a_verdict_and_no_retry(plan, run, archive, mode):
    noise = b"".join(b"@r%d\n%s\n+\n%s\n" % (i, b"A" * 75, b"I" * 75) for i in range(READS))
    for end in (1, 2):
        (archive.folder / f"{RUN}_{end}.fastq.gz").write_bytes(gzip.compress(noise, mtime=0))
    (failure,) = run(plan([RUN], mode=mode)).quarantined
    assert (failure.reason, failure.category) == ("zero-pseudoaligned", "input")


def test_an_orphan_third_file_is_left_out(plan, run, archive, truth):
    orphans = gzip.compress(b"@o\n" + b"A" * 75 + b"\n+\n" + b"I" * 75 + b"\n", mtime=0)
    (archive.folder / f"{RUN}.fastq.gz").write_bytes(orphans)
    archive.reads[RUN] = READS + 1
    made = plan([RUN])
    assert len(made.units[0].remote) == 3
    assert run(made).complete
    assert table(made) == truth(RUN)


def test_one_file_for_a_paired_run_is_taken_as_single_end_and_said(plan, run, archive, tmp_path):
    (archive.folder / MATE).unlink()
    (archive.folder / f"{RUN}_1.fastq.gz").rename(archive.folder / f"{RUN}.fastq.gz")
    sheet = tmp_path / "runs.csv"
    sheet.write_text(f"Run,LibraryLayout,spots\n{RUN},PAIRED,{READS}\n")
    made = plan(sheet)
    assert run(made).complete
    done = json.loads((made.settings.result_of(RUN) / "done.json").read_text())
    assert (done["layout_declared"], done["layout_used"]) == ("PAIRED", "SINGLE")


def test_a_partial_table_of_an_earlier_script_is_not_done(plan, run, truth):
    made = plan([RUN])
    folder = made.settings.result_of(RUN)
    folder.mkdir(parents=True)
    (folder / "abundance.tsv").write_bytes(truth(RUN)[:300])
    assert rnaseq.status(made.settings.folder).partial == [RUN]
    assert run(made).computed == 1
    assert table(made) == truth(RUN)


def test_a_result_that_was_removed_is_made_again(plan, run, runs, truth):
    made = plan(runs[:3])
    run(made)
    shutil.rmtree(made.settings.result_of(RUN))
    outcome = run(made)
    assert outcome.complete
    assert (outcome.computed, outcome.resumed) == (1, 2)
    assert table(made) == truth(RUN)


@pytest.mark.parametrize("part", ["_1", "_2", ""])
def test_reads_that_vanish_between_download_and_quantification_come_again(
    plan, run, archive, truth, part, monkeypatch
):
    sources = importlib.import_module("polytene.rnaseq.sources")
    made = plan([RUN], mode="staged")
    keep, lost = sources._keep, []

    def lose(folder, value, traffic):
        out = keep(folder, value, traffic)
        if not lost:
            lost.append(folder)
            shutil.rmtree(folder) if not part else (folder / f"{RUN}{part}.fastq.gz").unlink()
        return out

    monkeypatch.setattr(sources, "_keep", lose)
    assert run(made).complete
    assert lost
    assert table(made) == truth(RUN)


def test_mates_that_come_at_different_speeds_do_not_wait_for_each_other_for_ever(
    plan, run, archive
):
    """One mate is ahead by more than any pipe holds, while the quantifier asks for the other."""
    copies = 130
    for end in (1, 2):
        path = archive.folder / f"{RUN}_{end}.fastq.gz"
        path.write_bytes(path.read_bytes() * copies)  # members of gzip follow one another
    archive.reads[RUN] = READS * copies
    archive.fail(MATE, "stall")
    archive.stall = 3.0
    made = plan([RUN], mode="stream")
    (row,) = run(made).result
    assert row["n_processed"] == READS * copies


def test_no_tool_survives_when_its_run_is_killed(generated, archive, tmp_path):
    archive.rate = 300
    work = tmp_path / "work"
    (tmp_path / "runs.txt").write_text(RUN + "\n")
    command = [sys.executable, "-m", "polytene", "rnaseq", "run", str(tmp_path / "runs.txt")]
    command += ["--out", str(work)]
    command += ["--index", str(generated / "t.idx"), "--ena-url", archive.url, "--mode", "stream"]
    child = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
    until(lambda: tools_of(work), "its tool runs")
    child.send_signal(signal.SIGKILL)
    child.wait()
    until(lambda: not tools_of(work), "no tool outlives it")


def tools_of(work: Path) -> list[int]:
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                words = (entry / "cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            if words[0].endswith(b"kallisto") and any(bytes(work) in w for w in words):
                found.append(int(entry.name))
    return found


@pytest.mark.parametrize("mode", MODES)
def test_debians_reference_answer(plan, run, archive, tmp_path, mode):
    require_tool("kallisto")
    if not DEBIAN.exists():
        pytest.skip("kallisto-examples is not installed")
    fasta = tmp_path / "t.fa"
    fasta.write_bytes(gzip.decompress((DEBIAN / "transcripts.fasta.gz").read_bytes()))
    index = rnaseq.index(fasta, tmp_path / "debian.idx")
    for end in (1, 2):
        shutil.copy(DEBIAN / f"reads_{end}.fastq.gz", archive.folder / f"{RUN}_{end}.fastq.gz")
    archive.reads[RUN] = 10_000
    made = plan([RUN], index=index.path, mode=mode)
    (row,) = run(made).result
    assert row["n_pseudoaligned"] == 9413
    known = (DEBIAN / "quant_out" / "abundance.tsv").read_text().splitlines()
    assert len(known) == len(table(made).splitlines())
