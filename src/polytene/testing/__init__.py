"""Generated data: deterministic, and labelled as generated wherever it is shown."""

from polytene.testing.sequences import Generated, genomes, write_fasta, write_genbank, write_set
from polytene.testing.stars import Star, stars, write_stars

__all__ = [
    "Generated",
    "Star",
    "genomes",
    "stars",
    "write_fasta",
    "write_genbank",
    "write_set",
    "write_stars",
]
