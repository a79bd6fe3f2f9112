"""The search on a CUDA device, without one: simulated, compiled for real ones, and refused.

The simulator is chosen before numba is imported: see :mod:`tests.scripted`.
"""

from __future__ import annotations

import numpy as np
import pytest
from tests.scripted import SIMULATED, checks_of, ptx_of, run_checks, run_python, said_by_checks

from polytene import lightcurves as lc
from polytene.exceptions import PreflightError, UsageError
from polytene.lightcurves.bls_kernels import LIKELIHOOD, SNR
from polytene.lightcurves.grids import make_grid
from polytene.lightcurves.search import Series, exact

REFUSED = (
    "import numpy as np; from polytene import lightcurves as lc; t = np.arange(0, 9, 0.1);"
    "lc.bls(lc.LightCurve(t, 1 + 0.01 * np.sin(t)), [1.0], [0.3], device='cuda')"
)


def curve(seed: int, n: int = 250, errors: bool = False) -> lc.LightCurve:
    random = np.random.default_rng(seed)
    time = np.sort(random.uniform(0, 10, n))
    flux = 1 + random.normal(0, 1e-3, n) - 5e-3 * ((time - 0.7) % 2.2 < 0.15)
    return lc.LightCurve(time, flux, 1e-3 * random.uniform(0.5, 2, n) if errors else None)


def series_of(found: lc.LightCurve) -> Series:
    weight = None if found.flux_err is None else found.flux_err**-2.0
    return Series.of(found.time, found.flux, weight)


def check_scores_are_those_of_the_cpu() -> None:
    from polytene.lightcurves import cuda_kernels

    grid = make_grid(np.linspace(1.9, 2.6, 7), [0.1, 0.15, 0.3], 5)
    for errors in (False, True):
        batch = [series_of(curve(s, 200 + 30 * s, errors)) for s in range(2)]
        for objective in (LIKELIHOOD, SNR):
            for astropy in (False, True):
                got = cuda_kernels.scores_on_device(batch, grid, objective, astropy, threads=3)
                for row, series in zip(got, batch, strict=True):
                    expected = exact(series, grid, objective, astropy).boxes[:, 0]
                    np.testing.assert_allclose(row, expected, rtol=1e-6)


def check_windows_of_durations() -> None:
    from polytene.lightcurves import cuda_kernels

    grid = make_grid(np.linspace(1.0, 3.0, 5), [0.05, 0.1, 0.2], 2, density=(0.5, 2))
    series = series_of(curve(3))
    got = cuda_kernels.scores_on_device([series], grid, SNR, False, threads=4)[0]
    np.testing.assert_allclose(got, exact(series, grid, SNR, False).boxes[:, 0], rtol=1e-6)


def check_the_best_period_is_the_cpus_to_the_last_bit() -> None:
    from polytene.lightcurves import cuda_kernels

    cuda_kernels.scores_on_device.__defaults__ = (4,)
    periods = np.linspace(2.0, 2.4, 9)
    for wrap in ("full", "astropy"):
        on_cpu = lc.bls(curve(1), periods, [0.1, 0.2], method="exact", wrap=wrap, oversample=3)
        on_device = lc.bls(curve(1), periods, [0.1, 0.2], wrap=wrap, oversample=3, device="cuda")
        for name in ("period", "t0", "duration", "depth", "snr", "power", "index", "n_transits"):
            assert getattr(on_device, name) == getattr(on_cpu, name), name
        assert abs(on_device.sde / on_cpu.sde - 1) < 1e-6


def check_periods_that_do_not_fit_a_block_are_scored_in_the_devices_memory() -> None:
    from polytene.lightcurves import cuda_kernels

    cuda_kernels._SHARED_BINS, cuda_kernels._SCRATCH = 60, 16 * 110 * 2 * 2
    grid = make_grid(np.array([3.0, 1.1, 2.9, 0.9, 2.5]), [0.1, 0.2], 3)
    launches = list(cuda_kernels._launches(grid, 2))
    assert [chosen.tolist() for chosen, _ in launches] == [[1, 3], [0, 2], [4]]
    assert [room > 60 for _, room in launches] == [False, True, True]
    batch = [series_of(curve(s)) for s in range(2)]
    for astropy in (False, True):
        got = cuda_kernels.scores_on_device(batch, grid, SNR, astropy, threads=4)
        for row, series in zip(got, batch, strict=True):
            expected = exact(series, grid, SNR, astropy).boxes[:, 0]
            np.testing.assert_allclose(row, expected, rtol=1e-6)


def check_wrong_numbers_of_threads_are_refused() -> None:
    from polytene.lightcurves import cuda_kernels

    grid, series = make_grid([2.0], [0.1], 2), series_of(curve(1))
    for threads in (0, 129):
        with pytest.raises(UsageError, match="threads"):
            cuda_kernels.scores_on_device([series], grid, SNR, False, threads=threads)


CHECKS = checks_of(globals())


@pytest.fixture(scope="module")
def simulated() -> dict[str, str]:
    """What each check said under the simulator."""
    return said_by_checks(__file__, **SIMULATED)


@pytest.mark.parametrize("name", CHECKS)
def test_simulated(simulated: dict[str, str], name: str) -> None:
    assert not simulated[name], simulated[name]


def test_without_a_device_the_error_says_why_and_what_to_do() -> None:
    done = run_python("-c", REFUSED, NUMBA_ENABLE_CUDASIM="0", NUMBA_DISABLE_CUDA="1")
    last = done.stderr.splitlines()[-1]
    assert last.startswith(f"{PreflightError.__module__}.PreflightError: device='cuda': ")
    assert last.endswith("; use device='cpu'")


def test_numba_cuda_is_not_imported_by_the_rest() -> None:
    script = "import sys, polytene.lightcurves; sys.exit('numba.cuda' in sys.modules)"
    assert run_python("-c", script).returncode == 0


@pytest.mark.parametrize("capability", [(7, 5), (8, 0), (9, 0)])
def test_kernel_compiles_for_real_devices(capability: tuple[int, int]) -> None:
    from numba import types

    from polytene.lightcurves import cuda_kernels

    floats, ints = types.float64[::1], types.int64[::1]
    signature = types.void(
        floats, floats, ints, floats, floats, ints, ints, ints,
        types.float64, types.int64, types.int64, types.int64, types.float64[:, :, ::1],
        types.float64[:, ::1],
    )  # fmt: skip
    assert "atom.shared.add.f64" in ptx_of(cuda_kernels.IN_SHARED, signature, capability)
    assert "atom.global.add.f64" in ptx_of(cuda_kernels.IN_SCRATCH, signature, capability)


if __name__ == "__main__":
    run_checks(CHECKS)
