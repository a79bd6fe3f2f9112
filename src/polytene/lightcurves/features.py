"""Features of a light curve under a schema."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from polytene.exceptions import BadInput, UsageError
from polytene.lightcurves import features_starter, features_v1
from polytene.lightcurves.bls import Device
from polytene.lightcurves.bls_result import BLSResult
from polytene.lightcurves.curve import LightCurve
from polytene.lightcurves.features_starter import STARTER, TLS_NAMES, search_window
from polytene.lightcurves.features_v1 import V1
from polytene.lightcurves.grids import DURATIONS
from polytene.lightcurves.tls import tls_values

Schema = Literal["v1", "starter"]
SCHEMAS: Mapping[str, tuple[str, ...]] = {"v1": tuple(f.name for f in V1), "starter": STARTER}
FEWEST_POINTS = 100
WINDOW = 1.0


@dataclass(frozen=True)
class Features:
    """Features of one light curve.

    Parameters
    ----------
    values
        One number per name of the schema; NaN where there is none.
    flags
        ``no_signal``, ``single_transit``, ``eclipsing_binary``; of schema ``"v1"``.
    skipped
        Why nothing was searched: ``too_few_points`` or ``constant_flux``; else empty.
    found
        The signal.
    """

    values: dict[str, float]
    flags: list[str] = field(default_factory=list)
    skipped: str = ""
    found: BLSResult | None = field(default=None, repr=False)


def features(
    curve: LightCurve,
    schema: Schema = "v1",
    tls: bool = False,
    catalogue: Mapping[str, Any] | None = None,
    *,
    window: float = WINDOW,
    device: Device = "cpu",
) -> Features:
    """Compute the features of a stitched light curve.

    Parameters
    ----------
    curve
        As :func:`read` or :func:`stitch` give it, not flattened.
    schema
        ``"v1"``, or ``"starter"`` for the 27 features of the exoplanet starter notebooks.
    tls
        Also compute the five ``tls_*``; else they are NaN.
    catalogue
        ``period`` [d], ``depth`` [ppm], ``duration`` [h] and ``epoch`` of the catalogue, for
        ``"starter"``.
    window
        Of :meth:`LightCurve.flatten` [d], for ``"v1"``.
    device
        As for :func:`bls`.

    Returns
    -------
    Features
        Every name of the schema, in its order.

    Raises
    ------
    UsageError
        If the schema is another word.
    PreflightError
        If ``tls`` is asked for and not installed.

    Examples
    --------
    >>> time = np.arange(0, 27, 0.01)
    >>> flux = np.where((time - 1.3) % 3.5 < 0.15, 0.99, 1.0)
    >>> flux += np.random.default_rng(1).normal(0, 0.001, time.size)
    >>> found = features(LightCurve(time, flux))
    >>> round(found.values["bls_period"], 2), found.flags
    (3.5, [])
    """
    if schema not in SCHEMAS:
        raise UsageError(f"schema is {schema!r}: one of {', '.join(SCHEMAS)}")
    about = catalogue or {}
    values = _nothing(schema)
    skipped = _why_not(curve)
    if skipped:
        if len(curve):
            values |= _flux_only(curve, schema, about)
        return Features(values, skipped=skipped)
    flags: list[str] = []
    found: BLSResult | None
    try:
        if schema == "v1":
            values, flags, found = features_v1.features_v1(curve, window, device)
        else:
            values, found = features_starter.features_starter(curve, about, device)
    except BadInput as error:
        return Features(values | _flux_only(curve, schema, about), skipped=_word(error.reason))
    if tls:
        values |= _of_tls(curve, schema, about, window)
    return Features({name: values[name] for name in SCHEMAS[schema]}, flags, "", found)


def _word(reason: str) -> str:
    return reason.replace("-", "_")


def _nothing(schema: Schema) -> dict[str, float]:
    return features_v1.nothing() if schema == "v1" else features_starter.nothing()


def _why_not(curve: LightCurve) -> str:
    if len(curve) < FEWEST_POINTS or curve.baseline < 2 * DURATIONS[-1]:
        return "too_few_points"
    return "constant_flux" if np.ptp(curve.flux) == 0 else ""


def _flux_only(curve: LightCurve, schema: Schema, about: Mapping[str, Any]) -> dict[str, float]:
    if schema == "v1":
        return features_v1.flux_statistics(curve.flux)
    return features_starter.flux_and_catalogue(curve, about)


def _of_tls(
    curve: LightCurve, schema: Schema, about: Mapping[str, Any], window: float
) -> dict[str, float]:
    if schema == "starter":
        bare = LightCurve(curve.time, curve.flux, None, curve.meta)
        found = tls_values(bare, *search_window(about))
    else:
        found = tls_values(curve.flatten(window), None, None)
        found[1] = 1.0 - found[1]
    return {
        n: float(v) if math.isfinite(v) else math.nan for n, v in zip(TLS_NAMES, found, strict=True)
    }
