"""What a transit search found."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from polytene.exceptions import UsageError
from polytene.lightcurves.bls_kernels import Floats, Ints

if TYPE_CHECKING:
    import xarray as xr


@dataclass(frozen=True, eq=False)
class Peaks:
    """The best box at each of the periods that were looked at, ascending in ``index``."""

    index: Ints
    period: Floats
    t0: Floats
    duration: Floats
    depth: Floats
    depth_err: Floats
    power: Floats


@dataclass(frozen=True)
class BLSResult:
    """The best transit signal that a search found.

    Parameters
    ----------
    period, t0, duration
        Period, middle of the first transit and duration of the box [d].
    depth, depth_err
        How much fainter the box is than the rest, in the unit of the flux, and the standard error
        of it for white noise.
    snr
        ``depth / depth_err``.
    sde
        Signal detection efficiency: how many standard deviations of the spectrum of signal
        residues the peak is above their mean (Kovacs et al. 2002, eq. 6). Of ``"auto"`` the
        spectrum is that of fast folding: it is up to a third higher than that of ``"exact"``.
    power
        The objective: the log likelihood gained over a constant, or the SNR.
    n_transits
        Transits with at least one point inside the box.
    index
        Which of the trial periods it is.
    method
        ``"exact"``, ``"auto"`` or ``"tls"``.
    peaks
        What lies behind :meth:`top` and :meth:`spectrum`.
    """

    period: float
    t0: float
    duration: float
    depth: float
    depth_err: float
    snr: float
    sde: float
    power: float
    n_transits: int
    index: int = 0
    method: str = "exact"
    objective: str = "likelihood"
    peaks: Peaks | None = field(default=None, repr=False)
    span: float = field(default=math.nan, repr=False)

    def top(self, k: int = 5) -> list[BLSResult]:
        """Return up to ``k`` peaks, best first; each differs from the others by a transit's width.

        ``n_transits`` and ``sde`` of all but the first are not computed: 0 and NaN.
        """
        if self.peaks is None:
            return [self]
        p = self.peaks
        chosen: list[int] = []
        for i in np.argsort(-p.power, kind="stable").tolist():
            near = 2 * p.duration[i] * p.period[i] / self.span
            if all(abs(p.period[i] - p.period[j]) > near for j in chosen):
                chosen.append(i)
            if len(chosen) == k:
                break
        others = [self._at(i) for i in chosen if p.index[i] != self.index]
        return [self, *others][:k]

    def _at(self, i: int) -> BLSResult:
        p = self.peaks
        assert p is not None
        names = ("period", "t0", "duration", "depth", "depth_err", "power")
        values: dict[str, Any] = {name: float(getattr(p, name)[i]) for name in names}
        snr = values["depth"] / values["depth_err"]
        rest = {"snr": snr, "sde": math.nan, "n_transits": 0, "index": int(p.index[i])}
        return replace(self, **values, **rest)

    @property
    def spectrum(self) -> xr.Dataset:
        """The best box at every trial period, with units; only ``method="exact"`` has it.

        Raises
        ------
        UsageError
            If the search looked at some of the periods only.
        """
        import xarray as xr

        if self.method != "exact" or self.peaks is None:
            raise UsageError(f"method {self.method!r} keeps no spectrum: use method='exact'")
        p = self.peaks
        units = {"t0": "d", "duration": "d", "depth": "1", "depth_err": "1", "power": "1"}
        data = {n: ("period", getattr(p, n), {"units": u}) for n, u in units.items()}
        data["snr"] = ("period", p.depth / p.depth_err, {"units": "1"})
        attrs = {"objective": self.objective, "method": self.method}
        return xr.Dataset(data, {"period": ("period", p.period, {"units": "d"})}, attrs)
