"""Read light curves: FITS files of TESS, Kepler and K2, and text tables."""

from __future__ import annotations

import io
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from polytene.exceptions import BadInput, UsageError
from polytene.formats.text import printable, read_blocks
from polytene.lightcurves.bls_kernels import Floats
from polytene.lightcurves.curve import LightCurve
from polytene.lightcurves.text_table import read_table

Quality = Literal["all", "default", "none"]
PathLike = str | os.PathLike[str]
FITS_BLOCK = 2880
FITS_MAGIC = b"SIMPLE  ="

# TESS: Science Data Products Description, table 32; Kepler and K2: Archive Manual, table 2-3.
_DEFAULT_FLAGS = {
    "TESS": 1 | 2 | 4 | 8 | 32 | 128 | 512 | 32768,
    "KEPLER": 1 | 2 | 4 | 8 | 32 | 64 | 256 | 16384 | 65536 | 1 << 20,
}
# What astropy raises where it happens to stumble over a damaged header or table.
_STUMBLES = (OSError, ValueError, TypeError, LookupError, AttributeError, ArithmeticError)
_QUALITY = ("QUALITY", "SAP_QUALITY")
_ID = (("TICID", "TIC"), ("KEPLERID", "KIC"))
_KEPT = {"sector": "SECTOR", "quarter": "QUARTER", "campaign": "CAMPAIGN", "camera": "CAMERA",
         "ccd": "CCD", "exposure": "EXPOSURE"}  # fmt: skip


@dataclass(frozen=True)
class Columns:
    """What was read from a file, before anything is left out."""

    time: Floats
    flux: Floats
    flux_err: Floats | None
    flags: np.ndarray[Any, np.dtype[Any]] | None
    meta: Mapping[str, Any]


def read(path: PathLike, *, flux: str = "PDCSAP_FLUX", quality: Quality = "all") -> LightCurve:
    r"""Read a light curve and make it relative to its median.

    Parameters
    ----------
    path
        A FITS light curve of TESS, Kepler or K2, plain or gzip; or a text table with the columns
        time [d], flux and, optionally, flux error, whose header may name them.
    flux
        Column of a FITS file; its errors are those of ``<flux>_ERR``.
    quality
        Which points of a FITS file are left out: ``"all"`` with any flag, ``"default"`` with a
        flag that the missions' users take as a reason, ``"none"``.

    Returns
    -------
    LightCurve
        Cleaned as :meth:`LightCurve.from_arrays` says; ``meta`` has ``path``, ``target_id``,
        ``mission``, ``sector``, ``exposure`` (whatever is known), the counts, and
        ``flux_median`` in the file's unit.

    Raises
    ------
    BadInput
        ``unreadable``, ``not-a-light-curve``, ``truncated-fits``, ``damaged-fits``,
        ``missing-column``, ``bad-number``, ``no-flux-level`` and those of gzip files.
    UsageError
        If ``quality`` is another word.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> path = pathlib.Path(tempfile.mkdtemp(), "star.csv")
    >>> _ = path.write_text("time,flux,flux_err\n1,99,1\n2,101,1\n3,100,2\n")
    >>> read(path).flux.tolist()
    [0.99, 1.01, 1.0]
    """
    if quality not in ("all", "default", "none"):
        raise UsageError(f"quality is {quality!r}: 'all', 'default' or 'none'")
    raw = b"".join(read_blocks(path))
    name = printable(path)
    if raw[: len(FITS_MAGIC)] == FITS_MAGIC:
        columns = _read_fits(raw, name, flux)
    elif raw[:1] in (b"<", b""):
        what = "a web page" if raw[:1] == b"<" else "empty"
        raise BadInput("not-a-light-curve", f"{name}: {what}; expected FITS or a text table")
    else:
        table = read_table(raw, name)
        columns = Columns(*table, None, {})
    flags = columns.flags
    if flags is not None and quality != "all":
        flags = flags & _mask(columns.meta, quality)
    meta = {"path": os.fspath(path), **columns.meta}
    curve = LightCurve.from_arrays(
        columns.time, columns.flux, columns.flux_err, quality=flags, meta=meta
    )
    if not len(curve):
        raise BadInput("no-points", f"{name}: none of {curve.meta['n_read']} points can be used")
    return _without_idle_errors(curve.normalised())


def _mask(meta: Mapping[str, Any], quality: Quality) -> int:
    if quality == "none":
        return 0
    return _DEFAULT_FLAGS["TESS" if meta.get("mission") == "TESS" else "KEPLER"]


def _without_idle_errors(curve: LightCurve) -> LightCurve:
    """Leave out errors that are one number for all points: they tell points apart in nothing.

    Such columns are often weights of 1 and no errors at all; the scatter says what it is.
    """
    error = curve.flux_err
    if error is None or len(curve) < 2 or not (error == error[0]).all():
        return curve
    return replace(curve, flux_err=None, meta={**curve.meta, "constant_flux_err": float(error[0])})


def _read_fits(raw: bytes, name: str, flux: str) -> Columns:
    from astropy.io import fits

    if len(raw) % FITS_BLOCK:
        detail = f"{name}: {len(raw)} bytes are no whole number of {FITS_BLOCK}-byte blocks"
        raise BadInput("truncated-fits", f"{detail}; copy or download it again")
    try:
        with fits.open(io.BytesIO(raw), lazy_load_hdus=True) as hdus:
            table = hdus[1]
            where = table.fileinfo()
            if where["datLoc"] + where["datSpan"] > len(raw):
                raise BadInput(
                    "truncated-fits", f"{name}: its table goes on behind its end; copy it again"
                )
            return _columns(hdus[0].header, table, name, flux)
    except BadInput:
        raise
    except (*_STUMBLES, fits.VerifyError) as error:
        detail = f"{name}: {type(error).__name__}: {error}; copy or download it again"
        raise BadInput("damaged-fits", detail) from error


def _columns(head: Any, table: Any, name: str, flux: str) -> Columns:
    names = list(getattr(getattr(table, "columns", None), "names", []))
    upper = {n.upper(): n for n in names}
    for wanted in ("TIME", flux.upper()):
        if wanted not in upper:
            known = ", ".join(names) or "no table"
            raise BadInput("missing-column", f"{name}: no column {wanted}; it has {known}")
    data = table.data
    error = upper.get(f"{flux.upper()}_ERR")
    flags = next((upper[n] for n in _QUALITY if n in upper), None)

    def floats(column: str) -> Floats:
        return np.asarray(data[column], dtype=np.float64)

    return Columns(
        floats(upper["TIME"]),
        floats(upper[flux.upper()]),
        floats(error) if error else None,
        np.asarray(data[flags]).astype(np.int64) if flags else None,
        dict(_about({**table.header, **head})),
    )


def _about(head: Mapping[str, Any]) -> Iterable[tuple[str, Any]]:
    mission = str(head.get("MISSION") or head.get("TELESCOP") or "")
    yield "mission", mission
    for key, catalogue in _ID:
        if head.get(key):
            prefix = "EPIC" if mission == "K2" else catalogue
            yield "target_id", f"{prefix}{head[key]}"
            break
    for word, key in _KEPT.items():
        if head.get(key) is not None:
            yield word, head[key]
    if head.get("BJDREFI") is not None:
        yield "time_system", f"BJD - {int(head['BJDREFI'])}"
        if head.get("BJDREFF"):
            yield "time_offset", float(head["BJDREFF"])


_NAMES = (
    (re.compile(r"tess\d+-s\d{4}-(\d{16})-"), "TIC"),
    (re.compile(r"kplr(\d{9})-"), "KIC"),
    (re.compile(r"ktwo(\d{9})-"), "EPIC"),
    (re.compile(r"(TIC|KIC|EPIC)[ _-]?0*(\d+)", re.IGNORECASE), ""),
)


def target_of(path: Path) -> str | None:
    """Return the target that a file's name tells, as the archives name their files.

    Examples
    --------
    >>> target_of(Path("tess2018206045859-s0001-0000000025155310-0120-s_lc.fits"))
    'TIC25155310'
    >>> target_of(Path("kplr011446443-2009131110544_slc.fits"))
    'KIC11446443'
    >>> target_of(Path("EPIC201367065.csv"))
    'EPIC201367065'
    """
    for pattern, catalogue in _NAMES:
        if found := pattern.match(path.name):
            return f"{catalogue or found[1].upper()}{int(found[found.lastindex or 1])}"
    return None
