"""Generated data: deterministic, and labelled as generated wherever it is shown."""

from polytene.testing.assembly import Assembly, write_assembly
from polytene.testing.sequences import Generated, genomes, write_fasta, write_genbank, write_set

__all__ = [
    "Assembly",
    "Generated",
    "genomes",
    "write_assembly",
    "write_fasta",
    "write_genbank",
    "write_set",
]
