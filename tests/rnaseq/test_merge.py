"""The matrix: what it refuses, and sums per gene as tximport's formulas give them."""

from __future__ import annotations

import hashlib
import json

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
import xarray as xr

from polytene import rnaseq
from polytene.exceptions import UsageError


@pytest.mark.parametrize("name", ["index_sha256", "quantifier_version", "targets"])
def test_results_that_do_not_belong_together_are_refused(plan, run, runs, name):
    made = plan(runs[:2])
    run(made)
    path = made.settings.result_of(runs[1]) / "done.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), name: "other"}))
    with pytest.raises(UsageError, match=name):
        rnaseq.merge(made.settings.folder)


def test_more_runs_than_a_block_holds(plan, run, generated, tmp_path, here):
    """The columns are those of the tables, in the order of the list, whatever the block."""
    runs = [f"SRR8{i:07d}" for i in range(150, 0, -1)]
    one = plan(["SRR90000001"])
    run(one)
    whole = one.settings.result_of("SRR90000001")
    done = json.loads((whole / "done.json").read_text())
    rows = [line.split("\t") for line in (whole / "abundance.tsv").read_text().splitlines()]
    made = plan(runs, sources=["local"], local_dir=tmp_path)
    for i, name in enumerate(runs):
        folder = made.settings.result_of(name)
        folder.mkdir(parents=True)
        table = [rows[0], *([*row[:3], str(i), str(i / 4)] for row in rows[1:])]
        text = "".join("\t".join(row) + "\n" for row in table).encode()
        (folder / "abundance.tsv").write_bytes(text)
        record = {**done, "run": name, "sha256": hashlib.sha256(text).hexdigest()}
        (folder / "done.json").write_text(json.dumps(record))
    merged = rnaseq.merge(made.settings.folder, client=here)
    assert merged["run"].values.tolist() == runs
    assert (merged["est_counts"].values == np.arange(150)).all()
    assert (merged["tpm"].values == np.arange(150) / 4).all()
    work = made.settings.folder
    tpm = pd.read_csv(work / "merged" / "merged_abundance.tsv", sep="\t", index_col=0)
    assert tpm.columns.tolist() == runs
    assert (tpm.values == np.arange(150) / 4).all()
    long = pq.read_table(work / "merged" / "expression.parquet")
    assert long.num_rows == 150 * len(tpm)


def matrix() -> xr.Dataset:
    names = ("target_id", "run")
    values = {
        "est_counts": [[10.0, 0.0], [30.0, 0.0], [60.0, 100.0]],
        "tpm": [[200.0, 0.0], [300.0, 0.0], [500.0, 1000.0]],
        "eff_length": [[100.0, 110.0], [200.0, 210.0], [300.0, 310.0]],
    }
    coords = {"target_id": ["a1", "a2", "b"], "run": ["x", "y"]}
    return xr.Dataset({k: (names, np.array(v)) for k, v in values.items()}, coords)


def test_sums_per_gene_by_hand(tmp_path):
    table = tmp_path / "t2g.tsv"
    table.write_text("a1\tA\na2\tA\nb\tB\n")
    sums = rnaseq.gene_sums(matrix(), table)
    assert sums["counts"].values.tolist() == [[40, 0], [60, 100]]
    assert sums["tpm"].values.tolist() == [[500, 0], [500, 1000]]
    a = (200 * 100 + 300 * 200) / 500
    np.testing.assert_allclose(sums["length"].values, [[a, a], [300, 310]])
    scaled = rnaseq.gene_sums(matrix(), table, counts_from_abundance="scaledTPM")
    np.testing.assert_allclose(scaled["counts"].values, [[50, 0], [50, 100]])
    longer = rnaseq.gene_sums(matrix(), table, counts_from_abundance="lengthScaledTPM")
    share = 500 * a / (500 * a + 500 * 305)
    np.testing.assert_allclose(longer["counts"].values[:, 0], [100 * share, 100 * (1 - share)])
    table.write_text("a1\tA\n")
    with pytest.raises(UsageError, match="2 of 3 transcripts"):
        rnaseq.gene_sums(matrix(), table)
