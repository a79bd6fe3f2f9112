"""The sample: always the same rows, as many as asked, whatever the files look like."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from polytene import codons
from polytene.codons.kernels import hash_strings
from polytene.exceptions import UsageError
from polytene.testing import write_set


def hash_of(name: str) -> int:
    data = np.frombuffer(name.encode(), np.uint8)
    return int(hash_strings(data, np.array([0, len(name.encode())]))[0])


def drawn(outcome) -> dict[str, int]:
    result = outcome.result
    return dict(zip(result.group.values.tolist(), result.n_seq.values.tolist(), strict=True))


@pytest.mark.parametrize("n", [1, 2, 7, 19, 20])
def test_the_rows_with_the_smallest_hash_are_drawn(tmp_path, count, n):
    folder = write_set(tmp_path / "s", sequences=20, files=3, group_rows=2)
    ids = [f"GEN_{i:06d}.1" for i in range(1, 21)]
    outcome = count(folder, sample=n, by="seq_id")
    assert set(drawn(outcome)) == set(sorted(ids, key=hash_of)[:n])
    assert outcome.items == n
    assert outcome.result.attrs["sample"] == n


@given(
    ids=st.lists(st.sampled_from(["a", "b", "c", "d", "é", ""]), min_size=1, max_size=12),
    data=st.data(),
)
@settings(max_examples=25)
def test_ties_and_duplicates_never_change_how_many_are_drawn(here, tmp_path_factory, ids, data):
    n = data.draw(st.integers(1, len(ids)))
    rows, files = data.draw(st.integers(1, 4)), data.draw(st.integers(1, 3))
    folder = tmp_path_factory.mktemp("ties")
    for i in range(files):
        mine = ids[i::files]
        sequences = pa.array(["ATG"] * len(mine), pa.string())
        table = pa.table({"seq_id": pa.array(mine, pa.string()), "sequence": sequences})
        pq.write_table(table, folder / f"{i}.parquet", row_group_size=rows)
    batch = data.draw(st.integers(1, 5))
    outcome = codons.count(
        folder, run_dir=folder / "run", client=here, sample=n, by="seq_id", batch_size=batch
    )
    assert outcome.items == n
    found = drawn(outcome)
    assert sum(found.values()) == n
    expected = sorted(ids, key=hash_of)[:n]
    assert found == {i: expected.count(i) for i in set(expected)}


def test_a_sample_does_not_depend_on_how_the_rows_are_stored(tmp_path, count):
    one = write_set(tmp_path / "one", sequences=20, files=1, group_rows=20)
    many = write_set(tmp_path / "many", sequences=20, files=4, group_rows=2)
    results = [count(folder, sample=6, by="seq_id").result for folder in (one, many)]
    assert results[0].drop_attrs().identical(results[1].drop_attrs())


def test_a_sample_larger_than_the_set_is_refused(tmp_path):
    folder = write_set(tmp_path / "s", sequences=3)
    with pytest.raises(UsageError, match="4 of 3"):
        codons.plan(folder, sample=4)


def test_a_sample_needs_ids(parquet):
    with pytest.raises(UsageError, match="seq_id"):
        codons.plan(parquet({"sequence": ["ATG"]}), sample=1)


@pytest.mark.parametrize(
    "ids",
    [
        pa.array(["b", "a", None]).dictionary_encode(),
        pa.array([5, 6, None]),
        pa.array(["b", "a", None], pa.large_string()),
        pa.array(["b", "a", None], pa.string_view()),
        pa.array([b"\xff", b"a", None]),
    ],
    ids=["dictionary", "int", "large_string", "string_view", "binary that is no UTF-8"],
)
def test_ids_of_other_types_are_hashed(parquet, count, ids):
    outcome = count(parquet({"seq_id": ids, "sequence": ["ATG", "AAA", "TTT"]}), sample=2)
    assert int(outcome.result.n_seq.sum()) == outcome.items == 2


def test_ids_that_cannot_be_hashed_are_refused_by_name(parquet):
    path = parquet({"seq_id": [[1], [2]], "sequence": ["ATG", "AAA"]})
    with pytest.raises(UsageError, match="seq_id"):
        codons.plan(path, sample=1)


@pytest.mark.parametrize("n", [3, 6, 7, 12])
def test_a_damaged_file_does_not_break_the_sample(tmp_path, count, n):
    folder = write_set(tmp_path / "s", sequences=12, files=2, group_rows=3)
    path = folder / "shard_00000.parquet"
    data = bytearray(path.read_bytes())
    data[4 : len(data) // 2] = bytes(len(data) // 2 - 4)
    path.write_bytes(data)
    if n > 6:
        with pytest.raises(UsageError, match=f"{n} of 6"):
            count(folder, sample=n)
        return
    outcome = count(folder, sample=n)
    assert [f.reason for f in outcome.quarantined] == ["damaged-parquet"]
    assert outcome.items == n


def test_coding_sequences_of_drawn_records_are_counted(tmp_path, ingest, count):
    from polytene.testing import write_genbank

    folder, _ = ingest(write_genbank(tmp_path / "a.gb", 6))
    outcome = count(folder, mode="cds", sample=2, by="seq_id")
    chosen = sorted((f"GEN_{i:06d}.1" for i in range(1, 7)), key=hash_of)[:2]
    assert drawn(outcome) == dict.fromkeys(sorted(chosen), 13)
    assert outcome.items == 2
