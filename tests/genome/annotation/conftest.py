"""Generated genomes with genes, Helixer's files and RNA-seq."""

from __future__ import annotations

import pytest

from polytene import genome
from polytene.testing.annotation import Annotated, write_annotation


@pytest.fixture(scope="session")
def made(tmp_path_factory) -> Annotated:
    """Sixty genes, half of them annotated wrongly, a tenth silent; three samples."""
    folder = tmp_path_factory.mktemp("annotation")
    return write_annotation(folder, genes=30, errors=0.5, silent=0.1, samples=3, seed=7)


@pytest.fixture(scope="session")
def inputs(made):
    return inputs_of(made)


def inputs_of(made: Annotated, **given):
    about = {"genome": made.fasta, "predictions": made.predictions, "bams": made.bams} | given
    return genome.annotation_inputs(made.gff3, **about)


@pytest.fixture(scope="session")
def read():
    """Give the function that checks the inputs of a generated genome."""
    return inputs_of
