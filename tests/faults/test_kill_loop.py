"""Random kills of driver, worker, sandbox and tool: the loop of ``kill_loop.py``, for a minute."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

LOOP = Path(__file__).with_name("kill_loop.py")
KILLS = 20


def test_killed_at_random_instants_the_run_keeps_its_word():
    command = [sys.executable, str(LOOP), "--kills", str(KILLS)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stderr
    counted = json.loads(done.stdout)
    assert sum(counted["kills"].values()) == KILLS
