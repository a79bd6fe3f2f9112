"""Annotation beside what it cannot do without: inflating predictions, reading alignments and GFF3.

Run it alone on the machine: ``python tests/benchmarks/bench_annotation.py [--quick]``. All data
are generated. It also prints how many of the planted errors ``refine`` mends.
"""

from __future__ import annotations

import argparse
import itertools
import tempfile

import h5py
import numpy as np
import pysam
from bench import Report, interleaved, ratio

from polytene import genome
from polytene.formats.gff3_index import index_gff3
from polytene.genome.annotation import alignments, work
from polytene.genome.annotation.models import read_genes, read_lines
from polytene.genome.annotation.run import annotate, parameters_of
from polytene.genome.annotation.select import units_of
from polytene.testing.annotation import Annotated, write_annotation


def inflate(made: Annotated) -> None:
    """Read each block of the predictions once."""
    with h5py.File(made.predictions) as file:
        data = file["predictions"]
        for row in range(data.shape[0]):
            data[row]


def gene_by_gene(made: Annotated, block: int) -> None:
    """Score as the original does: each gene reads its blocks anew, and numpy does the rest."""
    starts, at = {}, 0
    for seqid, text in made.world.sequences.items():
        starts[seqid], at = at, at + 2 * -(-len(text) // block)
    with h5py.File(made.predictions) as file:
        data = file["predictions"]
        for m in made.world.genes:
            low, high, size = m.exons[0][0], m.exons[-1][1], len(made.world.sequences[m.seqid])
            first, last = low // block, (high - 1) // block
            rows, blocks = starts[m.seqid], -(-size // block)
            found = []
            for i in range(first, last + 1):
                a, b = max(low, i * block), min(high, (i + 1) * block, size)
                top = min((i + 1) * block, size)
                if m.strand == "+":
                    found.append(data[rows + i][a - i * block : b - i * block])
                else:
                    found.append(data[rows + 2 * blocks - 1 - i][top - b : top - a][::-1])
            score_plainly(np.concatenate(found).astype(np.float32), m, low)


def score_plainly(p: np.ndarray, model, low: int) -> None:
    """Compute the scores of a gene with numpy."""
    m, calls = p.max(axis=1), p.argmax(axis=1)
    clipped = np.clip(p, 1e-10, 1)
    (m.mean(), m.min(), np.median(m), -(clipped * np.log2(clipped)).sum(axis=1).mean())
    for a, b in model.exons:
        m[a - low : b - low].mean()
        np.abs(np.diff(m[max(b - low - 10, 0) : b - low + 10])).max()
        (p[a - low : b - low, 2].var(), (calls[a - low : b - low] == 2).mean())
    below = np.flatnonzero(np.diff(np.concatenate([[0], m < 0.7, [0]])))
    for a, b in below.reshape(-1, 2):
        m[a:b].mean()


def bench_confidence(report: Report, made: Annotated, block: int, times: int) -> None:
    """Measure confidence over the whole genome in one process."""
    inputs = inputs_of(made)
    unit = units_of(None, inputs, "start")[0]
    given = parameters_of("confidence", {})
    work.confidence_of_unit(unit, inputs, given)
    cpu = interleaved(
        {
            "floor": lambda: inflate(made),
            "confidence": lambda: work.confidence_of_unit(unit, inputs, given),
            "by gene": lambda: gene_by_gene(made, block),
        },
        times,
    )
    over = ratio(cpu["confidence"], cpu["floor"])
    gain = ratio(cpu["by gene"], cpu["confidence"])
    report.add(f"inflate all rows ({len(made.world.genes):,} genes)", min(cpu["floor"]), "s")
    report.add("confidence, one process", min(cpu["confidence"]), "s")
    report.add("confidence over inflating all rows", over, "x", "<= 1.5", over <= 1.5)
    report.add("per-gene reading over confidence", gain, "x", ">= 4", gain >= 4)


def bench_evidence(report: Report, made: Annotated, times: int) -> None:
    """Measure evidence beside a loop over all reads, and count what is read."""
    inputs = inputs_of(made)
    units = units_of(genome.plan_chunks(made.fasta, made.gff3, n_chunks=8), inputs, "start")
    given = parameters_of("evidence", {})

    def loop() -> None:
        for path in made.bams:
            with pysam.AlignmentFile(str(path)) as bam:
                for read in bam.fetch():
                    (read.reference_start, read.cigartuples, read.has_tag("XS"))

    def all_units() -> list:
        from polytene.genome.annotation.evidence_work import evidence_of_unit

        return [evidence_of_unit(unit, inputs, given) for unit in units]

    cpu = interleaved({"loop": loop, "evidence": all_units}, times)
    over = ratio(cpu["evidence"], cpu["loop"])
    report.add("evidence, 8 chunks, one process", min(cpu["evidence"]), "s")
    report.add("evidence over a loop over all reads", over, "x")
    twice = overlaps(all_units)
    report.add("bases of the alignments read twice in a chunk", twice, "", "0", twice == 0)


def overlaps(call) -> int:
    """Return how many bases are fetched more than once within a chunk."""
    seen: list[list[tuple[str, int, int]]] = []
    over, begin = alignments.Reads.over, alignments.Reads.__init__

    def opened(self, *given):
        seen.append([])
        begin(self, *given)

    def counted(self, seqid, start, end):
        seen[-1].append((seqid, max(0, start), end))
        return over(self, seqid, start, end)

    alignments.Reads.over, alignments.Reads.__init__ = counted, opened
    try:
        call()
    finally:
        alignments.Reads.over, alignments.Reads.__init__ = over, begin
    twice = 0
    for chunk in seen:
        rows = sorted(chunk)
        for one, two in itertools.pairwise(rows):
            twice += max(0, one[2] - two[1]) if one[0] == two[0] else 0
    return twice


def bench_gff(report: Report, made: Annotated, times: int) -> None:
    """Measure the index, and which share of the file a chunk reads."""
    inputs = inputs_of(made)
    cpu = interleaved({"index": lambda: index_gff3(made.gff3)}, times)["index"]
    size = made.gff3.stat().st_size
    report.add(f"index of a GFF3 file of {size / 1e6:.1f} MB", min(cpu), "s")
    report.add("index", size / min(cpu) / 1e6, "MB/s")
    units = units_of(genome.plan_chunks(made.fasta, made.gff3, n_chunks=8), inputs, "start")
    read = sum(n for unit in units for spans in unit.spans for _, n in spans)
    report.add(
        "bytes of genes read by 8 chunks over the file", read / size, "x", "<= 1", read <= size
    )


def bench_refine(report: Report, made: Annotated) -> None:
    """Count mended errors, and genes that were right and were changed."""
    result, _ = annotate("refine", None, inputs_of(made))
    rows = {row["gene_id"]: row for row in result.table.to_pylist()}
    genes = {g.id: g for g in read_genes(read_lines(b"\n".join(result.features()))[0])}
    planted, right, changed = made.world.planted, 0, 0
    for m in made.world.truth:
        found = genes[m.id].transcripts[0]
        same = (found.exons, (found.cds[0][0], found.cds[-1][1])) == (m.exons, m.cds)
        right += same and m.id in planted
        changed += bool(rows[m.id]["changes"])
    recall, precision = right / len(planted), right / max(changed, 1)
    report.add(
        f"refine: recall of {len(planted):,} planted errors", recall, "", ">= 0.9", recall >= 0.9
    )
    report.add("refine: precision of changes", precision, "", ">= 0.9", precision >= 0.9)
    valid = [sum(r[k] == "valid" for r in rows.values()) for k in ("orf_before", "orf_after")]
    report.add("refine: valid ORFs before", valid[0])
    report.add("refine: valid ORFs after", valid[1], "", "not fewer", valid[1] >= valid[0])


def inputs_of(made: Annotated) -> dict:
    """Return the inputs of all verbs."""
    return genome.annotation_inputs(
        made.gff3, genome=made.fasta, predictions=made.predictions, bams=made.bams
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a fifth of the genes")
    parser.add_argument("-o", "--output", default="docs/_figures", help="folder of JSON and table")
    args = parser.parse_args()
    quick = args.quick
    rows, genes, times = 21384, 100 if quick else 500, 2 if quick else 3
    report = Report("annotation benchmarks")
    with tempfile.TemporaryDirectory() as folder:
        about = {"genes": genes, "errors": 0.2, "depth": 10, "spacing": 1300}
        made = write_annotation(folder, sequences=2, block=rows, **about)
        bench_confidence(report, made, rows, times)
        bench_evidence(report, made, times)
        bench_gff(report, made, times)
        bench_refine(report, made)
    report.write(args.output)
