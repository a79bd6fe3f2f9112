"""Bad inputs, each with its reason code: quarantined alone, named with file and place.

Faults of servers are in test_faults.py, those of the SRA's programs in test_sra_faults.py, kills
in test_kills.py, full disks in test_full_disk.py, malformed lists in test_samples.py.
"""

from __future__ import annotations

import gzip
import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from tests.conftest import require_tool
from tests.rnaseq.conftest import READS

from polytene import rnaseq
from polytene.exceptions import BadInput
from polytene.rnaseq.abundance import read_abundance
from polytene.rnaseq.merge import Columns, ReadColumns
from polytene.rnaseq.proof import NotWhole, prove
from polytene.rnaseq.quantifier import Kallisto, Salmon

RUN = "SRR90000001"
OTHER = "SRR90000002"
HEAD = "target_id\tlength\teff_length\test_counts\ttpm\n"


def local(plan, archive):
    return plan([RUN, OTHER], sources=["local"], local_dir=archive.folder)


def test_a_read_without_bases_is_a_read(plan, run, archive):
    for end in (1, 2):
        path = archive.folder / f"{RUN}_{end}.fastq.gz"
        lines = gzip.decompress(path.read_bytes()).split(b"\n")
        lines[1] = lines[3] = b""
        path.write_bytes(gzip.compress(b"\n".join(lines)))
    outcome = run(local(plan, archive))
    assert outcome.complete
    assert [row["n_processed"] for row in outcome.result] == [READS, READS]


@pytest.mark.parametrize(
    ("damage", "reasons"),
    [
        (lambda data: data[:-200], ["truncated-gzip"]),
        (lambda data: data[:-20] + bytes([data[-20] ^ 255]) + data[-19:], ["damaged-gzip"]),
        (lambda data: b"", ["empty-file"]),
        (lambda data: gzip.compress(b"<html>"), ["not-fastq"]),
        (lambda data: gzip.compress(gzip.decompress(data)[:-90]), ["truncated-fastq"]),
        (lambda data: gzip.compress(gzip.decompress(data) * 2), ["mates-differ"]),
    ],
)
def test_a_damaged_local_file_costs_its_run_alone(plan, run, archive, damage, reasons):
    path = archive.folder / f"{RUN}_2.fastq.gz"
    path.write_bytes(damage(path.read_bytes()))
    outcome = run(local(plan, archive))
    (failure,) = outcome.quarantined
    assert (failure.key, failure.category, outcome.computed) == (RUN, "input", 1)
    assert failure.reason in reasons
    assert path.name in failure.detail or "mate" in failure.detail


def test_a_local_file_that_changed_since_it_was_planned(plan, run, archive):
    made = local(plan, archive)
    os.utime(archive.folder / f"{RUN}_1.fastq.gz", ns=(1, 1))
    (failure,) = run(made).quarantined
    assert (failure.key, failure.reason) == (RUN, "changed")


def test_files_of_which_none_can_be_told_to_be_the_mates(plan, run, archive):
    for end in (1, 2):
        path = archive.folder / f"{RUN}_{end}.fastq.gz"
        path.rename(path.with_name(f"{RUN}.part{end}.fastq.gz"))
    (failure,) = run(plan([RUN])).quarantined
    assert (failure.reason, failure.category) == ("unclear-layout", "input")
    assert f"{RUN}.part1.fastq.gz" in failure.detail


def test_a_run_that_no_archive_has(plan, run):
    (failure,) = run(plan(["SRR99999999"])).quarantined
    assert (failure.reason, failure.category) == ("not-found", "input")


def test_a_sra_file_without_a_read(plan, run, tmp_path):
    for tool in ("latf-load", "kar", "fasterq-dump"):
        require_tool(tool)
    (tmp_path / "none.fastq").touch()
    load = ["latf-load", "-p", "ILLUMINA", "--quality", "PHRED_33", "-o", "db", "none.fastq"]
    subprocess.run(load, capture_output=True, cwd=tmp_path, check=False)
    pack = ["kar", "-c", f"{RUN}.sra", "-d", "db"]
    subprocess.run(pack, capture_output=True, cwd=tmp_path, check=True)
    (failure,) = run(plan([RUN], sources=["local"], local_dir=tmp_path)).quarantined
    assert (failure.reason, failure.category) == ("empty-run", "input")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "abundance"),
        ("a\tb\n1\t2\n", "columns"),
        (HEAD + "t1\t10\t5\t-1\t0\n", "line 2: est_counts is -1"),
        (HEAD + "t1\t10\t5\t1\t0\nt2\t10\t5\t0\t-nan\n", "line 3: tpm is nan"),
        (HEAD + "t1\t10\t5\t1\n", "abundance"),
        (HEAD + "t1\tten\t5\t1\t0\n", "abundance"),
    ],
)
def test_a_table_that_is_none(tmp_path, text, said):
    path = tmp_path / "abundance.tsv"
    path.write_text(text)
    with pytest.raises(BadInput, match=said) as error:
        read_abundance(path)
    assert error.value.reason == "bad-abundance"


@pytest.mark.parametrize("text", [None, "", "[1]", "{}", '{"n_targets": "x"}'])
@pytest.mark.parametrize("tool", [Kallisto(""), Salmon("")])
def test_what_a_program_says_of_itself_is_none(tmp_path, text, tool):
    (tmp_path / "aux_info").mkdir()
    if text is not None:
        (tmp_path / "run_info.json").write_text(text)
        (tmp_path / "aux_info" / "meta_info.json").write_text(text)
    with pytest.raises(BadInput) as error:
        tool.finish(tmp_path)
    assert error.value.reason == "bad-run-info"


def test_success_is_not_believed(plan, run, archive, tmp_path):
    """Fewer reads, or fewer rows, than there are: the quantifier itself ended with 0."""
    made = plan([RUN])
    run(made)
    folder = tmp_path / "copy"
    shutil.copytree(made.settings.result_of(RUN), folder)
    said = Kallisto("").finish(folder)
    with pytest.raises(NotWhole, match="400 reads processed of 401"):
        prove(folder, said, 401)
    table = folder / "abundance.tsv"
    table.write_bytes(b"".join(table.read_bytes().splitlines(keepends=True)[:-3]))
    with pytest.raises(NotWhole, match="27 rows of 30"):
        prove(folder, said, 400)


def test_a_result_that_changes_while_it_is_merged(plan, run, runs):
    made = plan(runs[:1])
    run(made)
    folder = made.settings.result_of(RUN)
    done = json.loads((folder / "done.json").read_text())
    work = str(made.settings.folder)

    def reason(targets: str, sha256: str) -> str:
        with pytest.raises(BadInput) as error:
            ReadColumns(work, targets)(Columns("c", (RUN,), (sha256,)))
        return str(error.value.reason)

    assert reason(done["targets"], "0" * 64) == "changed"
    assert reason("others", done["sha256"]) == "other-targets"
    Path(folder / "abundance.tsv").write_text(HEAD)
    assert reason(done["targets"], done["sha256"]) == "changed"
    assert rnaseq.verify(work) == [f"{folder}: no done.json, or abundance.tsv is not what it says"]
