"""Compile the kernels of the room ahead of the first run."""

from __future__ import annotations

import tempfile

from polytene.genome.composition import kernels
from polytene.genome.genome import Genome
from polytene.genome.planning.nruns import n_runs
from polytene.genome.planning.plan import plan_chunks
from polytene.testing.assembly import write_assembly


def warm() -> None:
    """Plan a small assembly and count its bases."""
    with tempfile.TemporaryDirectory(prefix="polytene-") as folder:
        made = write_assembly(folder, bases=3000, genes=5)
        genome = Genome(made.fasta)
        plan_chunks(genome, made.gff3, n_chunks=2)
        n_runs(genome)
    kernels.warm()
