"""A set: what ingest writes, under any file name, and never half of it."""

from __future__ import annotations

import gzip
import json
import os
import shutil
import sys

import pyarrow.parquet as pq
import pytest

from polytene import codons
from polytene.codons.sets import records, writer
from polytene.codons.sets.files import CODING, SEQUENCES
from polytene.exceptions import UsageError
from polytene.testing import genomes, write_fasta, write_genbank

MODULE = sys.modules["polytene.codons.sets.ingest"]
GOOD = ">good\nATGAAATTT\n"


def rows_of(folder) -> list[dict]:
    names = [f["name"] for f in json.loads((folder / "set.json").read_text())["files"]]
    return [r for n in names for r in pq.read_table(folder / n).to_pylist()]


def test_what_a_row_of_a_set_says(tmp_path, ingest):
    folder, _ = ingest(write_genbank(tmp_path / "g.gb", 2), write_fasta(tmp_path / "f.fa", 1))
    rows = rows_of(folder)
    for row, genome in zip(rows, genomes(2), strict=False):
        assert row["sequence"].upper().encode() == genome.sequence.upper()
        assert (row["seq_id"], row["length"]) == (genome.id, len(genome.sequence))
        about = [row[k] for k in ("organism", "organelle", "transl_table", "source")]
        assert about == [genome.organism, genome.organelle, genome.code, "g.gb"]
    assert rows[2]["sequence"].encode() == next(genomes(1)).sequence  # case and all
    assert pq.read_schema(folder / "g.gb.parquet").equals(SEQUENCES)
    assert pq.read_schema(folder / "cds" / "g.gb.parquet").equals(CODING)
    assert not (folder / "cds" / "f.fa.parquet").exists()


def test_coding_sequences_lie_where_the_record_says(tmp_path, ingest, naive):
    folder, _ = ingest(write_genbank(tmp_path / "g.gb", 2))
    table = pq.read_table(folder / "cds" / "g.gb.parquet").to_pylist()
    found = [(r["row"], r["seq_id"], r["starts"], r["ends"], r["strands"]) for r in table]
    assert found == [
        (i, g.id, [start], [end], [strand])
        for i, g in enumerate(genomes(2))
        for start, end, strand in g.genes
    ]
    assert {r["own_table"] for r in table} == {True}
    assert {r["translation_agrees"] for r in table} == {None}


def test_compressed_files_make_the_same_rows(tmp_path, ingest):
    plain = write_fasta(tmp_path / "a.fa", 2)
    (tmp_path / "a.fa.gz").write_bytes(gzip.compress(plain.read_bytes()))
    block = gzip.compress(plain.read_bytes()[:50]) + gzip.compress(plain.read_bytes()[50:])
    (tmp_path / "two_members").write_bytes(block)
    folder, outcome = ingest(plain, tmp_path / "a.fa.gz", tmp_path / "two_members")
    outcome.raise_if_incomplete()
    rows = [{k: v for k, v in r.items() if k != "source"} for r in rows_of(folder)]
    assert rows[:2] == rows[2:4] == rows[4:]


def test_totals_and_manifest_agree_with_the_files(tmp_path, ingest):
    folder, outcome = ingest(*(write_genbank(tmp_path / f"{i}.gb", i + 1) for i in range(3)))
    manifest = json.loads((folder / "set.json").read_text())
    assert manifest == outcome.result
    for file in manifest["files"]:
        table = pq.read_table(folder / file["name"])
        assert (table.num_rows, sum(table["length"].to_pylist())) == (file["rows"], file["bases"])
        assert pq.read_table(folder / "cds" / file["name"]).num_rows == file["cds"]
    assert manifest["totals"]["sequences"] == outcome.items == 6
    assert manifest["totals"]["cds"] == 6 * 13


def test_row_groups_and_files_close_at_their_size(tmp_path, ingest, count, monkeypatch):
    monkeypatch.setattr(writer, "FILE_BYTES", 40_000)
    path = write_genbank(tmp_path / "a.gb", 6)
    folder, outcome = ingest(path, row_group_mb=0.02)
    names = [f["name"] for f in outcome.result["files"]]
    assert len(names) == len(set(names)) > 1
    found = count(folder, mode="cds", by="seq_id").result.drop_attrs()
    whole, _ = ingest(path)
    assert found.identical(count(whole, mode="cds", by="seq_id").result.drop_attrs())


def test_the_second_file_of_an_input_is_no_other_input(tmp_path, ingest, monkeypatch):
    monkeypatch.setattr(writer, "FILE_BYTES", 20_000)
    paths = [write_genbank(tmp_path / "a.fa", 4), write_genbank(tmp_path / "a.fa.0001", 1, first=9)]
    folder, _ = ingest(*paths, row_group_mb=0.01)
    ids = sorted(pq.read_table(p)["seq_id"].to_pylist() for p in folder.glob("*.parquet"))
    assert sorted(i for some in ids for i in some) == [f"GEN_{i:06d}.1" for i in (1, 2, 3, 4, 9)]


def test_an_input_left_out_leaves_the_set(tmp_path, ingest, count):
    files = [write_genbank(tmp_path / f"{i}.gb", 1, first=i + 1) for i in range(3)]
    folder, _ = ingest(*files)
    _, outcome = ingest(*files[:2], into=folder)
    assert (outcome.computed, outcome.resumed, outcome.removed) == (0, 2, ["2.gb"])
    assert sorted(p.name for p in folder.glob("**/2.gb.parquet")) == ["2.gb.parquet"] * 2  # parts
    assert not (folder / "2.gb.parquet").exists()
    assert count(folder).result.n_seq.values.tolist() == [2]


@pytest.mark.parametrize(
    ("options", "word"),
    [
        ({"row_group_mb": 0}, "row_group_mb"),
        ({"row_group_mb": float("nan")}, "row_group_mb"),
        ({"row_group_mb": float("inf")}, "row_group_mb"),
        ({"genetic_code": 7}, "genetic code 7"),
    ],
)
def test_wrong_arguments_are_named(tmp_path, options, word):
    with pytest.raises(UsageError, match=word):
        codons.ingest_plan(write_fasta(tmp_path / "a.fa", 1), **options)
    with pytest.raises(UsageError, match="no files"):
        codons.ingest_plan([])


def test_codes_come_from_the_gene_then_the_record_then_the_argument(tmp_path, ingest):
    text = write_genbank(tmp_path / "a.gb", 1, genes=2).read_text()
    bare = "\n".join(x for x in text.splitlines() if "transl_table" not in x) + "\n"
    one = text.replace("/transl_table", "/note", 1)
    nuclear = bare.replace("/organelle", "/note")
    tables = {}
    for name, content in {"one": one, "bare": bare, "nuclear": nuclear}.items():
        (tmp_path / f"{name}.gb").write_text(content)
        for code in (None, 3):
            folder, outcome = ingest(tmp_path / f"{name}.gb", genetic_code=code)
            table = pq.read_table(folder / "cds" / f"{name}.gb.parquet")
            totals = outcome.result["totals"]
            accounts = totals["record_code"], totals["no_code"]
            tables[name, code] = (table["transl_table"].to_pylist(), *accounts)
    own = next(genomes(1)).code
    assert tables == {
        ("one", None): ([own, own], 1, 0),
        ("one", 3): ([own, own], 1, 0),
        ("bare", None): ([None, None], 0, 2),
        ("bare", 3): ([3, 3], 2, 0),
        ("nuclear", None): ([1, 1], 2, 0),
        ("nuclear", 3): ([3, 3], 2, 0),
    }


def test_records_are_read_one_at_a_time_and_accounted_for(tmp_path):
    path = write_fasta(tmp_path / "a.fa", 5)
    found = records.Records(path)
    assert sum(len(r.row["sequence"]) for r in records.records(found)) == found.bases
    assert (found.seen, found.sequences) == (5, 5)


NAMES = ["a b.fa", "x~.fa~", "it's \"x\".fa", "a;b$(c)`d`.fa", "new\nline.fa", "-x.fa", ".fa",
         "%41.fa", "~", "[ab]*.fa", "z" * 255, "é" * 100]  # fmt: skip


@pytest.mark.parametrize("name", NAMES, ids=lambda n: ascii(n)[:12])
def test_files_of_any_name(tmp_path, ingest, count, name):
    path = tmp_path / "in" / name
    path.parent.mkdir()
    path.write_text(GOOD)
    folder, outcome = ingest(path)
    outcome.raise_if_incomplete()
    result = count(folder, by="source").result
    assert result.group.values.tolist() == [name]
    (file,) = folder.glob("*.parquet")
    assert len(os.fsencode(file.name)) < 255
    shutil.copy(file, parquet := path.parent / f"{name[:100]}.parquet")
    assert count(parquet).result.n_seq.values.tolist() == [1]


def test_files_whose_name_is_no_utf8(tmp_path, ingest, count):
    path = os.fsdecode(os.fsencode(tmp_path) + b"/n\xff.fa")
    with open(path, "w") as out:
        out.write(GOOD)
    folder, outcome = ingest(path)
    outcome.raise_if_incomplete()
    assert count(folder, by="seq_id").result.group.values.tolist() == ["good"]
    (file,) = folder.glob("*.parquet")
    shutil.copy(file, parquet := path.replace(".fa", ".parquet"))
    assert count(parquet).result.n_seq.values.tolist() == [1]


def test_a_file_given_twice_is_counted_once(tmp_path, ingest, count):
    path = write_genbank(tmp_path / "a.gb", 1)
    roundabout = tmp_path / "sub" / ".." / "a.gb"
    (tmp_path / "sub").mkdir()
    (tmp_path / "link.gb").symlink_to(path)
    folder, outcome = ingest(path, path, roundabout)
    assert (outcome.planned, outcome.result["totals"]["sequences"]) == (1, 1)
    file = folder / "a.gb.parquet"
    (tmp_path / "link.parquet").symlink_to(file)
    for twice in ([file, file], [folder, file], [file, folder / ".." / folder.name / file.name],
                  [file, tmp_path / "link.parquet"]):  # fmt: skip
        assert count(twice).result.n_seq.values.tolist() == [1]


def test_a_recursive_glob_counts_nothing_twice(tmp_path, ingest, count):
    folder, _ = ingest(write_genbank(tmp_path / "a.gb", 2))
    assert count(str(folder / "**" / "*.parquet")).result.n_seq.values.tolist() == [2]


@pytest.mark.parametrize("depth", [1, 2])
def test_two_files_of_one_name_are_two_files(tmp_path, ingest, count, depth):
    paths = []
    for i, top in enumerate("xy"):
        folder = tmp_path.joinpath(top, *["fasta"] * (depth - 1))
        folder.mkdir(parents=True)
        paths.append(write_fasta(folder / "s.fa", 1, seed=i + 1))
    folder, outcome = ingest(*paths)
    assert outcome.result["totals"]["sequences"] == 2
    assert count(folder).result.n_seq.values.tolist() == [2]


@pytest.mark.parametrize("text", ["{", "{}", "[]", '{"files": [{}]}'])
def test_a_damaged_manifest_is_a_sentence(tmp_path, ingest, count, text):
    folder, _ = ingest(write_fasta(tmp_path / "a.fa", 1))
    (folder / "set.json").write_text(text)
    with pytest.raises(UsageError, match=r"set\.json"):
        count(folder)


def test_a_set_that_was_not_finished_is_not_a_set(tmp_path, ingest, count, monkeypatch):
    link, calls = MODULE.link_or_copy, []

    def dies(source, target):
        calls.append(target)
        if len(calls) == 2:
            raise KeyboardInterrupt
        link(source, target)

    files = [write_fasta(tmp_path / f"{i}.fa", 1, seed=i + 1) for i in range(3)]
    monkeypatch.setattr(MODULE, "link_or_copy", dies)
    with pytest.raises(KeyboardInterrupt):
        ingest(*files, into=tmp_path / "set")
    monkeypatch.undo()
    with pytest.raises(UsageError, match="ingest"):
        count(tmp_path / "set")
    folder, outcome = ingest(*files, into=tmp_path / "set")
    assert outcome.resumed == 3
    assert count(folder).result.n_seq.values.tolist() == [3]
    assert json.loads((folder / "set.json").read_text())["totals"]["sequences"] == 3
