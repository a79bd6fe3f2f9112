"""Generated data: deterministic, and labelled as generated wherever it is shown."""

from polytene.testing.archive import Archive
from polytene.testing.reads import write_reads, write_transcripts
from polytene.testing.sequences import Generated, genomes, write_fasta, write_genbank, write_set

__all__ = [
    "Archive",
    "Generated",
    "genomes",
    "write_fasta",
    "write_genbank",
    "write_reads",
    "write_set",
    "write_transcripts",
]
