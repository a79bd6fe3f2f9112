"""A sequence counts the same, wherever it is cut into rows."""

import tempfile
from itertools import pairwise
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from polytene import codons
from polytene.codons.kernels import AMBIGUOUS
from polytene.codons.pairs.run import pairs
from polytene.codons.sets.files import CODING, SEQUENCES
from polytene.codons.sets.records import Records, records
from polytene.codons.splits import AFTER, cuts
from polytene.exceptions import UsageError

COMPLEMENT = str.maketrans("ACGTUNacgtun", "TGCAANtgcaan")
BASES = st.text("ACGTNacgtuR", min_size=1, max_size=60)
CUT = st.tuples(BASES, st.lists(st.integers(1, 59), max_size=5))


def write(folder: Path, sequences, row_group=1) -> Path:
    """Write ``(id, bases, cuts)`` as a set whose rows are the pieces between the cuts."""
    rows = []
    for name, text, where in sequences:
        ends = sorted({0, len(text), *(x for x in where if x < len(text))})
        for part, (a, b) in enumerate(pairwise(ends)):
            rows.append(
                {
                    "seq_id": name,
                    "part": part,
                    "part_start": a,
                    "length": b - a,
                    "total": len(text),
                    "after": text[b : b + AFTER],
                    "sequence": text[a:b],
                }
            )
    folder.mkdir(exist_ok=True)
    pq.write_table(pa.Table.from_pylist(rows), folder / "x.parquet", row_group_size=row_group)
    return folder


def counted(text: str, frame: int) -> list[int]:
    """Count in plain Python."""
    index = {"T": 0, "U": 0, "C": 1, "A": 2, "G": 3}
    out = [0] * 65
    for i in range(frame, len(text) - 2, 3):
        places = [index.get(c) for c in text[i : i + 3].upper()]
        if None in places:
            out[AMBIGUOUS] += 1
        else:
            out[16 * places[0] + 4 * places[1] + places[2]] += 1
    return out


def six(text: str) -> dict[int, list[int]]:
    other = text[::-1].translate(COMPLEMENT)
    forward = {f + 1: counted(text, f) for f in range(3)}
    return forward | {-f - 1: counted(other, f) for f in range(3)}


def values(result) -> list[list[int]]:
    sense, other = result["count"].values.tolist(), result["n_ambiguous"].values.tolist()
    return [[*row, n] for row, n in zip(sense, other, strict=True)]


@settings(max_examples=40, deadline=None)
@given(sequences=st.lists(CUT, min_size=1, max_size=4), frame=st.integers(0, 2))
def test_counts_do_not_depend_on_the_cuts(here, sequences, frame):
    with tempfile.TemporaryDirectory() as name:
        named = [(f"s{i}", text, where) for i, (text, where) in enumerate(sequences)]
        folder = write(Path(name) / "set", named)
        found = codons.count(
            folder, frame=frame, by="seq_id", run_dir=f"{name}/run", client=here, batch_size=2
        ).result
    assert values(found) == [counted(text, frame) for _, text, _ in named]
    assert found["n_seq"].values.tolist() == [1] * len(named)
    leftover = [int(len(text) > frame and (len(text) - frame) % 3 > 0) for _, text, _ in named]
    assert found["n_partial"].values.tolist() == leftover


@settings(max_examples=40, deadline=None)
@given(sequences=st.lists(CUT, min_size=1, max_size=3))
def test_all_six_frames_are_those_of_the_whole(here, sequences):
    with tempfile.TemporaryDirectory() as name:
        named = [(f"s{i}", text, where) for i, (text, where) in enumerate(sequences)]
        folder = write(Path(name) / "set", named)
        found = codons.count(
            folder, mode="six-frame", by="seq_id", run_dir=f"{name}/run", client=here
        ).result
    assert found["frame"].values.tolist() == [1, 2, 3, -1, -2, -3] * len(named)
    assert values(found) == [row for _, text, _ in named for row in six(text).values()]
    assert found["n_seq"].values.tolist() == [1] * 6 * len(named)


@settings(max_examples=30, deadline=None)
@given(sequences=st.lists(CUT, min_size=1, max_size=3), frame=st.integers(0, 2))
def test_pairs_do_not_depend_on_the_cuts(here, sequences, frame):
    with tempfile.TemporaryDirectory() as name:
        named = [(f"s{i}", *s) for i, s in enumerate(sequences)]
        whole = write(Path(name) / "whole", [(s, text, []) for s, text, _ in named])
        cut = write(Path(name) / "cut", named)
        one, other = (
            pairs(x, mode="frame", frame=frame, by="seq_id", run_dir=f"{x}.run", client=here).result
            for x in (whole, cut)
        )
    assert one["count"].equals(other["count"])
    assert one["n_ambiguous"].equals(other["n_ambiguous"])
    assert int(one["count"].sum() + one["n_ambiguous"].sum()) == sum(
        max(0, (len(t) - frame) // 3 - 1) for t, _ in sequences
    )


@settings(max_examples=30, deadline=None)
@given(
    ids=st.lists(st.sampled_from("abc"), min_size=1, max_size=8),
    where=st.lists(st.integers(1, 11), max_size=4),
    data=st.data(),
)
def test_a_sample_holds_whole_sequences(here, ids, where, data):
    n = data.draw(st.integers(1, len(ids)))
    with tempfile.TemporaryDirectory() as name:
        sequences = [(s, "ATGCCCAAATTT"[i % 3 :], where) for i, s in enumerate(ids)]
        one = write(Path(name) / "one", [(s, t, []) for s, t, _ in sequences])
        cut = write(Path(name) / "cut", sequences)
        counts = [
            codons.count(x, sample=n, by="seq_id", run_dir=f"{x}.run", client=here, batch_size=b)
            for x, b in ((one, 100), (cut, 2))
        ]
    assert values(counts[0].result) == values(counts[1].result)
    assert counts[1].result["n_seq"].sum() == n


@settings(max_examples=200)
@given(
    total=st.integers(1, 200),
    most=st.integers(1, 50),
    extents=st.lists(st.tuples(st.integers(0, 199), st.integers(0, 60)), max_size=6),
)
def test_no_cut_divides_an_extent(total, most, extents):
    spans = [(a, min(total, a + n)) for a, n in extents if a < total]
    ends = cuts(total, spans, most)
    assert (ends[0], ends[-1]) == (0, total)
    assert all(a < b for a, b in pairwise(ends))
    assert not any(a < cut < b for cut in ends for a, b in spans)
    if not spans:
        assert all(b - a <= most for a, b in pairwise(ends))


def test_a_long_annotated_record_is_cut_between_its_coding_sequences(tmp_path, here, shared_data):
    """The counts of a plastid are the same in one row and in rows of about 5,000 bases."""
    path = shared_data / "codons" / "NC_000932.gb"
    tables = []
    for most in (1 << 30, 5000):
        rows = list(records(Records(path, part_bases=most)))
        assert (len(rows) > 15) == (most == 5000)
        folder = tmp_path / f"{most}"
        (folder / "cds").mkdir(parents=True)
        coding = [{**c, "row": i} for i, r in enumerate(rows) for c in r.coding]
        sequences = pa.Table.from_pylist([r.row for r in rows], SEQUENCES)
        pq.write_table(sequences, folder / "x.parquet", row_group_size=3)
        pq.write_table(pa.Table.from_pylist(coding, CODING), folder / "cds/x.parquet")
        found = [
            codons.count(folder, run_dir=tmp_path / f"{most}.{i}", client=here, **how).result
            for i, how in enumerate(({"mode": "cds", "by": "gene"}, {"frame": 1}, {"frame": 2}))
        ]
        tables.append(found)
    for one, other in zip(*tables, strict=True):
        assert one.identical(other)


def test_rows_that_contradict_their_place_are_refused(tmp_path, count):
    folder = write(tmp_path / "set", [("a", "ATGATGATGATG", [4, 8])])
    table = pq.read_table(folder / "x.parquet")
    wrong = pa.array(["", "", ""])
    pq.write_table(table.set_column(5, "after", wrong), folder / "x.parquet")
    outcome = count(folder)
    assert [f.reason for f in outcome.quarantined] == ["damaged-parts"]


def test_six_frames_have_one_start_and_no_usage(tmp_path, here):
    folder = write(tmp_path / "set", [("a", "ATGATG", [])])
    with pytest.raises(UsageError, match="frame out"):
        codons.plan(folder, mode="six-frame", frame=1)
    result = codons.count(folder, mode="six-frame", run_dir=tmp_path / "run", client=here).result
    codons.write(codons.to_wide(result), tmp_path / "six.parquet", result.attrs)
    with pytest.raises(UsageError, match="no codon usage"):
        codons.read_usage(tmp_path / "six.parquet")
    assert codons.to_long(result).column_names[:2] == ["frame", "codon"]


def test_a_fasta_record_that_goes_to_disk_is_cut_like_any_other(tmp_path, monkeypatch):
    path = tmp_path / "x.fa"
    path.write_text(">a one\n" + "ACGTN" * 50 + "\n>b\nACG\n>c\n" + "AC!" * 90 + "\n")
    monkeypatch.setattr("polytene.codons.sets.records.SPILL", 64)
    found = Records(path, part_bases=96)
    rows = [r.row for r in records(found)]
    assert [r["length"] for r in rows] == [96, 96, 58, 3]
    assert "".join(r["sequence"] for r in rows[:3]) == "ACGTN" * 50
    assert [r["after"] for r in rows] == ["CGTNA", "GTNAC", "", ""]
    assert [(r.item, r.reason) for r in found.rejected] == [("c", "not-nucleotide")]
