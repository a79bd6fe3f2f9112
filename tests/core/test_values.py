"""Values as bytes and back; what cannot be stored is refused by name."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from polytene import Folder
from polytene.core.canonical import canonical, plain
from polytene.core.values import SUFFIX, decode, encode, kind_of
from polytene.exceptions import DamagedRun

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
DTYPES = (
    hnp.integer_dtypes() | hnp.floating_dtypes() | hnp.boolean_dtypes() | hnp.byte_string_dtypes()
)
ARRAYS = hnp.arrays(DTYPES | hnp.datetime64_dtypes(), hnp.array_shapes(min_dims=0, min_side=0))
NAMES = st.text("abcXYZ019_-/. é", min_size=1, max_size=8).filter(lambda n: not n.endswith(".npy"))


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return tmp_path_factory.mktemp("values") / "data"


def back(values, place, failed=None):
    made = encode(values, failed or [False] * len(values))
    if made.data is not None:
        place.write_bytes(made.data)
    return decode(made.kind, made.layout, place)


@given(st.lists(JSON.filter(lambda v: v != {}), min_size=1, max_size=4))
def test_json_comes_back(place, values):
    assert back(values, place) == values


def test_numbers_that_are_no_numbers_come_back(place):
    found = back([[math.inf, -math.inf, math.nan, -0.0]], place)[0]
    assert found[:2] == [math.inf, -math.inf]
    assert math.isnan(found[2])
    assert math.copysign(1, found[3]) == -1


@given(st.lists(ARRAYS, min_size=1, max_size=4))
def test_arrays_come_back(place, values):
    for old, new in zip(values, back(values, place), strict=True):
        assert (old.dtype, old.shape, old.tobytes()) == (new.dtype, new.shape, new.tobytes())


@given(st.lists(st.dictionaries(NAMES, ARRAYS, min_size=1, max_size=3), min_size=1, max_size=3))
def test_named_arrays_come_back(place, values):
    for old, new in zip(values, back(values, place), strict=True):
        assert list(old) == list(new)
        assert all(old[k].tobytes() == new[k].tobytes() for k in old)


@pytest.mark.parametrize(
    "names", [("x", "x.npy"), ("a\x00b",), ("a\x00b", "a\x00c"), ("x.npy.npy", "x.npy")]
)
def test_no_name_of_an_array_is_mistaken(place, names):
    value = {name: np.array([i]) for i, name in enumerate(names)}
    assert back([value], place) == [value]


@given(st.lists(st.lists(st.integers(-9, 9) | st.none(), max_size=5), min_size=1, max_size=5))
def test_tables_come_back_with_their_rows(place, columns):
    schema = pa.schema([pa.field("n", pa.int32(), metadata={b"unit": b"bp"}), ("t", pa.string())])
    tables = [pa.table({"n": c, "t": list(map(str, c))}, schema=schema) for c in columns]
    found = back(tables, place)
    assert found == tables
    assert all(t.schema.equals(schema, check_metadata=True) for t in found)


def test_tables_of_categories_come_back(place):
    tables = [pa.table({"c": pa.array(list(x)).dictionary_encode()}) for x in ("ab", "cb", "", "a")]
    assert [t.to_pydict() for t in back(tables, place)] == [t.to_pydict() for t in tables]


@pytest.mark.parametrize("value", [1, np.arange(3), {"a": np.arange(2)}, pa.table({"a": [1, 2]})])
@pytest.mark.parametrize("failed", [[1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 0]])
def test_failed_units_leave_a_gap(place, value, failed):
    values = [None if f else value for f in failed]
    found = back(values, place, list(map(bool, failed)))
    assert [f is None for f in found] == list(map(bool, failed))
    assert all(str(f) == str(value) for f in found if f is not None)


def test_a_block_of_failures_alone(place):
    assert back([None, None], place, [True, True]) == [None, None]


def test_tuples_and_numpy_scalars_become_json(place):
    value = {"a": (1, np.int64(2)), "b": np.float32(0.5), "c": [np.bool_(True)]}
    assert back([value], place) == [{"a": [1, 2], "b": 0.5, "c": [True]}]


@pytest.mark.parametrize(
    ("value", "place_named"),
    [
        (object(), "value is a object"),
        ({"a": [1, {2}]}, r"value\['a'\]\[1\] is a set"),
        ({"a": {1: 2}}, r"value\['a'\]: key 1 is not a string"),
        ({"a": np.arange(2), "b": 3}, "'b' is a int, not a plain numpy array"),
        ([np.arange(2)], r"value\[0\] is a ndarray"),
        (b"bytes", "value is a bytes"),
        (1j, "value is a complex"),
        (lambda: 1, "value is a function"),
    ],
)
def test_what_cannot_be_stored_is_named(value, place_named):
    with pytest.raises(TypeError, match=place_named) as caught:
        kind_of(value)
    assert "a stage returns a pyarrow.Table" in str(caught.value)


@pytest.mark.parametrize(
    "value",
    [
        np.array([{}, None], dtype=object),
        {"a": np.array([object()])},
        np.ma.masked_array([1.0, 2.0], [False, True]),
        {"flux": np.ma.masked_invalid([1.0, np.nan])},
        {1: np.arange(2)},
        {(1, 2): np.arange(2)},
    ],
    ids=["objects", "named objects", "masked", "named masked", "int name", "tuple name"],
)
def test_arrays_that_would_lose_something_are_refused(value):
    with pytest.raises(TypeError):
        kind_of(value)


@pytest.mark.parametrize(
    "pair", [(1, np.arange(2)), (pa.table({"a": [1]}), []), (Folder(Path.cwd()), None)]
)
def test_mixed_kinds_are_refused(pair):
    with pytest.raises(TypeError, match="2 kinds"):
        encode(pair, [False, False])
    encode(pair, [False, True])


@given(JSON)
def test_equal_values_have_one_spelling(value):
    again = dict(reversed(value.items())) if isinstance(value, dict) else value
    assert canonical(value) == canonical(again)
    assert plain(value) == value


def test_any_text_has_a_spelling():
    assert canonical("reads-\udce9.fa") == canonical("reads-\udce9.fa")


def test_an_unknown_kind_is_damage(place):
    assert set(SUFFIX) == {"arrow", "npz", "folder"}
    with pytest.raises(DamagedRun, match="pickle"):
        decode("pickle", [], place)
