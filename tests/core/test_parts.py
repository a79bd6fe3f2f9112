"""Parts: whole or not at all, equal work in equal bytes, and no changed byte goes unseen."""

from __future__ import annotations

import os

import numpy as np
import pyarrow as pa
import pytest

from polytene import Folder
from polytene.core import parts
from polytene.core.values import encode
from polytene.exceptions import DamagedRun, NoSpace

NAME = "parts/0123456789ab/00000/00112233445566aa.00001"
ACCOUNTS = {"leg": "0123456789ab", "tag": "00112233445566aa", "units": 2}
VALUES = {
    "json": lambda root: [{"a": [1, "é"]}, None],
    "arrow": lambda root: [pa.table({"a": [1, 2]}), pa.table({"a": [3]})],
    "npz": lambda root: [{"x": np.arange(4)}, {"x": np.ones(1)}],
    "folder": lambda root: [folder(root, "one"), folder(root, "two")],
}


def folder(root, word):
    path = root / "scratch" / word
    (path / "deep").mkdir(parents=True)
    (path / "deep" / "text").write_text(word)
    (path / "empty").touch()
    return Folder(path, {"word": word})


def commit(root, kind):
    values = VALUES[kind](root)
    each = {"items": [1, 2]}
    return parts.write(root, NAME, ACCOUNTS, encode(values, [False, False]), each=each, sync=False)


def ref(receipt):
    return parts.Ref(receipt["part"], receipt["digest"])


def files(root):
    return sorted(p for p in (root / "parts").rglob("*") if p.is_file())


@pytest.mark.parametrize("kind", VALUES)
def test_a_part_comes_back(tmp_path, kind):
    receipt = commit(tmp_path, kind)
    again, layout, values = parts.read(tmp_path, ref(receipt))
    assert again == receipt
    assert layout["items"] == [1, 2]
    assert parts.is_there(tmp_path, receipt)
    assert parts.damage(tmp_path, receipt) is None
    if kind == "folder":
        assert [(v.path / "deep" / "text").read_text() for v in values] == ["one", "two"]
        assert [v.info for v in values] == [{"word": "one"}, {"word": "two"}]
    else:
        assert str(values) == str(VALUES[kind](tmp_path))


@pytest.mark.parametrize("kind", VALUES)
def test_equal_work_gives_equal_bytes(tmp_path, kind):
    roots = [tmp_path / "one", tmp_path / "elsewhere" / "two"]
    receipts = [commit(root, kind) for root in roots]
    assert receipts[0] == receipts[1]
    one, two = ([(p.relative_to(r), p.read_bytes()) for p in files(r)] for r in roots)
    assert one == two


@pytest.mark.parametrize("kind", VALUES)
def test_committing_twice_is_committing_once(tmp_path, kind):
    first = commit(tmp_path, kind)
    before = [(p, p.read_bytes()) for p in files(tmp_path)]
    assert commit(tmp_path, kind) == first
    assert [(p, p.read_bytes()) for p in files(tmp_path)] == before


@pytest.mark.parametrize("kind", VALUES)
def test_every_flipped_byte_is_found(tmp_path, kind):
    receipt = commit(tmp_path, kind)
    for path in files(tmp_path):
        data = path.read_bytes()
        for i in range(len(data)):
            path.write_bytes(data[:i] + bytes([data[i] ^ 0x20]) + data[i + 1 :])
            assert parts.damage(tmp_path, receipt), f"byte {i} of {path.name}"
            if kind != "folder" or path.suffix == ".json":
                with pytest.raises(DamagedRun):
                    parts.read(tmp_path, ref(receipt))
        path.write_bytes(data)
    assert parts.damage(tmp_path, receipt) is None


@pytest.mark.parametrize("kind", VALUES)
def test_every_cut_is_found(tmp_path, kind):
    receipt = commit(tmp_path, kind)
    for path in files(tmp_path):
        data = path.read_bytes()
        for i in range(len(data)):
            path.write_bytes(data[:i])
            assert not parts.is_there(tmp_path, receipt), f"{path.name} cut at {i}"
            assert parts.damage(tmp_path, receipt), f"{path.name} cut at {i}"
            if kind != "folder" or path.suffix == ".json":
                with pytest.raises(DamagedRun):
                    parts.read(tmp_path, ref(receipt))
        path.write_bytes(data)
    assert parts.is_there(tmp_path, receipt)


@pytest.mark.parametrize("kind", ["arrow", "npz"])
def test_missing_data_is_damage(tmp_path, kind):
    receipt = commit(tmp_path, kind)
    parts.data_path(tmp_path, receipt).unlink()
    assert not parts.is_there(tmp_path, receipt)
    assert parts.damage(tmp_path, receipt)
    with pytest.raises(DamagedRun, match="parts"):
        parts.read(tmp_path, ref(receipt))


def test_a_missing_receipt_is_damage(tmp_path):
    receipt = commit(tmp_path, "json")
    (tmp_path / f"{NAME}.json").unlink()
    assert not parts.is_there(tmp_path, receipt)
    assert "No such file" in parts.damage(tmp_path, receipt)
    with pytest.raises(DamagedRun, match="No such file"):
        parts.read(tmp_path, ref(receipt))


def test_a_whole_part_that_is_another_one_is_refused(tmp_path):
    receipt = commit(tmp_path, "json")
    other = parts.write(tmp_path, NAME, ACCOUNTS, encode([1, 2], [False, False]), sync=False)
    assert other["digest"] != receipt["digest"]
    assert "not the part that was committed" in parts.damage(tmp_path, receipt)
    with pytest.raises(DamagedRun, match="not the part that was committed"):
        parts.read(tmp_path, ref(receipt))


@pytest.mark.parametrize("kind", VALUES)
@pytest.mark.parametrize("last", range(4))
def test_a_kill_between_two_renames_commits_nothing_or_all(tmp_path, kind, last, monkeypatch):
    real, done = os.replace, []

    def dies(a, b):
        if len(done) == last:
            raise KeyboardInterrupt
        done.append(b)
        real(a, b)

    monkeypatch.setattr(os, "replace", dies)
    try:
        receipt = commit(tmp_path, kind)
    except KeyboardInterrupt:
        assert not (tmp_path / f"{NAME}.json").exists(), "the receipt is renamed in last"
    else:
        assert parts.damage(tmp_path, receipt) is None
    monkeypatch.undo()
    for path in (tmp_path / "scratch").glob("*"):
        path.rename(path.with_name(f"gone-{path.name}"))
    assert parts.damage(tmp_path, commit(tmp_path, kind)) is None
    assert not list(tmp_path.rglob("*.tmp"))


def test_folders_of_an_earlier_part_are_linked_not_moved(tmp_path):
    first = commit(tmp_path, "folder")
    kept = parts.read(tmp_path, ref(first))[2]
    name = NAME[:-1] + "2"
    second = parts.write(tmp_path, name, ACCOUNTS, encode(kept, [False, False]), sync=False)
    assert parts.damage(tmp_path, first) is parts.damage(tmp_path, second) is None
    one, two = (parts.data_path(tmp_path, r) / "0" / "deep" / "text" for r in (first, second))
    assert one.samefile(two)


@pytest.mark.parametrize("kind", ["json", "npz"])
def test_a_full_disk_is_named_and_leaves_no_draft(tmp_path, kind, monkeypatch):
    def full(handle):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    values = encode(VALUES[kind](tmp_path), [False, False])
    with pytest.raises(NoSpace, match=r"free some and give the same command again"):
        parts.write(tmp_path, NAME, ACCOUNTS, values, sync=True)
    assert files(tmp_path) == []
