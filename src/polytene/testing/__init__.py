"""Generated data: deterministic, and labelled as generated wherever it is shown."""

from polytene.testing.archive import Archive
from polytene.testing.assembly import Assembly, write_assembly
from polytene.testing.dump import write_archive, write_dump, write_package_set
from polytene.testing.reads import write_reads, write_transcripts
from polytene.testing.sequences import Generated, genomes, write_fasta, write_genbank, write_set
from polytene.testing.stars import Star, stars, write_stars

__all__ = [
    "Archive",
    "Assembly",
    "Generated",
    "Star",
    "genomes",
    "stars",
    "write_archive",
    "write_assembly",
    "write_dump",
    "write_fasta",
    "write_genbank",
    "write_package_set",
    "write_reads",
    "write_set",
    "write_stars",
    "write_transcripts",
]
