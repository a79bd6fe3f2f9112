"""Composition against counting letter by letter."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pyarrow.parquet as pq
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from polytene.exceptions import BadInput, UsageError
from polytene.genome import (
    Genome,
    composition,
    composition_plan,
    plan_chunks,
    write_composition,
)
from polytene.genome.composition import stage
from polytene.genome.composition.compose import MEMORY, stages, to_dataset
from polytene.genome.composition.stage import compose, merge


def naive(sequences: dict[str, str], window: int | None, k: int) -> list[dict]:
    """Rows as the room has them, counted with str.count and slices."""
    rows = []
    for seqid, text in sequences.items():
        upper = text.upper().replace("U", "T")
        step = window or len(text)
        for start in range(0, len(text), step or 1):
            end = min(start + step, len(text))
            part = upper[start:end]
            row = {"seqid": seqid, "start": start, "end": end}
            row |= {letter.lower(): part.count(letter) for letter in "ACGTN"}
            row["other"] = len(part) - sum(row[x] for x in "acgtn")
            row["masked"] = sum(c.islower() for c in text[start:end])
            row["cpg"] = sum(upper[i : i + 2] == "CG" for i in range(start, end))
            row["kmers"] = [0] * 4**k if k else []
            for i in range(start, end) if k else ():
                kmer = upper[i : i + k]
                if len(kmer) == k and set(kmer) <= set("ACGT"):
                    row["kmers"][int("".join(str("ACGT".index(c)) for c in kmer), 4)] += 1
            rows.append(row)
    return rows


def rows_of(result: xr.Dataset) -> list[dict]:
    names = ["seqid", "start", "end", "a", "c", "g", "t", "n", "other", "masked", "cpg"]
    columns = {name: result[name].values.tolist() for name in names}
    kmers = result["kmers"].values.tolist() if "kmers" in result else None
    return [
        {name: column[i] for name, column in columns.items()} | {"kmers": kmers[i] if kmers else []}
        for i in range(result.sizes["row"])
    ]


def counted(plan) -> xr.Dataset:
    """What a run comes to, without running it."""
    given = {k: plan.params[k] for k in ("by", "window", "k", "cpg")}
    parts = [compose(unit, **given, reader=plan.final["reader"]).value for unit in plan]
    return to_dataset(merge(parts), list(plan), {**plan.params, "genome": "x"})


@given(
    st.lists(st.text("ACGTNacgtnURyk-", min_size=1, max_size=70), min_size=1, max_size=3),
    st.integers(1, 20),
    st.sampled_from(["\n", "\r\n"]),
    st.integers(1, 30),
    st.integers(0, 3),
    st.integers(1, 9),
    st.sampled_from(["window", "sequence"]),
    st.sampled_from(["memmap", "pread"]),
    st.integers(1, 40),
)
@settings(max_examples=150)
def test_as_letter_by_letter(
    tmp_path_factory, texts, width, newline, window, k, chunks, by, reader, piece
):
    path = tmp_path_factory.mktemp("c") / "g.fa"
    lines = []
    for i, text in enumerate(texts):
        lines += [f">s{i}", *(text[j : j + width] for j in range(0, len(text), width))]
    path.write_bytes((newline.join(lines) + newline).encode())
    plan = plan_chunks(path, cost="bp", target_chunks=chunks)
    before = stage.PIECE
    stage.PIECE = piece
    try:
        units = composition_plan(plan, by=by, window=window, k=k, reader=reader)
        found = rows_of(counted(units))
    finally:
        stage.PIECE = before
    sequences = {f"s{i}": text for i, text in enumerate(texts)}
    assert found == naive(sequences, window if by == "window" else None, k)


def test_a_run_by_window_sequence_and_chunk(genome, sequences, assembly, here, tmp_path):
    plan = plan_chunks(genome, assembly.gff3, n_chunks=7)
    for by in ("window", "sequence", "chunk"):
        outcome = composition(plan, run_dir=tmp_path / by, client=here, by=by, window=5000, k=4)
        result = outcome.result
        if by != "chunk":
            assert rows_of(result) == naive(sequences, 5000 if by == "window" else None, 4)
        assert int(sum(result[x].sum() for x in ("a", "c", "g", "t", "n", "other"))) == 60_000
        gc = [
            (g + c) / (a + c + g + t) if a + c + g + t else math.nan
            for a, c, g, t in zip(*(result[x].values.tolist() for x in "acgt"), strict=True)
        ]
        np.testing.assert_array_equal(result["gc"].values, gc)
    assert result["chunk_id"].values.tolist() == [c.chunk_id for c in plan]
    assert result["size"].values.tolist() == [c.size for c in plan]
    kmers = ["".join(p) for p in itertools.product("ACGT", repeat=4)]
    assert result["kmer"].values.tolist() == kmers


def test_a_window_of_n_has_no_gc(tmp_path, here):
    (tmp_path / "g.fa").write_text(">s\nNNNNACGT\n")
    outcome = composition(tmp_path / "g.fa", run_dir=tmp_path / "r", client=here, window=4)
    assert outcome.result["gc"].isnull().values.tolist() == [True, False]


def test_bgzipped_genomes_count_alike(genome, tmp_path, here):
    from tests.genome.test_genome import bgzip

    path = tmp_path / "g.fa.gz"
    with open(genome.path, "rb") as text:
        path.write_bytes(bgzip(text.read()))
    found = [
        composition(g, run_dir=tmp_path / str(i), client=here, window=999, k=2).result
        for i, g in enumerate([genome, path])
    ]
    assert rows_of(found[0]) == rows_of(found[1])


def test_a_letter_that_is_no_nucleotide_is_named(tmp_path, here):
    text = "ACGT" * 3000
    (tmp_path / "g.fa").write_text(f">s\n{text[:9001]}E{text[:2000]}\n>t\nACGT\n")
    plan = plan_chunks(Genome(tmp_path / "g.fa"), n_chunks=4, cost="bp")
    outcome = composition(plan, run_dir=tmp_path / "r", client=here, max_quarantined=1.0)
    (failure,) = outcome.quarantined
    assert failure.reason == "not-nucleotide"
    assert "base 9,002 of 's' is 'E'" in failure.detail


def test_a_file_that_changes_while_it_is_read_is_named(tmp_path):
    path = tmp_path / "g.fa"
    path.write_text(">s\nACGTACGT\nACGTACGT\n")
    (unit,) = composition_plan(plan_chunks(path, n_chunks=1))
    path.write_text(">s\nACGTAC\nGT\nACGTACG\n")
    with pytest.raises(BadInput, match="genome-changed"):
        compose(unit, by="window", window=5, k=0, cpg=True, reader="memmap")


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"by": "gene"}, "'window', 'sequence' or 'chunk'"),
        ({"window": 0}, "at least 1 base"),
        ({"k": 13}, "1 to 12"),
        ({"window": 1, "k": 8}, "too many"),
        ({"reader": "mmap"}, "'memmap' or 'pread'"),
    ],
)
def test_parameters_that_cannot_be_are_named(genome, options, why):
    with pytest.raises(UsageError, match=why):
        composition_plan(genome, **options)


def test_memory_is_promised_for_the_rows_of_a_chunk(genome, assembly):
    plan = plan_chunks(genome, assembly.gff3, n_chunks=2)
    needs = {}
    for by in ("window", "sequence", "chunk"):
        (stage,) = stages(composition_plan(plan, by=by, window=1000, k=6))
        needs[by] = stage.memory - MEMORY
    row = 4 * 8 * 4**6
    assert needs["chunk"] == row
    assert needs["sequence"] == row * max(len(c.intervals) for c in plan)
    assert needs["window"] >= row * 30


def test_sums_are_added_up_before_they_grow(genome, monkeypatch):
    units = composition_plan(plan_chunks(genome, n_chunks=3, cost="bp"), window=500, k=3)
    whole = counted(units)
    monkeypatch.setattr(stage, "MERGE_BYTES", 1)
    assert counted(units).identical(whole)


def test_a_plan_without_a_file_has_nothing_to_count():
    plan = plan_chunks(Genome.from_lengths({"s": 100}), n_chunks=2)
    with pytest.raises(UsageError, match="no FASTA file"):
        composition_plan(plan)


@pytest.mark.parametrize("suffix", [".nc", ".zarr", ".parquet", ".tsv", ".csv"])
def test_files_hold_the_counts(genome, tmp_path, here, suffix):
    result = composition(genome, run_dir=tmp_path / "r", client=here, window=4000, k=2).result
    path = tmp_path / f"out{suffix}"
    for _ in range(2):
        write_composition(result, path)
    assert [p.name for p in tmp_path.iterdir() if "out" in p.name] == [path.name]
    if suffix == ".nc":
        with xr.open_dataset(path, engine="h5netcdf") as back:
            xr.testing.assert_equal(back.load(), result)
    elif suffix == ".zarr":
        xr.testing.assert_equal(xr.open_zarr(path, consolidated=False).load(), result)
    elif suffix == ".parquet":
        table = pq.read_table(path)
        assert table.column("seqid").to_pylist() == result["seqid"].values.tolist()
        assert table.column("CG").to_pylist() == result["kmers"].sel(kmer="CG").values.tolist()
    else:
        head, *rest = path.read_text().splitlines()
        assert head.replace("\t", ",").startswith("seqid,start,end,a,c,g,t,n,other,masked,gc,cpg")
        assert len(rest) == result.sizes["row"]


def test_many_kmers_are_a_column_of_lists(genome, tmp_path, here):
    outcome = composition(genome, run_dir=tmp_path / "r", client=here, by="sequence", k=5)
    write_composition(outcome.result, tmp_path / "x.parquet")
    found = pq.read_table(tmp_path / "x.parquet").column("kmers").to_pylist()
    assert found == outcome.result["kmers"].values.tolist()
    with pytest.raises(UsageError, match="do not fit into text"):
        write_composition(outcome.result, tmp_path / "x.tsv")
    with pytest.raises(UsageError, match=r"one of \.nc"):
        write_composition(outcome.result, tmp_path / "x.xlsx")
