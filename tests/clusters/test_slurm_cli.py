"""The commands on a real SLURM: show, check, start, and a driver that is a job itself."""

from __future__ import annotations

import sys

import pytest
from click.testing import CliRunner

from polytene.cli import polytene

POLYTENE = [sys.executable, "-m", "polytene"]


@pytest.fixture(autouse=True)
def in_own_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def said(*words):
    done = CliRunner().invoke(polytene, words)
    return done.exit_code, done.output
