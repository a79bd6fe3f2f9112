"""Imports go down only: the contracts of import-linter in ``pyproject.toml`` hold."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]
ROOMS = {"codons", "genome", "lightcurves", "metadata"}


def test_the_contracts_hold():
    command = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([command, "--no-cache"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
    assert f"{len(contracts['contracts'])} kept, 0 broken" in done.stdout


def test_every_package_is_in_a_layer():
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
    layers = " ".join(contracts["contracts"][0]["layers"])
    packages = {p.parent.name for p in (ROOT / "src" / "polytene").glob("*/__init__.py")}
    named = {name.removeprefix("polytene.") for name in layers.replace("|", " ").split()}
    assert packages - named - {"testing"} == set()
    assert packages >= ROOMS
