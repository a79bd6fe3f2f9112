"""Parquet in bounded memory: slices of a size in bytes, whole or an error that names the file."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from polytene.exceptions import BadInput
from polytene.formats.parquet import (
    SLICE_BYTES,
    open_parquet,
    read_footer,
    read_slices,
    rows_within,
)

SIZES = st.lists(st.integers(0, 50), max_size=40)


def write(path: Path, rows: list[str], **options) -> Path:
    lengths = pa.array([len(r) for r in rows], pa.int64())
    table = pa.table({"length": lengths, "sequence": pa.array(rows, pa.string())})
    pq.write_table(table, path, **options)
    return path


@given(sizes=SIZES, budget=st.integers(0, 300))
def test_rows_within_is_the_largest_window_that_fits(sizes, budget):
    windows = range(1, len(sizes) + 1)
    fits = [
        w
        for w in windows
        if max(sum(sizes[i : i + w]) for i in range(len(sizes) - w + 1)) <= budget
    ]
    assert rows_within(np.array(sizes, np.int64), budget) == max(fits, default=1)


@given(
    lengths=st.lists(st.integers(0, 60), max_size=30),
    group=st.integers(1, 30),
    budget=st.integers(1, 200),
    known=st.booleans(),
)
@settings(max_examples=30)
def test_slices_hold_all_rows_in_order_and_no_more_than_asked(
    tmp_path_factory, lengths, group, budget, known
):
    rows = ["ACGT"[i % 4] * n for i, n in enumerate(lengths)]
    path = write(tmp_path_factory.mktemp("s") / "a.parquet", rows, row_group_size=group)
    groups = range(pq.ParquetFile(path).num_row_groups)
    length = "length" if known else None
    slices = list(read_slices(path, groups, ["sequence"], length=length, slice_bytes=budget))
    assert [v for s in slices for v in s.column(0).to_pylist()] == rows
    if known:
        assert all(s.num_rows == 1 or sum(map(len, s.column(0).to_pylist())) <= budget
                   for s in slices)  # fmt: skip


def test_row_groups_are_read_in_the_order_asked_for(tmp_path):
    path = write(tmp_path / "a.parquet", ["A", "C", "G"], row_group_size=1)
    read = [s.column(0)[0].as_py() for s in read_slices(path, [2, 0], ["sequence"])]
    assert read == ["G", "A"]


def test_the_footer_says_what_is_in_a_file(tmp_path):
    footer = read_footer(write(tmp_path / "a.parquet", ["A"] * 5, row_group_size=2))
    assert (footer.rows, footer.columns) == ((2, 2, 1), ("length", "sequence"))
    assert all(footer.nbytes)


def damaged(path: Path, how: str) -> Path:
    data = path.read_bytes()
    middle = bytearray(data)
    middle[len(data) // 3 : len(data) // 3 + 400] = bytes(400)
    changed = {
        "empty": b"",
        "cut": data[: len(data) // 2],
        "one byte short": data[:-1],
        "other": b">a\nACGT\n" * 10,
        "page": bytes(middle),
    }
    path.write_bytes(changed[how])
    return path


@pytest.mark.parametrize(
    ("how", "reason"),
    [
        ("empty", "empty-file"),
        ("cut", "truncated-parquet"),
        ("one byte short", "truncated-parquet"),
        ("other", "not-parquet"),
        ("page", "damaged-parquet"),
    ],
)
def test_damage_is_named_with_its_file(tmp_path, how, reason):
    random = np.random.default_rng(1)
    rows = ["".join(random.choice(list("ACGT"), 100)) for _ in range(300)]
    options = {"use_dictionary": False, "data_page_size": 2000, "compression": "zstd"}
    path = damaged(write(tmp_path / "bad one.parquet", rows, **options), how)
    with pytest.raises(BadInput, match=reason) as caught:
        list(read_slices(path, [0], ["sequence"]))
    assert str(path) in caught.value.detail


@pytest.mark.parametrize("kind", ["missing", "folder", "dangling", "loop", "below a file"])
def test_what_cannot_be_opened_is_unreadable(tmp_path, kind):
    path = tmp_path / "x.parquet"
    if kind == "folder":
        path.mkdir()
    elif kind == "dangling":
        path.symlink_to(tmp_path / "nowhere")
    elif kind == "loop":
        path.symlink_to(path)
    elif kind == "below a file":
        (tmp_path / "file").write_text("x")
        path = tmp_path / "file" / "x.parquet"
    with pytest.raises(BadInput, match="unreadable") as caught:
        open_parquet(path)
    assert str(path) in caught.value.detail
    assert "None" not in caught.value.detail


def test_a_missing_column_is_named_with_those_that_are_there(tmp_path):
    path = write(tmp_path / "a.parquet", ["A"])
    with pytest.raises(BadInput, match="missing-column") as caught:
        list(read_slices(path, [0], ["seq"]))
    assert "'seq'" in caught.value.detail
    assert "'sequence'" in caught.value.detail


@pytest.mark.parametrize(
    "kind", [pa.uint8(), pa.uint32(), pa.uint64(), pa.int16(), pa.float64()], ids=str
)
def test_lengths_of_any_number_type_cut_the_slices(tmp_path, kind):
    table = pa.table({"length": pa.array([4, None, 4], pa.int64()).cast(kind),
                      "sequence": ["ACGT"] * 3})  # fmt: skip
    pq.write_table(table, tmp_path / "a.parquet")
    slices = read_slices(tmp_path / "a.parquet", [0], ["sequence"], length="length", slice_bytes=4)
    assert sum(s.num_rows for s in slices) == 3


@pytest.mark.parametrize("values", [["4"], [True], [[4]]], ids=["text", "bool", "list"])
def test_lengths_that_are_no_numbers_are_a_wrong_type_and_not_damage(tmp_path, values):
    pq.write_table(pa.table({"length": values, "sequence": ["ACGT"]}), tmp_path / "a.parquet")
    with pytest.raises(BadInput, match="wrong-type") as caught:
        list(read_slices(tmp_path / "a.parquet", [0], ["sequence"], length="length"))
    assert "'length'" in caught.value.detail


GIANT = """
    import sys
    import numpy as np, pyarrow as pa, pyarrow.parquet as pq
    path, rows, row, said = sys.argv[1], *map(int, sys.argv[2:])
    bases = np.random.default_rng(1).integers(0, 4, rows * row, dtype=np.uint8)
    data = np.frombuffer(b"ACGT", np.uint8)[bases]
    ends = pa.py_buffer(np.arange(rows + 1, dtype=np.int64) * row)
    sequence = pa.LargeStringArray.from_buffers(rows, ends, pa.py_buffer(data))
    table = pa.table({"length": [said] * rows, "sequence": sequence})
    pq.write_table(table, path, row_group_size=rows, compression="zstd", compression_level=1,
                   use_dictionary=False, write_batch_size=8)
"""
READ = """
    import sys
    from polytene.formats.parquet import read_slices
    def peak():  # of this process alone: ru_maxrss begins with that of the one it was forked from
        return int(open("/proc/self/status").read().partition("VmHWM:")[2].split()[0]) << 10
    before, rows = peak(), 0
    for data in read_slices(sys.argv[1], [0], ["sequence"], length="length"):
        rows += data.num_rows
        del data
    print(rows, peak() - before)
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="peak memory is read in /proc")
@pytest.mark.parametrize("said", [75_000, 1], ids=["true lengths", "lengths that lie"])
def test_a_giant_row_group_is_read_in_bounded_memory(tmp_path, said):
    path = tmp_path / "giant.parquet"
    rows, row = 4000, 75_000
    argv = [str(path), str(rows), str(row), str(said)]
    subprocess.run([sys.executable, "-c", textwrap.dedent(GIANT), *argv], check=True)
    assert pq.ParquetFile(path).num_row_groups == 1
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(READ), str(path)],
        check=True,
        capture_output=True,
        text=True,
    )
    found, growth = map(int, done.stdout.split())
    assert found == rows
    assert rows * row / 10 > SLICE_BYTES
    assert growth < 200 << 20
