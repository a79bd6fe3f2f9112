"""Terms of the SRA schema 1.5 that libraries are described with.

The schema's copies lag behind what the archives take, so that a term which is not here is kept
as it is, and the row says so.
"""

from __future__ import annotations

import re

import pyarrow as pa
import pyarrow.compute as pc

STRATEGY = """WGS|WGA|WXS|RNA-Seq|ssRNA-seq|snRNA-seq|miRNA-Seq|ncRNA-Seq|FL-cDNA|EST|Hi-C|ATAC-seq|
WCS|RAD-Seq|CLONE|POOLCLONE|AMPLICON|CLONEEND|FINISHING|ChIP-Seq|MNase-Seq|DNase-Hypersensitivity|
Bisulfite-Seq|CTS|MRE-Seq|MeDIP-Seq|MBD-Seq|Tn-Seq|VALIDATION|FAIRE-seq|SELEX|RIP-Seq|ChIA-PET|
Synthetic-Long-Read|Targeted-Capture|Tethered Chromatin Conformation Capture|NOMe-Seq|ChM-Seq|GBS|
Ribo-Seq|OTHER"""
SOURCE = """GENOMIC|GENOMIC SINGLE CELL|TRANSCRIPTOMIC|TRANSCRIPTOMIC SINGLE CELL|METAGENOMIC|
METATRANSCRIPTOMIC|SYNTHETIC|VIRAL RNA|OTHER"""
SELECTION = """RANDOM|PCR|RANDOM PCR|RT-PCR|HMPR|MF|repeat fractionation|size fractionation|MSLL|
cDNA|cDNA_randomPriming|cDNA_oligo_dT|PolyA|Oligo-dT|Inverse rRNA|Inverse rRNA selection|ChIP|
ChIP-Seq|MNase|DNase|Hybrid Selection|Reduced Representation|Restriction Digest|
5-methylcytidine antibody|MBD2 protein methyl-CpG binding domain|CAGE|RACE|MDA|
padlock probes capture method|other|unspecified"""


def _terms(text: str) -> dict[str, str]:
    """Return the terms by what is left of them without case, blanks and hyphens."""
    return {bare(t): t for t in text.replace("\n", "").split("|")}


def bare(term: str) -> str:
    """Return a term without case, blanks, hyphens and underscores.

    Examples
    --------
    >>> bare("rna seq") == bare("RNA-Seq")
    True
    """
    return re.sub(r"[\s_-]+", "", term).casefold()


TERMS = {
    "library_strategy": _terms(STRATEGY),
    "library_source": _terms(SOURCE),
    "library_selection": _terms(SELECTION),
}


def normal(column: str, term: str) -> str:
    """Return the schema's spelling of a term; the term itself if the schema has none.

    Examples
    --------
    >>> normal("library_strategy", "rna seq"), normal("library_strategy", "Drop-seq 2")
    ('RNA-Seq', 'Drop-seq 2')
    """
    return TERMS[column].get(bare(term), term)


def normal_column(column: str, raw: pa.Array) -> tuple[pa.Array, pa.Array]:
    """Return the schema's spellings of a column, and which values the schema does not know."""
    encoded = raw.dictionary_encode()
    terms = encoded.dictionary.to_pylist()
    spelled = pa.array([normal(column, t) for t in terms], pa.string())
    unknown = pa.array([bare(t) not in TERMS[column] for t in terms], pa.bool_())
    return spelled.take(encoded.indices), pc.fill_null(unknown.take(encoded.indices), False)
