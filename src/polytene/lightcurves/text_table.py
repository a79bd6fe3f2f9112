"""Text tables of time, flux and error to arrays."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from pyarrow import csv

from polytene.exceptions import BadInput
from polytene.formats.text import decode
from polytene.lightcurves.bls_kernels import Floats

_TIME = ("time", "bjd", "btjd", "bkjd", "jd", "hjd", "mjd", "t")
_FLUX = ("flux", "pdcsap_flux", "kspsap_flux", "sap_flux", "f")
_ERROR = ("flux_err", "flux_error", "pdcsap_flux_err", "sap_flux_err", "err", "error", "sigma", "e")
_NOT_A_NUMBER = ["", "nan", "NaN", "NAN", "null", "NULL", "None", "--", "inf", "-inf"]


def read_table(raw: bytes, name: str) -> tuple[Floats, Floats, Floats | None]:
    r"""Return time, flux and, if there are any, errors of a text table.

    The delimiter is a comma, a semicolon, a tab or blanks; lines that begin with ``#`` before the
    first row are left out. Without a header the columns are time, flux and error.

    Raises
    ------
    BadInput
        ``not-a-light-curve``, ``missing-column`` or ``bad-number``.

    Examples
    --------
    >>> read_table(b"1 2\n3 nan\n", "x")
    (array([1., 3.]), array([ 2., nan]), None)
    """
    raw = _without_comments(raw)
    line = raw[: raw.find(b"\n")] if b"\n" in raw else raw
    delimiter = next((d for d in (b",", b";", b"\t") if d in line), b" ")
    if delimiter == b" ":
        raw = b"\n".join(b" ".join(row.split()) for row in raw.splitlines())
        line = b" ".join(line.split())
    head = [decode(cell).strip().strip("\"'").lower() for cell in line.split(delimiter)]
    if len(head) < 2 or b"\0" in line:
        raise BadInput(
            "not-a-light-curve", f"{name}: its first row has no two columns; expected time and flux"
        )
    named = not all(_is_number(cell) for cell in head)
    time, flux, error = _places(head, name) if named else (0, 1, 2 if len(head) > 2 else None)
    wanted = [time, flux] + ([] if error is None else [error])
    names = [str(i) for i in range(len(head))]
    try:
        table = csv.read_csv(
            pa.BufferReader(raw),
            csv.ReadOptions(column_names=names, skip_rows=int(named)),
            csv.ParseOptions(delimiter=delimiter.decode()),
            csv.ConvertOptions(
                include_columns=[names[i] for i in wanted],
                column_types={n: pa.float64() for n in names},
                null_values=_NOT_A_NUMBER,
            ),
        )
    except pa.ArrowInvalid as broken:
        raise BadInput("bad-number", f"{name}: {broken}; expected numbers only") from None
    columns = [_floats(table.column(names[i])) for i in wanted]
    return columns[0], columns[1], columns[2] if error is not None else None


def _without_comments(raw: bytes) -> bytes:
    raw = raw.replace(b"\r\n", b"\n").lstrip()
    while raw.startswith(b"#"):
        end = raw.find(b"\n")
        raw = raw[end + 1 :].lstrip() if end >= 0 else b""
    return raw


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _places(head: list[str], name: str) -> tuple[int, int, int | None]:
    def place(known: tuple[str, ...]) -> int | None:
        return next((head.index(n) for n in known if n in head), None)

    time, flux = place(_TIME), place(_FLUX)
    for what, found in (("time", time), ("flux", flux)):
        if found is None:
            raise BadInput(
                "missing-column", f"{name}: no column {what}; its header is {', '.join(head)}"
            )
    assert time is not None
    assert flux is not None
    return time, flux, place(_ERROR)


def _floats(column: pa.ChunkedArray) -> Floats:
    numbers: Floats = column.to_numpy().astype(np.float64)
    return numbers
