"""A disk that is full: the run stops, nothing partial counts, and the same command goes on."""

from __future__ import annotations

import json
import random
import subprocess

import pytest
from tests.conftest import require_tool
from tests.faults.conftest import filler, small_disk  # noqa: F401
from tests.rnaseq.conftest import READS

from polytene import rnaseq
from polytene.exceptions import NoSpace
from polytene.rnaseq.proof import NotWhole, prove
from polytene.rnaseq.quantifier import Kallisto

RUN = "SRR90000001"


@pytest.fixture
def full(filler):  # noqa: F811
    """The small disk."""
    return filler


def table(plan) -> bytes:
    return (plan.settings.result_of(RUN) / "abundance.tsv").read_bytes()


@pytest.mark.parametrize("mode", ["stream", "staged"])
def test_a_full_disk_of_the_results(plan, run, full, truth, mode):
    made = plan([RUN], out=full.folder / "work", mode=mode)
    full.leave(24 * 1024)
    with pytest.raises(NoSpace):
        run(made)
    assert not made.settings.result_of(RUN).exists()
    full.free()
    assert run(made).complete
    assert table(made) == truth(RUN)


@pytest.mark.parametrize("source", ["ena", "sra"])
@pytest.mark.parametrize("free", [4 * 1024, 90 * 1024])
def test_a_full_disk_of_the_reads(
    plan, run, archive, full, truth, make_sra, generated, source, free
):
    """prefetch and fasterq-dump say so in words of their own, and with exit code 3."""
    if source == "sra":
        require_tool("prefetch")
        pair = [generated / "reads" / f"{RUN}_{end}.fastq.gz" for end in (1, 2)]
        make_sra(RUN, archive.folder, *pair)
    elif free > 4 * 1024:
        archive.rate = 0.0
        free = 12 * 1024  # the first mate fits
    made = plan([RUN], sources=[source], mode="staged", scratch=full.folder / "reads")
    full.leave(free)
    with pytest.raises(NoSpace):
        run(made)
    assert not made.settings.result_of(RUN).exists()
    full.free()
    assert run(made).complete
    assert table(made) == truth(RUN)
    assert not list((full.folder / "reads").rglob("*.fastq*"))


def test_kallisto_calls_a_full_disk_a_success_and_we_do_not(full, generated, tmp_path):
    """What the check of rows is for: exit code 0 with a table that is cut."""
    chance = random.Random(1)
    others = (f">OTHER{i:06d}\n{''.join(chance.choices('ACGT', k=80))}\n" for i in range(600))
    fasta = tmp_path / "many.fa"
    fasta.write_text((generated / "t.fa").read_text() + "".join(others))
    index = rnaseq.index(fasta, tmp_path / "many.idx")
    reads = [str(generated / "reads" / f"{RUN}_{i}.fastq.gz") for i in (1, 2)]
    tool, out = Kallisto("kallisto"), full.folder / "out"
    full.leave(12 * 1024)
    done = subprocess.run(tool.command(index.path, out, reads, 1, None), capture_output=True)
    said = json.loads((out / "run_info.json").read_text() or "{}")
    assert done.returncode == 0
    assert (out / "abundance.tsv").read_bytes().count(b"\n") - 1 < said.get("n_targets", 630)
    if said:
        with pytest.raises(NotWhole, match=r"abundance\.tsv"):
            prove(out, tool.finish(out), READS)
