"""Arrow arrays of sequences as flat bytes and spans, and their codon counts."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
import pyarrow as pa
import pyarrow.types as pt
from numpy.typing import NDArray

from polytene.codons.kernels import Bytes, Int64s, Softmask, count_spans
from polytene.exceptions import BadInput, UsageError


def spans(array: pa.Array[Any]) -> tuple[Bytes, Int64s, Int64s]:
    """Show the strings of an Arrow array as spans of one flat byte array.

    Parameters
    ----------
    array
        Strings or bytes of any Arrow layout: plain, large, view or dictionary. Only views are
        copied; strings that share a dictionary entry share its span.

    Returns
    -------
    data
        uint8 of shape ``(byte,)``, read-only; it keeps the Arrow buffer alive.
    starts, stops
        Half-open spans of `data` in bytes, 0-based, int64 of shape ``(string,)``. A null has an
        empty span, whatever lies under it.

    Raises
    ------
    BadInput
        Reason ``wrong-type``, if the array holds neither strings nor bytes.

    References
    ----------
    Apache Arrow columnar format, https://arrow.apache.org/docs/format/Columnar.html.

    Examples
    --------
    >>> data, starts, stops = spans(pa.array(["ACG", None, "TT"]))
    >>> data.tobytes(), starts.tolist(), stops.tolist()
    (b'ACGTT', [0, 3, 3], [3, 3, 5])
    """
    kind = array.type
    if pt.is_dictionary(kind):
        return _dictionary_spans(cast("pa.DictionaryArray[Any, Any]", array))
    if pt.is_string_view(kind):
        return spans(array.cast(pa.large_string()))
    if pt.is_binary_view(kind):
        return spans(array.cast(pa.large_binary()))
    if pt.is_string(kind) or pt.is_binary(kind):
        return _offset_spans(array, np.int32)
    if pt.is_large_string(kind) or pt.is_large_binary(kind):
        return _offset_spans(array, np.int64)
    raise BadInput("wrong-type", f"sequences must be strings or bytes, not {kind}")


def count_array(
    sequences: pa.Array[Any] | pa.ChunkedArray[Any], frame: int = 0, softmask: Softmask = "count"
) -> Int64s:
    """Count the codons of whole sequences in one forward reading frame.

    Parameters
    ----------
    sequences
        Strings or bytes of any Arrow layout, one sequence each.
    frame
        Bases to leave out at the start of each sequence: 0, 1 or 2.
    softmask
        ``"count"`` reads lower-case bases like upper-case ones; ``"skip"`` makes every codon that
        has one ambiguous.

    Returns
    -------
    numpy.ndarray
        int64 of shape ``(sequence, 65)``: the 64 codons in the order of
        `polytene.codons.code.CODONS`, then the ambiguous ones, which hold a base other than A, C,
        G, T or U. Each row sums to ``(length - frame) // 3``; a null has a row of zeros.

    Raises
    ------
    UsageError
        If `frame` or `softmask` is unknown.
    BadInput
        Reason ``wrong-type``, if the sequences are neither strings nor bytes.

    Examples
    --------
    >>> counts = count_array(pa.array(["TTTTTCNNN", None, "tttg"]))
    >>> counts[:, [0, 1, 64]].tolist()
    [[1, 1, 1], [0, 0, 0], [1, 0, 0]]
    """
    if frame not in (0, 1, 2):
        raise UsageError(f"frame must be 0, 1 or 2, not {frame!r}")
    if isinstance(sequences, pa.ChunkedArray):
        chunks = sequences.chunks or [pa.array([], sequences.type)]
        return np.concatenate([count_array(chunk, frame, softmask) for chunk in chunks])
    data, starts, stops = spans(sequences)
    return count_spans(data, starts + frame, stops, softmask=softmask)


def _offset_spans(
    array: pa.Array[Any], offset_type: type[np.int32 | np.int64]
) -> tuple[Bytes, Int64s, Int64s]:
    buffers: list[Any] = array.buffers()
    _, offset_buffer, data_buffer = buffers
    data = np.frombuffer(data_buffer or b"", np.uint8)
    data.flags.writeable = False
    if not len(array):
        return data, np.zeros(0, np.int64), np.zeros(0, np.int64)
    stored = np.frombuffer(offset_buffer, offset_type, array.offset + len(array) + 1)
    offsets = stored[array.offset :].astype(np.int64)
    starts, stops = offsets[:-1], offsets[1:].copy()
    if array.null_count:
        null = ~_valid(array)
        stops[null] = starts[null]
    return data, starts, stops


def _dictionary_spans(array: pa.DictionaryArray[Any, Any]) -> tuple[Bytes, Int64s, Int64s]:
    data, entry_starts, entry_stops = spans(array.dictionary)
    valid = _valid(array.indices)
    entries = array.indices.drop_null().to_numpy()
    starts, stops = np.zeros((2, len(array)), np.int64)
    starts[valid], stops[valid] = entry_starts[entries], entry_stops[entries]
    return data, starts, stops


def _valid(array: pa.Array[Any]) -> NDArray[np.bool_]:
    valid: NDArray[np.bool_] = array.is_valid().to_numpy(zero_copy_only=False)
    return valid
