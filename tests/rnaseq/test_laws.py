"""The laws of the design, each as it shows in this room; law 3 under kills: test_kills.py."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest
from tests.rnaseq.conftest import READS

from polytene import rnaseq
from polytene.exceptions import PlanChanged, UsageError

RUN = "SRR90000001"


def parts(folder: Path) -> dict[str, bytes]:
    """Return the parts of a run by name; the epoch of an attempt is not part of a name."""
    found = sorted((folder / "parts").rglob("*.json"))
    return {p.parent.name + p.name.split(".")[0] + p.parts[-3]: p.read_bytes() for p in found}


def matrix(folder: Path) -> dict[str, bytes]:
    names = [*(folder / "merged").glob("*"), *(folder / "merge").rglob("*")]
    names += (folder / "merged" / "expression.zarr").rglob("*")
    files = [p for p in names if p.is_file()]
    return {str(p.relative_to(folder)): p.read_bytes() for p in files}


def test_law_1_a_part_is_a_pure_function_of_its_unit(plan, run, runs, local_client):
    one, two = plan(runs[:3]), plan(runs[:3])
    run(one)
    run(two, client=local_client)
    assert parts(one.settings.folder) == parts(two.settings.folder)


def test_law_2_what_is_not_known_is_not_invented(plan, run, archive):
    made = plan([RUN, "SRR99999999"])
    outcome = run(made)
    (failure,) = outcome.quarantined
    assert (failure.key, failure.reason) == ("SRR99999999", "not-found")
    rows = {row["run"]: row for row in outcome.result}
    assert "n_processed" not in rows["SRR99999999"]
    with pytest.raises(UsageError, match="SRR99999999"):
        rnaseq.merge(made.settings.folder)
    merged = rnaseq.merge(made.settings.folder, allow_missing=True)
    assert merged["run"].values.tolist() == [RUN]
    assert merged.attrs["missing"] == ["SRR99999999"]


def test_law_3_what_is_done_is_not_done_again(plan, run, runs, archive):
    made = plan(runs)
    run(made)
    asked = len(archive.requests)
    again = run(made)
    assert (again.computed, again.resumed) == (0, 6)
    assert len(archive.requests) == asked


def test_law_3_a_changed_file_is_seen_before_any_work(plan, run, archive, tmp_path):
    made = plan([RUN], out=tmp_path / "w")
    run(made)
    path = archive.folder / f"{RUN}_1.fastq.gz"
    other = archive.folder / "SRR90000002_1.fastq.gz"
    path.write_bytes(other.read_bytes())
    (tmp_path / "w" / "samples.parquet").unlink()
    with pytest.raises(PlanChanged, match=RUN):
        run(plan([RUN], out=tmp_path / "w"))


def test_law_3_what_was_downloaded_whole_is_kept(plan, run, archive, truth, monkeypatch):
    made = plan([RUN], mode="staged")
    monkeypatch.setenv("KALLISTO", "")
    from polytene.core.tools import ToolFailed
    from polytene.rnaseq import quantify

    def fails(*args, **kwargs):
        raise ToolFailed("kallisto ended with exit code 1")

    monkeypatch.setattr(quantify, "run_tool", fails)
    assert len(run(made).quarantined) == 1
    given = dict(archive.given)
    monkeypatch.undo()
    assert run(made, retry_quarantined=True).complete
    assert dict(archive.given) == given
    assert (made.settings.result_of(RUN) / "abundance.tsv").read_bytes() == truth(RUN)


def test_law_4_accounts_add_up_for_units_and_reads(plan, run, runs, archive):
    archive.fail(f"{runs[0]}_1.fastq.gz", "404", float("inf"))
    outcome = run(plan(runs))
    assert outcome.planned == outcome.computed + outcome.resumed + len(outcome.quarantined) == 6
    done = [row for row in outcome.result if row["status"] == "done"]
    assert sum(row["n_processed"] for row in done) == 5 * READS
    assert all(row["n_expressed"] <= row["n_targets"] == 30 for row in done)


@pytest.mark.parametrize("mode", ["stream", "staged"])
def test_law_5_connections_are_never_more_than_allowed(plan, run, runs, archive, mode):
    archive.rate = 100_000
    assert run(plan(runs, downloads=2, mode=mode)).complete
    assert archive.open_most <= (4 if mode == "stream" else 2)  # two mates stream at once


def test_law_5_the_disk_quota_is_never_exceeded(plan, run, runs, archive, tmp_path):
    free = plan(runs, mode="staged")
    need = max(u.staged_bytes for u in free)
    made = plan(runs, mode="staged", disk_limit=2.2 * need, downloads=6)
    archive.rate = 200_000
    seen: list[int] = []

    def watch(event) -> None:
        lying = (p for p in (made.settings.folder / "fastq").glob("*") if p.is_dir())
        seen.append(len(list(lying)))

    assert run(made, on_event=watch).complete
    assert max(seen) <= 2
    with pytest.raises(UsageError, match="disk-limit"):
        plan(runs, mode="staged", disk_limit=0.5 * need)


@pytest.mark.parametrize("mode", ["stream", "staged"])
def test_law_6_the_matrix_depends_on_the_inputs_alone(plan, run, runs, truth, mode, generated):
    made = plan(runs, mode=mode, downloads=1 if mode == "stream" else 4)
    run(made)
    rnaseq.merge(made.settings.folder)
    other = plan(runs, mode="auto", sources=["local"], local_dir=generated / "reads")
    run(other)
    rnaseq.merge(other.settings.folder)
    a, b = matrix(made.settings.folder), matrix(other.settings.folder)
    tables = [name for name in a if name.endswith(".tsv") and "metadata" not in name]
    assert len(tables) >= 4
    for run_name in runs:
        result = made.settings.result_of(run_name) / "abundance.tsv"
        assert result.read_bytes() == truth(run_name)
    tpm = pd.read_csv(made.settings.folder / "merged/merged_abundance.tsv", sep="\t", index_col=0)
    assert tpm.shape == (30, 6)
    assert a["merged/merged_abundance.tsv"] == b["merged/merged_abundance.tsv"]


def test_done_json_says_what_it_was_made_of(plan, run):
    made = plan([RUN])
    run(made)
    done = json.loads((made.settings.result_of(RUN) / "done.json").read_text())
    assert done["n_processed"] == READS == done["reads_expected"]
    assert done["made_of"]["md5"] == [md5 for _, _, md5 in made.units[0].remote]
    assert done["index_sha256"] == made.params["index"]["sha256"]
