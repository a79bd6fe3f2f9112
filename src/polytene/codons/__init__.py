"""Codon usage over sequence sets of any size.

``ingest`` turns FASTA and GenBank files into a Parquet set, ``rechunk`` other Parquet files;
``count`` counts the codons of a set;
``rscu``, ``enc``, ``cai``, ``gc3s`` and ``compare`` read the counts; ``pairs`` counts neighbours.
"""

from polytene.codons.arrays import count_array
from polytene.codons.code import CODONS, GENETIC_CODES, GeneticCode, genetic_code
from polytene.codons.measures.adaptation import cai
from polytene.codons.measures.compare import compare
from polytene.codons.measures.cut import read_cut, to_cut
from polytene.codons.measures.enc import enc, gc3s
from polytene.codons.measures.usage import read_usage, recode
from polytene.codons.pairs.run import pairs, pairs_plan
from polytene.codons.pairs.scores import cps
from polytene.codons.plan import Batch, plan
from polytene.codons.result import rscu, to_long, to_wide, write
from polytene.codons.run import count, reduction, stages
from polytene.codons.sets.ingest import ingest, ingest_plan
from polytene.codons.sets.rechunk import rechunk, rechunk_plan

__all__ = [
    "CODONS",
    "GENETIC_CODES",
    "Batch",
    "GeneticCode",
    "cai",
    "compare",
    "count",
    "count_array",
    "cps",
    "enc",
    "gc3s",
    "genetic_code",
    "ingest",
    "ingest_plan",
    "pairs",
    "pairs_plan",
    "plan",
    "read_cut",
    "read_usage",
    "rechunk",
    "rechunk_plan",
    "recode",
    "reduction",
    "rscu",
    "stages",
    "to_cut",
    "to_long",
    "to_wide",
    "write",
]
