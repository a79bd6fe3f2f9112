"""Genes out of GFF3, against a plain reading of the same lines."""

from __future__ import annotations

import gzip
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polytene.exceptions import BadInput
from polytene.formats import gff3
from polytene.formats.gff3 import read_features


def naive(text: str, wanted) -> list[tuple]:
    """Features as (seqid, start, end, id); lines of a sequence that share an ID are one."""
    out: dict[object, list] = {}
    for number, line in enumerate(text.splitlines()):
        if line.startswith(("##FASTA", ">")):
            break
        if not line or line.startswith("#"):
            continue
        row = line.split("\t")
        if not wanted(row[2]):
            continue
        about = dict(p.strip().partition("=")[::2] for p in reversed(row[8].split(";")))
        name = about.get("ID", "")
        key = (row[0], name) if name else number
        start, end = int(row[3]) - 1, int(row[4])
        seen = out.setdefault(key, [unquote(row[0]), start, end, unquote(name)])
        seen[1], seen[2] = min(seen[1], start), max(seen[2], end)
    return [tuple(v) for v in out.values()]


def found(path, **options) -> list[tuple]:
    got = read_features(path, with_ids=True, **options)
    names = [got.seqids[i] for i in got.seq.tolist()]
    return list(zip(names, got.starts.tolist(), got.ends.tolist(), got.ids, strict=True))


def is_gene(kind: str) -> bool:
    return kind.endswith("gene")


def test_every_real_file(shared_data):
    files = [p for p in sorted((shared_data / "genome").rglob("*.gff*")) if "gold" not in p.name]
    assert len(files) >= 11
    for path in files:
        text = path.read_text()
        assert found(path) == naive(text, is_gene), path.name
        types = {r.split("\t")[2] for r in text.splitlines() if r.count("\t") == 8}
        for kind in types:
            assert found(path, types=[kind]) == naive(text, lambda k, kind=kind: k == kind)


def test_a_gzipped_file(shared_data):
    path = shared_data / "genome/rice_gold/gold_standard.gff3.gz"
    with gzip.open(path, "rt") as lines:
        assert found(path) == naive(lines.read(), is_gene)


LINES = st.lists(
    st.one_of(
        st.builds(
            "{}\tx\t{}\t{}\t{}\t.\t+\t.\t{}".format,
            st.sampled_from(["chr1", "chr10", "chr2", "a%09b"]),
            st.sampled_from(["gene", "pseudogene", "mRNA", "ncRNA_gene", "gen", "genes"]),
            st.integers(1, 50),
            st.integers(50, 99),
            st.sampled_from([".", "ID=a", "Name=q; ID=b;x=1", "xID=c", "ID=a;ID=z", "Note=ID=d"]),
        ),
        st.sampled_from(["# comment", "###", "", "##sequence-region chr1 1 100"]),
    ),
    max_size=12,
)


@given(LINES, st.sampled_from(["\n", "\r\n"]), st.booleans(), st.integers(1, 300))
def test_as_a_plain_reading_has_it(tmp_path_factory, lines, newline, last, block):
    path = tmp_path_factory.mktemp("gff") / "g.gff3"
    path.write_bytes((newline.join(lines) + (newline if last else "")).encode())
    expected = naive("\n".join(lines), is_gene) or naive(
        "\n".join(lines), lambda k: k.endswith(("RNA", "transcript"))
    )
    before, gff3.BLOCK = gff3.BLOCK, block
    try:
        if expected:
            assert found(path) == expected
        else:
            with pytest.raises(BadInput):
                read_features(path)
    finally:
        gff3.BLOCK = before


GENE = "chr1\t.\tgene\t1\t9\t.\t+\t.\tID=g\n"


@pytest.mark.parametrize("end", ["##FASTA\n>chr1\nACGT gene\n", ">chr1\nAC\tGT\n", ""])
def test_sequences_at_the_end_are_not_read(tmp_path, end):
    (tmp_path / "g.gff3").write_text(GENE + end)
    assert found(tmp_path / "g.gff3") == [("chr1", 0, 9, "g")]


@pytest.mark.parametrize(
    ("text", "reason", "detail"),
    [
        ("", "no-features", "is it GFF3"),
        ("chr1\t.\texon\t1\t9\t.\t+\t.\tID=g\n", "no-features", "exon"),
        (GENE + "chr1\t.\tgene\t0\t9\t.\t+\t.\tID=g\n", "bad-gff3", "line 2"),
        (GENE + "chr1\t.\tgene\t9\t1\t.\t+\t.\tID=g\n", "bad-gff3", "line 2"),
        (GENE + "# x\nchr1\t.\tgene\tone\t9\t.\t+\t.\tID=g\n", "bad-gff3", "line 3"),
        (GENE + "chr1\t.\tgene\t-1\t9\t.\t+\t.\tID=g\n", "bad-gff3", "line 2"),
        (GENE + "chr1 . gene 1 9 . + . ID=g\n", "bad-gff3", "line 2: it does not have the nine"),
        ("x" * 20_000_000, "line-too-long", "GFF3"),
    ],
)
def test_what_is_wrong_is_named(tmp_path, text, reason, detail):
    (tmp_path / "g.gff3").write_text(text)
    with pytest.raises(BadInput, match=detail) as caught:
        read_features(tmp_path / "g.gff3")
    assert caught.value.reason == reason


def test_a_file_without_genes_gives_its_transcripts(tmp_path):
    (tmp_path / "g.gff3").write_text(GENE.replace("gene", "mRNA"))
    assert found(tmp_path / "g.gff3") == [("chr1", 0, 9, "g")]
