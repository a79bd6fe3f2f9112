"""An update parses what changed, and gives what a new build would."""

from __future__ import annotations

import shutil

import pytest
from tests.metadata.test_laws import views_of

from polytene import metadata
from polytene.exceptions import UsageError
from polytene.testing import write_archive, write_dump
from polytene.testing.dump import generated


@pytest.fixture
def update(here):
    def run(kb, source, **options):
        return metadata.update(kb, source, **{"client": here, "shard_bytes": "64KiB"} | options)

    return run


def test_an_unchanged_tree_starts_nothing(tmp_path, build, update):
    root = write_dump(tmp_path / "dump", submissions=20)
    kb, _ = build(root)
    before = views_of(kb.folder)
    outcome = update(kb.folder, root)
    assert outcome.planned == 0
    assert views_of(kb.folder) == before


def test_changed_new_and_removed_submissions_of_a_tree(tmp_path, build, update):
    root = write_dump(tmp_path / "dump", submissions=40)
    kb, _ = build(root)
    for name in ("SRA900011", "SRA900023"):
        path = root / name / f"{name}.experiment.xml"
        path.write_bytes(path.read_bytes().replace(b"<TITLE>", b"<TITLE>corrected "))
    (root / "SRA900030" / "SRA900030.run.xml").unlink()
    write_dump(root, submissions=2, first=41)
    shutil.rmtree(root / "SRA900005")
    outcome = update(kb.folder, root)
    assert outcome.items <= 5 * 5
    whole, _ = build(root)
    added = metadata.open(kb.folder)
    assert added.view("run").num_rows > whole.view("run").num_rows
    update(kb.folder, root, complete=True)
    renewed = metadata.open(kb.folder)
    assert views_of(renewed.folder) == views_of(whole.folder)
    assert renewed.diff(whole).num_rows == 0


def test_an_increment_replaces_whole_submissions(tmp_path, build, update):
    kb, _ = build(write_archive(tmp_path / "full.tar.gz", submissions=30))
    other = write_dump(tmp_path / "new", submissions=2, first=10, seed=9)
    outcome = update(kb.folder, other)
    assert outcome.computed == outcome.planned > 0
    mixed = write_dump(tmp_path / "mixed", submissions=30)
    write_dump(mixed, submissions=2, first=10, seed=9)
    for number in (10, 11):
        name = f"SRA9000{number}"
        shutil.rmtree(mixed / name)
        shutil.copytree(other / name, mixed / name)
    whole, _ = build(mixed)
    new = metadata.open(kb.folder)
    assert new.counts("organism").equals(whole.counts("organism"))
    assert sorted(new.view("run")["run"].to_pylist()) == sorted(
        whole.view("run")["run"].to_pylist()
    )


def test_a_newer_archive_is_parsed_where_it_differs(tmp_path, build, update):
    kb, _ = build(write_archive(tmp_path / "old.tar.gz", submissions=30, tables=False))
    new = write_archive(tmp_path / "new.tar.gz", submissions=33, tables=False)
    outcome = update(kb.folder, new)
    assert outcome.items == sum(1 for _ in _documents(31, 33))
    whole, _ = build(new)
    assert views_of(kb.folder) == views_of(whole.folder)
    assert update(kb.folder, new).planned == 0


def _documents(first: int, last: int):
    for one in generated(last - first + 1, first=first):
        yield from one.documents


def test_diff_names_what_changed(tmp_path, build, update):
    root = write_dump(tmp_path / "dump", submissions=10)
    old, _ = build(root)
    path = root / "SRA900004" / "SRA900004.sample.xml"
    path.write_bytes(path.read_bytes().replace(b"<TITLE>", b"<TITLE>x ", 1))
    write_dump(root, submissions=1, first=11)
    new, _ = build(root)
    found = {(r["kind"], r["change"]): r["accession"] for r in new.diff(old).to_pylist()}
    assert found["sample", "changed"] == "SRS000004000"
    assert found["sample", "added"].startswith("SRS000011")
    assert not any(change == "removed" for _, change in found)
    assert metadata.diff(old.folder, old.folder).num_rows == 0


def test_what_is_no_base_cannot_be_updated(tmp_path, dump, update):
    with pytest.raises(UsageError, match="no knowledge base"):
        update(tmp_path / "nothing", dump)
