from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from polytene.codons.arrays import count_array, spans
from polytene.codons.kernels import Softmask, count_spans, warm
from polytene.exceptions import BadInput, UsageError

TYPES = {
    "string": pa.string(),
    "large_string": pa.large_string(),
    "string_view": pa.string_view(),
    "binary": pa.binary(),
    "large_binary": pa.large_binary(),
    "binary_view": pa.binary_view(),
    "dictionary<string>": pa.dictionary(pa.int8(), pa.string()),
    "dictionary<large_binary>": pa.dictionary(pa.uint32(), pa.large_binary()),
}
ANY_TYPE = pytest.mark.parametrize("kind", TYPES.values(), ids=TYPES)
SEQUENCES = st.lists(
    st.one_of(st.none(), st.text("ACGTUacgtN", max_size=30), st.just("ACGTN" * 5)), max_size=12
)


@pytest.fixture(autouse=True, scope="module")
def compiled() -> None:
    warm()


def as_kind(values: list[str | None], kind: pa.DataType) -> pa.Array:
    if not pa.types.is_dictionary(kind):
        return pa.array(values, kind)
    return pa.array(values, kind.value_type).dictionary_encode().cast(kind)


def texts_under(array: pa.Array) -> list[bytes]:
    data, starts, stops = spans(array)
    assert (data.dtype, starts.dtype, stops.dtype) == (np.uint8, np.int64, np.int64)
    return [data[a:b].tobytes() for a, b in zip(starts, stops, strict=True)]


def counts_of(values: list[str | None], frame: int, softmask: Softmask) -> list[list[int]]:
    rows = []
    for value in values:
        data = np.frombuffer((value or "").encode()[frame:], np.uint8)
        row = count_spans(data, np.zeros(1, int), np.full(1, data.size), softmask=softmask)
        rows.extend(row.tolist())
    return rows


@ANY_TYPE
@given(values=SEQUENCES, draw=st.data())
def test_spans_of_whole_and_sliced_arrays(
    kind: pa.DataType, values: list[str | None], draw: st.DataObject
) -> None:
    offset = draw.draw(st.integers(0, len(values)))
    length = draw.draw(st.integers(0, len(values)))
    array = as_kind(values, kind)
    expected = [(value or "").encode() for value in values]
    assert texts_under(array) == expected
    assert texts_under(array.slice(offset, length)) == expected[offset : offset + length]


@ANY_TYPE
@given(values=SEQUENCES, frame=st.integers(0, 2), softmask=st.sampled_from(["count", "skip"]))
def test_counts_of_any_array(
    kind: pa.DataType, values: list[str | None], frame: int, softmask: Softmask
) -> None:
    counts = count_array(as_kind(values, kind), frame, softmask)
    assert counts.dtype == np.int64
    assert counts.shape == (len(values), 65)
    assert counts.tolist() == counts_of(values, frame, softmask)
    lengths = np.array([max(len(value or "") - frame, 0) for value in values], int)
    assert (counts.sum(axis=1) == lengths // 3).all()


@ANY_TYPE
def test_arrays_without_data(kind: pa.DataType) -> None:
    assert count_array(pa.array([], kind)).shape == (0, 65)
    assert not count_array(as_kind([None, None], kind)).any()
    assert not count_array(as_kind(["", "AT"], kind)).any()


@pytest.mark.parametrize("kind", [pa.string(), pa.large_binary()], ids=str)
def test_a_null_with_bytes_under_it_counts_nothing(kind: pa.DataType) -> None:
    _, offsets, data = pa.array(["ATG", "CCC", "GGG"], kind).buffers()
    array = pa.Array.from_buffers(kind, 3, [pa.py_buffer(b"\x05"), offsets, data])
    assert texts_under(array) == [b"ATG", b"", b"GGG"]
    assert texts_under(array.slice(1)) == [b"", b"GGG"]
    assert count_array(array).sum(axis=1).tolist() == [1, 0, 1]


@pytest.mark.parametrize("kind", [pa.string(), pa.large_binary()], ids=str)
def test_missing_buffers(kind: pa.DataType) -> None:
    nothing = pa.py_buffer(b"")
    assert texts_under(pa.Array.from_buffers(kind, 0, [None, None, nothing])) == []
    assert texts_under(pa.nulls(2, kind)) == [b"", b""]


def test_nulls_of_a_dictionary_and_of_its_indices() -> None:
    array = pa.DictionaryArray.from_arrays(pa.array([1, None, 0, 1]), pa.array([None, "ATG"]))
    assert texts_under(array) == [b"ATG", b"", b"", b"ATG"]
    assert texts_under(array.slice(1, 2)) == [b"", b""]
    assert count_array(array).sum(axis=1).tolist() == [1, 0, 0, 1]


@pytest.mark.parametrize("kind", [pa.string(), pa.large_binary()], ids=str)
def test_bytes_are_not_copied(kind: pa.DataType) -> None:
    array = pa.array(["ATG", "CCCGGG"], kind)
    data, _, _ = spans(array.slice(1))
    assert data.ctypes.data == array.buffers()[2].address
    assert not data.flags.writeable


def test_data_outlives_its_array() -> None:
    data, starts, stops = spans(pa.array(["ATG" * 1000]))
    pa.array(["CCC" * 1000])
    assert data[starts[0] : stops[0]].tobytes() == b"ATG" * 1000


def test_chunked_arrays() -> None:
    chunked = pa.chunked_array([["ATG", None], [], ["CCCGGG"]], pa.large_string())
    assert count_array(chunked).tolist() == count_array(chunked.combine_chunks()).tolist()
    assert count_array(pa.chunked_array([], pa.string_view())).shape == (0, 65)


@pytest.mark.parametrize(
    "array",
    [
        pa.array([1, 2]),
        pa.array([None]),
        pa.array([["ATG"]]),
        pa.array([b"ATG"], pa.binary(3)),
        pa.array([1, 1]).dictionary_encode(),
        pa.chunked_array([], pa.float64()),
    ],
    ids=lambda array: str(array.type),
)
def test_other_types_are_bad_input(array: Any) -> None:
    with pytest.raises(BadInput, match="must be strings or bytes, not") as caught:
        count_array(array)
    assert caught.value.reason == "wrong-type"


@pytest.mark.parametrize("frame", [-1, 3])
def test_unknown_frame(frame: int) -> None:
    with pytest.raises(UsageError, match=f"frame must be 0, 1 or 2, not {frame}"):
        count_array(pa.array(["ATG"]), frame)


def test_unknown_softmask() -> None:
    with pytest.raises(UsageError, match="softmask must be"):
        count_array(pa.array(["ATG"]), softmask="yes")  # type: ignore[arg-type]
