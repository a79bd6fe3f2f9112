"""Bad inputs: each has a clear reason that names its place, and takes nothing else with it."""

from __future__ import annotations

import gzip
import os

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from polytene import codons
from polytene.exceptions import UsageError
from polytene.testing import write_fasta, write_genbank, write_set

GOOD = ">good\nATGAAATTT\n"
BAD_FILES = {
    "empty-file": b"",
    "truncated-gzip": gzip.compress(b">a\n" + os.urandom(4000).hex().encode())[:-1200],
    "damaged-gzip": gzip.compress(GOOD.encode())[:-8] + b"\0" * 8,
    "not-nucleotide": b">p\nMKVLEEFWPPQ\n",
    "unknown-format": b"PAR1 and so on",
    "no-id": b">\nACGT\n",
}


@pytest.mark.parametrize("reason", BAD_FILES)
def test_a_bad_file_takes_nothing_with_it(tmp_path, ingest, count, reason):
    (tmp_path / "good.fa").write_text(GOOD)
    (tmp_path / "bad.fa").write_bytes(BAD_FILES[reason])
    folder, outcome = ingest(tmp_path / "bad.fa", tmp_path / "good.fa")
    (failure,) = outcome.quarantined
    assert (failure.category, failure.reason) == ("input", reason)
    assert str(tmp_path / "bad.fa") in failure.detail
    assert count(folder, by="seq_id").result.group.values.tolist() == ["good"]
    assert outcome.planned == outcome.computed + outcome.resumed + len(outcome.quarantined)


@pytest.mark.parametrize("kind", ["missing", "dangling", "loop"])
def test_a_file_that_cannot_be_read(tmp_path, ingest, kind):
    path = tmp_path / "x.fa"
    if kind != "missing":
        path.symlink_to(path if kind == "loop" else tmp_path / "nowhere")
    _, outcome = ingest(path, write_fasta(tmp_path / "good.fa", 1))
    assert [(f.key, f.reason) for f in outcome.quarantined] == [("x.fa", "unreadable")]
    assert str(path) in outcome.quarantined[0].detail


def test_a_folder_given_to_ingest_is_refused_with_what_to_type(tmp_path):
    with pytest.raises(UsageError, match=r"is a folder.*\*\.fa"):
        codons.ingest_plan(tmp_path)


def test_bad_records_take_no_good_ones_with_them(tmp_path, ingest):
    path = tmp_path / "m.fa"
    path.write_text(">a\nATG\n>p\nMKVEEL\n>e\n>a\nCCC\n>z\nGGG\n")
    _, outcome = ingest(path)
    assert sorted((f.item, f.reason) for f in outcome.rejected) == [
        ("a", "duplicate-id"),
        ("e", "empty-sequence"),
        ("p", "not-nucleotide"),
    ]
    assert all(f"{path}: line" in f.detail for f in outcome.rejected)
    assert (outcome.items, outcome.result["totals"]["sequences"]) == (5, 2)


CDS = '     CDS             {}\n                     /gene="g"\n'


def test_bad_coding_sequences_take_no_good_ones_with_them(tmp_path, ingest, count):
    text = write_genbank(tmp_path / "a.gb", 1, genes=2).read_text()
    bad = CDS.format("1..99999") + CDS.format("5..9") + " " * 21 + "/transl_table=7\n"
    (tmp_path / "a.gb").write_text(text.replace("ORIGIN", bad + "ORIGIN"))
    folder, outcome = ingest(tmp_path / "a.gb")
    assert sorted(f.reason for f in outcome.rejected) == ["cds-out-of-range", "unknown-code"]
    assert all("a.gb: line " in f.detail for f in outcome.rejected)
    assert count(folder, mode="cds").result.n_seq.values.tolist() == [2]


def test_a_record_whose_coding_sequences_are_all_bad_is_not_one_coding_sequence(
    tmp_path, ingest, count
):
    text = write_genbank(tmp_path / "a.gb", 1, genes=1).read_text()
    head, _, rest = text.partition("     CDS  ")
    (tmp_path / "a.gb").write_text(
        f"{head}     CDS             1..99999\n" + rest.partition("\n")[2]
    )
    folder, outcome = ingest(tmp_path / "a.gb")
    assert [f.reason for f in outcome.rejected] == ["cds-out-of-range"]
    assert int(count(folder, mode="cds").result.n_seq.sum()) == 0


def test_an_annotated_file_without_genes_has_no_coding_sequences(tmp_path, ingest, count):
    text = write_genbank(tmp_path / "a.gb", 1, genes=1).read_text()
    (tmp_path / "a.gb").write_text(text.replace("     CDS  ", "     gene "))
    folder, _ = ingest(tmp_path / "a.gb")
    assert int(count(folder, mode="cds").result.n_seq.sum()) == 0


@pytest.mark.parametrize(
    ("columns", "reason", "word"),
    [
        ({"seq": ["ATG"]}, "missing-column", "'sequence'"),
        ({"sequence": [1]}, "wrong-type", "int64"),
        ({"sequence": [["ATG"]]}, "wrong-type", "list"),
        ({"sequence": pa.nulls(1)}, "wrong-type", "null"),
        ({"sequence": ["ATG"], "length": ["3"]}, "wrong-type", "'length'"),
        ({"sequence": ["ATG"], "transl_table": ["x"]}, "wrong-type", "'transl_table'"),
    ],
)
def test_a_parquet_file_of_another_make(parquet, count, columns, reason, word):
    path = parquet(columns, "bad.parquet")
    parquet({"sequence": ["ATG"]}, "good.parquet", path.parent)
    outcome = count(path.parent)
    (failure,) = outcome.quarantined
    assert (failure.category, failure.reason) == ("input", reason)
    assert str(path) in failure.detail
    assert word in failure.detail
    assert outcome.result.n_seq.values.tolist() == [1]


@pytest.mark.parametrize("kind", [pa.string(), pa.large_string(), pa.string_view(), pa.binary(),
                                  pa.large_binary(), pa.binary_view(), "dictionary"],
                         ids=str)  # fmt: skip
def test_text_of_every_layout_is_counted(parquet, count, naive, kind):
    rows = ["ATGAAATTT", None, "", "ATGAAATTT", "MKVEELWWPP", "acgu"]
    column = pa.array(rows).dictionary_encode() if kind == "dictionary" else pa.array(rows, kind)
    outcome = count(parquet({"sequence": column}))
    assert [f.reason for f in outcome.rejected] == ["null-sequence", "empty-sequence",
                                                    "not-nucleotide"]  # fmt: skip
    assert [f.item for f in outcome.rejected] == ["row 1", "row 2", "row 4"]
    expected = naive.add(naive.tally(rows[i]) for i in (0, 3, 5))
    assert naive.table(outcome.result) == {"all": expected}
    assert outcome.items == len(rows)


@pytest.mark.parametrize("kind", [pa.int64(), pa.uint32(), pa.uint64(), pa.float64()], ids=str)
def test_a_length_that_lies_is_a_rejected_row_and_a_missing_one_is_not(parquet, count, kind):
    rows = {"seq_id": ["a", "b", "c"], "sequence": ["ATG", "AAA", "CCC"]}
    outcome = count(parquet({**rows, "length": pa.array([3, 4, None], kind)}), by="seq_id")
    assert [(f.item, f.reason) for f in outcome.rejected] == [("b row 1", "length-mismatch")]
    assert "4" in outcome.rejected[0].detail
    assert outcome.result.group.values.tolist() == ["a", "c"]


@pytest.mark.parametrize("groups", [0, 1])
def test_a_file_without_rows_loses_nothing(tmp_path, count, parquet, groups):
    good = parquet({"sequence": pa.array(["ATG"])}, "good.parquet")
    schema = pq.read_schema(good)
    with pq.ParquetWriter(good.parent / "none.parquet", schema) as out:
        for _ in range(groups):
            out.write_table(schema.empty_table())
    outcome = count(good.parent)
    outcome.raise_if_incomplete()
    assert outcome.result.n_seq.values.tolist() == [1]
    with pytest.raises(UsageError, match="no rows"):
        codons.plan(good.parent / "none.parquet")


def test_damage_in_the_middle_of_a_file_is_that_batch_alone(tmp_path, count):
    folder = write_set(tmp_path / "s", sequences=12, files=2, group_rows=2)
    path = folder / "shard_00001.parquet"
    at = pq.ParquetFile(path).metadata.row_group(1).column(3).data_page_offset
    data = bytearray(path.read_bytes())
    data[at : at + 200] = bytes(200)
    path.write_bytes(data)
    outcome = count(folder, batch_size=2)
    (failure,) = outcome.quarantined
    assert failure.reason == "damaged-parquet"
    assert str(path) in failure.detail
    assert outcome.items == int(outcome.result.n_seq.sum()) == 10


IDS = ["a/b", "../../etc/passwd", "$(touch${IFS}pwned)", "`id`", "x;rm", "--help", "\x1b[2J", "é",
       "a'b\"c", "</script>", "=cmd", ",", "%n", "NULL", "nan", r"\n", "." * 300]  # fmt: skip


def test_ids_of_any_kind_stand_in_the_table_and_nowhere_else(tmp_path, ingest, count):
    path = tmp_path / "ids.fa"
    path.write_text("".join(f">{i} text\nATGAAATT\n" for i in IDS))
    before = set(tmp_path.rglob("*"))
    folder, outcome = ingest(path)
    outcome.raise_if_incomplete()
    result = count(folder, by="seq_id").result
    assert result.group.values.tolist() == sorted(IDS, key=str.encode)
    made = set(tmp_path.rglob("*")) - before
    assert {p.relative_to(tmp_path).parts[0] for p in made} == {folder.name, "run0"}
    assert not any("passwd" in p.name or "pwned" in p.name for p in made)


def test_newlines_in_ids_of_parquet(parquet, count):
    ids = ["a\nb", "\r", "\x1b[31m", "", None]
    outcome = count(parquet({"seq_id": ids, "sequence": ["ATG", "ATG", "ATG", "ATG", ""]}),
                    by="seq_id")  # fmt: skip
    assert sorted(outcome.result.group.values.tolist()) == sorted(ids[:4])
    assert [f.item for f in outcome.rejected] == ["row 4"]


def test_sequence_files_given_to_count_say_what_to_type(tmp_path, count):
    outcome = count(write_fasta(tmp_path / "a.fa", 1))
    (failure,) = outcome.quarantined
    assert failure.reason == "not-parquet"
    assert "polytene codons ingest" in failure.detail


def test_a_set_file_that_is_gone_is_missed(tmp_path, ingest, count):
    files = [write_fasta(tmp_path / f"{i}.fa", 1, seed=i + 1) for i in range(2)]
    folder, _ = ingest(*files)
    (folder / "0.fa.parquet").unlink()
    outcome = count(folder)
    assert [f.reason for f in outcome.quarantined] == ["unreadable"]
    assert "0.fa.parquet" in outcome.quarantined[0].detail


def _changed(name, change):
    def apply(table):
        kind = table.schema.field(name).type
        values = pa.array([change(v) for v in table[name].to_pylist()], kind)
        return table.set_column(table.schema.get_field_index(name), name, values)

    return apply


CODING = {
    "gone": None,
    "no column": lambda t: t.drop_columns(["strands"]),
    "other type": lambda t: t.set_column(0, "row", t["row"].cast(pa.string())),
    "other record": _changed("seq_id", lambda v: "other"),
    "before its sequence": _changed("starts", lambda v: [x - 10**4 for x in v]),
    "behind its sequence": _changed("ends", lambda v: [x + 10**6 for x in v]),
    "turned round": _changed("starts", lambda v: [x + 10**5 for x in v]),
    "rows behind the last": _changed("row", lambda v: v + 100),
    "no rows": _changed("row", lambda v: None),
    "no codon_start": _changed("codon_start", lambda v: None),
    "codon_start 0": _changed("codon_start", lambda v: 0),
    "strand 0": _changed("strands", lambda v: [0 for _ in v]),
    "pieces without strand": _changed("strands", lambda v: v[:-1]),
}


@pytest.mark.parametrize("how", CODING)
def test_coding_sequences_that_do_not_fit_their_file(tmp_path, ingest, count, how):
    good = write_genbank(tmp_path / "good.gb", 1, genes=2)
    folder, _ = ingest(write_genbank(tmp_path / "bad.gb", 2, first=2), good)
    path = folder / "cds" / "bad.gb.parquet"
    table = pq.read_table(path)
    path.unlink()
    if CODING[how]:
        pq.write_table(CODING[how](table), path)
    outcome = count(folder, mode="cds")
    assert [(f.category, f.reason) for f in outcome.quarantined] == [("input", "damaged-cds")]
    assert str(path) in outcome.quarantined[0].detail
    assert outcome.result.n_seq.values.tolist() == [2]
