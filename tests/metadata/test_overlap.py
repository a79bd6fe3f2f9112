"""Shards are parsed while their file is still cut, and their files go once they are parsed."""

from __future__ import annotations

import os
import shutil
import threading
import time
from pathlib import Path

import pytest
from tests.metadata.conftest import published

from polytene import Begun
from polytene.exceptions import BadInput, PlanChanged
from polytene.metadata.sources.spool import read_shard
from polytene.testing import write_archive, write_dump


def shard_files(kb: Path) -> list[Path]:
    return sorted(kb.glob("work/g*/spool/shards/*/*.arrow"))


def parts(kb: Path) -> int:
    return len(list(kb.glob("work/g0000/parse/parts/*/*/*.json")))


class Pipe(threading.Thread):
    """Feeds an archive through a named pipe; the second half waits until shards are parsed."""

    def __init__(self, path: Path, data: bytes, kb: Path) -> None:
        super().__init__(daemon=True)
        os.mkfifo(path)
        self.path, self.data, self.kb, self.parsed = path, data, kb, 0
        self.kept: list[Path] = []

    def run(self) -> None:
        half = len(self.data) // 2
        with open(self.path, "wb") as out:
            out.write(self.data[:half])
            out.flush()
            deadline = time.monotonic() + 90
            while not self.parsed and time.monotonic() < deadline:
                self.parsed = parts(self.kb)
                time.sleep(0.01)
            out.write(self.data[half:])


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch):
    """Archives are read in small chunks, so that a small one is read in several."""
    monkeypatch.setattr("polytene.metadata.sources.tar.CHUNK_BYTES", 1 << 18)


def archive_of(tmp_path: Path, n: int = 100) -> bytes:
    return write_archive(tmp_path / "dump.tar", submissions=n).read_bytes()


def test_shards_are_parsed_before_their_file_has_ended(tmp_path, build):
    data = archive_of(tmp_path)
    pipe = Pipe(tmp_path / "pipe.tar", data, tmp_path / "kb")
    pipe.start()
    begun = []
    kb, outcome = build(
        tmp_path / "pipe.tar",
        into=tmp_path / "kb",
        on_event=lambda e: begun.append((e.kind, e.units)) if isinstance(e, Begun) else None,
    )
    pipe.join()
    assert pipe.parsed > 0
    whole, same = build(tmp_path / "dump.tar")
    assert outcome.planned == outcome.computed == same.planned
    assert outcome.resumed == same.resumed == 0
    assert kb.view("run").equals(whole.view("run"))
    assert kb.view("experiment").equals(whole.view("experiment"))
    waves = [units for kind, units in begun if kind == "metadata-parse"]
    assert waves == sorted(waves)
    assert 0 < waves[0] < waves[-1] == outcome.planned
    assert shard_files(kb.folder) == shard_files(whole.folder) == []


def test_a_file_that_breaks_off_leaves_nothing_of_what_was_parsed_early(tmp_path, build):
    data = archive_of(tmp_path)
    other = write_dump(tmp_path / "other", submissions=12, first=500)
    pipe = Pipe(tmp_path / "pipe.tar", data[: len(data) - 40_000], tmp_path / "kb")
    pipe.start()
    kb, outcome = build([tmp_path / "pipe.tar", other], into=tmp_path / "kb", max_quarantined=1.0)
    pipe.join()
    assert pipe.parsed > 0
    assert [f.reason for f in outcome.quarantined] == ["truncated"]
    assert outcome.planned == outcome.computed + outcome.resumed + len(outcome.quarantined)
    alone, _ = build(other)
    assert kb.view("run").equals(alone.view("run"))


def test_a_parsed_shard_that_is_lost_is_cut_and_parsed_again(tmp_path, build):
    path = write_archive(tmp_path / "dump.tar.gz", submissions=40)
    kb, first = build(path, into=tmp_path / "kb")
    before = published(kb.folder)
    for victim in sorted(kb.folder.glob("work/g0000/parse/parts/*/*/*"))[:4]:
        shutil.rmtree(victim) if victim.is_dir() else victim.unlink()
    _, again = build(path, into=tmp_path / "kb")
    assert 0 < again.computed < first.computed
    assert again.computed + again.resumed == again.planned
    assert published(kb.folder) == before


def test_a_lost_shard_whose_archive_is_gone_says_so(tmp_path, build):
    path = write_archive(tmp_path / "dump.tar", submissions=20)
    kb, _ = build(path, into=tmp_path / "kb")
    (lost,) = (p.parent for p in kb.folder.glob("work/g0000/spool/shards/*/*/source.json"))
    path.write_bytes(b"something else")
    with pytest.raises(BadInput, match="--fresh"):
        next(read_shard(str(lost.parent / "0123.arrow")))


def test_what_changes_is_refused_before_anything_is_parsed(tmp_path, build):
    path = write_archive(tmp_path / "dump.tar", submissions=40)
    kb, first = build(path, into=tmp_path / "kb")
    with pytest.raises(PlanChanged, match="salvage"):
        build(path, into=tmp_path / "kb", salvage=True)
    write_archive(path, submissions=43)
    with pytest.raises(PlanChanged, match="changed"):
        build(path, into=tmp_path / "kb")
    kb, second = build(path, into=tmp_path / "kb", on_change="rerun")
    assert second.computed < first.computed / 2, "shards that are the same stay"
    whole, _ = build(path)
    assert published(kb.folder) == published(whole.folder)


def test_a_trial_of_an_archive_parses_no_more_than_asked(tmp_path, build):
    path = write_archive(tmp_path / "dump.tar", submissions=60)
    _, outcome = build(path, limit=3)
    assert outcome.planned == outcome.computed == 3
