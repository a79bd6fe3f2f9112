"""Genes as columns say what genes as objects say, whatever a file is like."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from polytene.formats.gff3_index import index_gff3
from polytene.formats.gff3_text import GffText
from polytene.genome.annotation.columns import Columns, columns_of, read_columns
from polytene.genome.annotation.models import read_genes, read_lines

KINDS = ["mRNA", "exon", "CDS", "five_prime_UTR", "UTR", "gene", "pseudogene", "match"]
NAMES = ["g", "t1", "t2", "t%201", "", "x"]


def rows_of(genes: Columns) -> list[tuple]:
    """Each gene with its places."""
    out = []
    for i, name in enumerate(genes.ids):
        parts = [
            [tuple(p) for p in of[bounds[i] : bounds[i + 1]].tolist()]
            for of, bounds in ((genes.exons, genes.exon_bounds), (genes.cds, genes.cds_bounds))
        ]
        numbers = (genes.strands, genes.starts, genes.ends, genes.lows, genes.highs, genes.n_exons)
        out.append((genes.seqids[i], name, *(int(n[i]) for n in numbers), *map(tuple, parts)))
    return sorted(out)


def by_objects(pieces: list[bytes]) -> list[tuple]:
    genes = []
    for piece in pieces:
        lines, _ = read_lines(piece)
        low, high = min(x.start for x in lines), max(x.end for x in lines)
        genes += [(gene, low, high) for gene in read_genes(lines)]
    return rows_of(columns_of(genes))


def line(kind: str, start: int, size: int, strand: str, own: str, parents: list[str]) -> bytes:
    about = [f"ID={own}"] if own else []
    about += [f"Parent={','.join(parents)}"] if parents else []
    text = f"c%201\tx\t{kind}\t{start}\t{start + size}\t.\t{strand}\t.\t{';'.join(about) or '.'}\n"
    return text.encode()


place = st.tuples(st.integers(1, 60), st.integers(0, 20), st.sampled_from(["+", "-", ".", "+-"]))
odd_lines = st.builds(
    lambda kind, where, own, parents: line(kind, *where, own, parents),
    st.sampled_from(KINDS),
    place,
    st.sampled_from(NAMES),
    st.lists(st.sampled_from([n for n in NAMES if n]), max_size=2),
)
parts = st.builds(
    lambda kind, where, own, parent: line(kind, *where, own, [parent]),
    st.sampled_from(KINDS[1:5]),
    place,
    st.sampled_from(["", "x"]),
    st.sampled_from(["g", "t1", "t2"]),
)
tops = st.builds(
    lambda g, one, two: [line("gene", *g, "g", []), line("mRNA", *one, "t1", ["g"]),
                         line("mRNA", *two, "t2", ["g"])],
    place, place, place,
)  # fmt: skip
plain = st.builds(lambda top, more: [*top, *more], tops, st.lists(parts, max_size=8))
odd = st.builds(lambda one, more: [*one, *more], plain, st.lists(odd_lines, max_size=2))
piece = st.one_of(plain, odd).flatmap(st.permutations).map(b"".join)


@settings(max_examples=150, deadline=None)
@given(st.lists(piece, min_size=1, max_size=4))
def test_the_kernel_reads_what_the_objects_say(pieces):
    assert rows_of(read_columns(pieces)) == by_objects(pieces)


def test_real_files(shared_data):
    found = 0
    folder = shared_data / "genome"
    for path in (*folder.glob("*/*.gff3"), *folder.glob("*/*.gff"), *folder.glob("*/*.gff3.gz")):
        pieces = list(GffText(path).pieces(e.spans for e in index_gff3(path).entries))
        assert rows_of(read_columns(pieces)) == by_objects(pieces)
        found += len(pieces)
    assert found > 1200
