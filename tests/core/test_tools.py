"""External programs end in time, are named in errors, and never outlive their run."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import psutil
import pytest

from polytene.core.ended import tell
from polytene.core.tools import ToolFailed, ToolTimedOut, run_tool, tool_version
from polytene.exceptions import PreflightError


def gone(pid: int, seconds: float = 5) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            if psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
                return True
        except psutil.NoSuchProcess:
            return True
        time.sleep(0.02)
    return False


def test_a_program_that_succeeds_leaves_its_log(tmp_path):
    result = run_tool(
        ["sh", "-c", "echo out; echo err >&2; pwd"], log=tmp_path / "log", cwd=tmp_path
    )
    assert (tmp_path / "log").read_text() == f"out\nerr\n{tmp_path}\n"
    assert result.seconds >= 0


def test_no_shell_reads_the_arguments(tmp_path):
    hostile = "$(touch pwned); `touch pwned` 'x\n\"y"
    run_tool(["printf", "%s", hostile], log=tmp_path / "log", cwd=tmp_path)
    assert (tmp_path / "log").read_text() == hostile
    assert not (tmp_path / "pwned").exists()


def test_failure_names_the_code_and_the_last_lines(tmp_path):
    with pytest.raises(ToolFailed, match=r"sh ended with exit code 7:\nline 99$") as caught:
        run_tool(["sh", "-c", "seq -f 'line %g' 99 99; exit 7"], log=tmp_path / "log")
    assert caught.value.code == 7
    with pytest.raises(ToolFailed, match="signal SIGSEGV"):
        run_tool(["sh", "-c", "kill -SEGV $$"], log=tmp_path / "log")


def test_a_missing_program_is_a_matter_of_the_machine(tmp_path):
    with pytest.raises(PreflightError, match="no-such-program is not on PATH"):
        run_tool(["no-such-program"], log=tmp_path / "log")


def test_the_total_timeout_ends_the_whole_group(tmp_path):
    script = "sleep 300 & echo $!; wait"
    with pytest.raises(ToolTimedOut, match=r"after 0\.5 s"):
        run_tool(["sh", "-c", script], log=tmp_path / "log", timeout=0.5)
    assert gone(int((tmp_path / "log").read_text()))


def test_progress_keeps_a_program_alive_and_silence_ends_it(tmp_path):
    steady = "for i in 1 2 3 4 5 6; do echo $i; sleep 0.2; done"
    run_tool(["sh", "-c", steady], log=tmp_path / "log", quiet_timeout=0.8)
    growing = "for i in 1 2 3 4 5 6; do echo $i >> d/file; sleep 0.2; done"
    (tmp_path / "d").mkdir()
    run = {"log": tmp_path / "log", "cwd": tmp_path, "quiet_timeout": 0.8}
    run_tool(["sh", "-c", growing], watched=tmp_path / "d", **run)
    with pytest.raises(ToolTimedOut, match="without progress"):
        run_tool(["sh", "-c", "sleep 300"], **run)


def test_what_a_program_leaves_running_ends_with_it(tmp_path):
    run_tool(["sh", "-c", "sleep 300 & echo $!"], log=tmp_path / "log")
    assert gone(int((tmp_path / "log").read_text()))


def test_the_guards_word_makes_it_a_memory_error(tmp_path):
    with ThreadPoolExecutor(1) as threads:
        argv = ["sh", "-c", "echo $$; sleep 300"]
        running = threads.submit(run_tool, argv, log=tmp_path / "log")
        while not (tmp_path / "log").exists() or not (tmp_path / "log").read_text():
            time.sleep(0.02)
        pid = int((tmp_path / "log").read_text())
        tell(pid, "ended by polytene: too large")
        os.kill(pid, 9)
        with pytest.raises(MemoryError, match="too large"):
            running.result()


PARENT = """
import sys, threading
from pathlib import Path
from polytene.core.tools import run_tool
run_tool(["sh", "-c", "echo $$; sleep 300"], log=Path(sys.argv[1]))
"""


def test_a_program_dies_with_a_parent_that_is_killed(tmp_path):
    log = tmp_path / "log"
    parent = subprocess.Popen([sys.executable, "-c", PARENT, str(log)])
    while not log.exists() or not log.read_text():
        time.sleep(0.02)
    parent.kill()
    parent.wait()
    assert gone(int(log.read_text()))


def test_versions_are_what_the_program_prints():
    assert tool_version("python3") == sys.version.split()[0] or tool_version("python3")[0] == "3"
