"""Codon usage over sequence sets of any size.

``ingest`` turns FASTA and GenBank files into a Parquet set; ``count`` counts the codons of a set;
``rscu`` and the tables of :mod:`polytene.codons.result` read the counts.
"""

from polytene.codons.arrays import count_array
from polytene.codons.code import CODONS, GENETIC_CODES, GeneticCode, genetic_code
from polytene.codons.ingest import ingest, ingest_plan
from polytene.codons.plan import Batch, plan
from polytene.codons.result import rscu, to_long, to_wide, write
from polytene.codons.run import count, reduction, stages

__all__ = [
    "CODONS",
    "GENETIC_CODES",
    "Batch",
    "GeneticCode",
    "count",
    "count_array",
    "genetic_code",
    "ingest",
    "ingest_plan",
    "plan",
    "reduction",
    "rscu",
    "stages",
    "to_long",
    "to_wide",
    "write",
]
