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
from polytene.genome.annotation import alignments
from polytene.genome.annotation.confidence_work import confidence_of_unit
from polytene.genome.annotation.evidence_work import evidence_of_unit
from polytene.genome.annotation.models import read_genes, read_lines
from polytene.genome.annotation.run import annotate, parameters_of
from polytene.genome.annotation.select import units_of
from polytene.testing.annotation import Annotated, Model, write_annotation


def inflate(made: Annotated) -> None:
    """Read each block of the predictions once."""
    with h5py.File(made.predictions) as file:
        data = file["predictions"]
        for row in range(data.shape[0]):
            data[row]


def gene_by_gene(made: Annotated) -> None:
    """Score as HelixForge 0.1 does, step by step: each gene reads its bases from the file anew.

    Its genes are ready beforehand; only reading and scoring are measured.
    """
    with h5py.File(made.input_h5) as file:
        bounds, names = file["data/start_ends"][:], file["data/seqids"][:].astype(str)
    rows: dict[tuple[str, str], list[int]] = {}
    for i, name in enumerate(names):
        rows.setdefault((name, "+" if bounds[i, 0] < bounds[i, 1] else "-"), []).append(i)
    with h5py.File(made.predictions) as file:
        for m in made.world.genes:
            low, high = m.exons[0][0], m.exons[-1][1]
            found = []
            for i in rows[m.seqid, m.strand]:
                first, last = sorted(bounds[i])
                if last <= low or first >= high:
                    continue
                a, b = max(low, first), min(high, last)
                a, b = (a - first, b - first) if m.strand == "+" else (last - b, last - a)
                found.append(file["predictions"][i, a:b, :])
            p = np.concatenate(found, axis=0)
            p = np.flip(p, axis=0) if m.strand == "-" else p
            score_plainly(p.astype(np.float32), m, low)


def score_plainly(p: np.ndarray, model: Model, low: int) -> None:
    """Compute the scores of a gene with numpy; runs of unsure bases in Python, as there."""
    m, calls = np.max(p, axis=1), np.argmax(p, axis=1)
    clipped = np.clip(p, 1e-10, 1.0)
    (m.mean(), m.min(), np.median(m), np.mean(-np.sum(clipped * np.log2(clipped), axis=1)))
    exonic = np.max(p, axis=1)
    for a, b in model.exons:
        m[a - low : b - low].mean()
        for at in (a - low, b - low):
            if 20 <= at < len(p) - 20:
                np.max(np.abs(np.diff(exonic[at - 10 : at + 10])))
        q = p[a - low : b - low, 2]
        (q.var(), q.mean(), np.mean(calls[a - low : b - low] == 2))
    for (_, a), (b, _) in itertools.pairwise(model.exons):
        np.mean(p[a - low : b - low, 3])
    begin = None
    for i, below in enumerate(m < 0.7):
        if below and begin is None:
            begin = i
        elif not below and begin is not None:
            if i - begin >= 10:
                m[begin:i].mean()
            begin = None


def bench_confidence(report: Report, made: Annotated, times: int) -> None:
    """Measure confidence over the whole genome in one process, from the file of genes on."""
    inputs = inputs_of(made)
    unit = units_of(None, inputs, "start")[0]
    given = parameters_of("confidence", {})
    cpu = interleaved(
        {
            "floor": lambda: inflate(made),
            "confidence": lambda: confidence_of_unit(unit, inputs, given),
            "by gene": lambda: gene_by_gene(made),
        },
        times,
    )
    over = ratio(cpu["confidence"], cpu["floor"])
    gain = ratio(cpu["by gene"], cpu["confidence"])
    with h5py.File(made.predictions) as file:
        rows, block = file["predictions"].shape[:2]
    about = f"{len(made.world.genes):,} genes, {rows:,} rows of {block:,}"
    report.add(f"inflate all rows ({about})", min(cpu["floor"]), "s")
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
    report.add("refine: valid ORFs before", valid[0], "")
    report.add("refine: valid ORFs after", valid[1], "", "not fewer", valid[1] >= valid[0])


def inputs_of(made: Annotated) -> dict:
    """Return the inputs of all verbs."""
    return genome.annotation_inputs(
        made.gff3, genome=made.fasta, predictions=made.predictions, bams=made.bams
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a fifth of the genes, fewer rounds")
    parser.add_argument("-o", "--output", default="docs/_figures", help="folder of JSON and table")
    args = parser.parse_args()
    quick = args.quick
    rows, genes, times = 21384, 200 if quick else 1000, 3 if quick else 7
    report = Report("annotation benchmarks")
    with tempfile.TemporaryDirectory() as folder:
        about = {"genes": genes, "errors": 0.2, "depth": 10, "spacing": 1300}
        made = write_annotation(folder, sequences=2, block=rows, **about)
        bench_confidence(report, made, times)
        bench_evidence(report, made, times)
        bench_gff(report, made, times)
        bench_refine(report, made)
    report.write(args.output)
