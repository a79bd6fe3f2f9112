"""The laws of the design, each as it shows in this room."""

from __future__ import annotations

import functools
import random
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest
from distributed import Client
from tests.metadata.conftest import published

from polytene import Reduction, Stage, metadata, run
from polytene.exceptions import PlanChanged
from polytene.metadata.plan import TreeShards, parse_plan
from polytene.metadata.sources.tree import list_tree
from polytene.metadata.stages import parse_shard
from polytene.testing import write_archive, write_dump


def parts_of(folder: Path) -> dict[str, bytes]:
    found = (p for p in folder.glob("work/g0000/parse/parts/**/*") if p.is_file())
    return {str(p.relative_to(folder)): p.read_bytes() for p in found}


def test_law_1_a_part_is_a_pure_function_of_its_unit(tmp_path, dump, here, local_client):
    found = []
    for i, client in enumerate([here, local_client, local_client]):
        metadata.build(dump, tmp_path / str(i), client=client, shard_bytes="64KiB")
        found.append(parts_of(tmp_path / str(i)))
    assert found[0] == found[1] == found[2]
    assert len(found[0]) > 50


def test_law_1_a_stage_gives_equal_bytes_when_called_twice(dump):
    shard = TreeShards(dump, list_tree(dump), 1 << 18)[0]
    marks = [parse_shard(shard, engine=e, salvage=False).value.info["files"]
             for e in ("auto", "auto", "python")]  # fmt: skip
    assert marks[0] == marks[1] == marks[2]


def test_law_2_what_is_missing_is_null_and_counted(tmp_path, build):
    root = write_dump(tmp_path / "dump", submissions=60)
    kb, _ = build(root)
    runs = kb.view("run")
    assert runs["total_spots"].null_count == runs["status"].null_count == runs.num_rows
    layouts = dict(zip(*(c.to_pylist() for c in kb.counts("layout").columns), strict=True))
    missing = kb.view("experiment")["library_layout"].null_count
    assert layouts[None] == missing > 0
    assert "" not in layouts
    assert kb.counts("layout", unit="bases")["count"].null_count == len(layouts)


def test_law_2_a_study_that_is_nowhere_stays_unknown(tmp_path, build):
    root = write_dump(tmp_path / "dump", submissions=3)
    (root / "SRA900001" / "SRA900001.study.xml").unlink()
    kb, _ = build(root)
    found = kb.view("experiment")
    assert found["study_title"].null_count == found.num_rows
    assert set(found["study"].to_pylist()) == {"SRP900001"}
    assert all("dangling_ref" in w for w in found["warnings"].to_pylist())


def test_law_3_what_is_done_is_not_done_again(tmp_path, build):
    root = write_dump(tmp_path / "dump", submissions=40)
    kb, first = build(root, into=tmp_path / "kb")
    before = published(kb.folder)
    _, again = build(root, into=tmp_path / "kb")
    assert (again.computed, again.resumed) == (0, first.computed)
    assert published(kb.folder) == before


def test_law_3_a_file_that_changed_is_seen_though_no_listing_tells(tmp_path, build):
    root = write_dump(tmp_path / "dump", submissions=40)
    build(root, into=tmp_path / "kb")
    path = root / "SRA900017" / "SRA900017.sample.xml"
    path.write_bytes(path.read_bytes().replace(b"<TAXON_ID>", b"<TAXON_ID>1"))
    with pytest.raises(PlanChanged):
        build(root, into=tmp_path / "kb")
    kb, outcome = build(root, into=tmp_path / "kb", on_change="rerun")
    assert outcome.computed == 1
    whole, _ = build(root)
    assert published(kb.folder) == published(whole.folder)


def test_law_3_added_submissions_leave_most_shards_as_they_are(tmp_path, build):
    root = write_dump(tmp_path / "dump", submissions=200)
    _, first = build(root, into=tmp_path / "kb")
    write_dump(root, submissions=3, first=201)
    _, second = build(root, into=tmp_path / "kb", on_change="rerun")
    assert first.planned > 50
    assert second.computed <= 4


def test_law_4_shards_documents_and_records_add_up(tmp_path, build, naive):
    root = write_dump(tmp_path / "dump", submissions=30)
    bad = [root / f"SRA{900000 + i}" / f"SRA{900000 + i}.run.xml" for i in (3, 9)]
    read = naive(root)
    lost = 0
    for path in bad:
        lost += path.read_bytes().count(b"</RUN>")
        path.write_bytes(b"")
    kb, outcome = build(root)
    files = sum(1 for _ in root.glob("*/*.xml"))
    assert outcome.planned == outcome.computed + outcome.resumed + len(outcome.quarantined)
    assert outcome.items == kb.manifest["documents"] == files
    assert len(outcome.rejected) == kb.quarantine().num_rows == 2
    assert kb.manifest["quarantined"] == {"empty": 2}
    assert kb.manifest["stored"]["run"] == len(read.records["run"]) - lost
    assert kb.view("run").num_rows == len(read.records["run"]) - lost
    for unit in ("experiment", "run", "sample"):
        assert sum(kb.counts("organism", unit=unit)["count"].to_pylist()) == kb.view(unit).num_rows


def test_law_5_the_disk_for_shards_is_reserved_before_the_work(tmp_path, here, monkeypatch):
    """The lease of an archive that cannot fit ends the run before anything is cut."""
    path = write_archive(tmp_path / "dump.tar.gz", submissions=5)
    monkeypatch.setattr(sys.modules["polytene.metadata.cutting"], "FREE_SHARE", 1e-12)
    with pytest.raises(Exception, match="disk"):
        metadata.build(path, tmp_path / "kb", client=here)
    assert not list((tmp_path / "kb").rglob("*.arrow"))


def views_of(kb: Path) -> dict[str, bytes]:
    return {n: b for n, b in published(kb).items() if n.startswith(("views", "catalog"))}


@pytest.mark.parametrize("size", ["64KiB", "200KiB", "64MiB"])
def test_law_6_the_size_of_shards_does_not_matter(build, dump, size):
    one, _ = build(dump, shard_bytes="100KiB")
    other, _ = build(dump, shard_bytes=size)
    assert views_of(one.folder) == views_of(other.folder)


def test_law_6_a_tree_and_its_archive_give_the_same_views(tmp_path, build, dump):
    tree, _ = build(dump)
    archive, _ = build(write_archive(tmp_path / "dump.tar.gz", submissions=40, tables=False))
    plain, _ = build(write_archive(tmp_path / "dump.tar", submissions=40, tables=False))
    assert views_of(tree.folder) == views_of(archive.folder) == views_of(plain.folder)


def test_law_6_neither_engine_workers_nor_order_matter(tmp_path, here, local_client, dump, build):
    expected = published(build(dump)[0].folder)
    assert published(build(dump, engine="python")[0].folder) == expected
    assert published(build(dump, client=local_client)[0].folder) == expected
    assert published(build(dump, client=here, in_flight=1)[0].folder) == expected


def test_law_6_one_two_and_four_workers_give_the_same_bytes(tmp_path, build, local_client):
    """Of an archive: what is cut is parsed meanwhile, in waves that no two builds share."""
    source = write_archive(tmp_path / "dump.tar.gz", submissions=30)
    found = [published(build(source, client=local_client)[0].folder)]
    with Client(
        n_workers=4,
        threads_per_worker=1,
        memory_limit=None,
        dashboard_address="127.0.0.1:0",
        worker_dashboard_address="127.0.0.1:0",
    ) as four:
        found.append(published(build(source, client=four)[0].folder))
        four.cluster.scale(1)
        four.wait_for_workers(1, timeout=60)
        found.append(published(build(source, client=four)[0].folder))
    assert found[0] == found[1] == found[2]


def test_law_6_shuffled_shards_give_the_same_base(tmp_path, here, dump, build):
    expected = published(build(dump)[0].folder)
    shards = list(TreeShards(dump, list_tree(dump), 1 << 16))
    random.Random(1).shuffle(shards)
    folder = tmp_path / "kb" / "work" / "g0000" / "parse"
    half = parse_plan(shards[: len(shards) // 2])
    stage = Stage(functools.partial(parse_shard, **half.params), memory=400 << 20)
    run(half, [stage], Reduction(None), run_dir=folder, client=here)
    assert published(build(dump, into=tmp_path / "kb")[0].folder) == expected


DRIVER = """
    import sys
    import dask
    from distributed import Client
    from polytene import metadata
    if __name__ == "__main__":
        dask.config.set({"polytene.task-seconds": 0})
        with Client(processes=False, n_workers=1, threads_per_worker=1, memory_limit=None,
                    dashboard_address="127.0.0.1:0",
                    worker_dashboard_address="127.0.0.1:0") as client:
            metadata.build(sys.argv[1], sys.argv[2], shard_bytes="64KiB", client=client)
"""


def drive(source: Path, kb: Path) -> subprocess.Popen:
    argv = [sys.executable, "-c", textwrap.dedent(DRIVER), str(source), str(kb)]
    return subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def finished(source: Path, kb: Path) -> dict[str, bytes]:
    process = drive(source, kb)
    _, error = process.communicate(timeout=120)
    assert process.returncode == 0, error.decode()
    return published(kb)


def killed(source: Path, kb: Path, pattern: str, more: int, pause: float) -> int:
    """Kill a build once it has left so many more files of a kind; return its exit status."""
    before = len(list(kb.glob(pattern)))
    process = drive(source, kb)
    deadline = time.monotonic() + 90
    while len(list(kb.glob(pattern))) < before + more and process.poll() is None:
        assert time.monotonic() < deadline
        time.sleep(0.002)
    time.sleep(pause)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    return process.returncode


def test_law_6_a_build_that_is_killed_and_resumed_leaves_the_same_bytes(tmp_path):
    """One build, killed while it cuts, parses, matches and joins, each time a little further."""
    source = write_archive(tmp_path / "dump.tar.gz", submissions=30)
    whole = finished(source, tmp_path / "whole")
    chance, kb = random.Random(3), tmp_path / "killed"
    points = [
        ("work/g0000/spool/shards/*/*/*.json", 4),
        ("work/g0000/parse/parts/*/*/*.json", 1),
        ("work/g0000/parse/parts/*/*/*.json", 6),
        ("work/match/parts/*/*/*.json", 1),
        ("work/join/parts/*/*/*.json", 1),
    ]
    ended = [killed(source, kb, *point, chance.random() * 0.05) for point in points]
    assert ended.count(-signal.SIGKILL) >= 3
    assert finished(source, kb) == whole
