from __future__ import annotations

import gzip
import random

import pytest

from polytene.exceptions import BadInput
from polytene.formats.gff3_index import GffText, index_gff3


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
