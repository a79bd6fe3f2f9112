"""Where reads come from: the SRA's own programs, local files, and one source after the other."""

from __future__ import annotations

import json

import pytest
from tests.conftest import require_tool

from polytene import rnaseq

RUN = "SRR90000001"
SINGLE = "SRR90000007"


@pytest.fixture
def sra(archive, make_sra, generated):
    for tool in ("prefetch", "fasterq-dump"):
        require_tool(tool)
    pair = [generated / "reads" / f"{RUN}_{end}.fastq.gz" for end in (1, 2)]
    make_sra(RUN, archive.folder, *pair)
    return archive


def table(plan, run=RUN) -> bytes:
    return (plan.settings.result_of(run) / "abundance.tsv").read_bytes()


def test_the_real_prefetch_and_fasterq_dump(plan, run, sra, truth):
    made = plan([RUN], sources=["sra"])
    outcome = run(made)
    assert outcome.complete, outcome.quarantined
    assert table(made) == truth(RUN)
    assert not list((made.settings.folder / "fastq").glob("*"))


def test_a_run_that_the_ena_lacks_comes_from_the_sra(plan, run, sra, truth):
    for end in (1, 2):
        (sra.folder / f"{RUN}_{end}.fastq.gz").unlink()
    made = plan([RUN], sources=["ena", "sra"])
    assert run(made).complete
    assert table(made) == truth(RUN)


def test_a_server_that_is_down_leads_to_the_next_source(plan, run, sra, truth):
    made = plan([RUN], sources=["ena", "sra"])
    sra.fail(f"{RUN}_1.fastq.gz", "503", float("inf"))
    assert run(made).complete
    done = json.loads((made.settings.result_of(RUN) / "done.json").read_text())
    assert done["made_of"]["source"] == "sra"
    assert table(made) == truth(RUN)


def test_a_run_that_no_source_has(plan, run, sra):
    (failure,) = run(plan(["SRR99999999"], sources=["ena", "sra"])).quarantined
    assert (failure.reason, failure.category) == ("not-found", "input")
    assert "ena" in failure.detail
    assert "sra" in failure.detail


@pytest.mark.parametrize("mode", ["stream", "staged"])
def test_single_end_reads(plan, run, truth, mode):
    made = plan([SINGLE], mode=mode)
    assert run(made).complete
    assert table(made, SINGLE) == truth(SINGLE)


def test_local_files_are_read_in_place(plan, run, generated, truth):
    made = plan([RUN, SINGLE], sources=["local"], local_dir=generated / "reads")
    assert run(made).complete
    assert (table(made), table(made, SINGLE)) == (truth(RUN), truth(SINGLE))
    assert (generated / "reads" / f"{RUN}_1.fastq.gz").exists()


def test_a_local_sra_file(plan, run, sra, truth, tmp_path):
    (tmp_path / "local").mkdir()
    (sra.folder / f"{RUN}.sra").rename(tmp_path / "local" / f"{RUN}.sra")
    made = plan([RUN], sources=["local"], local_dir=tmp_path / "local")
    assert run(made).complete
    assert table(made) == truth(RUN)


def test_salmon_behind_the_same_protocol(plan, run, generated, tmp_path):
    require_tool("salmon")
    index = rnaseq.index(generated / "t.fa", tmp_path / "salmon", quantifier="salmon")
    for mode in ("stream", "staged"):
        made = plan([RUN, SINGLE], index=index.path, quantifier="salmon", mode=mode)
        outcome = run(made)
        assert outcome.complete, outcome.quarantined
        assert table(made).startswith(b"target_id\tlength\teff_length\test_counts\ttpm\n")


def test_adopt_takes_what_is_whole_and_no_more(plan, run, truth, runs, tmp_path, generated):
    import subprocess

    made = plan(runs[:3])
    for name in runs[:3]:
        pair = [str(generated / "reads" / f"{name}_{end}.fastq.gz") for end in (1, 2)]
        out = tmp_path / "old" / name
        out.parent.mkdir(exist_ok=True)
        command = ["kallisto", "quant", "-i", str(generated / "t.idx"), "-o", str(out), *pair]
        subprocess.run(command, check=True, capture_output=True)
    cut = tmp_path / "old" / runs[1] / "abundance.tsv"
    cut.write_bytes(cut.read_bytes()[:500])
    (tmp_path / "old" / runs[2] / "run_info.json").unlink()
    found = rnaseq.adopt(tmp_path / "old", made)
    assert found.taken == [runs[0]]
    assert set(found.refused) == set(runs[1:3])
    outcome = run(made)
    assert outcome.complete
    for name in runs[:3]:
        assert table(made, name) == truth(name)
    assert rnaseq.verify(made.settings.folder, deep=True) == []
