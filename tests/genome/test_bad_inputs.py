"""Each reason why a genome, an annotation or a chunk cannot be used, from a file that has it."""

from __future__ import annotations

import gzip

import pytest

from polytene.exceptions import BadInput
from polytene.genome import Genome, plan_chunks
from polytene.genome.planning.genes import read_genes
from polytene.testing.assembly import write_assembly

GENE = "chr1\tx\tgene\t{}\t{}\t.\t+\t.\tID=g\n"


@pytest.mark.parametrize(
    ("reason", "content", "detail"),
    [
        ("empty-file", b"", "genome.fa"),
        ("not-fasta", b"hello\n", "expected FASTA"),
        ("no-bases", b">chr1\n>chr2\n", "not one base"),
        ("not-nucleotide", b">p1\nMKVLLE\n", "base 1 of 'p1'|base . of 'p1' is .*is it a protein"),
        ("not-nucleotide", b">p1\nACGT*\n", "'\\*'"),
        ("duplicate-id", b">a\nAC\n>a\nGT\n", "called 'a'"),
        ("no-id", b">\nAC\n", "sequence 1"),
        ("ragged-lines", b">a\nACGT\nA\nACGT\n", "line 4"),
        ("mixed-newlines", b">a\nACGT\r\nACGT\n", "line 3"),
        ("cr-newlines", b">a\rACGT\r", "CR alone"),
        ("blank-in-sequence", b">a\nACGT \n", "line 2"),
        ("not-bgzip", gzip.compress(b">a\nACGT\n"), "bgzip"),
    ],
)
def test_a_genome_that_cannot_be_used(tmp_path, reason, content, detail):
    path = tmp_path / "genome.fa"
    path.write_bytes(content)
    for _ in range(2):  # the second time there may be an index
        with pytest.raises(BadInput, match=detail) as caught:
            Genome(path)
        assert caught.value.reason == reason


def test_a_genome_that_is_not_there(tmp_path):
    with pytest.raises(BadInput, match=r"unreadable.*genome\.fa: No such file"):
        Genome(tmp_path / "genome.fa")


@pytest.mark.parametrize(
    ("reason", "text", "detail"),
    [
        ("no-features", "##gff-version 3\n", "is it GFF3"),
        ("bad-gff3", GENE.format(9, 5), "line 1.*start <= end"),
        ("bad-gff3", GENE.format(0, 5), "line 1.*1 <= start"),
        ("bad-gff3", GENE.format("1.5", 5), "line 1"),
        ("gene-outside", GENE.format(1, 10**8), "100,000,000 of 'chr1', which has 35,103 bases"),
        ("other-genome", GENE.format(1, 9).replace("chr1", "chr9"), "1 of its 1.*'chr9'"),
        ("other-genome", GENE.format(1, 9).replace("chr1", "CHR01"), "'CHR01' may be 'chr1'"),
        ("unreadable", None, "No such file"),
    ],
)
def test_an_annotation_that_cannot_be_used(tmp_path, genome, reason, text, detail):
    path = tmp_path / "genes.gff3"
    if text is not None:
        path.write_text(text)
    with pytest.raises(BadInput, match=detail) as caught:
        read_genes(genome, path)
    assert caught.value.reason == reason


def test_a_file_without_a_last_newline_is_fine(tmp_path):
    made = write_assembly(tmp_path)
    plan = plan_chunks(made.fasta, made.gff3, n_chunks=4)
    for path in (made.fasta, made.gff3):
        path.write_bytes(path.read_bytes().rstrip(b"\n"))
    again = plan_chunks(made.fasta, made.gff3, n_chunks=4)
    assert [c.intervals for c in again] == [c.intervals for c in plan]
