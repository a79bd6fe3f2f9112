"""Even chunks of a genome, and its composition: python genome_chunks.py [genome.fa genes.gff3]."""

import sys

from polytene import cluster, genome
from polytene.testing.assembly import write_assembly

if __name__ == "__main__":
    made = write_assembly("assembly")
    fasta, genes = sys.argv[1:] or (made.fasta, made.gff3)
    plan = genome.plan_chunks(fasta, genes, workers=2)
    print(plan.describe())
    with cluster("local", workers=2) as client:
        outcome = genome.composition(plan, run_dir="composition.run", client=client)
    genome.write_composition(outcome.result, "composition.parquet")
