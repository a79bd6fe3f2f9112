"""Comparing usage tables: the numbers by hand, and the picture."""

from __future__ import annotations

import math

import numpy as np
import pyarrow as pa
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

from polytene.codons import CODONS, genetic_code
from polytene.codons.measures.compare import compare, largest, summary
from polytene.codons.measures.compare_map import difference_map
from polytene.codons.measures.cut import read_cut
from polytene.codons.result import to_dataset
from polytene.exceptions import UsageError

COUNTS = st.lists(st.integers(0, 50), min_size=64, max_size=64).filter(lambda c: len(set(c)) > 1)


def usage_of(rows, names="abcdef", code=11) -> xr.Dataset:
    wide = np.array([[*row, 0] for row in rows], np.int64)
    n = len(rows)
    value = pa.table(
        {
            "group": list(names[:n]),
            **{name: np.full(n, code) for name in ("code_min", "code_max")},
            **{name: np.ones(n, np.int64) for name in ("n_seq", "n_partial")},
            "expected": wide.sum(axis=1),
            "counts": pa.FixedSizeListArray.from_arrays(pa.array(wide.ravel()), 65),
        }
    )
    params = {"mode": "cds", "by": "source", "genetic_code": "auto", "sample": None}
    return to_dataset(value, params)


@given(COUNTS, COUNTS)
def test_numbers_are_those_of_plain_python(a, b):
    found = compare(usage_of([a]), usage_of([b], "z")).isel(group=0)
    x, y = ([1000 * n / sum(c) for n in c] for c in (a, b))
    assert found["difference"].values == pytest.approx([p - q for p, q in zip(x, y, strict=True)])
    assert found["pearson"].item() == pytest.approx(np.corrcoef(x, y)[0, 1], abs=1e-9)
    lengths = math.sqrt(sum(p * p for p in x) * sum(q * q for q in y))
    dot = sum(p * q for p, q in zip(x, y, strict=True))
    assert found["cosine"].item() == pytest.approx(dot / lengths)
    squares = []
    for members in genetic_code(11).families.values():
        totals = [sum(c[i] for i in members) for c in (a, b)]
        if members.size > 1 and all(totals):
            shares = [[members.size * c[i] / t for i in members]
                      for c, t in zip((a, b), totals, strict=True)]  # fmt: skip
            squares += [(p - q) ** 2 for p, q in zip(*shares, strict=True)]
    expected = math.sqrt(np.mean(squares)) if squares else math.nan
    assert found["rscu_distance"].item() == pytest.approx(expected, nan_ok=True)


def test_groups_meet_by_name_and_a_single_group_meets_all():
    rows = np.random.default_rng(1).integers(1, 50, (3, 64))
    three, two = usage_of(rows, "abc"), usage_of(rows[:2], "ca")
    both = compare(three, two)
    assert both["group"].values.tolist() == ["a", "c"]
    assert both["difference"].sel(group="a").values == pytest.approx(
        compare(three.isel(group=[0]), two.isel(group=[1]))["difference"].values[0]
    )
    one = usage_of(rows[:1], "z")
    assert compare(three, one)["group"].values.tolist() == ["a", "b", "c"]
    assert compare(one, three)["group"].values.tolist() == ["a", "b", "c"]
    assert compare(one, three)["rscu_distance"].values[0] == 0
    with pytest.raises(UsageError, match="no group in common"):
        compare(usage_of(rows[:2], "ab"), usage_of(rows[:2], "cd"))


def test_unknown_codes_are_refused_and_other_meanings_left_out():
    a, b = usage_of([range(1, 65)], code=0), usage_of([range(1, 65)], code=2)
    with pytest.raises(UsageError, match="give genetic_code"):
        compare(a, b)
    assert compare(a, b, 2)["rscu_distance"].item() == 0
    found = compare(usage_of([range(1, 65)]), b)["rscu_difference"].isel(group=0)
    meaning = {c: genetic_code(c).amino_acids for c in (2, 11)}
    differ = {c for c, x, y in zip(CODONS, meaning[2], meaning[11], strict=True) if x != y}
    assert differ == {"AGA", "AGG", "ATA", "TGA"}
    assert found.sel(codon=sorted(differ)).isnull().all()
    assert not found.sel(codon="TTT").isnull()


def test_the_table_has_the_largest_differences_first():
    a, b = [10] * 64, [10] * 64
    a[5], a[9] = 100, 50
    b[9] = 100
    found = largest(compare(usage_of([a]), usage_of([b])), top=2).to_pylist()
    assert [row["codon"] for row in found] == [CODONS[5], CODONS[9]]
    assert found[0]["difference"] == pytest.approx(found[0]["a"] - found[0]["b"])
    assert found[0]["aa"] == "S"
    assert found[0]["difference"] > 0 > found[1]["difference"]
    assert summary(compare(usage_of([a]), usage_of([a]))).to_pylist()[0] == pytest.approx(
        {"group": "a", "pearson": 1, "cosine": 1, "rscu_distance": 0}
    )


def test_yeast_and_ecoli_differ_more_than_maize_and_rice_chloroplasts(shared_data):
    folder = shared_data / "codons" / "tables"
    table = {p.stem: read_cut(p, 11) for p in folder.glob("*.cut")}
    far = compare(table["Eyeast"], table["Eecoli"])["rscu_distance"].item()
    near = compare(table["Emaize_chl"], table["Eorysa_chl"])["rscu_distance"].item()
    assert near < 0.1 < 0.5 < far


def test_the_picture_stands_alone_and_shows_the_most_different_groups():
    rows = np.random.default_rng(1).integers(0, 50, (120, 64))
    names = [f"group{i:03d}" for i in range(120)]
    found = compare(usage_of(rows, names), usage_of([rows[7]], "z"))
    page = difference_map(found, "these", "that")
    assert "<script src" not in page
    assert "red is more in these, blue more in that" in page
    shown = {name for name in names if f'"{name} (code' in page}
    assert len(shown) == 100
    assert "group007" not in shown
    empty = usage_of([[0] * 64])
    assert "RSCU" in difference_map(compare(empty, empty), "a", "b")
