"""Codon counting on a CUDA device, equal to `polytene.codons.kernels` bin for bin.

It is there for parity, not for speed, and has not been measured on a GPU. Import this module only
where CUDA is asked for: it imports ``numba.cuda``.

A team of threads counts one segment, at most 4096 codons of one span, in bins in shared memory:
a block takes eight short spans at once, and a long one is spread over many blocks. Bases are copied
in chunks; a codon belongs to the chunk that holds its first base, so none is counted twice.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import cuda, int32
from numpy.typing import NDArray

from polytene.codons import kernels
from polytene.codons.kernels import AMBIGUOUS, Bytes, Int64s, Softmask
from polytene.exceptions import PreflightError, UsageError

_LANES, _TEAMS, _BLOCKS = 32, 8, 1024  # threads of a team, teams of a block, blocks of a launch
_SEGMENT = 4096  # codons
_LAUNCH = 1 << 16  # segments


def available() -> str | None:
    """Say in one sentence why CUDA cannot be used here; None if it can."""
    if cuda.is_available():
        return None if len(cuda.gpus) else "the CUDA driver finds no device"
    if error := cuda.cuda_error():
        return " ".join(str(error).split()).partition(". ")[0].rstrip(".")
    return "libnvvm, which compiles for the device, is missing (pip install 'numba-cuda[cu12]')"


def require_cuda() -> None:
    """Raise PreflightError if this process cannot count on a CUDA device."""
    if reason := available():
        raise PreflightError(f"device='cuda': {reason}; use device='cpu'")


@cuda.jit  # type: ignore[untyped-decorator]
def _count_segments(
    data: Any, codes: Any, firsts: Any, sizes: Any, segments: int, counts: Any
) -> None:
    bins = cuda.shared.array((_TEAMS, 65), int32)
    lane, team = cuda.threadIdx.x, cuda.threadIdx.y
    # All teams of a block take the same number of turns, as they wait for each other.
    for turn in range(cuda.blockIdx.x * _TEAMS, segments, cuda.gridDim.x * _TEAMS):
        segment = turn + team
        # A thread clears the bins that it wrote out, so nothing waits between the two.
        for i in range(lane, 65, _LANES):
            bins[team, i] = 0
        cuda.syncthreads()
        if segment < segments:
            for i in range(lane, sizes[segment], _LANES):
                base = firsts[segment] + 3 * i
                one, two, three = codes[data[base]], codes[data[base + 1]], codes[data[base + 2]]
                known = (one | two | three) & 4 == 0
                codon = (one << 4) | (two << 2) | three if known else AMBIGUOUS
                cuda.atomic.add(bins, (team, codon), 1)
        cuda.syncthreads()
        if segment < segments:
            for i in range(lane, 65, _LANES):
                counts[segment, i] = bins[team, i]


class _Device:
    """One call's arrays on the device, and the one stream that orders what happens to them."""

    def __init__(self, softmask: Softmask, nbytes: int) -> None:
        letters, codes = np.arange(256, dtype=np.uint8), np.empty(256, np.uint8)
        kernels._encode(kernels._bytes(letters), kernels._fold_of(softmask), codes)
        self.stream = cuda.stream()
        # Signed, as numba would join an unsigned codon and AMBIGUOUS to a float.
        self.codes = cuda.to_device(codes.astype(np.int32), stream=self.stream)
        self.data = cuda.device_array(nbytes, np.uint8)
        self.firsts, self.sizes = (cuda.device_array(_LAUNCH, np.int64) for _ in range(2))
        self.counts = cuda.device_array((_LAUNCH, 65), np.int32)

    def load(self, data: Bytes) -> None:
        self.data[: data.size].copy_to_device(data, stream=self.stream)

    def count(self, firsts: Int64s, sizes: Int64s) -> NDArray[np.int32]:
        n = firsts.size
        self.firsts[:n].copy_to_device(firsts, stream=self.stream)
        self.sizes[:n].copy_to_device(sizes, stream=self.stream)
        launch = _count_segments[_BLOCKS, (_LANES, _TEAMS), self.stream]
        launch(self.data, self.codes, self.firsts, self.sizes, n, self.counts)
        counts: NDArray[np.int32] = self.counts[:n].copy_to_host(stream=self.stream)
        self.stream.synchronize()
        return counts


def _segments(starts: Int64s, codons: Int64s, width: int) -> tuple[Int64s, Int64s, Int64s]:
    """Cut the codons whose first base is in [0, width) into segments: span, first base, size."""
    before = np.maximum(-(starts // 3), 0)
    inside = np.maximum(np.minimum(-((starts - width) // 3), codons) - before, 0)
    parts = -(-inside // _SEGMENT)
    spans = np.repeat(np.arange(starts.size), parts)
    done = _SEGMENT * (np.arange(spans.size) - np.repeat(np.cumsum(parts) - parts, parts))
    firsts = starts[spans] + 3 * (before[spans] + done)
    return spans, firsts, np.minimum(inside[spans] - done, _SEGMENT)


def count_spans(
    data: Bytes,
    starts: Int64s,
    stops: Int64s,
    *,
    softmask: Softmask = "count",
    chunk_bytes: int = 1 << 26,
) -> Int64s:
    """Count the codons of spans as `polytene.codons.kernels.count_spans` does, on a CUDA device.

    Parameters
    ----------
    data, starts, stops, softmask
        As in `polytene.codons.kernels.count_spans`.
    chunk_bytes
        Bases on the device at a time; with 18 MB for a launch, the bound of its memory. The result
        does not depend on it.

    Returns
    -------
    numpy.ndarray
        int64 of shape ``(span, 65)``, equal to that of `polytene.codons.kernels.count_spans`.

    Raises
    ------
    UsageError
        As in `polytene.codons.kernels.count_spans`, or if `chunk_bytes` is not positive.
    PreflightError
        If this process has no CUDA driver, no device or no compiler for it.

    Examples
    --------
    >>> data = np.frombuffer(b"ATGATGNAA", np.uint8)
    >>> if available() is None:
    ...     counts = count_spans(data, np.array([0, 1]), np.array([9, 9]))
    """
    starts, stops, data = kernels._int64s(starts), kernels._int64s(stops), kernels._bytes(data)
    kernels._check_inside(data, starts, stops)
    kernels._fold_of(softmask)
    if chunk_bytes < 1:
        raise UsageError(f"chunk_bytes must be 1 or more, not {chunk_bytes}")
    require_cuda()
    counts = np.zeros((starts.size, 65), np.int64)
    used = np.flatnonzero(stops > starts)
    if not used.size:
        return counts
    starts, stops = starts[used], stops[used]
    begin, end = int(starts.min()), int(stops.max())
    device = _Device(softmask, min(chunk_bytes, end - begin) + 2)
    for at in range(begin, end, chunk_bytes):
        spans, firsts, sizes = _segments(starts - at, (stops - starts) // 3, chunk_bytes)
        if spans.size:
            device.load(data[at : min(at + chunk_bytes + 2, end)])
        for i in range(0, spans.size, _LAUNCH):
            part = slice(i, i + _LAUNCH)
            found = device.count(firsts[part], sizes[part])
            span, segment = np.unique(spans[part], return_index=True)
            counts[used[span]] += np.add.reduceat(found, segment, axis=0, dtype=np.int64)
    return counts


def count_pieces(
    data: Bytes,
    starts: Int64s,
    stops: Int64s,
    strands: Int64s,
    first_piece: Int64s,
    skip: Int64s,
    *,
    softmask: Softmask = "count",
    chunk_bytes: int = 1 << 26,
) -> Int64s:
    """Count coding sequences as `polytene.codons.kernels.count_pieces` does, on a CUDA device.

    The pieces are spliced on the host. Parameters, result and errors are those of
    `polytene.codons.kernels.count_pieces`; `chunk_bytes` and PreflightError as in `count_spans`.
    """
    data, strands = kernels._bytes(data), kernels._int64s(strands)
    starts, stops = kernels._int64s(starts), kernels._int64s(stops)
    first_piece, skip = kernels._int64s(first_piece), kernels._int64s(skip)
    kernels._check_inside(data, starts, stops)
    kernels._check_offsets(first_piece, starts.size, "first_piece")
    if strands.shape != starts.shape or skip.size != first_piece.size - 1:
        raise UsageError("strands must be as long as starts, and skip one shorter than first_piece")
    if not np.isin(strands, (-1, 1)).all() or (skip < 0).any():
        raise UsageError("each strand must be 1 or -1, and each skip 0 or more")
    ends = np.concatenate(([0], np.cumsum(np.maximum(stops - starts, 0))))
    joined = np.empty(ends[-1], np.uint8)
    kernels._splice(data, starts, stops, strands, joined)
    left, right = ends[first_piece[:-1]] + skip, ends[first_piece[1:]]
    return count_spans(joined, left, right, softmask=softmask, chunk_bytes=chunk_bytes)
