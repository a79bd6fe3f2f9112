"""Checks that run in a process of their own, as what they test is settled before it imports.

A test module runs itself as a script: its functions ``check_*`` run there one after the other, and
what each said comes back, nothing if it passed. So numba's CUDA simulator can be chosen.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
SIMULATED = {"NUMBA_ENABLE_CUDASIM": "1"}


def checks_of(module: Mapping[str, Any]) -> dict[str, Callable[[], None]]:
    """Return the checks of a module, by name."""
    return {name: check for name, check in module.items() if name.startswith("check_")}


def run_python(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run Python on something that may import this module, and what is tested."""
    paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    return subprocess.run(
        [sys.executable, *arguments],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(paths)} | environment,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )


def said_by_checks(file: str, **environment: str) -> dict[str, str]:
    """Run a test module as a script; return what each of its checks said."""
    done = run_python(file, **environment)
    assert done.returncode == 0, done.stderr
    said: dict[str, str] = json.loads(done.stdout.splitlines()[-1])
    return said


def run_checks(checks: Mapping[str, Callable[[], None]]) -> None:
    """Run checks, and print what each said, as the last thing that the script does."""
    said = {}
    for name, check in checks.items():
        try:
            check()
            said[name] = ""
        except Exception:  # what a check raises, whatever it is, is its result: pytest shows it
            said[name] = traceback.format_exc()
    print(json.dumps(said))


def ptx_of(kernel: Any, signature: Any, capability: tuple[int, int]) -> str:
    """Compile a kernel for a real device; without libnvvm the test is skipped, or fails in CI."""
    from numba import cuda
    from numba.cuda.cudadrv import nvvm

    if not nvvm.is_available():
        missing = "libnvvm is not installed (CUDA toolkit, or pip install 'numba-cuda[cu12]')"
        required = os.environ.get("POLYTENE_REQUIRE_TOOLS") == "1"
        (pytest.fail if required else pytest.skip)(missing)
    ptx: str = cuda.compile_ptx(kernel.py_func, signature, cc=capability)[0]
    assert f".target sm_{capability[0]}{capability[1]}" in ptx
    return ptx
