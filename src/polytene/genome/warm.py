"""Compile the kernels of the room ahead of the first run."""

from __future__ import annotations

import tempfile

from polytene.formats.gff3_index import index_gff3
from polytene.formats.gff3_text import GffText
from polytene.genome.annotation.columns import read_columns
from polytene.genome.annotation.kernels import warm as warm_scores
from polytene.genome.composition import kernels
from polytene.genome.genome import Genome
from polytene.genome.planning.nruns import n_runs
from polytene.genome.planning.plan import plan_chunks
from polytene.testing.assembly import write_assembly


def warm() -> None:
    """Plan a small assembly, count its bases, read and score its genes."""
    with tempfile.TemporaryDirectory(prefix="polytene-") as folder:
        made = write_assembly(folder, bases=3000, genes=5)
        genome = Genome(made.fasta)
        plan_chunks(genome, made.gff3, n_chunks=2)
        n_runs(genome)
        spans = [entry.spans for entry in index_gff3(made.gff3).entries]
        read_columns(GffText(made.gff3).pieces(spans))
    warm_scores()
    kernels.warm()
