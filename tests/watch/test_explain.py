"""What became of one unit, in every state that it can be in."""

from __future__ import annotations

import json
import tempfile
from dataclasses import asdict

import pytest
from tests.watch.test_status import text_of

from polytene import BadInput, Partial, Plan, Reduction, Rejected, Stage, Unit, run
from polytene.core.ledger import read
from polytene.exceptions import DamagedRun, UsageError
from polytene.watch.explain import explain
from polytene.watch.tables import explanation_table

KEYS = ["good", "no-data", "net", "late", "rejects", "Tail"]
PLAN = Plan("explained", [Unit(k, cost=2.0) for k in KEYS], block=4, noun="sample")


def fetch(unit):
    if unit.key == "no-data":
        raise BadInput("empty-file", "no-data.fq: 0 bytes")
    if unit.key == "net":
        raise ConnectionError("reset")
    return unit.key


def trim(unit, reads):
    return reads


def quantify(unit, reads):
    if unit.key == "late":
        raise ZeroDivisionError("no coverage")
    rejected = [Rejected("r7", "short", "3 of 5")] if unit.key == "rejects" else []
    return Partial([reads], items=10, nbytes=100, rejected=rejected)


def go(root, stages=None, **options):
    chain = stages or [Stage(fetch, uses={"net": 1}), trim, quantify]
    return run(PLAN, chain, Reduction(lambda v: [x for y in v for x in y]), run_dir=root,
               limits={"net": 2}, max_quarantined=1, **options)  # fmt: skip


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    root = tmp_path_factory.mktemp("ran")
    go(root)
    return root


def states(found):
    return found.state, {leg.name: leg.state for leg in found.legs}


@pytest.mark.parametrize(
    ("key", "state", "fetched", "quantified"),
    [
        ("good", "done", "done", "done"),
        ("Tail", "done", "done", "done"),
        ("rejects", "done", "done", "done"),
        ("no-data", "quarantined", "failed", "not reached"),
        ("net", "quarantined", "failed", "not reached"),
        ("late", "quarantined", "done", "failed"),
    ],
)
def test_states(ran, key, state, fetched, quantified):
    assert states(explain(ran, key)) == (state, {"fetch": fetched, "trim+quantify": quantified})


def test_what_is_done_is_what_was_committed(ran):
    found = explain(ran, "good")
    parts = {r["part"]: r for r in read(ran) if r and "part" in r}
    for leg in found.legs:
        receipt = parts[leg.part]
        files = [p for p in ran.glob(f"{leg.part}.*") if p.is_file()]
        assert leg.nbytes == sum(p.stat().st_size for p in files)
        assert (leg.digest, leg.units, leg.epoch) == (receipt["digest"], receipt["units"], 1)
    assert (found.legs[-1].items, found.legs[-1].read) == (10, 100), "of this unit alone"
    assert found.fields == {"key": "good", "cost": 2.0}
    assert found.place == 0


def test_failures_say_whether_trying_again_can_help(ran):
    bad, net = explain(ran, "no-data").legs[0], explain(ran, "net").legs[0]
    assert (bad.failure.category, bad.failure.reason) == ("input", "empty-file")
    assert "--retry-quarantined" in bad.again
    assert net.again == "the same command tries it again"
    assert net.attempts == 6
    late = explain(ran, "late").legs[1].failure
    assert (late.stage, late.reason) == ("quantify", "ZeroDivisionError")
    assert "test_explain.py" in late.detail


def test_rejected_items_are_those_of_the_unit(ran):
    assert [str(f) for f in explain(ran, "rejects").rejected] == [
        "rejects [r7]: quantify: short: 3 of 5"
    ]
    assert explain(ran, "good").rejected == []


def test_the_table_and_json_hold_it(ran):
    for key in KEYS:
        found = explain(ran, key)
        text = text_of(explanation_table(found))
        assert key in text
        assert found.state in text
        assert json.loads(json.dumps(asdict(found)))["key"] == key
    assert "no-data.fq: 0 bytes" in text_of(explanation_table(explain(ran, "no-data")))
    assert "r7: short: 3 of 5" in text_of(explanation_table(explain(ran, "rejects")))


def test_the_reproduce_line_of_a_script_is_python_that_runs(ran):
    line = explain(ran, "late").reproduce
    names = {"run": run, "plan": PLAN, "tempfile": tempfile, "stages": [fetch, trim, quantify],
             "reduction": Reduction(lambda v: v)}  # fmt: skip
    with pytest.raises(Exception, match="1 of 1 units are quarantined"):
        eval(line, names)


@pytest.mark.parametrize(
    ("key", "like"),
    [("nodata", "'no-data'"), ("tail", "'Tail'"), ("reject", "'rejects'"), ("goo", "'good'")],
)
def test_an_unknown_key_names_those_like_it(ran, key, like):
    with pytest.raises(UsageError, match=f"no sample '{key}'.*{like}"):
        explain(ran, key)


@pytest.mark.parametrize("key", ["", "zzzzzz", '"', "go\nod"])
def test_an_unknown_key_like_no_other(ran, key):
    with pytest.raises(UsageError, match="no sample"):
        explain(ran, key)


def test_a_plan_that_never_ran_waits(tmp_path):
    PLAN.save(tmp_path)
    assert explain(tmp_path, "good").state == "waiting"


def test_a_run_that_was_stopped_waits(tmp_path):
    with pytest.raises(Exception, match="stopped"):
        go(tmp_path, stop=lambda: True)
    assert states(explain(tmp_path, "good")) == (
        "waiting", {"fetch": "waiting", "trim+quantify": "waiting"}
    )  # fmt: skip


def test_a_damaged_part_is_said(tmp_path):
    go(tmp_path)
    name = explain(tmp_path, "good").legs[1].part
    (tmp_path / f"{name}.json").write_bytes(b"torn")
    found = explain(tmp_path, "good")
    assert states(found) == ("waiting", {"fetch": "done", "trim+quantify": "damaged"})
    assert "computes it again" in found.legs[1].again


def test_a_lost_plan_file_is_said(tmp_path):
    go(tmp_path)
    next(tmp_path.glob("plan-*.jsonl")).unlink()
    with pytest.raises(DamagedRun, match="plan-"):
        explain(tmp_path, "good")


def test_a_block_whose_workers_died_failed(tmp_path):
    from polytene.core.ledger import line_of

    go(tmp_path)
    tag = next(r["tag"] for r in read(tmp_path) if r and "part" in r and r["units"])
    lost = [[0, "good", "fetch", "infrastructure", "worker-lost", "its worker died 5 times"]]
    for part in tmp_path.glob(f"parts/*/*/{tag}.*.json"):
        part.unlink()
    segment = next((tmp_path / "ledger").glob("*.jsonl"))
    segment.write_bytes(line_of({"event": "lost", "tag": tag, "failures": lost}))
    found = explain(tmp_path, "good")
    if found.legs[0].state == "failed":
        assert found.legs[0].failure.reason == "worker-lost"
    else:
        assert states(found)[0] == "waiting", "another block"


def test_one_unit_of_many_is_found_by_its_own_line(tmp_path):
    plan = Plan("many", [Unit(f"u{n}") for n in range(20_000)], block=50)
    plan.save(tmp_path)
    assert explain(tmp_path, "u19999").fields["key"] == "u19999"
    with pytest.raises(UsageError, match="similar: 'u1999'"):
        explain(tmp_path, "u1999x")
