from __future__ import annotations

import gzip
import random

import pytest

from polytene.exceptions import BadInput
from polytene.formats import gff3_index
from polytene.formats.gff3_index import index_gff3
from polytene.formats.gff3_text import GffText


def text_of(genes: int, chance: random.Random) -> tuple[list[str], dict[str, set[str]]]:
    """Return lines in any order, and the lines of each gene."""
    lines, owners = [], {}
    for g in range(genes):
        start = chance.randrange(1, 5000)
        rows = [f"c\t.\tgene\t{start}\t{start + 99}\t.\t+\t.\tID=g{g}"]
        rows.append(f"c\t.\tmRNA\t{start}\t{start + 90}\t.\t+\t.\tNote=a;Parent=g{g};ID=t{g}")
        rows += [f"c\t.\texon\t{start + k}\t{start + k}\t.\t+\t.\tParent=t{g}" for k in range(3)]
        owners[f"g{g}"] = set(rows)
        lines += rows
    return lines, owners


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("mixed", [False, True])
def test_each_gene_is_found_with_all_its_lines(tmp_path, mixed, packed):
    chance = random.Random(1)
    lines, owners = text_of(30, chance)
    if mixed:
        chance.shuffle(lines)
    data = ("##gff-version 3\n#top\n" + "\n".join(lines)).encode()
    path = tmp_path / "x.gff3"
    path.write_bytes(gzip.compress(data) if packed else data)
    index, text = index_gff3(path), GffText(path)
    found = [
        {row for span in e.spans for row in text.read(*span).decode().splitlines()}
        for e in index.entries
    ]
    assert sorted(map(sorted, found)) == sorted(map(sorted, owners.values()))
    assert index.comments == [b"#top"]
    for entry, rows in zip(index.entries, found, strict=True):
        starts = [int(r.split("\t")[3]) for r in rows]
        ends = [int(r.split("\t")[4]) for r in rows]
        assert (entry.start, entry.end) == (min(starts) - 1, max(ends))


def test_ids_count_between_the_marks_that_close(tmp_path):
    row = "c\t.\tgene\t1\t9\t.\t+\t.\tID=g\n"
    (tmp_path / "x.gff3").write_text(f"{row}###\n{row}")
    assert len(index_gff3(tmp_path / "x.gff3").entries) == 2
    (tmp_path / "y.gff3").write_text(f"{row}###\nc\t.\tmRNA\t1\t9\t.\t+\t.\tParent=g\n")
    with pytest.raises(BadInput, match="missing-parent"):
        index_gff3(tmp_path / "y.gff3")


def test_sequences_directives_and_comments_have_their_places(tmp_path):
    path = tmp_path / "x.gff3"
    path.write_text(
        "##gff-version 3\n##species x\n##sequence-region c 1 90\n"
        "c\t.\tgene\t1\t9\t.\t+\t.\tID=g\n# on h\nc\t.\tgene\t3\t9\t.\t+\t.\tID=h\n"
        "##FASTA\n>c one\nACGT\nAC\n>d\nTT"
    )
    index, text = index_gff3(path), GffText(path)
    assert index.directives == [b"##species x"]
    assert index.regions == {"c": b"##sequence-region c 1 90"}
    assert text.read(*index.entries[1].spans[0]).startswith(b"# on h\nc\t")
    assert text.read(*index.sequences["c"]) == b">c one\nACGT\nAC\n"
    assert text.read(*index.sequences["d"]) == b">d\nTT"


ROW = "c\t.\tgene\t{}\t{}\t.\t+\t.\tID={}\n"


def test_comments_are_with_the_feature_that_follows_or_else_with_the_one_before(tmp_path):
    path = tmp_path / "x.gff3"
    a, b, c = (ROW.format(i, i + 5, name) for i, name in enumerate("abc", 1))
    path.write_text(f"# top\n###\n# a\n{a}# b\n##note x\n{b}# b too\n###\n{c}# c\n###\n# end\n")
    index, text = index_gff3(path), GffText(path)
    assert (index.comments, index.directives) == ([b"# top"], [b"##note x"])
    found = [t.decode() for t in text.pieces(e.spans for e in index.entries)]
    assert found == [f"# a\n{a}", f"# b\n##note x\n{b}# b too\n", f"{c}# c\n# end\n"]


@pytest.mark.parametrize("block", [8, 13, 64, 500])
def test_blocks_do_not_matter(tmp_path, shared_data, monkeypatch, block):
    folder = shared_data / "genome"
    paths = [*folder.glob("gff3_edge/*"), folder / "volvox" / "volvox.gff3"]
    (tmp_path / "crlf").write_bytes(paths[0].read_bytes().replace(b"\n", b"\r\n"))
    whole = [index_gff3(path) for path in [*paths, tmp_path / "crlf"]]
    monkeypatch.setattr(gff3_index, "BLOCK", block)
    assert [index_gff3(path) for path in [*paths, tmp_path / "crlf"]] == whole


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("c\t.\tgene\t1\t9\t.\t+\t.\n", "line 2: it does not have the 9 columns"),
        ("c\t.\tgene\t9\t1\t.\t+\t.\tID=g\n", "line 2: its start and end"),
        ("c\t.\tgene\t0\t1\t.\t+\t.\tID=g\n", "line 2: its start and end"),
        ('c\t.\tgene\t1\t9\t.\t+\t.\tgene_id "g";\n', "gtf.*line 2"),
        ("c\t.\tmRNA\t1\t9\t.\t+\t.\tParent=g\n", "missing-parent.*line 2: Parent=g"),
    ],
)
def test_bad_lines_are_named(tmp_path, row, reason):
    (tmp_path / "x.gff3").write_text("##gff-version 3\n" + row)
    with pytest.raises(BadInput, match=reason):
        index_gff3(tmp_path / "x.gff3")


@pytest.mark.parametrize("seed", range(6))
def test_what_names_join_is_together(tmp_path, seed):
    """Random names: the groups are those of a naive search through all lines of a section."""
    chance = random.Random(seed)
    rows, sections = [], []
    for _ in range(4):
        names = [f"n{chance.randrange(9)}" for _ in range(12)]
        links = [set(chance.sample(names, chance.randrange(3))) for _ in names]
        own = [{name} if i < 9 or chance.random() < 0.5 else set() for i, name in enumerate(names)]
        sections.append([a | {x for x in b if any(x in o for o in own)}
                         for a, b in zip(own, links, strict=True)])  # fmt: skip
        for o, every in zip(own, sections[-1], strict=True):
            about = [f"ID={x}" for x in o] + [f"Parent={','.join(sorted(every - o))}"]
            rows.append(ROW.format(len(rows) + 1, len(rows) + 1, "x").replace(
                "ID=x", ";".join(a for a in about if not a.endswith("=")) or "."))  # fmt: skip
        rows.append("###\n")
    (tmp_path / "x.gff3").write_text("".join(rows))
    expected, number = [], 0
    for section in sections:
        groups: list[tuple[set[str], set[int]]] = []
        for every in section:
            number += 1
            joined = [g for g in groups if g[0] & every]
            groups = [g for g in groups if g not in joined]
            groups.append((every.union(*(g[0] for g in joined)),
                           {number}.union(*(g[1] for g in joined))))  # fmt: skip
        expected += [lines for _, lines in groups]
        number += 1
    index, text = index_gff3(tmp_path / "x.gff3"), GffText(tmp_path / "x.gff3")
    found = [{int(r.split(b"\t")[3]) for r in piece.splitlines()}
             for piece in text.pieces(e.spans for e in index.entries)]  # fmt: skip
    assert sorted(map(sorted, found)) == sorted(map(sorted, expected))
