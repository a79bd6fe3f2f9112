"""Sequences packed to four bases a byte, as the columns of an Arrow batch.

``seq2`` holds two bits a base. ``letters`` are the runs of any other letter (N, the codes of
IUPAC, gaps, whatever byte there is), ``lower`` the runs of lower case, both in bp from the start
of the sequence, and ``rna`` says that the bits of T stand for U: a sequence that has U and no T
needs no run for it. Together they give back each byte.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pt
from numpy.typing import NDArray

from polytene.codons.arrays import spans
from polytene.codons.kernels import Bytes, Int64s, Softmask
from polytene.codons.packed import counts
from polytene.codons.packed.kernels import Packed, Runs, pack_spans, unpack_rows
from polytene.exceptions import BadInput, UsageError

_RUN = [pa.field("start", pa.int64()), pa.field("length", pa.int64())]
_LETTERS = pa.struct([*_RUN, pa.field("letter", pa.uint8())])
_LOWER = pa.struct(_RUN)

PACKED = pa.schema(
    [
        pa.field("length", pa.int64()),
        pa.field("seq2", pa.large_binary()),
        pa.field("rna", pa.bool_()),
        pa.field("letters", pa.large_list(_LETTERS)),
        pa.field("lower", pa.large_list(_LOWER)),
    ]
)
ENCODINGS = {
    "seq2": "DELTA_LENGTH_BYTE_ARRAY",
    "letters.list.element.start": "DELTA_BINARY_PACKED",
    "letters.list.element.length": "DELTA_BINARY_PACKED",
    "letters.list.element.letter": "DELTA_BINARY_PACKED",
    "lower.list.element.start": "DELTA_BINARY_PACKED",
    "lower.list.element.length": "DELTA_BINARY_PACKED",
}


def pack(sequences: pa.Array[Any]) -> pa.RecordBatch:
    """Pack sequences; `unpack` gives each byte back.

    Parameters
    ----------
    sequences
        Strings or bytes of any Arrow layout, one sequence each.

    Returns
    -------
    pyarrow.RecordBatch
        Of the schema `PACKED`, a row per sequence: ``length`` in bp; ``seq2``, four bases a byte,
        the first one in the lowest bits, T 0, C 1, A 2, G 3; ``rna``, whether 0 is U; the runs
        ``letters`` and ``lower``, 0-based and in order. A null has the length null, too.

    Raises
    ------
    BadInput
        Reason ``wrong-type``, if the sequences are neither strings nor bytes.

    Examples
    --------
    >>> batch = pack(pa.array(["TCAGNNNN", "acgu"]))
    >>> [packed.hex() for packed in batch["seq2"].to_pylist()], batch["rna"].to_pylist()
    (['e400', '36'], [False, True])
    >>> batch["letters"].to_pylist()[0], batch["lower"].to_pylist()[1]
    ([{'start': 4, 'length': 4, 'letter': 78}], [{'start': 0, 'length': 4}])
    """
    if pt.is_dictionary(sequences.type):
        sequences = sequences.dictionary_decode()
    rows = pack_spans(*spans(sequences))
    valid = _valid(sequences)
    offsets = np.append(rows.starts, rows.data.size)
    columns = [
        pa.array(rows.lengths, mask=~valid),
        _flat_array(pa.large_binary(), rows.data, offsets, valid),
        pa.array(rows.rna),
        _run_lists(_LETTERS, rows.other, rows.letters),
        _run_lists(_LOWER, rows.lower),
    ]
    return pa.RecordBatch.from_arrays(columns, schema=PACKED)


def unpack(batch: pa.RecordBatch, kind: pa.DataType | None = None) -> pa.Array[Any]:
    """Write packed sequences out as text.

    Parameters
    ----------
    batch
        A batch with the columns of `PACKED`; others are not looked at.
    kind
        ``pa.large_string()``, the default, or ``pa.large_binary()`` for sequences that were bytes.

    Returns
    -------
    pyarrow.Array
        Of type `kind`, a sequence per row.

    Raises
    ------
    BadInput
        Reason ``damaged-packed``, if the columns contradict each other, ``wrong-type``, if one is
        missing or of another type, ``not-text``, if the bytes of a string are not UTF-8.
    UsageError
        If `kind` is of another type.

    Examples
    --------
    >>> unpack(pack(pa.array(["ACGTNNacgt-*", None, "AUG"]))).to_pylist()
    ['ACGTNNacgt-*', None, 'AUG']
    """
    kind = pa.large_string() if kind is None else kind
    if not pt.is_large_string(kind) and not pt.is_large_binary(kind):
        raise UsageError(f"kind must be large_string or large_binary, not {kind}")
    rows = _rows(batch)
    text, offsets = unpack_rows(rows)
    array = _flat_array(kind, text, offsets, _valid(batch["seq2"]))
    if pt.is_large_string(kind) and rows.letters.max(initial=0) >= 128:
        try:
            array.validate(full=True)
        except pa.ArrowInvalid as error:
            raise BadInput("not-text", f"{error}; unpack with kind=pa.large_binary()") from None
    return array


def unpack_tail(batch: pa.RecordBatch, start: int) -> bytes:
    """Write the one packed sequence of a batch out as text, from base ``start`` on.

    Only the bytes that hold these bases are looked at.

    Examples
    --------
    >>> unpack_tail(pack(pa.array(["ACGTNNacgt-*"])), 4)
    b'NNacgt-*'
    """
    rows = _rows(batch)
    begin = start // 4 * 4
    tail = rows._replace(
        starts=rows.starts + begin // 4,
        lengths=np.maximum(rows.lengths - begin, 0),
        **_runs_from(rows, begin),
    )
    text, _ = unpack_rows(tail)
    return text[start - begin :].tobytes()


def _runs_from(rows: Packed, begin: int) -> dict[str, Any]:
    """Return the runs of the one row that reach beyond a base, counted from it."""

    def of(runs: Runs) -> tuple[Runs, NDArray[np.bool_]]:
        keep = runs.stops > begin
        starts, stops = np.maximum(runs.starts[keep] - begin, 0), runs.stops[keep] - begin
        return Runs(np.array([0, starts.size]), starts, stops), keep

    other, kept = of(rows.other)
    return {"other": other, "letters": rows.letters[kept], "lower": of(rows.lower)[0]}


def count_packed(
    batch: pa.RecordBatch, skip: Int64s | int = 0, *, softmask: Softmask = "count"
) -> Int64s:
    """Count the codons of packed sequences in one reading frame, without unpacking them.

    Parameters
    ----------
    batch
        A batch with the columns of `PACKED`; others are not looked at.
    skip
        Bases to leave out at the start, 0, 1 or 2: one for all rows or int64 of shape ``(row,)``.
    softmask
        As in `polytene.codons.arrays.count_array`.

    Returns
    -------
    numpy.ndarray
        int64 of shape ``(row, 65)``: what `polytene.codons.arrays.count_array` counts in the
        letters. A null has a row of zeros.

    Raises
    ------
    BadInput
        Reason ``damaged-packed``, if the columns contradict each other, or ``wrong-type``, if one
        is missing or of another type.
    UsageError
        If `skip` or `softmask` is unknown.

    Examples
    --------
    >>> counts = count_packed(pack(pa.array(["TTTTTCNNN", None, "uuug"])))
    >>> counts[:, [0, 1, 64]].tolist()
    [[1, 1, 1], [0, 0, 0], [1, 0, 0]]
    """
    skips = np.full(batch.num_rows, skip) if np.ndim(skip) == 0 else np.asarray(skip)
    return counts.count_rows(_rows(batch), skips, softmask=softmask)


def warm() -> None:
    """Compile every kernel, or load it from numba's cache, so that no worker pays for it later.

    Examples
    --------
    >>> warm()
    """
    batch = pack(pa.array(["ATG"]))
    unpack(batch)
    count_packed(batch)


def _flat_array(
    kind: pa.DataType, data: Bytes, offsets: Int64s, valid: NDArray[np.bool_]
) -> pa.Array[Any]:
    bits = None if valid.all() else pa.py_buffer(np.packbits(valid, bitorder="little"))
    buffers = [bits, pa.py_buffer(offsets), pa.py_buffer(data)]
    return pa.Array.from_buffers(kind, offsets.size - 1, buffers)


def _run_lists(kind: pa.StructType, runs: Runs, *more: NDArray[Any]) -> pa.Array[Any]:
    columns = (runs.starts, runs.stops - runs.starts, *more)
    values = pa.StructArray.from_arrays([pa.array(c) for c in columns], fields=list(kind))
    return pa.LargeListArray.from_arrays(pa.array(runs.first), values)


def _numpy(array: pa.Array[Any]) -> NDArray[Any]:
    values: NDArray[Any] = array.to_numpy(zero_copy_only=False)
    return values


def _valid(array: pa.Array[Any]) -> NDArray[np.bool_]:
    return _numpy(array.is_valid())


def _column(batch: pa.RecordBatch, name: str) -> pa.Array[Any]:
    """Return a column as its type in `PACKED`, whatever kind of list or integer a writer made."""
    if name not in batch.schema.names:
        raise BadInput("wrong-type", f"packed sequences need a column {name}")
    array, kind = batch[name], PACKED.field(name).type
    if array.type == kind:
        return array
    try:
        return array.cast(kind)
    except pa.ArrowException as error:
        raise BadInput("wrong-type", f"column {name} must be {kind}: {error}") from None


def _rows(batch: pa.RecordBatch) -> Packed:
    """Show a batch as arrays; the packed bytes are not copied."""
    seq2 = _column(batch, "seq2")
    data, starts, stops = spans(seq2)
    lengths = np.where(_valid(seq2), _numpy(pc.fill_null(_column(batch, "length"), -1)), 0)
    sizes = stops - starts
    wrong = np.flatnonzero((lengths + 3) // 4 != sizes)
    if wrong.size:
        row = wrong[0]
        detail = f"row {row}: {lengths[row]} bases do not fill the {sizes[row]} bytes of seq2"
        raise BadInput("damaged-packed", detail)
    rna = _numpy(pc.fill_null(_column(batch, "rna"), False))
    other, letters = _runs(_column(batch, "letters"))
    lower, _ = _runs(_column(batch, "lower"))
    return Packed(data, starts, lengths, rna, other, letters, lower)


def _runs(lists: pa.Array[Any]) -> tuple[Runs, Bytes]:
    """Show lists of runs as arrays, and the letters of those that have one."""
    sizes = pc.fill_null(pc.list_value_length(lists), 0).to_numpy()
    first = np.concatenate(([0], np.cumsum(sizes)))
    runs: Any = lists.flatten()
    columns = runs.flatten()
    if any(column.null_count for column in columns):
        raise BadInput("damaged-packed", "a run holds a null")
    fields = [_numpy(column) for column in columns]
    letters = fields[2] if len(fields) == 3 else np.zeros(0, np.uint8)
    return Runs(first, fields[0], fields[0] + fields[1]), letters
