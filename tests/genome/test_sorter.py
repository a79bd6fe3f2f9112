"""Sorting more than fits in memory."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from polytene.genome.merging import sorter as module
from polytene.genome.merging.sorter import Sorter

KEYS = st.tuples(st.integers(0, 3), st.integers(0, 5), st.integers(-3, 0))


@given(st.lists(KEYS, max_size=200), st.integers(1, 5000))
def test_as_sorted_does(tmp_path_factory, keys, budget):
    sorter = Sorter(tmp_path_factory.getbasetemp(), budget)
    records = [(key, str(i).encode()) for i, key in enumerate(keys)]
    for key, payload in records:
        sorter.add(key, payload)
    assert list(sorter) == sorted(records)


def test_many_runs_are_merged_in_levels(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "FAN_IN", 3)
    sorter = Sorter(tmp_path, 400)
    records = [((i * 7919 % 100, i % 3, 0), bytes([i % 251])) for i in range(500)]
    for key, payload in records:
        sorter.add(key, payload)
    assert len(sorter._runs) <= 3
    assert list(sorter) == sorted(records)


def test_what_waits_on_disk_has_no_name_and_is_gone_afterwards(tmp_path):
    sorter = Sorter(tmp_path, 1)
    for i in range(10):
        sorter.add((i, 0, 0), b"x")
    assert list(Path(tmp_path).iterdir()) == []
