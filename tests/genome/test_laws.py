"""The laws of the design, each as it shows in this room."""

from __future__ import annotations

import functools
import os
import random
import signal
from pathlib import Path

import numpy as np
import pytest
from tests.genome.killed import Drivers

from polytene import Reduction
from polytene.exceptions import PlanChanged, PreflightError, UsageError
from polytene.genome import composition, plan_chunks, write_composition
from polytene.genome.commands import command_plan, run_commands
from polytene.testing.assembly import write_assembly


def tree(folder: Path, *patterns: str) -> dict[str, bytes]:
    found = [p for pattern in patterns for p in folder.glob(pattern) if p.is_file()]
    return {str(p.relative_to(folder)): p.read_bytes() for p in found}


def parts_of(folder: Path) -> dict[str, bytes]:
    return tree(folder, "parts/**/*.json", "parts/**/*.npz", "parts/**/*.tsv")


def outputs(result, folder: Path) -> dict[str, bytes]:
    for suffix in ("nc", "zarr", "parquet", "tsv"):
        write_composition(result, folder / f"x.{suffix}")
    return tree(folder, "x.*", "x.zarr/**/*")


def gc_of(chunk, letters: str = "GC") -> int:
    wanted = np.frombuffer((letters + letters.lower()).encode(), np.uint8)
    return sum(int(np.isin(bases, wanted).sum()) for _, bases in chunk.sequences())


COMMAND = "cat {bed} | awk '{print $1, $3-$2}' > {output_dir}/{chunk_id}.tsv"


def commands(plan, folder: Path, command: str = COMMAND, **engine):
    units = command_plan(plan, command)
    return run_commands(units, plan, folder / "out", run_dir=folder / "run", **engine)


def test_law_1_a_part_is_a_pure_function_of_its_chunk(
    tmp_path, genome, assembly, here, local_client
):
    plan = plan_chunks(genome, assembly.gff3, n_chunks=5)
    found = []
    for i, client in enumerate([here, local_client, local_client]):
        base = tmp_path / str(i)
        composition(plan, run_dir=base / "c", client=client, window=3000, k=2)
        commands(plan, base, client=client)
        found.append((parts_of(base / "c"), parts_of(base / "run"), tree(base / "out", "*")))
    assert found[0] == found[1] == found[2]
    assert [len(f) for f in found[0]] == [10, 10, 7]


def test_law_2_what_is_missing_is_nan(tmp_path, here):
    (tmp_path / "g.fa").write_text(">s\nNNNN\n")
    outcome = composition(tmp_path / "g.fa", run_dir=tmp_path / "r", client=here)
    assert np.isnan(outcome.result["gc"].values).all()


def test_law_3_what_is_done_is_not_done_again(tmp_path, genome, here):
    plan = plan_chunks(genome, n_chunks=6, cost="bp")
    first = plan.map(gc_of, Reduction(sum), run_dir=tmp_path / "r", client=here)
    again = plan.map(gc_of, Reduction(sum), run_dir=tmp_path / "r", client=here)
    assert (first.computed, again.computed, again.resumed) == (6, 0, 6)
    assert first.result == again.result
    for _ in range(2):
        outcome = commands(plan, tmp_path, client=here)
    assert (outcome.computed, outcome.resumed) == (0, 6)


def test_law_3_another_function_or_parameter_is_seen(tmp_path, genome, here):
    plan = plan_chunks(genome, n_chunks=2, cost="bp")
    plan.map(gc_of, run_dir=tmp_path / "r", client=here)
    for other in (functools.partial(gc_of, letters="AT"), len, lambda chunk: 1):
        with pytest.raises(PlanChanged):
            plan.map(other, run_dir=tmp_path / "r", client=here)
    commands(plan, tmp_path, client=here)
    with pytest.raises(PlanChanged):
        commands(plan, tmp_path, COMMAND.replace("cat", "tac"), client=here)


def test_law_3_a_changed_genome_is_seen_before_any_work(tmp_path, here):
    made = write_assembly(tmp_path)
    plan = plan_chunks(made.fasta, n_chunks=3, cost="bp")
    composition(plan, run_dir=tmp_path / "r", client=here)
    os.utime(made.fasta, ns=(1, 1))
    with pytest.raises(PlanChanged):
        composition(plan, run_dir=tmp_path / "r", client=here)
    made.fasta.write_bytes(made.fasta.read_bytes() + b">more\nACGT\n")
    with pytest.raises(UsageError, match="plan it anew"):
        composition(plan, run_dir=tmp_path / "r", client=here)


def test_law_3_a_changed_input_of_a_command_is_seen(tmp_path, genome, here):
    plan = plan_chunks(genome, n_chunks=2, cost="bp")
    (tmp_path / "depth").write_text("1")
    for text in ("1", "22"):
        (tmp_path / "depth").write_text(text)
        os.utime(tmp_path / "depth", ns=(1, 1))
        units = command_plan(plan, COMMAND, inputs=[tmp_path / "depth"])
        if text == "1":
            run_commands(units, plan, tmp_path / "o", run_dir=tmp_path / "r", client=here)
            continue
        with pytest.raises(PlanChanged):
            run_commands(units, plan, tmp_path / "o", run_dir=tmp_path / "r", client=here)


def test_law_4_chunks_and_bases_add_up(tmp_path, here):
    made = write_assembly(tmp_path)
    text = made.fasta.read_text()
    place = text.index(">chr2") + 6000
    made.fasta.write_text(text[:place] + "E" + text[place + 1 :])
    plan = plan_chunks(made.fasta, n_chunks=8, cost="bp")
    outcome = composition(plan, run_dir=tmp_path / "r", client=here, max_quarantined=1.0,
                          by="chunk")  # fmt: skip
    assert outcome.planned == outcome.computed + outcome.resumed + len(outcome.quarantined) == 8
    (bad,) = outcome.quarantined
    lost = plan.get_chunk(bad.key).size
    counted = sum(int(outcome.result[x].sum()) for x in ("a", "c", "g", "t", "n", "other"))
    assert counted + lost == 60_000
    assert bad.key not in outcome.result["chunk_id"].values


def test_law_5_memory_is_promised_before_the_work(tmp_path, genome, local_client):
    plan = plan_chunks(genome, n_chunks=2, cost="bp")
    with pytest.raises(PreflightError, match="memory"):
        commands(plan, tmp_path, memory=64e9, client=local_client)
    assert not (tmp_path / "out" / "chunk_0000.tsv").exists()


def test_law_6_the_cuts_do_not_matter(tmp_path, genome, assembly, here):
    found = {}
    for n in (1, 7, 64):
        for strategy in ("balanced", "size"):
            many = {"n_chunks": n} if strategy == "balanced" else {"chunk_size": 60_000 // n}
            plan = plan_chunks(genome, assembly.gff3, strategy, **many)
            run_dir = tmp_path / f"{n}{strategy}"
            outcome = composition(plan, run_dir=run_dir, client=here, window=700, k=3)
            found[n, strategy] = outputs(outcome.result, run_dir)
    first = found[1, "balanced"]
    assert len(first) > 10
    assert all(f == first for f in found.values())


def test_law_6_the_workers_and_the_order_do_not_matter(tmp_path, genome, here, local_client):
    plan = plan_chunks(genome, n_chunks=9, cost="bp")
    found = []
    for i, (client, in_flight) in enumerate([(here, 1), (here, 50), (local_client, 50)]):
        run_dir = tmp_path / str(i)
        outcome = composition(
            plan, run_dir=run_dir, client=client, in_flight=in_flight, window=500, k=2
        )
        found.append(outputs(outcome.result, run_dir))
    assert found[0] == found[1] == found[2]


DRIVER = """
    from pathlib import Path
    from polytene.genome import composition, plan_chunks, write_composition
    def drive(client, base, fasta):
        plan = plan_chunks(fasta, n_chunks=40, cost="bp")
        outcome = composition(plan, run_dir=Path(base, "run"), client=client, window=700, k=3)
        write_composition(outcome.result, Path(base, "x.nc"))
        write_composition(outcome.result, Path(base, "x.parquet"))
"""


def test_law_6_a_run_that_is_killed_and_resumed_leaves_the_same_bytes(tmp_path, assembly):
    chance, seen = random.Random(3), []
    with Drivers(DRIVER) as drivers:
        whole = drivers.finish(tmp_path / "whole", assembly.fasta)
        assert len(whole) == 2
        for i, least in enumerate([0, 25]):
            base = tmp_path / f"killed{i}"
            seen.append(drivers.kill(base, least, chance, assembly.fasta))
            assert drivers.finish(base, assembly.fasta) == whole
    assert -signal.SIGKILL in seen
