"""A light curve: brightness of one star over time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from polytene.exceptions import BadInput, UsageError
from polytene.lightcurves.bls_kernels import Floats
from polytene.lightcurves.flatten_kernels import SEGMENT_GAP, trend

MAD_TO_SIGMA = 1.4826


@dataclass(frozen=True, eq=False)
class LightCurve:
    """Brightness of one star over time.

    Parameters
    ----------
    time
        float64, shape ``(point,)`` [d], ascending without repeats; ``meta["time_system"]`` says
        from when, if it is known.
    flux
        float64, shape ``(point,)``; :func:`polytene.lightcurves.read` gives it relative to the
        median of its segment.
    flux_err
        Standard errors of the fluxes, in their unit; None if they are not known.
    meta
        What else is known, and the counts of what was left out.

    Examples
    --------
    >>> curve = LightCurve.from_arrays([2.0, 1.0, 3.0, 4.0], [1.0, 2.0, float("nan"), 3.0])
    >>> curve.time.tolist(), curve.meta["n_bad_flux"]
    ([1.0, 2.0, 4.0], 1)
    """

    time: Floats
    flux: Floats
    flux_err: Floats | None = None
    meta: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        n = self.time.shape
        if len(n) != 1 or self.flux.shape != n:
            raise UsageError(f"time and flux are of shapes {n} and {self.flux.shape}")
        if self.flux_err is not None and self.flux_err.shape != n:
            raise UsageError(f"time and flux_err are of shapes {n} and {self.flux_err.shape}")

    def __len__(self) -> int:
        return self.time.size

    def __repr__(self) -> str:
        name = self.meta.get("target_id", "")
        return f"<LightCurve {name}: {len(self):,} points over {self.baseline:.2f} d>"

    @property
    def baseline(self) -> float:
        """Time from the first to the last point [d]."""
        return float(self.time[-1] - self.time[0]) if len(self) else 0.0

    @property
    def scatter(self) -> float:
        """Standard deviation of the flux that 1.4826 times the median absolute deviation tells."""
        return robust_scatter(self.flux)

    @classmethod
    def from_arrays(
        cls,
        time: ArrayLike,
        flux: ArrayLike,
        flux_err: ArrayLike | None = None,
        *,
        quality: ArrayLike | None = None,
        meta: Mapping[str, Any] | None = None,
    ) -> LightCurve:
        """Return a light curve of what can be used, in ascending time.

        Points with a quality flag, without a finite time or flux, or with an error that is not
        above 0 are left out; points of the same time are merged by inverse variance. ``meta``
        counts them: ``n_read``, ``n_flagged``, ``n_bad_time``, ``n_bad_flux``, ``n_bad_err``,
        ``n_duplicate``; each point that is left out is counted once.

        Raises
        ------
        UsageError
            If the arrays differ in length.
        """
        t, f = (np.asarray(a, dtype=np.float64) for a in (time, flux))
        e = None if flux_err is None else np.asarray(flux_err, dtype=np.float64)
        flagged = np.zeros(t.shape, bool) if quality is None else np.asarray(quality) != 0
        if f.shape != t.shape or flagged.shape != t.shape or (e is not None and e.shape != t.shape):
            raise UsageError("time, flux, flux_err and quality differ in length")
        counts: dict[str, int] = {"n_read": t.size}
        keep = np.ones(t.shape, bool)
        checks = {"n_flagged": ~flagged, "n_bad_time": np.isfinite(t), "n_bad_flux": np.isfinite(f)}
        if e is not None:
            checks["n_bad_err"] = np.isfinite(e) & (e > 0)
        for name, good in checks.items():
            counts[name] = int((keep & ~good).sum())
            keep &= good
        counts.setdefault("n_bad_err", 0)
        t, f = t[keep], f[keep]
        e = None if e is None else e[keep]
        if t.size and not (np.diff(t) > 0).all():
            t, f, e = _sorted_and_merged(t, f, e)
        counts["n_duplicate"] = int(keep.sum()) - t.size
        return cls(t, f, e, {**(meta or {}), **counts})

    def normalised(self) -> LightCurve:
        """Return the flux relative to its median, which ``meta["flux_median"]`` keeps.

        Raises
        ------
        BadInput
            ``no-flux-level`` if the median is not above 0.
        """
        level = float(np.median(self.flux)) if len(self) else 0.0
        if not level > 0:
            name = self.meta.get("path", self.meta.get("target_id", "light curve"))
            raise BadInput("no-flux-level", f"{name}: the median flux is {level:g}, not above 0")
        error = None if self.flux_err is None else self.flux_err / level
        meta = {**self.meta, "flux_median": level}
        return replace(self, flux=self.flux / level, flux_err=error, meta=meta)

    def flatten(self, window: float = 1.0) -> LightCurve:
        """Divide by the slow trend: the biweight mean over ``window`` days, in each segment.

        The biweight mean (Tukey; Hippke et al. 2019, AJ 158, 143) leaves out what is far from the
        rest, as the points of a transit are, so that a transit of at most a third of the window
        keeps its depth. Segments end at gaps of more than half a day.

        Parameters
        ----------
        window
            Days; three times the longest transit that matters, or more.

        Raises
        ------
        UsageError
            If the window is not above 0.

        Examples
        --------
        >>> time = np.arange(0, 27, 0.02)
        >>> flat = LightCurve.from_arrays(time, 1 + 0.01 * np.sin(time / 2)).flatten()
        >>> bool(flat.flux.std() < 2e-4)
        True
        """
        if not window > 0:
            raise UsageError(f"window is {window}: give days above 0")
        slow = trend(self.time, self.flux, float(window))
        error = None if self.flux_err is None else self.flux_err / slow
        return replace(
            self, flux=self.flux / slow, flux_err=error, meta={**self.meta, "window": window}
        )

    def fold(self, period: float, t0: float) -> Floats:
        """Return the time of each point from the nearest transit [d], from -P/2 to P/2."""
        return (self.time - t0 + period / 2) % period - period / 2

    def segments(self) -> list[slice]:
        """Return the stretches without a gap of more than half a day."""
        ends = np.flatnonzero(np.diff(self.time) > SEGMENT_GAP) + 1
        bounds = [0, *ends.tolist(), len(self)]
        return [slice(a, b) for a, b in pairwise(bounds) if b > a]


def _sorted_and_merged(
    t: Floats, f: Floats, e: Floats | None
) -> tuple[Floats, Floats, Floats | None]:
    order = np.argsort(t, kind="stable")
    t, f = t[order], f[order]
    weight = np.ones(t.size) if e is None else e[order] ** -2.0
    first = np.concatenate([[0], np.flatnonzero(np.diff(t) > 0) + 1])
    total = np.add.reduceat(weight, first)
    alone = np.diff(np.concatenate([first, [t.size]])) == 1
    flux = np.where(alone, f[first], np.add.reduceat(weight * f, first) / total)
    if e is None:
        return t[first], flux, None
    return t[first], flux, np.where(alone, e[order][first], total**-0.5)


def stitch(curves: Sequence[LightCurve]) -> LightCurve:
    """Join the sectors or quarters of one star, each relative to its own median.

    Counts in ``meta`` add up; errors are kept if all curves have them.

    Raises
    ------
    UsageError
        If there is none.
    BadInput
        ``no-flux-level`` if the median of one is not above 0.

    Examples
    --------
    >>> a = LightCurve.from_arrays([1, 2, 3], [10, 10, 11])
    >>> b = LightCurve.from_arrays([7, 8, 9], [99, 100, 100])
    >>> stitch([b, a]).flux.round(2).tolist()
    [1.0, 1.0, 1.1, 0.99, 1.0, 1.0]
    """
    if not curves:
        raise UsageError("no light curves given")
    parts = [c.normalised() for c in curves]
    if len(parts) == 1:
        return parts[0]
    errors = [c.flux_err for c in parts]
    known = [e for e in errors if e is not None]
    joined = LightCurve.from_arrays(
        np.concatenate([c.time for c in parts]),
        np.concatenate([c.flux for c in parts]),
        np.concatenate(known) if len(known) == len(parts) else None,
    )
    meta: dict[str, Any] = {**parts[0].meta, "n_segments": len(parts)}
    for name in ("n_read", "n_flagged", "n_bad_time", "n_bad_flux", "n_bad_err", "n_duplicate"):
        meta[name] = sum(int(c.meta.get(name, 0)) for c in parts)
    meta["n_duplicate"] += joined.meta["n_duplicate"]
    return replace(joined, meta=meta)


def robust_scatter(values: Floats) -> float:
    """Return 1.4826 times the median absolute deviation; NaN of nothing."""
    if not values.size:
        return float("nan")
    return MAD_TO_SIGMA * float(np.median(np.abs(values - np.median(values))))
