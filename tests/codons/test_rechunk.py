"""Sets made anew: nothing of them changes but how they lie in their files."""

import tempfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from polytene import codons
from polytene.cli import polytene
from polytene.exceptions import UsageError
from polytene.testing import write_set

TEXT = st.text("ACGTacgtNnRU-", max_size=70)


@pytest.fixture
def rechunk(here, tmp_path):
    """Make a set anew, and return its folder and what became of it."""

    def run(inputs, name="new", **options):
        given = {"client": here, "max_quarantined": 1.0, **options}
        return tmp_path / name, codons.rechunk(inputs, tmp_path / name, **given)

    return run


def rows_of(folder: Path) -> pa.Table:
    return pa.concat_tables(pq.read_table(p) for p in sorted(folder.glob("*.parquet")))


def joined(folder: Path) -> dict[str, str]:
    """Put the rows of a set's sequences together again."""
    out: dict[str, str] = {}
    for row in rows_of(folder).to_pylist():
        assert row["part_start"] == len(out.get(row["seq_id"], ""))
        out[row["seq_id"]] = out.get(row["seq_id"], "") + row["sequence"]
    return out


@settings(max_examples=40, deadline=None)
@given(texts=st.lists(TEXT, min_size=1, max_size=6), part=st.integers(5, 30))
def test_every_byte_survives_cutting_packing_and_unpacking(here, texts, part):
    with tempfile.TemporaryDirectory() as name:
        root, ids = Path(name), [f"s{i}" for i in range(len(texts))]
        (root / "old").mkdir()
        pq.write_table(pa.table({"seq_id": ids, "sequence": texts}), root / "old" / "x.parquet")
        codons.rechunk(root / "old", root / "packed", pack=True, part_bases=part, client=here)
        codons.rechunk(root / "packed", root / "text", client=here)
        assert joined(root / "text") == dict(zip(ids, texts, strict=True))
        assert "sequence" not in rows_of(root / "packed").column_names
        assert max(rows_of(root / "text").column("length").to_pylist()) <= part


@pytest.mark.parametrize("how", [{}, {"mode": "six-frame"}, {"mode": "cds"}, {"sample": 3}])
@pytest.mark.parametrize("softmask", ["count", "skip"])
def test_a_packed_set_counts_like_its_text(shared_data, ingest, count, how, softmask):
    """Of plastids, mitochondria and a phage, whole, by coding sequence and sampled."""
    files = sorted((shared_data / "codons").glob("*.g*b*"))
    text, outcome = ingest(*files)
    packed, other = ingest(*files, pack=True)
    assert outcome.result["totals"] == other.result["totals"]
    one, two = (count(s, by="seq_id", softmask=softmask, **how).result for s in (text, packed))
    assert one.identical(two)
    assert codons.pairs(text, run_dir=text / "p", mode="frame").result.identical(
        codons.pairs(packed, run_dir=packed / "p", mode="frame").result
    )


def test_coding_sequences_move_with_their_rows(shared_data, ingest, rechunk, count):
    text, _ = ingest(shared_data / "codons" / "NC_000932.gb")
    cut, outcome = rechunk(text, pack=True)
    small = codons.rechunk_plan(text, part_bases=5000)
    assert outcome.complete
    assert small.params["part_bases"] == 5000
    one, two = (count(s, mode="cds", by="gene").result for s in (text, cut))
    assert one.identical(two)


def test_a_long_annotated_row_is_cut_between_coding_sequences(tmp_path, shared_data, ingest, count):
    """A file with one row of 154 kb, as other programs write it, and its coding sequences."""
    text, _ = ingest(shared_data / "codons" / "NC_000932.gb")
    file = next(text.glob("*.parquet"))
    bare = tmp_path / "bare"
    (bare / "cds").mkdir(parents=True)
    place = ["part", "part_start", "total", "after"]
    pq.write_table(pq.read_table(file).drop_columns(place), bare / file.name)
    pq.write_table(pq.read_table(text / "cds" / file.name), bare / "cds" / file.name)
    codons.rechunk(bare, tmp_path / "cut", part_bases=5000)
    assert rows_of(tmp_path / "cut").num_rows > 15
    one, two = (count(s, mode="cds", by="gene").result for s in (text, tmp_path / "cut"))
    assert one.identical(two)


def test_giant_row_groups_are_divided_and_all_columns_kept(rechunk, parquet):
    table = pa.table(
        {
            "seq_id": [f"s{i}" for i in range(500)],
            "clade": pa.array(["x", None] * 250).dictionary_encode(),
            "sequence": pa.array([b"ACGT" * 500] * 500, pa.binary()),
            "score": pa.array(range(500), pa.float32()),
        }
    )
    path = parquet(table, row_group_size=500)
    folder, outcome = rechunk(path, row_group_mb=0.1)
    file = pq.ParquetFile(next(folder.glob("*.parquet")))
    assert file.metadata.num_row_groups > 8
    found = rows_of(folder).select(table.column_names)
    assert found.to_pylist() == table.to_pylist()
    assert outcome.result["totals"] == {"rows": 500, "bases": 1_000_000}


def test_rows_that_cannot_be_counted_stay_as_they_are(rechunk, count, parquet):
    """A null, an empty sequence and a wrong length are named by the count, before and after."""
    columns = {"seq_id": ["a", "b", "c"], "length": [3, 0, 9], "sequence": [None, "", "ACG"]}
    old = parquet(columns)
    new, _ = rechunk(old)
    reasons = [[(r.item, r.reason) for r in count(s).rejected] for s in (old, new)]
    assert reasons[0] == reasons[1]
    assert {r for _, r in reasons[0]} == {"null-sequence", "empty-sequence", "length-mismatch"}


def test_what_is_no_set_is_named(rechunk, parquet, tmp_path):
    taken = parquet({"sequence": ["ACG"], "part": [1]}, name="taken.parquet")
    other = parquet({"x": [1]}, name="other.parquet")
    _, outcome = rechunk([taken, other])
    reasons = {f.key: f.reason for f in outcome.quarantined}
    assert reasons == {"taken.parquet": "column-taken", "other.parquet": "missing-column"}
    with pytest.raises(UsageError, match="folder of its own"):
        codons.rechunk(other, other.parent)


@pytest.mark.parametrize(("copies", "codec"), [(1, "UNCOMPRESSED"), (40, "ZSTD")])
def test_packed_bases_are_compressed_where_that_pays(rechunk, parquet, copies, codec):
    random = np.random.default_rng(1).choice(list("ACGT"), 40_000 // copies)
    folder, _ = rechunk(parquet({"sequence": ["".join(random)] * copies}), pack=True)
    meta = pq.ParquetFile(next(folder.glob("*.parquet"))).metadata.row_group(0)
    used = {meta.column(i).path_in_schema: meta.column(i).compression for i in range(9)}
    assert used["seq2"] == codec


def test_a_damaged_packed_row_is_refused(rechunk, count):
    folder, _ = rechunk(write_set(sequences=10), pack=True)
    path = next(folder.glob("*.parquet"))
    table = pq.read_table(path)
    longer = pa.array([n + 4 for n in table.column("length").to_pylist()])
    at = table.column_names.index("length")
    path.unlink()
    pq.write_table(table.set_column(at, "length", longer), path)
    outcome = count(folder)
    assert {f.reason for f in outcome.quarantined} <= {"damaged-packed", "damaged-parts"}
    assert outcome.quarantined


def test_from_the_command_line(tmp_path):
    old = write_set(sequences=20)
    where = ["--workers", "1", "--no-progress"]
    for how, name in (("--pack", "packed"), ("--text", "text")):
        args = ["codons", "rechunk", str(old), "-o", str(tmp_path / name), how, *where]
        done = CliRunner().invoke(polytene, args)
        assert done.exit_code == 0, done.output
        assert "20 rows" in done.output
    assert joined(tmp_path / "text").keys() == {f"GEN_{i:06d}.1" for i in range(1, 21)}
