"""Without dask-cuda, a cluster of GPUs is refused in one sentence that says what to install."""

from __future__ import annotations

import sys

import pytest

from polytene import cluster
from polytene.exceptions import PreflightError


def test_without_dask_cuda_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "dask_cuda", None)
    with pytest.raises(PreflightError, match=r"needs dask-cuda .*pip install 'polytene\[cuda\]'"):
        with cluster("cuda", dashboard_port=0):
            pass
