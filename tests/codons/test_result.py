"""Tables of a result: GC, frequencies, RSCU under several codes, files; and no invented value."""

from __future__ import annotations

import csv
import json
import math

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

from polytene import codons
from polytene.codons import CODONS, genetic_code
from polytene.codons.result import to_dataset
from polytene.exceptions import BrokenPromise, UsageError

CODES = (1, 2, 5, 11, 27, 31)
COUNTS = st.lists(st.integers(0, 50) | st.just(0), min_size=64, max_size=64)


def result_of(rows, codes, mode="cds", by="seq_id") -> xr.Dataset:
    """Return a result as ``count`` would, of counts given per group."""
    wide = np.array([[*row, 0] for row in rows], np.int64).reshape(len(rows), 65)
    table = pa.table(
        {
            "group": pa.array([f"g{i}" for i in range(len(rows))], pa.large_string()),
            "code_min": pa.array([np.min(c) for c in codes], pa.int64()),
            "code_max": pa.array([np.max(c) for c in codes], pa.int64()),
            "n_seq": pa.array([1] * len(rows), pa.int64()),
            "n_partial": pa.array([0] * len(rows), pa.int64()),
            "expected": pa.array(wide.sum(axis=1)),
            "counts": pa.FixedSizeListArray.from_arrays(pa.array(wide.ravel()), 65),
        }
    )
    params = {"mode": mode, "frame": 0, "by": by, "softmask": "count"}
    return to_dataset(table, params | {"genetic_code": "auto", "sample": None})


def naive_rscu(row, code) -> list[float | None]:
    meaning = dict(zip(CODONS, genetic_code(code).amino_acids, strict=True))
    out: list[float | None] = []
    for codon in CODONS:
        family = [c for c in CODONS if meaning[c] == meaning[codon]]
        total = sum(row[CODONS.index(c)] for c in family)
        if meaning[codon] == "*" or len(family) == 1 or total == 0:
            out.append(None)
        else:
            out.append(row[CODONS.index(codon)] * len(family) / total)
    return out


def close(found, expected) -> bool:
    return all(
        (a is None or (isinstance(a, float) and math.isnan(a))) == (b is None)
        and (b is None or math.isclose(a, b, rel_tol=1e-12))
        for a, b in zip(found, expected, strict=True)
    )


@given(row=COUNTS, code=st.sampled_from(CODES))
def test_rscu_is_a_count_over_the_mean_of_its_family(row, code):
    result = result_of([row], [code])
    assert close(codons.rscu(result).values[0].tolist(), naive_rscu(row, code))
    wide = codons.to_wide(result, with_rscu=True)
    assert close([wide[f"rscu_{c}"][0].as_py() for c in CODONS], naive_rscu(row, code))


@given(row=COUNTS)
def test_gc_at_each_position(row):
    table = codons.to_wide(result_of([row], [1])).to_pylist()[0]
    total = sum(row)
    for k, name in enumerate(("gc1", "gc2", "gc3")):
        strong = sum(n for n, c in zip(row, CODONS, strict=True) if c[k] in "GC")
        expected = strong / total if total else None
        assert table[name] == (pytest.approx(expected) if total else None)
    bases = "".join(c * n for c, n in zip(CODONS, row, strict=True))
    gc = sum(b in "GC" for b in bases)
    assert table["gc"] == (pytest.approx(gc / len(bases)) if total else None)


def test_gc_of_whole_codons_agrees_with_biopython():
    seq_utils = pytest.importorskip("Bio.SeqUtils")
    row = list(range(64))
    bases = "".join(c * n for c, n in zip(CODONS, row, strict=True))
    gc, gc1, gc2, gc3 = seq_utils.GC123(bases)
    table = codons.to_wide(result_of([row], [1])).to_pylist()[0]
    assert [100 * table[n] for n in ("gc", "gc1", "gc2", "gc3")] == pytest.approx(
        [gc, gc1, gc2, gc3]
    )


@pytest.mark.parametrize("code", CODES)
def test_amino_acids_and_families_agree_with_biopython(code):
    tables = pytest.importorskip("Bio.Data.CodonTable").unambiguous_dna_by_id
    forward = tables[code].forward_table
    letters = result_of([[1] * 64], [code])["amino_acid"].values[0].tolist()
    assert letters == [forward.get(c, "*") for c in CODONS]


@given(row=COUNTS, top=st.none() | st.integers(1, 70), least=st.integers(0, 30), hide=st.booleans())
def test_hiding_changes_no_number(row, top, least, hide):
    result = result_of([row], [2])
    whole = {r["codon"]: r for r in codons.to_long(result, with_rscu=True).to_pylist()}
    total = sum(row)
    assert [whole[c]["freq"] for c in CODONS] == [n / total if total else None for n in row]
    shown = codons.to_long(result, with_rscu=True, min_count=least, skip_stops=hide, top=top)
    stops = genetic_code(2).stops
    kept = [c for c in CODONS if whole[c]["count"] >= least and not (hide and c in stops)]
    kept = sorted(kept, key=lambda c: (-whole[c]["count"], CODONS.index(c)))[:top]
    assert shown.to_pylist() == [whole[c] for c in CODONS if c in kept]


@pytest.mark.parametrize("codes", [[0], [7], [1, 2]], ids=["unknown", "no NCBI code", "mixed"])
def test_a_code_that_is_not_known_is_null_and_refused_never_1(codes):
    result = result_of([[1] * 64], [codes])
    assert result.transl_table.values.tolist() == [0]
    assert codons.to_wide(result)["transl_table"].to_pylist() == [None]
    assert set(codons.to_long(result)["aa"].to_pylist()) == {None}
    for refused in (
        lambda: codons.rscu(result),
        lambda: codons.to_wide(result, with_rscu=True),
        lambda: codons.to_long(result, with_rscu=True),
        lambda: codons.to_long(result, skip_stops=True),
    ):
        with pytest.raises(UsageError, match="--genetic-code"):
            refused()
    assert np.isfinite(codons.rscu(result, 1).values).any()


def test_the_labels_decide_and_not_the_order_of_the_codons():
    rows = np.random.default_rng(1).integers(0, 50, (2, 64)).tolist()
    result = result_of(rows, [1, 2])
    shuffled = result.isel(codon=np.random.default_rng(2).permutation(64))
    xr.testing.assert_identical(codons.rscu(shuffled).sel(codon=list(CODONS)), codons.rscu(result))
    assert codons.to_wide(shuffled).equals(codons.to_wide(result))
    assert codons.to_wide(shuffled)["gc3"].equals(codons.to_wide(result)["gc3"])


def test_rscu_of_one_group_and_of_transposed_counts():
    result = result_of([list(range(64)), [2] * 64], [1, 5])
    whole = codons.rscu(result)
    one = codons.rscu(result["count"].isel(group=1))
    np.testing.assert_array_equal(one.values.ravel(), whole.values[1])
    turned = codons.rscu(result["count"].transpose("codon", "group"))
    np.testing.assert_array_equal(turned.values, whole.values)


def test_counts_of_some_codons_only_are_refused_by_rscu():
    result = result_of([[1] * 64], [1])
    with pytest.raises(UsageError, match="64"):
        codons.rscu(result.sel(codon=["TTT", "TTC"]))


def test_frame_counts_carry_a_warning_into_rscu():
    assert "not codon usage" in codons.rscu(result_of([[1] * 64], [1], "frame")).attrs["warning"]
    assert "warning" not in codons.rscu(result_of([[1] * 64], [1])).attrs


def test_wide_columns_and_types():
    table = codons.to_wide(result_of([[1] * 64], [11]))
    numbers = ["n_seq", "n_codons", "n_ambiguous", "n_partial"]
    assert table.column_names == [
        "seq_id", *numbers, "transl_table", "gc", "gc1", "gc2", "gc3", *CODONS
    ]  # fmt: skip
    assert {table.schema.field(c).type for c in [*numbers, *CODONS]} == {pa.int64()}
    assert "all" not in codons.to_wide(result_of([[1] * 64], [11], by="none")).column_names


def test_files_hold_no_path_time_or_host(tmp_path):
    result = result_of([[3] * 64], [11])
    table = codons.to_wide(result)
    paths = [tmp_path / "a.parquet", tmp_path / "deep" / "er" / "b.parquet"]
    for path in paths:
        codons.write(table, path, result.attrs)
    assert paths[0].read_bytes() == paths[1].read_bytes()
    about = json.loads(pq.read_schema(paths[0]).metadata[b"polytene"])
    assert set(about) == {"by", "frame", "genetic_code", "meaning", "mode", "softmask", "versions"}
    assert pq.read_table(paths[0]).equals(table)


@pytest.mark.parametrize(("suffix", "mark"), [(".csv", ","), (".tsv", "\t")])
def test_text_files_keep_every_id(tmp_path, suffix, mark):
    ids = ['a"b', "a,b", "a\tb", "a\nb", "a\r\nb", "", "é", "\x1b[2J", " x ", "NULL"]
    table = pa.table({"seq_id": ids, "n": range(len(ids))})
    codons.write(table, tmp_path / f"t{suffix}", {})
    with open(tmp_path / f"t{suffix}", newline="") as file:
        rows = list(csv.DictReader(file, delimiter=mark))
    assert [r["seq_id"] for r in rows] == ids
    assert [p.name for p in tmp_path.iterdir()] == [f"t{suffix}"]


def test_counts_that_do_not_add_up_are_never_shown():
    counts = pa.array([[1] * 64 + [0]], pa.list_(pa.int64(), 65))
    numbers = {"code_min": [1], "code_max": [1], "n_seq": [1], "n_partial": [0], "expected": [65]}
    table = pa.table({"group": ["a"], **numbers, "counts": counts})
    params = {"mode": "cds", "by": "none", "genetic_code": "auto", "sample": None}
    with pytest.raises(BrokenPromise):
        to_dataset(table, params)


def test_a_result_without_a_group_has_tables(tmp_path):
    params = {"mode": "cds", "frame": 0, "by": "seq_id", "softmask": "count"}
    result = to_dataset(None, params | {"genetic_code": "auto", "sample": None})
    for table in (codons.to_wide(result, with_rscu=True), codons.to_long(result, with_rscu=True)):
        assert table.num_rows == 0
        codons.write(table, tmp_path / "o.parquet", result.attrs)
        codons.write(table, tmp_path / "o.csv", result.attrs)
