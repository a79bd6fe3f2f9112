"""Light curves of stars that were never observed, as FITS files that look like those of TESS."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from polytene.core.files import write_bytes

CADENCE = 120 / 86400
SECTOR_DAYS = 27.0
FIRST_TIC = 900_000_001
KINDS = ("planet", "eclipsing_binary", "quiet")


@dataclass(frozen=True)
class Star:
    """A generated star, and what was planted in its light curve.

    Parameters
    ----------
    tic
        Its number; those from 900,000,001 are not in use.
    kind
        ``"planet"``, ``"eclipsing_binary"`` or ``"quiet"``.
    period, t0, duration
        Of the transits [d]; NaN for a quiet star.
    depth
        Relative.
    """

    tic: int
    kind: str
    period: float
    t0: float
    duration: float
    depth: float

    @property
    def target_id(self) -> str:
        """As catalogues write it."""
        return f"TIC{self.tic}"


def stars(n: int, *, seed: int = 1) -> Iterator[Star]:
    """Yield ``n`` stars; equal arguments, equal stars.

    Examples
    --------
    >>> [s.kind for s in stars(3)]
    ['planet', 'eclipsing_binary', 'quiet']
    """
    for i in range(n):
        random = np.random.default_rng([seed, i])
        kind = KINDS[i % len(KINDS)]
        nan = float("nan")
        if kind == "quiet":
            yield Star(FIRST_TIC + i, kind, nan, nan, nan, 0.0)
            continue
        period = float(random.uniform(1.5, 8.0))
        depth = float(random.uniform(0.004, 0.02) if kind == "planet" else random.uniform(0.2, 0.4))
        t0 = 1325.0 + float(random.uniform(0, period))
        yield Star(FIRST_TIC + i, kind, period, t0, float(random.uniform(0.1, 0.2)), depth)


def columns(star: Star, sector: int = 1, cadence: float = CADENCE) -> dict[str, Any]:
    """Return the columns of one sector of a star, gap, spots and flagged points included."""
    random = np.random.default_rng([star.tic, sector])
    time = 1325.0 + (sector - 1) * SECTOR_DAYS + np.arange(0, SECTOR_DAYS - 0.5, cadence)
    flux = 1 + 0.002 * np.sin(2 * np.pi * time / 6.3) + random.normal(0, 0.0012, time.size)
    if star.depth:
        offset = (time - star.t0 + star.period / 2) % star.period - star.period / 2
        flux -= star.depth * (np.abs(offset) < star.duration / 2)
    quality = np.where(random.random(time.size) < 0.005, 128, 0)
    middle = np.abs(time - time.mean()) < 0.5
    flux[middle], quality[middle] = np.nan, 16
    level = 1000.0 + star.tic % 97
    return {
        "TIME": time,
        "PDCSAP_FLUX": (flux * level).astype(np.float32),
        "PDCSAP_FLUX_ERR": np.full(time.size, 0.0012 * level, np.float32)
        * (1 + 0.1 * random.random(time.size).astype(np.float32)),
        "QUALITY": quality.astype(np.int32),
    }


def file_name(star: Star, sector: int = 1) -> str:
    """Return the name that the archive would give the file."""
    return f"tess2018206045859-s{sector:04d}-{star.tic:016d}-0120-s_lc.fits"


def fits_bytes(star: Star, sector: int = 1, cadence: float = CADENCE) -> bytes:
    """Return one sector of a star as a FITS file; equal arguments, equal bytes."""
    import io

    from astropy.io import fits

    found = columns(star, sector, cadence)
    formats = {"TIME": "D", "QUALITY": "J"}
    table = fits.BinTableHDU.from_columns(
        [fits.Column(n, formats.get(n, "E"), array=a) for n, a in found.items()], name="LIGHTCURVE"
    )
    table.header["BJDREFI"] = 2457000
    table.header["EXPOSURE"] = 22.0
    head = fits.PrimaryHDU()
    about = {"TELESCOP": "TESS", "OBJECT": f"TIC {star.tic}", "TICID": star.tic, "SECTOR": sector,
             "ORIGIN": "GENERATED"}  # fmt: skip
    for key, value in about.items():
        head.header[key] = value
    sink = io.BytesIO()
    fits.HDUList([head, table]).writeto(sink)
    return sink.getvalue()


def write_stars(
    folder: str | Path | None = None,
    n: int = 6,
    *,
    sectors: int = 1,
    missing: int = 1,
    cadence: float = CADENCE,
) -> Path:
    """Write light curves of ``n`` stars and ``targets.csv``; return the folder.

    The table has ``missing`` more rows than there are stars.

    Examples
    --------
    >>> sorted(p.name for p in write_stars(n=1).iterdir())[0]
    'targets.csv'
    """
    folder = Path(folder or tempfile.mkdtemp(prefix="polytene-stars-"))
    folder.mkdir(parents=True, exist_ok=True)
    lines = ["target_id,label,toi,period,depth,duration"]
    for star in stars(n):
        for sector in range(1, sectors + 1):
            write_bytes(folder / file_name(star, sector), fits_bytes(star, sector, cadence))
        label = int(star.kind == "planet")
        numbers = f"{star.period:.5f},{star.depth * 1e6:.0f},{star.duration * 24:.2f}"
        lines.append(f"{star.target_id},{label},,{numbers if star.depth else ',,'}")
    for i in range(missing):
        lines.append(f"TIC{FIRST_TIC + 90_000 + i},0,,,,")
    write_bytes(folder / "targets.csv", "\n".join(lines).encode() + b"\n")
    return folder
