"""Parquet files, joined."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from polytene.exceptions import BadInput
from polytene.genome.merging import parquet as module
from polytene.genome.merging.files import Part
from polytene.genome.merging.parquet import merge_parquet


def write(folder, *tables) -> list[Part]:
    out = []
    for i, table in enumerate(tables):
        path = folder / f"chunk_{i:04d}.parquet"
        pq.write_table(table, path)
        out.append(Part(path, path.stem))
    return out


def table_of(a: int, b: int) -> pa.Table:
    names = pa.array([f"g{i % 5}" for i in range(a, b)], pa.string()).dictionary_encode()
    return pa.table({"x": pa.array(range(a, b), pa.int64()), "gene": names})


@pytest.mark.parametrize("ends", [[100], [0, 7, 7, 64, 100], [1, 50, 99, 100], [33, 66, 100]])
def test_bytes_do_not_depend_on_the_parts(tmp_path, monkeypatch, ends):
    monkeypatch.setattr(module, "GROUP_ROWS", 30)
    monkeypatch.setattr(module, "READ_ROWS", 11)
    tables = [table_of(a, b) for a, b in zip([0, *ends], ends, strict=False)]
    merged = merge_parquet(write(tmp_path, *tables), tmp_path / "all.parquet")
    (tmp_path / "one").mkdir()
    merge_parquet(write(tmp_path / "one", table_of(0, 100)), tmp_path / "one.parquet")
    assert (tmp_path / "all.parquet").read_bytes() == (tmp_path / "one.parquet").read_bytes()
    file = pq.ParquetFile(tmp_path / "all.parquet")
    assert [file.metadata.row_group(i).num_rows for i in range(4)] == [30, 30, 30, 10]
    assert file.read()["x"].to_pylist() == list(range(100))
    assert file.schema_arrow.field("gene").type == pa.string()
    assert merged.records == 100


def test_no_rows_at_all(tmp_path):
    merge_parquet(write(tmp_path, table_of(0, 0), table_of(0, 0)), tmp_path / "all.parquet")
    assert pq.read_table(tmp_path / "all.parquet").num_rows == 0


@pytest.mark.parametrize(
    ("other", "said"),
    [
        (pa.table({"x": [1.5]}), "column 'x' is double here and int64"),
        (pa.table({"y": [1]}), "column 'y' is int64 here and absent"),
        (pa.table({"x": [1], "y": [1]}), "column 'y' is int64 here and absent"),
    ],
)
def test_schemas_that_differ_are_named(tmp_path, other, said):
    with pytest.raises(BadInput, match="schemas-differ") as error:
        merge_parquet(write(tmp_path, pa.table({"x": [1]}), other), tmp_path / "all.parquet")
    assert said in str(error.value)
    assert not (tmp_path / "all.parquet").exists()


def test_a_column_without_values_takes_the_type_of_the_others(tmp_path):
    tables = [pa.table({"x": [None]}), pa.table({"x": ["a"]}), pa.table({"x": [None]})]
    merge_parquet(write(tmp_path, *tables), tmp_path / "all.parquet")
    assert pq.read_table(tmp_path / "all.parquet")["x"].to_pylist() == [None, "a", None]


def test_metadata_is_kept_where_it_is_shared(tmp_path):
    tables = [
        pa.table({"x": [i]}).replace_schema_metadata({"by": "us", "chunk": str(i)}) for i in (0, 1)
    ]
    merged = merge_parquet(write(tmp_path, *tables), tmp_path / "all.parquet")
    assert pq.read_schema(tmp_path / "all.parquet").metadata == {b"by": b"us"}
    assert "chunk" in merged.notes[0]


def test_a_file_that_is_not_parquet_is_named(tmp_path):
    (tmp_path / "chunk_0000.parquet").write_bytes(b"PAR1 or not")
    with pytest.raises(BadInput, match=r"chunk_0000\.parquet"):
        merge_parquet([Part(tmp_path / "chunk_0000.parquet", "chunk_0000")], tmp_path / "all")
