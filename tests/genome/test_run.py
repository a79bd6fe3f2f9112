"""Functions and commands over chunks."""

from __future__ import annotations

import functools
import re
from pathlib import Path

import numpy as np
import pytest

import polytene
from polytene import Plan, Reduction, Stage, Unit
from polytene.exceptions import UsageError
from polytene.genome import ChunkPlan, Genome, GenomicChunk, plan_chunks
from polytene.genome.commands import command_plan, run_commands
from polytene.genome.planning.measured import measured_rows
from polytene.genome.units import chunk_of, unit_plan


def count(chunk: GenomicChunk, letter: str = "G") -> int:
    byte = ord(letter)
    return sum(int(np.count_nonzero(b & 0xDF == byte)) for _, b in chunk.sequences())


@pytest.fixture
def plan(genome, assembly) -> ChunkPlan:
    return plan_chunks(genome, assembly.gff3, n_chunks=6, halo=9, with_gene_ids=True)


def test_a_unit_holds_its_chunk(plan, tmp_path):
    units = unit_plan(plan, "x", {})
    assert [chunk_of(u) for u in units] == list(plan)
    units.save(tmp_path)
    assert [chunk_of(u) for u in type(units).load(tmp_path)] == list(plan)


def test_map_folds_or_returns_all(plan, sequences, here, tmp_path):
    total = sum(text.upper().count("G") for text in sequences.values())
    folded = plan.map(count, Reduction(sum), run_dir=tmp_path / "a", client=here)
    assert folded.result == total
    listed = plan.map(count, run_dir=tmp_path / "b", client=here).result
    assert list(listed) == [c.chunk_id for c in plan]
    assert sum(listed.values()) == total
    stage = Stage(functools.partial(count, letter="T"), version=2)
    found = plan.map(stage, Reduction(sum), run_dir=tmp_path / "c", client=here)
    assert found.result == sum(text.upper().count("T") for text in sequences.values())


def test_a_saved_plan_maps_alike(plan, here, tmp_path):
    plan.save(tmp_path / "p.json")
    again = ChunkPlan.load(tmp_path / "p.json")
    found = [p.map(count, run_dir=tmp_path / str(i), client=here).result
             for i, p in enumerate([plan, again])]  # fmt: skip
    assert found[0] == found[1]


def test_a_chunk_that_fails_costs_itself_alone(plan, here, tmp_path):
    def fail(chunk):
        if chunk.index == 2:
            raise ValueError("no luck")
        return chunk.size

    outcome = plan.map(fail, run_dir=tmp_path, client=here, max_quarantined=1.0)
    assert [f.key for f in outcome.quarantined] == ["chunk_0002"]
    assert len(outcome.result) == 5


def test_plain_dask(plan):
    values = [v.compute(scheduler="sync") for v in plan.to_delayed(count)]
    assert values == [count(c) for c in plan]
    bag = plan.to_bag(partition_size=4)
    assert bag.npartitions == 2
    assert bag.map(count).compute(scheduler="sync") == values
    assert bag.compute(scheduler="sync") == list(plan)


def run(plan, folder: Path, command: str, here, **options):
    units = command_plan(plan, command, chunk_plan_path=options.pop("plan_path", None))
    options = {"max_quarantined": 1.0, "client": here} | options
    return run_commands(units, plan, folder / "out", run_dir=folder / "run", **options)


def test_a_command_runs_once_per_chunk(plan, here, tmp_path):
    outcome = run(plan, tmp_path, "cut -f1 {bed} > {output_dir}/{chunk_id}.txt", here)
    shown = sorted(p.name for p in (tmp_path / "out").iterdir() if p.name[0] != ".")
    assert shown == ["chunk_plan.json", *sorted(f"{c.chunk_id}.txt" for c in plan)] or shown == [
        *sorted(f"{c.chunk_id}.txt" for c in plan), "chunk_plan.json"]  # fmt: skip
    assert [Path(p).name for p in outcome.result] == [f"{c.chunk_id}.txt" for c in plan]
    for chunk in plan:
        found = (tmp_path / "out" / f"{chunk.chunk_id}.txt").read_text().split()
        assert found == [r.seqid for r in chunk.intervals]


def test_a_pooled_chunk_runs_once_per_interval(plan, here, tmp_path):
    command = "echo {seqid} {start} {end} > {output_dir}/{chunk_id}.txt"
    run(plan, tmp_path, command, here)
    pooled = next(c for c in plan if len(c.intervals) > 1)
    for i, region in enumerate(pooled.intervals, 1):
        text = (tmp_path / "out" / f"{pooled.chunk_id}.{i}.txt").read_text()
        assert text == f"{region.seqid} {region.start + 1} {region.end}\n"


def test_the_plan_and_folders_as_outputs(plan, here, tmp_path):
    plan.save(tmp_path / "p.json")
    command = "mkdir {output_dir}/{chunk_id}; wc -c < {plan} > {output_dir}/{chunk_id}/n"
    run(plan, tmp_path, command, here, plan_path=tmp_path / "p.json")
    expected = (tmp_path / "p.json").stat().st_size
    assert {int((tmp_path / "out" / c.chunk_id / "n").read_text()) for c in plan} == {expected}


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("false; true > {output_dir}/x", "output-name: .*put {chunk_id}"),
        ("true # {output_dir}", "no-output: .*nothing below"),
        ("echo no luck; exit 7 # {output_dir}", "bash ended with exit code 7:\nno luck"),
        ("false | true > {output_dir}/{chunk_id}", "exit code 1"),
    ],
)
def test_a_command_that_fails_is_quarantined(plan, here, tmp_path, command, said):
    outcome = run(plan, tmp_path, command, here)
    assert len(outcome.quarantined) == 6
    assert all(re.search(said, str(failure)) for failure in outcome.quarantined)
    assert outcome.result == []
    assert not list((tmp_path / "out").glob("chunk_0*"))


def test_a_command_that_hangs_is_ended(plan, here, tmp_path):
    command = "touch {output_dir}/{chunk_id}; case {chunk_id} in *3) sleep 600;; esac"
    outcome = run(plan, tmp_path, command, here, timeout=8)
    assert [f.key for f in outcome.quarantined] == ["chunk_0003"]
    assert len(outcome.result) == 5


def test_what_an_earlier_command_has_shown_is_removed(plan, here, tmp_path):
    for name in ("a", "b"):
        run(plan, tmp_path, f"touch {{output_dir}}/{{chunk_id}}.{name}", here, on_change="rerun")
    assert sorted({p.suffix for p in (tmp_path / "out").glob("chunk_0*")}) == [".b"]


@pytest.mark.parametrize(
    ("command", "why"),
    [
        ("echo {seqid}", "does not name {output_dir}"),
        ("echo {sequid} > {output_dir}/x", "did you mean {seqid}"),
        ("cat {plan} > {output_dir}/x", "give the file of the chunk plan"),
        ("", "empty"),
    ],
)
def test_templates_that_cannot_be_are_refused(plan, command, why):
    with pytest.raises(UsageError, match=why):
        command_plan(plan, command)


def test_an_input_that_is_not_there_is_named(plan, tmp_path):
    with pytest.raises(UsageError, match="no-such"):
        command_plan(plan, "x {output_dir}", inputs=[tmp_path / "no-such"])


def test_the_times_of_a_run_are_costs_of_the_next_plan(here, tmp_path):
    genome = Genome.from_lengths({"a": 1000, "b": 1000})
    plan = plan_chunks(genome, n_chunks=2)
    command = "case {chunk_id} in *1) sleep 1;; esac; touch {output_dir}/{chunk_id}"
    run(plan, tmp_path, command, here)
    rows = measured_rows(tmp_path / "run")
    assert [r[:3] for r in rows] == [("a", 0, 1000), ("b", 0, 1000)]
    assert rows[1][3] > 1 > rows[0][3]
    again = plan_chunks(genome, n_chunks=2, cost=tmp_path / "run")
    assert again[0].size > 1100
    other = tmp_path / "other"
    polytene.run(Plan("x", [Unit("a")]), [_one], Reduction(sum), run_dir=other, client=here)
    with pytest.raises(UsageError, match="no run over the chunks"):
        measured_rows(other)


def _one(unit) -> int:
    return 1
