"""Adding up by group: exact, in any order, for any type of group, and never silently wrong."""

from __future__ import annotations

import datetime
import decimal
import itertools
from collections import defaultdict

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from polytene import codons
from polytene.codons.groups import Counted, counts_of, group_rows, merge
from polytene.exceptions import UsageError

ROWS = st.lists(
    st.tuples(st.sampled_from(["a", "b", "", None]), st.integers(0, 5), st.integers(0, 3)),
    max_size=20,
)


def counted(rows) -> Counted:
    n = len(rows)
    counts = np.zeros((n, 65), np.int64)
    counts[:, 3] = [c for _, c, _ in rows]
    numbers = np.array([c for _, c, _ in rows], np.int64)
    codes = np.array([code for _, _, code in rows], np.int64)
    group = pa.array([g for g, _, _ in rows], pa.string())
    first = np.ones(n, bool)
    return Counted(first, counts, numbers, numbers % 2 > 0, codes, group)


@given(rows=ROWS, cuts=st.lists(st.integers(0, 20), max_size=4), random=st.randoms())
def test_merging_in_any_order_is_counting_at_once(rows, cuts, random):
    places = [0, *sorted(min(c, len(rows)) for c in cuts), len(rows)]
    slices = [rows[a:b] for a, b in itertools.pairwise(places)]
    tables = [group_rows(counted(s)) for s in slices]
    random.shuffle(tables)
    middle = random.randint(0, len(tables))
    halves = [merge(part) for part in (tables[:middle], tables[middle:]) if part]
    whole = merge(halves)
    assert whole.equals(group_rows(counted(rows)))


@given(rows=ROWS)
def test_groups_hold_the_sums_and_the_range_of_codes(rows):
    table = group_rows(counted(rows))
    expected = defaultdict(list)
    for group, number, code in rows:
        expected[group].append((number, code))
    order = sorted(g for g in expected if g is not None) + [None] * (None in expected)
    assert table["group"].to_pylist() == order
    assert counts_of(table)[:, 3].tolist() == [sum(n for n, _ in expected[g]) for g in order]
    assert table["n_seq"].to_pylist() == [len(expected[g]) for g in order]
    assert table["code_min"].to_pylist() == [min(c for _, c in expected[g]) for g in order]
    assert table["code_max"].to_pylist() == [max(c for _, c in expected[g]) for g in order]


VALUES = {
    "string": ["x", None],
    "dictionary": pa.array(["x", None]).dictionary_encode(),
    "string_view": pa.array(["x", None], pa.string_view()),
    "binary": [b"x", None],
    "int": [3, None],
    "dictionary of int": pa.array([3, None]).dictionary_encode(),
    "bool": [True, None],
    "double": [1.5, None],
    "date": [datetime.date(2020, 1, 31), None],
    "decimal": [decimal.Decimal("1.5"), None],
    "null": pa.nulls(2),
}


@pytest.mark.parametrize("kind", VALUES)
@pytest.mark.parametrize("layout", ["wide", "long"])
def test_a_group_of_any_flat_type_keeps_its_values(parquet, count, tmp_path, kind, layout):
    path = parquet({"sequence": ["ATG", "AAATTT"], "g": VALUES[kind]})
    result = count(path, by="g").result
    found = [None] if kind == "null" else [pa.array(VALUES[kind])[0].as_py(), None]
    table = codons.to_wide(result) if layout == "wide" else codons.to_long(result, min_count=1)
    assert list(dict.fromkeys(table["g"].to_pylist())) == found
    for name in ("o.parquet", "o.csv"):
        codons.write(table, tmp_path / name, result.attrs)


@pytest.mark.parametrize(
    "values",
    [
        [[1], [2]],
        [{"x": 1}, {"x": 2}],
        pa.array([[("a", 1)], []], pa.map_(pa.string(), pa.int64())),
    ],
    ids=["list", "struct", "map"],
)
def test_a_nested_group_is_refused_with_its_reason(parquet, count, values):
    outcome = count(parquet({"sequence": ["ATG", "AAATTT"], "g": values}), by="g")
    (failure,) = outcome.quarantined
    assert (failure.category, failure.reason) == ("input", "wrong-type")
    assert "'g'" in failure.detail
    assert "x.parquet" in failure.detail


def test_files_that_disagree_about_the_type_of_a_group_lose_nothing_else(parquet, count):
    path = parquet({"sequence": ["ATG"], "g": ["x"]}, "a.parquet")
    parquet({"sequence": ["ATG"], "g": ["y"]}, "b.parquet", path.parent)
    parquet({"sequence": ["ATG"], "g": [1]}, "c.parquet", path.parent)
    outcome = count(path.parent, by="g")
    (failure,) = outcome.quarantined
    assert (failure.category, failure.reason) == ("input", "wrong-type")
    assert "c.parquet" in failure.detail
    assert outcome.result.group.values.tolist() == ["x", "y"]


def test_integers_of_two_widths_are_one_kind_of_group(parquet, count):
    path = parquet({"sequence": ["ATG"], "g": pa.array([7], pa.int32())}, "a.parquet")
    parquet({"sequence": ["ATG"], "g": [7]}, "b.parquet", path.parent)
    result = count(path.parent, by="g").result
    assert (result.group.values.tolist(), result.n_seq.values.tolist()) == ([7], [2])


@pytest.mark.parametrize("name", ["transl_table", "n_seq", "gc", "codon", "count", "aa", "freq",
                                  "ATG"])  # fmt: skip
def test_a_group_column_named_like_ours_keeps_its_values_or_is_refused(parquet, count, name):
    values = [2, 5] if name == "transl_table" else ["x", "y"]
    path = parquet({"sequence": ["ATG", "AAATTT"], name: values})
    try:
        result = count(path, by=name, genetic_code=1).result
    except UsageError as error:
        refused = str(error)
    else:
        refused = None
    if refused is not None:
        assert name != "transl_table"  # this one is a group that people want
        assert repr(name) in refused
        return
    for table in (codons.to_wide(result), codons.to_long(result, min_count=1)):
        assert list(dict.fromkeys(table.columns[0].to_pylist())) == values
        assert len(set(table.column_names)) == len(table.column_names)


def test_the_id_column_may_be_anything_that_text_can_be_made_of(parquet, count):
    path = parquet({"seq_id": [12, None], "sequence": ["ATG", ""]})
    outcome = count(path, by="seq_id")
    assert outcome.result.group.values.tolist() == [12]
    assert [f.reason for f in outcome.rejected] == ["empty-sequence"]
