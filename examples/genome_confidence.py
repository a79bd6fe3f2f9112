"""Genes judged by Helixer and mended by RNA-seq, chunk by chunk: python genome_confidence.py."""

from polytene import cluster, genome
from polytene.testing.annotation import write_annotation

if __name__ == "__main__":
    made = write_annotation("lab", genes=30, errors=0.3)
    files = {"genome": made.fasta, "predictions": made.predictions, "bams": made.bams}
    inputs = genome.annotation_inputs(made.gff3, **files)
    print(genome.confidence("chr1", inputs).to_pandas()[["gene_id", "overall_score", "flags"]])
    plan = genome.annotation_plan("refine", genome.plan_chunks(made.fasta, n_chunks=8), inputs)
    with cluster("local", workers=2) as client:
        outcome = genome.annotation_run(plan, run_dir="refine.run", client=client)
    outcome.result.write("gff3", "refined.gff3")
    outcome.result.write("refine", "report.tsv")
