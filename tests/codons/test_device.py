"""The same counts on another device: the whole line on a simulated one."""

import subprocess
import sys

import pytest

from polytene import codons
from polytene.exceptions import PreflightError, UsageError
from polytene.testing import write_set

ON_A_DEVICE = """
import sys
from distributed import Client
from polytene import codons
from polytene.codons import cuda_kernels
cuda_kernels._LANES = cuda_kernels._TEAMS = cuda_kernels._BLOCKS = 2  # each thread is one of Python
one = dict(processes=False, n_workers=1, threads_per_worker=1, dashboard_address="127.0.0.1:0")
with Client(**one, worker_dashboard_address="127.0.0.1:0", resources={"GPU": 1}) as client:
    for source in sys.argv[2:]:
        for how in ({"by": "source"}, {"mode": "cds", "by": "source"}, {"mode": "six-frame"}):
            found = [
                codons.count(
                    source,
                    run_dir=f"{sys.argv[1]}/{abs(hash((source, *how.values())))}.{device}",
                    client=client,
                    device=device,
                    **how,
                ).result
                for device in ("cpu", "cuda")
            ]
            assert found[0].identical(found[1])
            assert found[0]["n_codons"].sum() > 0
print("equal")
"""


def test_a_device_counts_what_the_processor_counts(tmp_path, monkeypatch):
    monkeypatch.setenv("NUMBA_ENABLE_CUDASIM", "1")
    monkeypatch.setenv("NUMBA_CUDA_LOG_SIZE", "0")
    (tmp_path / "x.fa").write_text(">a\n" + "ATGNACGTTAGRAC" * 30 + "\n>b\nacgtacgTTTGG\n")
    text = tmp_path / "text"
    codons.ingest(tmp_path / "x.fa", text)
    codons.rechunk(text, tmp_path / "packed", pack=True)
    command = [sys.executable, "-c", ON_A_DEVICE, str(tmp_path), str(text), f"{tmp_path}/packed"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.stdout == "equal\n", done.stderr[-2000:]


def test_workers_without_a_device_are_refused_before_anything_runs(tmp_path, here):
    with pytest.raises(PreflightError, match=r"count_batch needs 1 GPU .* no worker owns"):
        codons.count(write_set(), run_dir=tmp_path / "run", client=here, device="cuda")
    with pytest.raises(UsageError, match="one of auto, cpu, cuda"):
        codons.count(write_set(), run_dir=tmp_path / "run", client=here, device="gpu")
