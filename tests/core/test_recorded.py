"""The command of a run: written down, given again, quoted for a shell."""

from __future__ import annotations

import shlex
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polytene import Plan, Unit
from polytene.core.recorded import Recorded, command_of, record, recorded, reproduce_line
from polytene.exceptions import UsageError

PLAN = Plan("k", [Unit("a")])


@pytest.mark.parametrize(
    ("argv", "again"),
    [
        (["codons", "count", "set"], ["codons", "count", "set", "-x"]),
        (["count", "--fresh", "set"], ["count", "set", "-x"]),
        (["count", "--", "--fresh"], ["count", "-x", "--", "--fresh"]),
        ([], ["-x"]),
    ],
)
def test_again(argv, again):
    assert Recorded(tuple(argv), "/", "/r", "").again("-x") == again


@given(st.lists(st.text(st.characters(exclude_characters="\0", codec="utf-8"), min_size=1)))
def test_a_shell_reads_back_what_was_given(words):
    command = Recorded(tuple(words), "/", "/r", "")
    assert shlex.split(command.line())[-len(words) - 1 :] == ["polytene", *command.again()]


def test_a_real_shell_goes_where_the_command_was_given(tmp_path):
    folder = tmp_path / "it's here"
    folder.mkdir()
    line = Recorded(("a b", "$x", "*"), str(folder), "/r", "").line("--only", "k;1")
    script = f"polytene() {{ pwd; printf '%s\\n' \"$@\"; }}\n{line}"
    said = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True).stdout
    assert said.splitlines() == [str(folder), "a b", "$x", "*", "--only", "k;1"]


def test_written_and_read(tmp_path):
    PLAN.save(tmp_path)
    assert recorded(tmp_path) is None
    record(tmp_path, ["x", "na\udcffme"], tmp_path)
    found = command_of(tmp_path)
    assert found.argv == ("x", "na\udcffme")
    assert reproduce_line(found, "a").endswith("--only a")


def test_a_command_of_another_plan_is_not_this_runs(tmp_path):
    PLAN.save(tmp_path)
    record(tmp_path, ["x"], tmp_path)
    Plan("other", [Unit("a")]).save(tmp_path)
    assert recorded(tmp_path) is None
    with pytest.raises(UsageError, match="retry_quarantined=True"):
        command_of(tmp_path)
    assert "plan.subset(['a'])" in reproduce_line(None, "a")


def test_a_moved_run_is_not_taken_for_the_one_that_was_there(tmp_path):
    PLAN.save(tmp_path / "old")
    record(tmp_path / "old", ["count", "-o", "x"], tmp_path)
    (tmp_path / "old").rename(tmp_path / "new")
    with pytest.raises(UsageError, match=r"was at .*old"):
        command_of(tmp_path / "new")


@pytest.mark.parametrize("text", ["", "{", "[]", '{"argv": 3}', "{}"])
def test_a_damaged_record_is_none(tmp_path, text):
    PLAN.save(tmp_path)
    (tmp_path / "command.json").write_text(text)
    assert recorded(tmp_path) is None
