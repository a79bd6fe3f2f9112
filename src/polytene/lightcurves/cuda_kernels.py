"""The exact box search on a CUDA device: equal to the CPU's, a block per curve and period.

It is there for parity and for batches; it has not been measured on a GPU. Import this module only
where CUDA is asked for: it imports ``numba.cuda``. Bins are sums in double precision, added
atomically, so that their last bits depend on the order of the threads; what could be the best
period is therefore computed again on the CPU, and is the CPU's to the last bit. The bins of a
folded curve lie in the block's shared memory where they fit, and in the device's own where not.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numba import cuda, float64, int32

from polytene.exceptions import PreflightError, UsageError
from polytene.lightcurves.bls_kernels import LIKELIHOOD, Floats, Ints
from polytene.lightcurves.grids import Grid
from polytene.lightcurves.search import Found, Series, settled

_THREADS = 128
_SHARED_BINS = 2048  # 2 x 8 bytes each, of the 48 KiB that every device has
_SCRATCH = 256 << 20  # bytes of the device for the bins of one launch
_ALL = 1 - 1e-9
_TINY = 1e-300


def available() -> str | None:
    """Say in one sentence why CUDA cannot be used here; None if it can."""
    if cuda.is_available():
        return None if len(cuda.gpus) else "the CUDA driver finds no device"
    if error := cuda.cuda_error():
        return " ".join(str(error).split()).partition(". ")[0].rstrip(".")
    return "libnvvm, which compiles for the device, is missing (pip install 'numba-cuda[cu12]')"


def require_cuda() -> None:
    """Raise PreflightError if this process cannot search on a CUDA device."""
    if reason := available():
        raise PreflightError(f"device='cuda': {reason}; use device='cpu'")


def _kernel(in_shared: bool) -> Any:
    """Return the kernel whose bins lie in the block's shared memory, or in `scratch`."""

    @cuda.jit  # type: ignore[untyped-decorator]
    def spectrum(
        times: Any,
        pairs: Any,
        starts: Any,
        totals: Any,
        periods: Any,
        sizes: Any,
        first: Any,
        stop: Any,
        width: float,
        oversample: int,
        objective: int,
        astropy: int,
        scratch: Any,
        scores: Any,
    ) -> None:
        if in_shared:
            value = cuda.shared.array(_SHARED_BINS, float64)
            weight = cuda.shared.array(_SHARED_BINS, float64)
        else:
            block = cuda.blockIdx.y * cuda.gridDim.x + cuda.blockIdx.x
            value, weight = scratch[block, 0], scratch[block, 1]
        best = cuda.shared.array(_THREADS, float64)
        count = cuda.shared.array(1, int32)
        lane, threads = cuda.threadIdx.x, cuda.blockDim.x
        curve, p = cuda.blockIdx.y, cuda.blockIdx.x
        period, total = periods[p], totals[curve]
        bins = int32(math.ceil(period / width))
        longest = sizes[sizes.size - 1]
        pad = oversample if astropy else longest
        base = bins - 1 if astropy else bins
        for n in range(lane, bins + pad + 2, threads):
            value[n] = 0.0
            weight[n] = 0.0
        if lane == 0:
            count[0] = base + pad
        cuda.syncthreads()
        for i in range(starts[curve] + lane, starts[curve + 1], threads):
            phase = times[i] - math.floor(times[i] / period) * period
            place = int32(phase / width) + 1  # int() needs a device to compile
            cuda.atomic.add(value, place, pairs[2 * i])
            cuda.atomic.add(weight, place, pairs[2 * i + 1])
        cuda.syncthreads()
        for n in range(lane, pad, threads):
            value[base + 1 + n] = value[1 + n]
            weight[base + 1 + n] = weight[1 + n]
        cuda.syncthreads()
        if lane == 0:
            for n in range(1, count[0] + 1):
                value[n] += value[n - 1]
                weight[n] += weight[n - 1]
            if astropy:
                value[count[0] + 1] = value[count[0]]
                weight[count[0] + 1] = weight[count[0]]
                count[0] += 1
        cuda.syncthreads()
        found = 0.0
        for k in range(first[p], stop[p]):
            size = sizes[k]
            boxes = count[0] - size + 1 if astropy else bins
            for n in range(lane, boxes, threads):
                v = weight[n + size] - weight[n]
                s = value[n + size] - value[n]
                if s < 0.0 and v < _ALL * total:
                    rest = total - v
                    score = s * s / (v * rest * (rest if objective == LIKELIHOOD else 1.0) + _TINY)
                    found = score if score > found else found
        best[lane] = found
        cuda.syncthreads()
        if lane == 0:
            for i in range(1, threads):
                found = best[i] if best[i] > found else found
            scores[curve, p] = found

    return spectrum


IN_SHARED, IN_SCRATCH = _kernel(True), _kernel(False)


def scores_on_device(
    batch: Sequence[Series], grid: Grid, objective: int, astropy: bool, threads: int = _THREADS
) -> Floats:
    """Return the best score of each curve at each period, shape ``(curve, period)``.

    Raises
    ------
    UsageError
        If the block has more threads than 128.
    PreflightError
        If this process has no CUDA driver, no device or no compiler for it.
    """
    if not 1 <= threads <= _THREADS:
        raise UsageError(f"threads is {threads}: 1 to {_THREADS}")
    require_cuda()
    starts = np.cumsum([0, *(s.times.size for s in batch)])
    given = (
        np.concatenate([s.times for s in batch]),
        np.concatenate([s.pairs for s in batch]),
        starts,
        np.array([s.total for s in batch]),
    )
    stream = cuda.stream()
    curves = [cuda.to_device(a, stream=stream) for a in given]
    sizes = cuda.to_device(grid.sizes, stream=stream)
    how = (grid.width, grid.oversample, objective, int(astropy))
    scores = np.zeros((len(batch), grid.periods.size))
    for chosen, room in _launches(grid, len(batch)):
        trials = [cuda.to_device(a[chosen], stream=stream)
                  for a in (grid.periods, grid.first, grid.stop)]  # fmt: skip
        blocks = len(batch) * chosen.size if room else 0
        scratch = cuda.device_array((blocks, 2, room), np.float64, stream=stream)
        found = cuda.device_array((len(batch), chosen.size), np.float64, stream=stream)
        kernel = IN_SCRATCH if room else IN_SHARED
        launch = kernel[(chosen.size, len(batch)), threads, stream]
        launch(*curves, trials[0], sizes, *trials[1:], *how, scratch, found)
        scores[:, chosen] = found.copy_to_host(stream=stream)
        stream.synchronize()
    return scores


def _launches(grid: Grid, curves: int) -> Iterator[tuple[Ints, int]]:
    """Yield which periods are tried at once, and the bins each needs outside of shared memory."""
    beside = int(grid.sizes[-1]) + grid.oversample + 3
    rooms = np.ceil(grid.periods / grid.width).astype(np.int64) + beside
    if (fits := np.flatnonzero(rooms <= _SHARED_BINS)).size:
        yield fits, 0
    rest = np.flatnonzero(rooms > _SHARED_BINS)
    while rest.size:
        room = int(rooms[rest].max())
        n = max(1, _SCRATCH // (2 * 8 * room * curves))
        yield rest[:n], room
        rest = rest[n:]


def exact_on_device(series: Series, grid: Grid, objective: int, astropy: bool) -> Found:
    """Look at every period with every point, on a CUDA device; see ``search.exact``."""
    from polytene.lightcurves.search import evaluate

    scores = scores_on_device([series], grid, objective, astropy)[0]
    near = np.flatnonzero(scores >= scores.max() * (1 - 1e-6))
    boxes = evaluate(series, grid, near, objective, astropy)
    found = settled(series, grid, near, boxes, objective, astropy)
    root = np.sqrt(scores)
    return Found(found.index, found.boxes, float(root.mean()), float(root.std()))
