"""The laws of the design, each as it shows in this room."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from polytene import codons
from polytene.exceptions import PlanChanged
from polytene.testing import write_fasta, write_genbank, write_set


def tree(folder: Path, *patterns: str) -> dict[str, bytes]:
    """Return the files below a folder by name; the epoch of an attempt is not part of a name."""
    found = [p for pattern in patterns for p in folder.glob(pattern) if p.is_file()]
    return {str(p.relative_to(folder)): p.read_bytes() for p in found}


def outputs(outcome, folder: Path) -> dict[str, bytes]:
    """Write every kind of output of a count, and return the bytes."""
    result = outcome.result
    wide, long = codons.to_wide(result), codons.to_long(result)
    for name, table in (("w.parquet", wide), ("l.parquet", long), ("w.csv", wide), ("l.tsv", long)):
        codons.write(table, folder / name, result.attrs)
    return tree(folder, "*.parquet", "*.csv", "*.tsv")


def values(result) -> dict:
    by_group = zip(result.group.values.tolist(), result["count"].values.tolist(), strict=True)
    return dict(by_group)


def engine_of(folder: Path) -> dict[str, bytes]:
    return tree(folder, "parts/**/*.json", "parts/**/*.arrow", "parts/**/*.parquet")


def test_law_1_a_part_is_a_pure_function_of_its_unit(tmp_path, here, local_client):
    folder = write_set(tmp_path / "s", sequences=12, files=2, group_rows=2)
    found = []
    for i, client in enumerate([here, local_client, local_client]):
        run_dir = tmp_path / f"run{i}"
        codons.count(folder, run_dir=run_dir, client=client, by="source", batch_size=2)
        found.append(engine_of(run_dir))
    assert found[0] == found[1] == found[2]
    assert len(found[0]) == 2 * 6


def test_law_1_ingest_leaves_the_same_parts_from_any_worker(tmp_path, here, local_client):
    files = [write_genbank(tmp_path / f"{i}.gb", 1, first=i + 1) for i in range(3)]
    for name, client in (("a", here), ("b", local_client)):
        codons.ingest(files, tmp_path / name, client=client)
    assert engine_of(tmp_path / "a") == engine_of(tmp_path / "b")
    everything = ("*.parquet", "cds/*", "set.json")
    assert tree(tmp_path / "a", *everything) == tree(tmp_path / "b", *everything)


def test_law_2_what_is_missing_is_null(tmp_path, ingest, count, parquet):
    folder, _ = ingest(write_fasta(tmp_path / "a.fa", 1))
    row = pq.read_table(folder / "a.fa.parquet").to_pylist()[0]
    assert [row[k] for k in ("organism", "taxid", "organelle", "transl_table")] == [None] * 4
    result = count(parquet({"seq_id": ["short", "n"], "sequence": ["AC", "NNN"]}),
                   by="seq_id").result  # fmt: skip
    wide = codons.to_wide(result).to_pylist()
    assert [r[k] for r in wide for k in ("transl_table", "gc", "gc1", "gc2", "gc3")] == [None] * 10
    assert set(codons.to_long(result)["freq"].to_pylist()) == {None}
    assert np.isnan(codons.rscu(result, 1).values).all()


def test_law_3_what_is_done_is_not_done_again(tmp_path, count, ingest):
    folder = write_set(tmp_path / "s", sequences=8, files=2, group_rows=2)
    first = count(folder, run_dir=tmp_path / "r", batch_size=2)
    again = count(folder, run_dir=tmp_path / "r", batch_size=2)
    assert (first.computed, again.computed, again.resumed) == (4, 0, 4)
    assert again.result.identical(first.result)
    files = [write_fasta(tmp_path / f"{i}.fa", 1) for i in range(3)]
    made, _ = ingest(*files[:2])
    _, outcome = ingest(*files, into=made)
    assert (outcome.computed, outcome.resumed) == (1, 2)


def _touch(path: Path) -> None:
    os.utime(path, ns=(1, 1))


def _truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


def _replace(path: Path) -> None:
    pq.write_table(pa.table({"seq_id": ["x"], "sequence": ["ATG"]}), path)


def _empty(path: Path) -> None:
    pq.write_table(pq.read_table(path).slice(0, 0), path)


@pytest.mark.parametrize("change", [_touch, _truncate, _replace, _empty, Path.unlink])
def test_law_3_a_changed_file_is_seen_before_any_work(tmp_path, count, change):
    folder = write_set(tmp_path / "s", sequences=6, files=2)
    inputs = sorted(folder.iterdir())
    count(inputs, run_dir=tmp_path / "r")
    before = engine_of(tmp_path / "r")
    change(inputs[0])
    with pytest.raises(PlanChanged, match="shard_00000"):
        count(inputs, run_dir=tmp_path / "r")
    assert engine_of(tmp_path / "r") == before


def test_law_3_a_changed_source_is_seen_by_ingest(tmp_path, ingest):
    path = write_fasta(tmp_path / "a.fa", 1)
    folder, _ = ingest(path)
    before = tree(folder, "*.parquet")
    write_fasta(path, 2)
    with pytest.raises(PlanChanged, match=r"a\.fa"):
        ingest(path, into=folder)
    assert tree(folder, "*.parquet") == before
    _, outcome = ingest(path, into=folder, on_change="rerun")
    assert outcome.result["totals"]["sequences"] == 2


def test_law_3_an_appended_file_is_the_only_one_computed(tmp_path, count):
    folder = write_set(tmp_path / "s", sequences=6, files=2)
    count(folder, run_dir=tmp_path / "r")
    pq.write_table(pa.table({"seq_id": ["x"], "sequence": ["ATG"]}), folder / "a_first.parquet")
    outcome = count(folder, run_dir=tmp_path / "r")
    assert (outcome.computed, outcome.resumed) == (1, 2)
    assert outcome.result.identical(count(folder).result)


@pytest.mark.parametrize("mode", ["frame", "cds"])
def test_law_4_units_rows_and_codons_add_up(tmp_path, ingest, count, naive, mode):
    files = [write_genbank(tmp_path / f"{i}.gb", 2, first=1 + 2 * i) for i in range(2)]
    (tmp_path / "bad.fa").write_text("")
    folder, outcome = ingest(*files, tmp_path / "bad.fa")
    assert outcome.planned == outcome.computed + outcome.resumed + len(outcome.quarantined) == 3
    (folder / "set.json").unlink()
    (folder / "0.gb.parquet").write_bytes(b"PAR1")
    outcome = count(sorted(folder.glob("*.parquet")), mode=mode, frame=2 if mode == "frame" else 0)
    assert outcome.planned == outcome.computed + outcome.resumed + len(outcome.quarantined) == 2
    result = outcome.result
    rows = pq.read_table(folder / "1.gb.parquet").to_pylist()
    assert outcome.items == len(rows)
    if mode == "frame":
        expected = sum(max(0, r["length"] - 2) // 3 for r in rows)
    else:
        genes = pq.read_table(folder / "cds" / "1.gb.parquet").to_pylist()
        expected = sum((sum(g["ends"]) - sum(g["starts"]) - g["codon_start"] + 1) // 3
                       for g in genes)  # fmt: skip
    assert int(result.n_codons.sum() + result.n_ambiguous.sum()) == expected


ROWS = [(f"s{i % 7}", f"src{i % 3}", "ACGTNacgtu"[i % 10 :] * (i % 9 + 1)) for i in range(24)]


@given(
    files=st.integers(1, 4),
    group=st.integers(1, 24),
    rows=st.integers(1, 30),
    nbytes=st.sampled_from([1, 100, 600, 1 << 30]),
    by=st.sampled_from(["none", "seq_id", "source"]),
    in_flight=st.integers(1, 3),
)
@settings(max_examples=20)
def test_law_6_the_layout_and_the_batches_do_not_matter(
    here, tmp_path_factory, files, group, rows, nbytes, by, in_flight
):
    base = tmp_path_factory.mktemp("law6")
    made = {}
    for name, n_files, rows_a_group in (("one", 1, 100), ("many", files, group)):
        folder = base / name
        (folder / "out").mkdir(parents=True)
        for i in range(n_files):
            ids, sources, sequences = zip(*ROWS[i::n_files], strict=True)
            table = pa.table({"seq_id": ids, "source": sources, "sequence": sequences})
            pq.write_table(table, folder / f"{i}.parquet", row_group_size=rows_a_group)
        plan = codons.plan(folder, by=by, batch_size=rows, batch_bytes=nbytes)
        from polytene.codons.run import count_plan

        outcome = count_plan(plan, run_dir=folder / "r", client=here, in_flight=in_flight)
        made[name] = outputs(outcome, folder / "out")
    assert made["one"] == made["many"]


@pytest.mark.parametrize("by", ["none", "seq_id"])
def test_law_6_the_order_of_the_files_does_not_matter(tmp_path, count, by):
    folder = write_set(tmp_path / "s", sequences=9, files=3)
    paths = sorted(folder.iterdir())
    found = []
    for i, given_paths in enumerate([paths, paths[::-1], str(folder / "*.parquet")]):
        (tmp_path / f"o{i}").mkdir()
        found.append(outputs(count(given_paths, by=by), tmp_path / f"o{i}"))
    assert found[0] == found[1] == found[2]


def test_law_6_the_number_of_workers_does_not_matter(tmp_path, here, local_client, count):
    folder = write_set(tmp_path / "s", sequences=12, files=3, group_rows=2)
    found = []
    for i, client in enumerate([here, local_client]):
        (tmp_path / f"o{i}").mkdir()
        outcome = count(folder, client=client, by="seq_id", batch_size=2)
        found.append(outputs(outcome, tmp_path / f"o{i}"))
    assert found[0] == found[1]


DRIVER = """
    import sys
    from pathlib import Path
    import dask
    from distributed import Client
    from polytene import codons
    if __name__ == "__main__":
        inputs, base = sys.argv[2:], Path(sys.argv[1])
        dask.config.set({"polytene.task-seconds": 0})
        with Client(processes=False, n_workers=1, threads_per_worker=1, memory_limit=None,
                    dashboard_address="127.0.0.1:0",
                    worker_dashboard_address="127.0.0.1:0") as client:
            codons.ingest(inputs, base / "set", client=client, row_group_mb=0.004)
            outcome = codons.count(base / "set", run_dir=base / "run", client=client, by="organism",
                                   mode="cds", batch_size=1)
        codons.write(codons.to_wide(outcome.result), base / "o.parquet", outcome.result.attrs)
        codons.write(codons.to_long(outcome.result), base / "o.csv", outcome.result.attrs)
"""


def drive(base: Path, files: list[Path]) -> subprocess.Popen:
    argv = [sys.executable, "-c", textwrap.dedent(DRIVER), str(base), *map(str, files)]
    return subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def finished(base: Path, files: list[Path]) -> dict[str, bytes]:
    process = drive(base, files)
    _, error = process.communicate(timeout=60)
    assert process.returncode == 0, error.decode()
    return tree(base, "o.*", "set/*.parquet", "set/cds/*", "set/set.json")


def test_law_6_a_run_that_is_killed_and_resumed_leaves_the_same_bytes(tmp_path):
    files = [write_genbank(tmp_path / f"{i}.gb", 2, first=1 + 2 * i, genes=3) for i in range(8)]
    whole = finished(tmp_path / "whole", files)
    assert len(whole) == 2 + 8 + 8 + 1
    chance = random.Random(3)
    seen = []
    for i, (stage, least) in enumerate([("set", 3), ("run", 0), ("run", 4), ("run", 11)]):
        base = tmp_path / f"killed{i}"
        process = drive(base, files)
        parts = base / stage / "parts"
        deadline = time.monotonic() + 40
        while len(list(parts.glob("*/*/*.json"))) <= least and process.poll() is None:
            assert time.monotonic() < deadline
            time.sleep(0.002)
        time.sleep(chance.random() * 0.02)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        seen.append(process.returncode)
        assert finished(base, files) == whole
    assert -signal.SIGKILL in seen
