"""The laws of the design, each as it shows in annotation."""

from __future__ import annotations

import functools
import itertools
import random
import signal
from pathlib import Path

import pytest
from tests.genome.killed import Drivers

from polytene import genome
from polytene.exceptions import PlanChanged, UsageError
from polytene.genome import ChunkPlan, GenomicChunk, Region, plan_chunks
from polytene.genome.annotation.run import annotate
from polytene.genome.merging.aggregate import aggregate
from polytene.testing.annotation import write_annotation

VERBS = ("confidence", "evidence", "refine")
NAMES = {
    "confidence": ("confidence", "bed", "low_conf_bed"),
    "evidence": ("gff3", "evidence", "junctions", "exons", "summary"),
    "refine": ("gff3", "refine", "junctions", "exons", "summary"),
}
SUFFIX = {"gff3": ".gff3", "bed": ".bed", "low_conf_bed": ".bed"}


def written(result, folder: Path) -> dict[str, bytes]:
    """Write every output, tables in two formats; return the bytes."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in NAMES[result.verb]:
        suffix = SUFFIX.get(name, ".tsv")
        result.write(name, folder / f"{name}{suffix}")
        if suffix == ".tsv" and name != "summary":
            result.write(name, folder / f"{name}.parquet")
    return {p.name: p.read_bytes() for p in sorted(folder.iterdir())}


def parts_of(folder: Path) -> dict[str, bytes]:
    found = [p for p in folder.glob("parts/**/*") if p.is_file()]
    return {str(p.relative_to(folder)): p.read_bytes() for p in found}


@pytest.mark.parametrize("verb", VERBS)
def test_law_1_a_part_is_a_pure_function_of_its_chunk(
    tmp_path, made, inputs, here, local_client, verb
):
    plan = plan_chunks(made.fasta, made.gff3, n_chunks=4)
    found = []
    for i, client in enumerate([here, local_client]):
        units = genome.annotation_plan(verb, plan, inputs)
        genome.annotation_run(units, run_dir=tmp_path / str(i), client=client)
        found.append(parts_of(tmp_path / str(i)))
    assert found[0] == found[1]
    assert len(found[0]) >= 8


def test_law_2_what_cannot_be_known_is_null(tmp_path, read):
    made = write_annotation(tmp_path, genes=2)
    text = made.gff3.read_text()
    bare = "chr1\t.\tgene\t5\t90\t.\t+\t.\tID=bare\nchr1\t.\tgene\t6\t80\t.\t.\t.\tID=b2\n"
    bare += "chr1\t.\tmRNA\t6\t80\t.\t.\t.\tID=b2.1;Parent=b2\n"
    bare += "chr1\t.\tCDS\t6\t80\t.\t.\t0\tParent=b2.1\n"
    made.gff3.write_text(text.replace("chr1\tHelixer", bare + "chr1\tHelixer", 1))
    inputs = read(made)
    for verb in VERBS:
        result, lost = annotate(verb, None, inputs)
        assert [(r.item, r.reason) for r in lost] == [("bare", "no-exons"), ("b2", "no-strand")]
        rows = [r for r in result.table.to_pylist() if r["gene_id"] in ("bare", "b2")]
        known = {"gene_id", "seqid", "start", "end", "strand", "flags", "n_exons"}
        known |= {"confidence_class", "evidence_level", "n_low_conf_regions"}
        assert {v for row in rows for k, v in row.items() if k not in known} == {None}
        if verb != "confidence":
            lines = {x.split(b"\t")[8] for x in result.features() if b"\t" in x}
            assert {b"ID=bare", b"ID=b2", b"ID=b2.1;Parent=b2"} <= lines


def test_law_3_what_is_done_is_not_done_again(tmp_path, made, inputs, here):
    plan = plan_chunks(made.fasta, made.gff3, n_chunks=6)
    units = genome.annotation_plan("confidence", plan, inputs)
    first = genome.annotation_run(units, run_dir=tmp_path / "r", client=here)
    again = genome.annotation_run(units, run_dir=tmp_path / "r", client=here)
    assert (first.computed, again.computed, again.resumed) == (6, 0, 6)
    assert again.result.table.equals(first.result.table)
    other = genome.annotation_plan("confidence", plan, inputs, threshold=0.8)
    with pytest.raises(PlanChanged):
        genome.annotation_run(other, run_dir=tmp_path / "r", client=here)


def test_law_3_a_changed_input_is_seen(tmp_path, read, here):
    made = write_annotation(tmp_path / "a", genes=3)
    plan = plan_chunks(made.fasta, made.gff3, n_chunks=2)
    inputs = read(made)
    units = genome.annotation_plan("evidence", plan, inputs)
    write_annotation(tmp_path / "a", genes=3, seed=5)
    outcome = genome.annotation_run(units, run_dir=tmp_path / "r", client=here, max_quarantined=1.0)
    assert {f.reason for f in outcome.quarantined} == {"input-changed"}


def test_law_4_chunks_and_genes_add_up(tmp_path, read, here):
    made = write_annotation(tmp_path / "a", genes=5)
    made.gff3.write_text(made.gff3.read_text() + "chr2\t.\tgene\t50\t90\t.\t+\t.\tID=bare\n")
    plan = plan_chunks(made.fasta, made.gff3, n_chunks=3)
    for verb in VERBS:
        units = genome.annotation_plan(verb, plan, read(made))
        outcome = genome.annotation_run(units, run_dir=tmp_path / verb, client=here)
        assert outcome.planned == outcome.computed == 3
        assert outcome.items == 11
        assert [(r.item, r.reason) for r in outcome.rejected] == [("bare", "no-exons")]
        assert not outcome.complete
        assert outcome.result.table.num_rows == 11


def test_law_4_a_plan_that_leaves_genes_out_or_owns_them_twice_is_refused(made, inputs):
    length = len(made.world.sequences["chr1"])
    half = ChunkPlan("size", [GenomicChunk("c0", (Region("chr1", 0, length),))], length)
    with pytest.raises(UsageError, match="begin in no chunk"):
        genome.annotation_plan("confidence", half, inputs)
    twice = [GenomicChunk(f"c{i}", (Region("chr1", 5 * i, length),), i) for i in range(2)]
    with pytest.raises(UsageError, match="two owners"):
        genome.annotation_plan("confidence", ChunkPlan("size", twice, length), inputs)


def test_law_5_nothing_shared_is_asked_for(made, inputs):
    from polytene.genome.annotation.work import stage_of

    stage = stage_of("confidence", inputs, {})
    assert stage.uses == {}
    assert stage.needs == {}


@pytest.mark.parametrize("verb", VERBS)
def test_law_6_any_number_of_chunks_gives_the_bytes_of_the_whole_genome(
    tmp_path, made, inputs, here, verb
):
    whole = written(annotate(verb, None, inputs)[0], tmp_path / "whole")
    split = 0
    for k, cut in itertools.product((1, 7, 64), ("safe", "owned")):
        plan = plan_chunks(made.fasta, made.gff3, n_chunks=k, cut=cut)
        units = genome.annotation_plan(verb, plan, inputs)
        outcome = genome.annotation_run(units, run_dir=tmp_path / f"{k}{cut}.run", client=here)
        assert written(outcome.result, tmp_path / f"{k}{cut}") == whole
        split += plan.quality()["split"]
    assert split


@pytest.mark.parametrize("verb", VERBS)
def test_law_6_files_of_single_chunks_aggregate_to_the_same_bytes(tmp_path, made, inputs, verb):
    whole = written(annotate(verb, None, inputs)[0], tmp_path / "whole")
    plan = plan_chunks(made.fasta, made.gff3, n_chunks=9, cut="owned")
    name, kind = {"confidence": ("confidence", "merge_tsv")}.get(verb, ("gff3", "merge_gff"))
    suffix = SUFFIX.get(name, ".tsv")
    for chunk in plan:
        regions = list(chunk.intervals)
        result, _ = annotate(verb, regions, inputs)
        result.write(name, tmp_path / "parts" / f"{chunk.chunk_id}{suffix}")
    out = tmp_path / f"merged{suffix}"
    aggregate(tmp_path / "parts", f"*{suffix}", out, kind, chunk_plan=plan)
    assert out.read_bytes() == whole[f"{name}{suffix}"]


def test_law_6_map_gives_the_rows_of_the_whole_genome(tmp_path, made, inputs, here):
    plan = plan_chunks(made.fasta, made.gff3, n_chunks=5)
    func = functools.partial(genome.refine, inputs=inputs)
    values = plan.map(func, run_dir=tmp_path / "run", client=here).result
    rows = [row for table in values.values() for row in table.to_pylist()]
    assert rows == genome.refine(None, inputs).to_pylist()


DRIVER = """
    from pathlib import Path
    from polytene import genome
    def drive(client, base, folder):
        folder, base = Path(folder), Path(base)
        genes, fasta = folder / "predictions.gff3", folder / "genome.fa"
        inputs = genome.annotation_inputs(genes, genome=fasta, bams=[folder / "sample1.bam"],
                                          predictions=folder / "predictions.h5")
        chunks = genome.plan_chunks(fasta, genes, n_chunks=40)
        plan = genome.annotation_plan("refine", chunks, inputs)
        made = genome.annotation_run(plan, run_dir=base / "run", client=client).result
        for name, suffix in (("gff3", ".gff3"), ("refine", ".tsv"), ("exons", ".parquet")):
            made.write(name, base / f"x{suffix}")
"""


def test_law_6_a_run_that_is_killed_and_resumed_leaves_the_same_bytes(tmp_path, made):
    folder = made.fasta.parent
    chance, seen = random.Random(3), []
    with Drivers(DRIVER) as drivers:
        whole = drivers.finish(tmp_path / "whole", folder)
        assert len(whole) == 3
        for i, least in enumerate([0, 12]):
            base = tmp_path / f"killed{i}"
            seen.append(drivers.kill(base, least, chance, folder))
            assert drivers.finish(base, folder) == whole
    assert -signal.SIGKILL in seen
