"""An update parses what changed, and gives what a new build would."""

from __future__ import annotations

import gzip
import io
import shutil
import tarfile

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
    assert renewed.manifest["stored"] == whole.manifest["stored"]
    for tissue in ("brain", "liver"):
        asked = {"attributes": {"tissue": tissue}}
        assert renewed.runs(**asked).to_arrow().equals(whole.runs(**asked).to_arrow())


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


def test_a_document_that_was_repaired_leaves_the_quarantine(tmp_path, build, update):
    root = write_dump(tmp_path / "dump", submissions=6)
    path = root / "SRA900003" / "SRA900003.run.xml"
    data = path.read_bytes()
    path.write_bytes(data[:-30])
    kb, _ = build(root)
    assert kb.manifest["quarantined"] == {"truncated": 1}
    path.write_bytes(data)
    update(kb.folder, root)
    renewed = metadata.open(kb.folder)
    assert renewed.manifest["quarantined"] == {}
    assert renewed.quarantine().num_rows == 0
    whole, _ = build(root)
    assert views_of(renewed.folder) == views_of(whole.folder)


def test_what_an_archive_holds_and_cannot_be_cut_is_in_quarantine(tmp_path, build):
    path = tmp_path / "dump.tar"
    data = gzip.compress(b"<RUN_SET><RUN accession='SRR1'/></RUN_SET>")[:-6]
    with tarfile.open(path, "w") as archive:
        for name, held in (("SRA1/SRA1.run.xml.gz", data), ("SRA2/SRA2.run.xml", b"<RUN_SET/>")):
            about = tarfile.TarInfo(name)
            about.size = len(held)
            archive.addfile(about, io.BytesIO(held))
    kb, outcome = build(path)
    assert [(f.item, f.reason) for f in outcome.rejected] == [("SRA1/SRA1.run.xml.gz", "truncated")]
    assert kb.manifest["quarantined"] == {"truncated": 1}
