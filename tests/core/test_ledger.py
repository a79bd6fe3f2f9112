"""The ledger: damage costs no more than the damaged lines, and their parts are found again."""

from __future__ import annotations

import os
import shutil
import tempfile
import threading
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from polytene.core import parts
from polytene.core.ledger import Ledger, line_of, parse, read, segments
from polytene.core.values import encode

LEG = "0123456789ab"
TAGS = range(1, 9)


def commit(root, tag, epoch=1, value=0):
    accounts = {"leg": LEG, "tag": f"{tag:016x}", "units": 1, "failures": []}
    name = f"parts/{LEG}/00000/{tag:016x}.{epoch:05d}"
    return parts.write(root, name, accounts, encode([value], [False]), sync=False)


@pytest.fixture(scope="module")
def template(tmp_path_factory):
    """Eight parts and a ledger in three segments that lists them all."""
    root = tmp_path_factory.mktemp("ledger")
    for epoch in range(3):
        ledger = Ledger(root)
        ledger.begin("mark")
        for tag in list(TAGS)[epoch::3]:
            ledger.add(commit(root, tag))
        ledger.close()
    assert len(segments(root)) == 3
    return root


def opened(root):
    ledger = Ledger(root)
    ledger.close()
    return ledger


@given(st.dictionaries(st.text(max_size=9), st.integers() | st.text(max_size=9), max_size=4))
def test_a_line_comes_back(record):
    line = line_of(record)
    assert line.count(b"\n") == 1
    assert parse(line) == record
    assert parse(line[:-1]) is None, "a line is whole once it has its end"


@given(st.binary(max_size=60))
def test_no_bytes_make_the_reader_raise(data):
    assert parse(data + b"\n") is None or isinstance(parse(data + b"\n"), dict)


@pytest.mark.parametrize(
    "line", [b" 00000000\n", b"5 ef9a6a3b\n", b"\n", b"", b" \n", b"\x00" * 40]
)
def test_odd_lines_are_damaged_lines(line):
    assert parse(line) is None


def test_every_flipped_byte_of_a_line_is_found():
    line = line_of({"leg": LEG, "tag": "00", "n": 7, "text": "é"})
    for i in range(len(line) - 1):
        for bit in range(8):
            bad = bytearray(line)
            bad[i] ^= 1 << bit
            assert all(parse(part) is None for part in bytes(bad).splitlines(keepends=True))


OPERATIONS = st.sampled_from(["cut", "flip", "nul", "double", "swap", "drop", "newline"])


def harm(root, rng):
    """Do one kind of harm to one segment, at any byte."""
    path = rng.draw(st.sampled_from(segments(root)))
    data = path.read_bytes()
    at = rng.draw(st.integers(0, max(0, len(data) - 1)))
    match rng.draw(OPERATIONS):
        case "cut":
            path.write_bytes(data[:at])
        case "flip" if data:
            path.write_bytes(
                data[:at] + bytes([data[at] ^ (1 << rng.draw(st.integers(0, 7)))]) + data[at + 1 :]
            )
        case "nul":
            path.write_bytes(data[:at] + bytes(rng.draw(st.integers(1, 5000))) + data[at:])
        case "newline":
            path.write_bytes(data[:at] + b"\n" + data[at:])
        case "double":
            path.write_bytes(data + data)
        case "swap":
            other = rng.draw(st.sampled_from(segments(root)))
            mine, theirs = path.read_bytes(), other.read_bytes()
            path.write_bytes(theirs)
            other.write_bytes(mine)
        case "drop":
            path.write_bytes(b"")


@given(st.data())
@settings(max_examples=150)
def test_harm_loses_no_part(template, rng):
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder, "run")
        shutil.copytree(
            template, root, copy_function=os.link, ignore=shutil.ignore_patterns("*.jsonl")
        )
        shutil.copytree(template / "ledger", root / "ledger", dirs_exist_ok=True)
        for _ in range(rng.draw(st.integers(1, 4))):
            harm(root, rng)
        listed = {r["tag"] for r in read(root) if r and "part" in r}
        ledger = opened(root)
        assert ledger.adopted == len(TAGS) - len(listed)
        assert all(ledger.receipt(LEG, tag) for tag in TAGS)
        again = opened(root)
        assert again.adopted == 0, "what was adopted is in the ledger now"
        assert all(again.receipt(LEG, tag) for tag in TAGS)


def test_a_lost_ledger_is_rebuilt_and_its_epochs_are_not_used_again(template, tmp_path):
    root = tmp_path / "run"
    shutil.copytree(template, root)
    commit(root, 1, epoch=7)
    shutil.rmtree(root / "ledger")
    ledger = opened(root)
    assert ledger.adopted >= len(TAGS)
    assert ledger.receipt(LEG, 1)["part"].endswith("00007")
    assert ledger.epoch == 8, "a new attempt never takes the name of an old part"


def test_a_file_of_someone_else_is_no_segment(template, tmp_path):
    root = tmp_path / "run"
    shutil.copytree(template, root)
    (root / "ledger" / "notes.jsonl").write_text("not a segment\n")
    assert opened(root).epoch == 4


def test_a_damaged_part_is_not_adopted(tmp_path):
    receipt = commit(tmp_path, 1)
    path = tmp_path / f"{receipt['part']}.json"
    path.write_bytes(path.read_bytes()[:-1])
    ledger = opened(tmp_path)
    assert (ledger.adopted, ledger.damaged, ledger.receipt(LEG, 1)) == (0, 1, None)


@pytest.mark.parametrize("order", [(1, 2), (2, 1)])
def test_the_later_epoch_wins_in_any_order(tmp_path, order):
    made = {epoch: commit(tmp_path, 5, epoch, value=epoch) for epoch in order}
    ledger = Ledger(tmp_path)
    for epoch in order:
        ledger.add(made[epoch])
    assert ledger.receipt(LEG, 5)["part"].endswith("00002")
    ledger.close()
    assert opened(tmp_path).receipt(LEG, 5)["part"].endswith("00002")


def test_a_part_newer_than_the_ledger_is_adopted(template, tmp_path):
    root = tmp_path / "run"
    shutil.copytree(template, root)
    commit(root, 3, epoch=9, value="new")
    ledger = opened(root)
    assert ledger.adopted == 1
    assert ledger.receipt(LEG, 3)["part"].endswith("00009")


def test_many_threads_note_at_once(tmp_path):
    ledger = Ledger(tmp_path)
    threads = [
        threading.Thread(target=lambda t=t: [ledger.note({"t": t, "i": i}) for i in range(600)])
        for t in range(8)
    ]
    [t.start() for t in threads]
    [t.join() for t in threads]
    ledger.close()
    records = list(read(tmp_path))
    assert None not in records
    assert sorted((r["t"], r["i"]) for r in records) == [
        (t, i) for t in range(8) for i in range(600)
    ]
    for t in range(8):
        assert [r["i"] for r in records if r["t"] == t] == list(range(600))


def test_readers_see_a_prefix_while_it_is_written(tmp_path):
    ledger = Ledger(tmp_path)

    def write():
        for i in range(6000):
            ledger.note({"i": i})
        ledger.close()

    writer = threading.Thread(target=write)
    writer.start()
    while writer.is_alive():
        seen = list(read(tmp_path))
        if seen and seen[-1] is None:
            seen.pop()
        assert [r["i"] for r in seen] == list(range(len(seen)))
    writer.join()
    assert len(list(read(tmp_path))) == 6000


def test_a_full_disk_once_costs_no_line(tmp_path, monkeypatch):
    ledger = Ledger(tmp_path)
    real = os.write

    def full(handle, data):
        real(handle, bytes(data)[:7])
        raise OSError(28, "No space left on device")

    for i in range(3):
        ledger.note({"i": i})
    monkeypatch.setattr(os, "write", full)
    with pytest.raises(OSError, match="same command again"):
        ledger.commit()
    monkeypatch.undo()
    ledger.close()
    assert [r["i"] for r in read(tmp_path) if r] == [0, 1, 2]
