"""Confidence against the original's values, and against plain numpy on the same files."""

from __future__ import annotations

import csv
from dataclasses import replace

import h5py
import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from polytene import genome
from polytene.formats.helixer_rows import Predictions
from polytene.genome.annotation import scores
from polytene.genome.cli import group
from polytene.testing.annotation import make_world, write_annotation


def plain_scores(p, model, window=20):
    """Score a gene as the documentation says, from the probabilities along the genome."""
    start = model.exons[0][0]
    m = p.max(axis=1).astype(np.float64)
    clipped = np.clip(p.astype(np.float64), 1e-10, 1)
    exonic = (p[:, 1] + p[:, 2]).astype(np.float64)
    exons = [(a - start, b - start) for a, b in model.exons]
    sharp = [
        min(1.0, 2 * np.abs(np.diff(exonic[at - window // 2 : at + window // 2])).max())
        for exon in exons
        for at in exon
        if window <= at <= len(p) - window
    ]
    coding = []
    for a, b in exons:
        c, d = max(a, model.cds[0] - start), min(b, model.cds[1] - start)
        if c < d:
            q = p[c:d, 2].astype(np.float64)
            called = (p[c:d].argmax(axis=1) == 2).mean()
            coding.append((called + q.mean() + 1 - min(1, 4 * q.var())) / 3)
    worst = min(m[a:b].mean() for a, b in exons)
    boundary = float(np.mean(sharp)) if sharp else None
    parts = [(0.3, m.mean()), (0.2, m.min()), (0.2, boundary)]
    parts += [(0.15, np.mean(coding)), (0.15, worst)]
    known = [(w, v) for w, v in parts if v is not None]
    return {
        "mean_prob": m.mean(),
        "min_prob": m.min(),
        "median_prob": np.median(m),
        "entropy": -(clipped * np.log2(clipped)).sum(axis=1).mean(),
        "boundary_sharpness": boundary,
        "coding_consistency": np.mean(coding),
        "worst_exon_score": worst,
        "overall_score": sum(w * v for w, v in known) / sum(w for w, _ in known),
    }


def probabilities(made, block):
    """Read the predictions into one array per strand, in genome order, row by row."""
    out = {}
    with h5py.File(made.predictions) as file, h5py.File(made.input_h5) as source:
        rows = file["predictions"][:].astype(np.float32)
        for row, name, (a, b) in zip(
            rows, source["data/seqids"][:], source["data/start_ends"][:], strict=True
        ):
            strand, low, high = ("+", a, b) if a < b else ("-", b, a)
            size = len(made.world.sequences[name.decode()])
            whole = out.setdefault((name.decode(), strand), np.zeros((size, 4), np.float32))
            piece = row[: high - low]
            whole[low:high] = piece if strand == "+" else piece[::-1]
    return out


@pytest.mark.parametrize("block", [300, 2000, 50_000])
def test_scores_are_those_of_plain_numpy(tmp_path, read, block):
    made = write_annotation(tmp_path, genes=10, block=block, seed=3)
    table = genome.confidence(None, read(made)).to_pylist()
    p = probabilities(made, block)
    assert len(table) == len(made.world.genes) == 20
    models = {m.id: m for m in made.world.genes}
    for row in table:
        model = models[row["gene_id"]]
        start, end = model.exons[0][0], model.exons[-1][1]
        assert (row["start"], row["end"]) == (start + 1, end)
        expected = plain_scores(p[model.seqid, model.strand][start:end], model)
        for name, value in expected.items():
            assert row[name] == (None if value is None else pytest.approx(value, abs=1e-6)), name


def test_scores_do_not_depend_on_the_rows_of_the_file(tmp_path, read):
    world = make_world(genes=12, seed=5)
    tables = [
        genome.confidence(None, read(write_annotation(tmp_path / str(b), world, block=b)))
        for b in (257, 2000, 10**6)
    ]
    assert tables[0].equals(tables[1])
    assert tables[0].equals(tables[2])


@pytest.mark.parametrize("padding", ["end", "start"])
def test_both_layouts_of_the_last_row_are_recognised(tmp_path, read, padding):
    world = make_world(genes=12, seed=6)
    one = read(write_annotation(tmp_path / "a", world, block=1500, padding=padding))
    two = read(write_annotation(tmp_path / "b", world, block=1500, padding="end"))
    assert one["padding"] == padding
    assert genome.confidence(None, one).equals(genome.confidence(None, two))
    wrong = one | {"padding": {"end": "start", "start": "end"}[padding]}
    assert not genome.confidence(None, wrong).equals(genome.confidence(None, two))


@pytest.mark.parametrize("padding", ["end", "start"])
def test_each_row_is_inflated_once(tmp_path, read, monkeypatch, padding):
    made = write_annotation(tmp_path, genes=12, block=450, padding=padding, seed=8)
    inputs = read(made)
    whole = genome.confidence(None, inputs)
    seen, inflate = [], Predictions._read

    def counted(self, out, one, two, low):
        seen.extend(range(one, two))
        inflate(self, out, one, two, low)

    monkeypatch.setattr(Predictions, "_read", counted)
    monkeypatch.setattr(scores, "MOST_BYTES", 2 * 450 * scores.BASE_BYTES)
    assert genome.confidence(None, inputs).equals(whole)
    assert len(seen) == len(set(seen)) > 20


def test_a_gene_without_introns_is_not_held_against_it(made, inputs):
    table = genome.confidence(None, inputs).to_pylist()
    single = [row for row in table if row["n_exons"] == 1]
    assert single
    assert {row["boundary_sharpness"] for row in single} == {None}
    assert {row["confidence_class"] for row in single} == {"high"}
    compat = genome.confidence(None, inputs, compat=True).to_pylist()
    old = [row for row in compat if row["n_exons"] == 1]
    assert {row["boundary_sharpness"] for row in old} == {0.5}
    assert all("uncertain_boundary" in row["flags"] for row in old)
    assert [r["start"] + 1 for r in compat] == [r["start"] for r in table]


def test_compat_gives_the_values_of_the_original(tmp_path, shared_data):
    folder = shared_data / "genome" / "helixerpost_oryza"
    out = tmp_path / "o.tsv"
    argv = ["confidence", "-p", folder / "predictions.h5", "-g", folder / "genes.gff3"]
    argv += ["--genome", folder / "genome.fa", "-o", out, "--compat"]
    result = CliRunner().invoke(group, list(map(str, argv)))
    assert result.exit_code == 0, result.output
    rows = [
        list(csv.reader(path.open(), delimiter="\t"))
        for path in (out, folder / "gold_confidence_helixforge.tsv")
    ]
    assert rows[0][0] == rows[1][0]
    assert len(rows[0]) == len(rows[1]) == 2
    for name, mine, theirs in zip(*rows[0][:1], rows[0][1], rows[1][1], strict=True):
        if name.endswith(("_prob", "_score", "entropy", "sharpness", "consistency")):
            assert float(mine) == pytest.approx(float(theirs), abs=1e-6), name
        else:
            assert mine == theirs, name


def test_the_input_file_is_found_and_never_the_predictions_themselves(tmp_path, read):
    made = write_annotation(tmp_path, genes=4)
    found = read(made)
    assert found["input_h5"][0] == str(made.input_h5)
    table = genome.confidence(None, found)
    made.input_h5.unlink()
    derived = read(made)
    assert "input_h5" not in derived
    assert genome.confidence(None, derived).equals(table)
    moved = made.predictions.rename(tmp_path / "input.h5")
    again = read(replace(made, predictions=moved))
    assert "input_h5" not in again


@settings(max_examples=15)
@given(
    st.lists(st.tuples(st.integers(0, 7000), st.integers(1, 2500)), min_size=1, max_size=4),
    st.sampled_from(["start", "overlap", "contained"]),
)
def test_owned_is_what_it_says(made, inputs, spans, owned):
    length = len(made.world.sequences["chr1"])
    regions = [genome.Region("chr1", a, min(a + n, length)) for a, n in spans]
    table = genome.confidence(regions, inputs, owned=owned)

    def mine(m):
        low = min(m.exons[0][0], m.cds[0])
        high = max(m.exons[-1][1], m.cds[1])
        tests = {
            "start": lambda r: r.start <= low < r.end,
            "overlap": lambda r: low < r.end and high > r.start,
            "contained": lambda r: r.start <= low and high <= r.end,
        }
        return m.seqid == "chr1" and any(tests[owned](r) for r in regions)

    assert sorted(table["gene_id"].to_pylist()) == sorted(m.id for m in made.world.genes if mine(m))
