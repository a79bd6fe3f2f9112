"""Scripts: functions, lambdas and unit classes of ``__main__``, in this process and in others."""

from __future__ import annotations

import pytest

BODY = """
import sys
from dataclasses import dataclass
from polytene import Plan, Reduction, Unit, cluster, run

@dataclass(frozen=True)
class Word(Unit):
    text: str = ""

def upper(unit):
    return unit.text.upper()

def main(where, folder):
    client = None
    if where == "local":
        client = cluster("local", workers=1, memory_limit="1GB", dashboard_port=0)
    plan = Plan("words", [Word(f"u{i}", t) for i, t in enumerate(["ant", "bee", "cow"])], block=2)
    stages = [upper, lambda unit, text: [text + str(len(unit.text))]]
    join = Reduction(lambda values: sum(values, []))
    out = run(plan, stages, join, run_dir=folder, client=client)
    print(out.result, out.computed, out.resumed)
"""
GUARDED = BODY + '\nif __name__ == "__main__":\n    main(*sys.argv[1:])\n'
BARE = BODY + "\nmain(*sys.argv[1:])\n"
RESULT = "['ANT3', 'BEE3', 'COW3']"


@pytest.mark.parametrize("where", ["here", "local"])
def test_a_script_with_a_guard(script, tmp_path, where):
    for counts in ("3 0", "0 3"):
        done = script(GUARDED, where, str(tmp_path / "run"))
        assert done.stdout == f"{RESULT} {counts}\n", done.stderr


def test_a_script_without_a_guard_in_its_own_process(script, tmp_path):
    assert script(BARE, "here", str(tmp_path / "run")).stdout == f"{RESULT} 3 0\n"


def test_a_script_without_a_guard_is_told_so_in_one_sentence(script, tmp_path):
    done = script(BARE, "local", str(tmp_path / "run"))
    last = done.stderr.strip().splitlines()[-1]
    assert done.returncode == 1
    assert last.startswith("polytene.exceptions.UsageError: a local cluster starts processes that")
    assert 'put what it does under `if __name__ == "__main__":`' in last
    assert done.stderr.count("polytene.exceptions.UsageError") == 1, (
        "no worker ran the script again"
    )


def test_a_plan_of_a_script_is_read_elsewhere(script, tmp_path):
    from polytene import Plan, Unit
    from polytene.exceptions import UsageError
    from polytene.watch.status import status, verify

    script(GUARDED, "here", str(tmp_path / "run"))
    assert (status(tmp_path / "run").state, status(tmp_path / "run").done) == ("finished", 3)
    assert verify(tmp_path / "run", deep=True)[1] == []
    with pytest.raises(UsageError, match="unit_type=Word"):
        Plan.load(tmp_path / "run")
    assert issubclass(Plan.load(tmp_path / "run", Unit).units.unit_type, Unit)
