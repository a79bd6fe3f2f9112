"""From a metadata query to a matrix: the two rooms joined by the list alone."""

from __future__ import annotations

import csv
from pathlib import Path

import pandas as pd
from tests.conftest import require_tool
from tests.test_examples import EXAMPLES, run_example

from polytene import metadata, rnaseq


def test_from_metadata_to_a_matrix(tmp_path: Path) -> None:
    require_tool("kallisto")
    done = run_example("rnaseq_from_metadata.py", cwd=tmp_path)
    with open(tmp_path / "samples.tsv") as lines:
        runs = [row["run"] for row in csv.DictReader(lines, delimiter="\t")]
    assert len(runs) > 1
    assert f"{len(runs)} planned: {len(runs)} computed" in done.stdout
    work = tmp_path / "work"
    tpm = pd.read_csv(work / "merged" / "merged_abundance.tsv", sep="\t", index_col=0)
    assert tpm.columns.tolist() == runs
    assert (work / "merge" / "Pogonomyrmex_barbatus" / "Pogonomyrmex_barbatus_tpm.tsv").exists()
    assert rnaseq.verify(work, deep=True) == []
    assert len((EXAMPLES / "rnaseq_from_metadata.py").read_text().splitlines()) <= 15
    kb = metadata.open(tmp_path / "kb").runs(strategy="RNA-Seq")
    known = {row["run"]: row for row in kb.to_arrow().to_pylist()}
    for form in ("polytene", "amalgkit", "fetchngs", "accessions"):
        assert kb.sample_list(tmp_path / form, form) == len(known)
        rows = rnaseq.read_samples(tmp_path / form).to_pylist()
        assert {row["run"] for row in rows} == set(known)
        for row in rows if form in ("polytene", "amalgkit") else ():
            said = known[row["run"]]
            assert (row["layout"] or None) == said["library_layout"]
            assert (row["spots"] or None) == (said["total_spots"] or None)
            assert row["organism"] == (said["organism"] or "")
