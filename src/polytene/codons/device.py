"""Where codons are counted: on the processor, or on a CUDA device."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, NamedTuple, TypeAlias

from polytene.codons import kernels
from polytene.exceptions import UsageError

Device: TypeAlias = Literal["cpu", "cuda"]


class Counters(NamedTuple):
    """The kernels of one device; see :mod:`polytene.codons.kernels` for what they do."""

    count_spans: Callable[..., Any]
    count_pieces: Callable[..., Any]


def counters(device: Device) -> Counters:
    """Return the kernels of a device.

    Raises
    ------
    UsageError
        If there is no such device.
    PreflightError
        If this process cannot use it.
    """
    if device == "cpu":
        return Counters(kernels.count_spans, kernels.count_pieces)
    if device != "cuda":
        raise UsageError(f"device is {device!r}: 'cpu' or 'cuda'")
    from polytene.codons import cuda_kernels

    cuda_kernels.require_cuda()
    return Counters(cuda_kernels.count_spans, cuda_kernels.count_pieces)
