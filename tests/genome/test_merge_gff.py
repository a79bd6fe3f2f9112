"""GFF3 files, joined: valid, sorted, whole genes, and the same however the genome was cut."""

from __future__ import annotations

import gzip
import random
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.conftest import require_tool
from tests.genome.plans import cut
from tests.genome.test_merge_tsv import parts_of

from polytene.exceptions import BadInput, UsageError
from polytene.genome.chunks import ChunkPlan
from polytene.genome.merging.files import Part
from polytene.genome.merging.gff import merge_gff
from polytene.genome.merging.gff_parts import Directives, graphs_of
from polytene.genome.merging.ranks import Ranks

VERSION = b"##gff-version 3\n"


def line(seqid: str, kind: str, start: int, end: int, attributes: str) -> bytes:
    return f"{seqid}\tx\t{kind}\t{start}\t{end}\t.\t+\t.\t{attributes}\n".encode()


def gene(name: str, start: int = 10, seqid: str = "c1") -> bytes:
    return (
        line(seqid, "gene", start, start + 50, f"ID={name}")
        + line(seqid, "mRNA", start, start + 50, f"ID={name}.t;Parent={name}")
        + line(seqid, "exon", start, start + 20, f"Parent={name}.t")
        + line(seqid, "exon", start + 30, start + 50, f"Parent={name}.t")
    )


def merged(folder: Path, *contents: bytes, seqids: list[str] | None = None, **how) -> bytes:
    folder.mkdir(exist_ok=True)
    ranks = None if seqids is None else Ranks(seqids)
    merge_gff(parts_of(folder, *contents, suffix=".gff3"), folder / "all.gff3", ranks, **how)
    return (folder / "all.gff3").read_bytes()


def validate(path: Path) -> None:
    command = [require_tool("gt"), "gff3validator", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


def test_one_version_sorted_and_closed(tmp_path):
    out = merged(
        tmp_path,
        VERSION + gene("b", 200) + gene("a", 10),
        VERSION + line("c2", "region", 5, 9, "Name=r") + gene("c", 100, "c0"),
        seqids=["c1", "c0", "c2"],
    )
    close = b"###\n"
    assert out == (
        VERSION
        + gene("a", 10)
        + close
        + gene("b", 200)
        + close
        + gene("c", 100, "c0")
        + close
        + line("c2", "region", 5, 9, "Name=r")
    )


def test_the_larger_of_two_that_begin_together_is_first_and_parents_before_children(tmp_path):
    big = line("c1", "gene", 10, 95, "ID=big")
    child = line("c1", "mRNA", 10, 90, "ID=m;Parent=g")
    parent = line("c1", "gene", 10, 90, "ID=g")
    small = line("c1", "gene", 10, 20, "ID=small")
    out = merged(tmp_path, small + child + parent, big)
    assert out == VERSION + big + parent + child + b"###\n" + small


def test_a_child_outside_its_parent_still_comes_after_it(tmp_path):
    parent = line("c1", "gene", 100, 200, "ID=g")
    child = line("c1", "mRNA", 50, 200, "ID=m;Parent=g")
    grandchild = line("c1", "exon", 10, 20, "Parent=m")
    assert merged(tmp_path, grandchild + child + parent) == (
        VERSION + parent + child + grandchild + b"###\n"
    )


def test_directives_are_once_and_fasta_is_last(tmp_path):
    one = VERSION + b"##sequence-region c1 1 500\n##species x\n" + gene("a")
    two = VERSION + b"##sequence-region c1 1 500\n##sequence-region c2 1 90\n##species x\n"
    fasta = b"##FASTA\n>c1 long name\nACGT\nAC\n"
    out = merged(tmp_path, one + fasta, two + fasta + b">c2\nGG\n", seqids=["c2", "c1"])
    assert out == (
        VERSION
        + b"##sequence-region c2 1 90\n##sequence-region c1 1 500\n##species x\n"
        + gene("a")
        + b"###\n"
        + fasta
        + b">c2\nGG\n"
    )


def test_fasta_may_begin_without_its_directive_and_wrap_otherwise(tmp_path):
    out = merged(
        tmp_path, gene("a") + b">c1\nACGTAC\n", gene("b", 90) + b"##FASTA\n>c1\nACG\nTAC\n"
    )
    assert out.count(b">c1") == 1
    assert out.endswith(b"##FASTA\n>c1\nACGTAC\n")


def test_comments_stay_with_their_gene_and_shared_ones_at_the_top(tmp_path):
    head = VERSION + b"# by us\n"
    out = merged(
        tmp_path, head + gene("b", 200) + b"# about a\n" + gene("a"), head + gene("c", 300)
    )
    assert out == (
        head + b"###\n# about a\n" + gene("a") + b"###\n" + gene("b", 200) + b"###\n"
        + gene("c", 300) + b"###\n"
    )  # fmt: skip


def test_a_merged_file_can_be_merged_again_without_losing_a_comment(tmp_path):
    parts = [VERSION + b"###\n# of " + n + b"\n" + gene(n.decode(), at) for n, at in
             ((b"a", 10), (b"b", 200), (b"c", 300), (b"d", 500))]  # fmt: skip
    once = merged(tmp_path / "once", *parts)
    two = [merged(tmp_path / str(i), *parts[i : i + 2]) for i in (0, 2)]
    assert merged(tmp_path / "again", *two) == once
    assert all(b"# of " + n in once for n in (b"a", b"b", b"c", b"d"))


def test_equal_features_of_two_parts_are_once_and_noted(tmp_path):
    parts = parts_of(tmp_path, gene("a"), gene("a") + gene("b", 200), suffix=".gff3")
    done = merge_gff(parts, tmp_path / "all")
    assert (tmp_path / "all").read_bytes().count(b"ID=a\n") == 1
    assert done.records == 8
    assert done.notes == ["1 features were in more than one file, equal in all, and are once"]


def test_features_without_id_are_all_kept(tmp_path):
    match = line("c1", "match", 5, 9, "Name=x")
    assert merged(tmp_path, match, match) == VERSION + match + match


def test_an_id_of_two_different_features_is_an_error_that_names_both(tmp_path):
    with pytest.raises(BadInput, match="id-collision") as error:
        merged(tmp_path, VERSION + gene("g1"), gene("g1", 300))
    said = str(error.value)
    assert "ID=g1 " in said
    assert "chunk_0000.gff3 line 2" in said
    assert "chunk_0001.gff3 line 1" in said
    assert "--on-collision rename" in said
    assert not (tmp_path / "all.gff3").exists()


def test_or_renames_the_later_gene_as_a_whole(tmp_path):
    out = merged(
        tmp_path, gene("g1"), gene("g1", 300), gene("g1", 600), gene("g1", 300),
        on_collision="rename",
    )  # fmt: skip
    second = gene("g1", 300).replace(b"=g1", b"=g1~chunk_0001", 1)
    for old in (b"ID=g1.t;Parent=g1", b"Parent=g1.t"):
        new = b";".join(value + b"~chunk_0001" for value in old.split(b";"))
        second = second.replace(old + b"\n", new + b"\n")
    assert out.startswith(VERSION + gene("g1") + b"###\n" + second + b"###\n")
    assert out.count(b"\tgene\t") == 3
    assert b"ID=g1~chunk_0002\n" in out
    validate(tmp_path / "all.gff3")


def test_a_new_name_is_never_one_that_is_taken(tmp_path):
    out = merged(
        tmp_path, gene("g"), gene("g", 300) + gene("g~chunk_0001", 600), on_collision="rename"
    )
    assert b"ID=g~chunk_0001.2\n" in out
    validate(tmp_path / "all.gff3")


def test_a_feature_of_several_lines_and_several_parents_stays_whole(tmp_path):
    two = (
        line("c1", "gene", 1, 90, "ID=g")
        + line("c1", "mRNA", 1, 90, "ID=m1;Parent=g")
        + line("c1", "mRNA", 1, 90, "ID=m2;Parent=g")
        + line("c1", "exon", 1, 40, "Parent=m1,m2")
        + line("c1", "CDS", 5, 10, "ID=cds;Parent=m1,m2")
        + line("c1", "CDS", 20, 30, "ID=cds;Parent=m1,m2")
    )
    assert merged(tmp_path, two, gene("b", 200)) == (
        VERSION + two + b"###\n" + gene("b", 200) + b"###\n"
    )
    renamed = merged(tmp_path, gene("g", 200), two, on_collision="rename")
    assert b"Parent=m1~chunk_0001,m2~chunk_0001\n" in renamed
    assert b"ID=cds~chunk_0001;" in renamed


def test_column_nine_stays_byte_for_byte(tmp_path):
    odd = b"c1\tx\tgene\t1\t9\t.\t+\t.\tID=a%2Cb; Note=x%09y,\xe9\xff ;;Dbxref=A:1\n"
    assert merged(tmp_path, odd) == VERSION + odd


def test_windows_ends_and_blank_lines_are_read(tmp_path):
    assert merged(tmp_path, gene("a").replace(b"\n", b"\r\n\r\n")) == (
        VERSION + gene("a") + b"###\n"
    )


def test_gzip_in_and_out(tmp_path):
    parts = parts_of(tmp_path, gzip.compress(gene("b", 200)), gene("a"), suffix=".gff3")
    merge_gff(parts, tmp_path / "all.gff3.gz")
    text = gzip.decompress((tmp_path / "all.gff3.gz").read_bytes())
    assert text == VERSION + gene("a") + b"###\n" + gene("b", 200) + b"###\n"


def test_escaped_seqids_are_those_of_the_plan(tmp_path):
    out = merged(tmp_path, line("c%202", "gene", 1, 9, "ID=a"), gene("b"), seqids=["c1", "c 2"])
    assert out.index(b"ID=b") < out.index(b"ID=a")


def test_empty_parts(tmp_path):
    assert merged(tmp_path, b"", VERSION, gene("a")) == VERSION + gene("a") + b"###\n"
    assert merged(tmp_path, b"") == VERSION


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"c1\tx\tgene\t1\t9\n", "bad-gff3: .*5 columns where GFF3 has 9"),
        (b"c1\tx\tgene\t9\t1\t.\t+\t.\tID=a\n", "bad-gff3: .*9 to 1"),
        (b"c1\tx\tgene\t0\t1\t.\t+\t.\tID=a\n", "bad-gff3: .*1-based"),
        (b"c1\tx\tgene\tx\t1\t.\t+\t.\tID=a\n", "bad-gff3"),
        (line("c1", "gene", 1, 9, "ID=a;ID=b"), "bad-gff3: .*two IDs"),
        (line("c1", "mRNA", 1, 9, "ID=a;Parent=b"), "missing-parent: .*Parent=b"),
        (gene("a")[:60] + b"###\n" + gene("a")[60:], "missing-parent|bad-gff3"),
        (line("c1", "a", 1, 9, "ID=a;Parent=b") + line("c1", "b", 1, 9, "ID=b;Parent=a"), "cycle"),
        (line("c1", "exon", 1, 9, 'gene_id "x"; transcript_id "y";'), "gtf: .*concat"),
        (b"##gff-version 2\n", "not-gff3"),
        (b"##sequence-region c1 1\n", "bad-gff3"),
        (b"##sequence-region c1 1 9\n##sequence-region c1 1 8\n", "regions-differ"),
        (line("q", "gene", 1, 9, "ID=a"), "unknown-seqid: .*'q' is not in the chunk plan"),
        (b"##FASTA\nACGT\n", "bad-gff3"),
        (b">c1\nAC\n>c1\nGG\n", "fasta-differs"),
    ],
)
def test_bad_lines_are_named(tmp_path, content, reason):
    with pytest.raises(BadInput, match=reason) as error:
        merged(tmp_path, gene("z"), content, seqids=["c1"])
    assert "chunk_0001.gff3: line" in str(error.value)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["chunk_0000.gff3", "chunk_0001.gff3"]


def test_an_unknown_way_with_collisions_is_refused(tmp_path):
    with pytest.raises(UsageError):
        merged(tmp_path, b"", on_collision="drop")


# However the genome is cut


def by_owner(source: Path, plan: ChunkPlan, folder: Path, shuffle: int) -> list[Part]:
    """Each graph of a file in the part of the chunk that holds its first base, in any order."""
    directives = Directives(Ranks(), folder)
    texts: dict[str, list[bytes]] = {c.chunk_id: [] for c in plan}
    for graph in graphs_of(Part(source, "whole"), Ranks(), directives):
        first = graph.features[0]
        seqid = first.line.split(b"\t", 1)[0].decode()
        owner = plan.owner_of(seqid, first.start - 1)
        texts[owner.chunk_id].append(b"".join(f.line + b"\n" for f in graph.features))
    parts = []
    for chunk_id, graphs in texts.items():
        random.Random(shuffle).shuffle(graphs)
        path = folder / f"{chunk_id}.gff3"
        path.write_bytes(VERSION + b"".join(graphs))
        parts.append(Part(path, chunk_id))
    return parts


def extents(path: Path) -> dict[str, int]:
    """Each sequence of a GFF3 file up to its last feature."""
    out: dict[str, int] = {}
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "rb") as lines:
        for text in lines:
            fields = text.split(b"\t")
            if text.startswith((b"##FASTA", b">")):
                break
            if len(fields) == 9 and not text.startswith(b"#"):
                seqid = fields[0].decode()
                out[seqid] = max(out.get(seqid, 0), int(fields[4]))
    return out


REAL = (
    "rice_gold/gold_standard.gff3.gz",
    "volvox/volvox.gff3",
    "helixerpost_oryza/genes.gff3",
    "gff3_edge/gt_eden.gff3",
    "gff3_edge/gffutils_FBgn0031208.gff",
    "gff3_edge/gffutils_intro_docs_example.gff",
)


@pytest.mark.parametrize("name", REAL)
def test_real_annotations_do_not_show_how_they_were_cut(shared_data, tmp_path, name):
    source = shared_data / "genome" / name
    lengths = extents(source)
    results = set()
    for k in (1, 7, 64):
        plan = cut(lengths, min(k, sum(lengths.values())))
        folder = tmp_path / str(k)
        folder.mkdir()
        parts = by_owner(source, plan, folder, k)
        merge_gff(parts, folder / "all.gff3", Ranks.of_plan(plan))
        results.add((folder / "all.gff3").read_bytes())
    assert len(results) == 1


VALID = ("helixerpost_oryza/genes.gff3", "gff3_edge/gt_eden.gff3", "volvox/volvox.subsubparts.gff3")


@pytest.mark.parametrize("name", VALID)
def test_what_was_valid_stays_valid(shared_data, tmp_path, name):
    merge_gff([Part(shared_data / "genome" / name, "all")], tmp_path / "all.gff3")
    command = [require_tool("gt"), "gff3validator", str(tmp_path / "all.gff3")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr[-500:]


@st.composite
def annotations(draw: st.DrawFn) -> Iterator[bytes]:
    """A file of genes with transcripts that share exons, and of features alone."""
    lines = []
    for g in range(draw(st.integers(0, 8))):
        seqid, start = draw(st.sampled_from(["c1", "c2"])), draw(st.integers(1, 900))
        end = start + draw(st.integers(0, 90))
        if draw(st.booleans()):
            lines.append(line(seqid, "match", start, end, f"Name=n{g}"))
            continue
        lines.append(line(seqid, "gene", start, end, f"ID=g{g}"))
        transcripts = [f"g{g}.{i}" for i in range(draw(st.integers(1, 3)))]
        lines += [line(seqid, "mRNA", start, end, f"ID={t};Parent=g{g}") for t in transcripts]
        for e in range(draw(st.integers(0, 3))):
            of = draw(st.lists(st.sampled_from(transcripts), min_size=1, unique=True))
            lines.append(line(seqid, "exon", start, end, f"ID=g{g}e{e};Parent={','.join(of)}"))
    return b"".join(draw(st.permutations(lines)))


@given(annotations(), st.integers(1, 9))
@settings(max_examples=40)
def test_any_annotation_does_not_show_how_it_was_cut(tmp_path_factory, content, k):
    folder = tmp_path_factory.mktemp("gff")
    (folder / "whole.gff3").write_bytes(content)
    lengths = {"c1": 1000, "c2": 1000}
    for n in (1, k):
        plan = cut(lengths, n)
        parts = by_owner(folder / "whole.gff3", plan, folder, n)
        merge_gff(parts, folder / f"all{n}", Ranks.of_plan(plan))
    assert (folder / f"all{k}").read_bytes() == (folder / "all1").read_bytes()
    lines = [x for x in (folder / "all1").read_bytes().splitlines() if not x.startswith(b"#")]
    assert sorted(lines) == sorted(content.splitlines())
    seen: set[str] = set()
    for text in lines:
        attributes = dict(a.split("=") for a in text.decode().split("\t")[8].split(";"))
        assert seen.issuperset(p for p in attributes.get("Parent", "").split(",") if p)
        seen.add(attributes.get("ID", ""))


def test_more_than_fits_in_memory(tmp_path, monkeypatch):
    from polytene.genome.merging import sorter

    contents = [VERSION + b"".join(gene(f"g{i}.{p}", 1 + 60 * i) for i in range(50)) for p in "abc"]
    whole = merged(tmp_path, *contents)
    monkeypatch.setattr(sorter.Sorter.__init__, "__defaults__", (2000,))
    assert merged(tmp_path, *contents) == whole
