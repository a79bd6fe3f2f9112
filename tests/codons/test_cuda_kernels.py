"""Counting on a CUDA device, without one: simulated, compiled for real ones, and refused.

The simulator is chosen before numba is imported: see :mod:`tests.scripted`.
"""

from __future__ import annotations

from types import ModuleType

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.scripted import SIMULATED, checks_of, ptx_of, run_checks, run_python, said_by_checks

from polytene.codons import arrays, kernels
from polytene.codons.code import CODONS
from polytene.exceptions import PreflightError, UsageError

COLUMN = {codon: i for i, codon in enumerate(CODONS)}
ALPHABET = b"ACGTUacgtuNnRy-"
SOFTMASKS = st.sampled_from(["count", "skip"])
SHAPE = ("_LANES", "_TEAMS", "_BLOCKS", "_SEGMENT", "_LAUNCH")
SMALL = {"_LANES": 2, "_TEAMS": 2, "_BLOCKS": 2}
REAL_SHAPE: dict[str, int] = {}
SIZE = 40
PLACES = st.integers(0, SIZE)
FEW = settings(max_examples=100, deadline=None, database=None, derandomize=True)
REFUSED = (
    "import numpy as np; from polytene.codons import cuda_kernels as c;"
    "c.count_spans(np.zeros(9, np.uint8), np.array([0]), np.array([9]))"
)


def brute(sequence: bytes, softmask: str) -> list[int]:
    row = [0] * 65
    for i in range(0, len(sequence) - 2, 3):
        codon = sequence[i : i + 3].decode("latin-1")
        codon = codon.upper() if softmask == "count" else codon
        row[COLUMN.get(codon.replace("U", "T"), 64)] += 1
    return row


def letters(size: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).choice(np.frombuffer(ALPHABET, np.uint8), size)


def simulated_device(**shape: int) -> ModuleType:
    """The module with another launch shape; a simulated thread costs a thread of Python."""
    from polytene.codons import cuda_kernels

    if not REAL_SHAPE:
        REAL_SHAPE.update({name: getattr(cuda_kernels, name) for name in SHAPE})
    vars(cuda_kernels).update(REAL_SHAPE | shape)
    return cuda_kernels


@st.composite
def shapes(draw: st.DrawFn) -> dict[str, int]:
    """Threads and sizes so small that every loop takes several turns."""
    most = {"_LANES": 2, "_TEAMS": 2, "_BLOCKS": 2, "_SEGMENT": 7, "_LAUNCH": 9}
    return {name: draw(st.integers(1, limit)) for name, limit in most.items()}


def check_random_spans() -> None:
    spans = st.lists(st.tuples(PLACES, PLACES), max_size=5)

    @FEW
    @given(st.integers(0, 2**32 - 1), spans, SOFTMASKS, shapes(), st.integers(1, 50))
    def check(seed, spans, softmask, shape, chunk_bytes):
        device = simulated_device(**shape)
        data = letters(SIZE, seed)
        starts, stops = np.array(spans, np.int64).reshape(-1, 2).T
        found = device.count_spans(data, starts, stops, softmask=softmask, chunk_bytes=chunk_bytes)
        assert found.dtype == np.int64
        assert found.tolist() == [brute(data[a:b].tobytes(), softmask) for a, b in spans]
        expected = kernels.count_spans(data, starts, stops, softmask=softmask)
        np.testing.assert_array_equal(found, expected)

    check()


def check_random_pieces() -> None:
    piece = st.tuples(PLACES, PLACES, st.sampled_from([1, -1]))
    coding = st.tuples(st.lists(piece, max_size=4), st.integers(0, 3))

    @FEW
    @given(st.integers(0, 2**32 - 1), st.lists(coding, max_size=4), SOFTMASKS, shapes())
    def check(seed, codings, softmask, shape):
        device = simulated_device(**shape)
        pieces = [piece for pieces, _ in codings for piece in pieces]
        first_piece = np.cumsum([0, *(len(pieces) for pieces, _ in codings)])
        skip = np.array([skip for _, skip in codings], np.int64)
        columns = np.array(pieces, np.int64).reshape(-1, 3).T
        given_ = (letters(SIZE, seed), *columns, first_piece, skip)
        found = device.count_pieces(*given_, softmask=softmask, chunk_bytes=16)
        np.testing.assert_array_equal(found, kernels.count_pieces(*given_, softmask=softmask))

    check()


def check_default_shape() -> None:
    device = simulated_device(_BLOCKS=2)
    data = letters(30_000, 1)
    starts, stops = (
        np.array([1, 7, 20, 9000, *range(40)]),
        np.array([29_999, 7, 170, 0, *[900] * 40]),
    )
    for chunk_bytes in (10_000, 1 << 26):
        found = device.count_spans(data, starts, stops, chunk_bytes=chunk_bytes)
        np.testing.assert_array_equal(found, kernels.count_spans(data, starts, stops))


def check_every_byte() -> None:
    device = simulated_device(**SMALL)
    data = np.array([(a, 65, a) for a in range(256)], np.uint8).ravel()
    starts = np.arange(0, data.size, 3)
    for softmask in ("count", "skip"):
        found = device.count_spans(data, starts, starts + 3, softmask=softmask)
        expected = kernels.count_spans(data, starts, starts + 3, softmask=softmask)
        np.testing.assert_array_equal(found, expected)


def check_arrow_slice() -> None:
    device = simulated_device(**SMALL)
    sequences = pa.array(["TTTTTCNNN", None, "", "tttg", "ACGUAC"])[1:]
    data, starts, stops = arrays.spans(sequences)
    found = device.count_spans(data, starts, stops)
    np.testing.assert_array_equal(found, arrays.count_array(sequences))


def check_seams_are_loaded_once() -> None:
    """Only the chunks that hold codons go to the device, each with the two bases after it."""
    device = simulated_device(**SMALL)
    loaded = []
    load = device._Device.load
    device._Device.load = lambda self, data: (loaded.append(data.size), load(self, data))
    data = letters(1000, 2)
    device.count_spans(data, np.array([100, 700]), np.array([130, 709]), chunk_bytes=20)
    assert loaded == [22, 22, 9]


def check_errors_are_those_of_the_cpu() -> None:
    device = simulated_device(**SMALL)
    nine, one, two = np.zeros(9, np.uint8), np.array([0]), np.array([0, 1])
    wrong_spans = [
        ((nine, one, np.array([10])), {}),
        ((nine, np.array([-1]), np.array([3])), {}),
        ((nine, one, two), {}),
        ((nine.astype(np.int8), one, one), {}),
        ((nine, one, one), {"softmask": "soft"}),
    ]
    wrong_pieces = [
        ((nine, one, one + 9, one, two, one), {}),
        ((nine, one, one + 9, one + 1, two, one - 1), {}),
        ((nine, one, one + 9, one + 1, two + 1, one), {}),
        ((nine, one, one + 9, np.array([1, 1]), two, one), {}),
        ((nine, one, one + 9, one + 1, two, two), {}),
        ((nine, one, one + 10, one + 1, two, one), {}),
    ]
    for name, cases in (("count_spans", wrong_spans), ("count_pieces", wrong_pieces)):
        for args, options in cases:
            said = []
            for module in (kernels, device):
                with pytest.raises(UsageError) as caught:
                    getattr(module, name)(*args, **options)
                said.append(str(caught.value))
            assert said[0] == said[1]
    with pytest.raises(UsageError, match="chunk_bytes must be 1 or more, not 0"):
        device.count_spans(nine, one, one, chunk_bytes=0)


CHECKS = checks_of(globals())


@pytest.fixture(scope="module")
def simulated() -> dict[str, str]:
    """What each check said under the simulator."""
    return said_by_checks(__file__, **SIMULATED)


@pytest.mark.parametrize("name", CHECKS)
def test_simulated(simulated: dict[str, str], name: str) -> None:
    assert not simulated[name], simulated[name]


@pytest.mark.parametrize(
    ("environment", "reason"),
    [
        ({"NUMBA_DISABLE_CUDA": "1"}, "CUDA is disabled"),
        ({"NUMBA_CUDA_DRIVER": __file__, "CUDA_VISIBLE_DEVICES": ""}, "CUDA"),
    ],
)
def test_without_a_device_the_error_says_why_and_what_to_do(environment, reason) -> None:
    done = run_python("-c", REFUSED, NUMBA_ENABLE_CUDASIM="0", **environment)
    last = done.stderr.splitlines()[-1]
    assert last.startswith(f"{PreflightError.__module__}.PreflightError: device='cuda': ")
    assert reason in last
    assert last.endswith("; use device='cpu'")


def test_numba_cuda_is_not_imported_by_the_rest() -> None:
    script = "import sys, polytene.codons.stages; sys.exit('numba.cuda' in sys.modules)"
    assert run_python("-c", script).returncode == 0


@pytest.mark.parametrize("capability", [(7, 5), (8, 0), (9, 0)])
def test_kernel_compiles_for_real_devices(capability: tuple[int, int]) -> None:
    from numba import types

    from polytene.codons import cuda_kernels

    numbers = types.int64[::1]
    arguments = (types.uint8[::1], types.int32[::1], numbers, numbers, types.int64)
    signature = types.void(*arguments, types.int32[:, ::1])
    ptx = ptx_of(cuda_kernels._count_segments, signature, capability)
    assert "atom.shared.add.u32" in ptx
    assert ".f64" not in ptx  # numba joins signed and unsigned integers to floats


if __name__ == "__main__":
    run_checks(CHECKS)
