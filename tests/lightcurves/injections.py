"""Light curves with transits planted in white noise, for tests and benchmarks."""

from __future__ import annotations

import numpy as np

from polytene import lightcurves as lc

SECTOR = 27.0
CADENCE = 0.01


def planted(
    seed, *, depth=None, period=None, errors=False, sectors=(0,), cadence=CADENCE
) -> tuple[lc.LightCurve, float, float]:
    """Return a light curve, and period and depth of what was planted.

    Each sector has a gap in its middle, and `sectors` may lie apart; the depth is one that is
    hard to find or not hard. With `errors`, those of the points differ.
    """
    random = np.random.default_rng(seed)
    time = np.arange(0, SECTOR, cadence)
    time = time + random.uniform(-0.2, 0.2, time.size) * cadence
    time = time[(time < SECTOR * 0.45) | (time > SECTOR * 0.5)]
    time = np.concatenate([time + SECTOR * s for s in sectors])
    period = period or random.uniform(0.8, SECTOR / 3)
    depth = depth or random.uniform(1.5e-3, 8e-3)
    width = random.uniform(0.06, 0.3)
    sigma = 1e-3 * (random.uniform(0.5, 2, time.size) if errors else np.ones(time.size))
    flux = 1 + sigma * random.normal(size=time.size)
    t0 = random.uniform(0, period)
    flux -= depth * (np.abs((time - t0 + period / 2) % period - period / 2) < width / 2)
    return lc.LightCurve(1325 + time, flux, sigma if errors else None), period, depth


KINDS = {
    "one sector": ((0,), False),
    "one sector, errors of points": ((0,), True),
    "three sectors with gaps": ((0, 2, 5), False),
    "three sectors with gaps, errors of points": ((0, 2, 5), True),
}


def injections(kind: str, n: int):
    """Yield `n` light curves of a kind, and periods for each; equal arguments, equal curves."""
    sectors, errors = KINDS[kind]
    for seed in range(n):
        curve, _, _ = planted([seed, len(kind)], errors=errors, sectors=sectors, cadence=0.02)
        if len(sectors) > 1:
            periods = lc.optimal_periods(curve.baseline, 0.8, 10, oversampling=2)
        else:
            periods = lc.uniform_periods(curve.baseline, frequency_factor=5)
        yield curve, periods
