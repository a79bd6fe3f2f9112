"""Damage after the fact: the same call computes what is damaged again, and nothing else."""

from __future__ import annotations

import shutil
from dataclasses import dataclass

import numpy as np
import pytest

from polytene import Plan, Reduction, Stage, Unit, cluster, run
from polytene.watch.status import verify


@dataclass(frozen=True)
class Number(Unit):
    n: int = 0


def add(values):
    return np.sum(values, axis=0)


PLAN = Plan("k", [Number(f"u{n}", n) for n in range(40)], block=4)


def flip(path):
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


HARM = {
    "delete": lambda path: path.unlink(),
    "cut": lambda path: path.write_bytes(path.read_bytes()[:-1]),
    "empty": lambda path: path.write_bytes(b""),
    "longer": lambda path: path.write_bytes(path.read_bytes() + b"\n"),
    "flip": flip,
    "zero": lambda path: path.write_bytes(bytes(path.stat().st_size)),
}


@pytest.fixture
def go(tmp_path, client, work):
    def run_it(legs=1):
        def first(unit):
            work.note(f"first-{unit.key}")
            return np.arange(3) * unit.n

        def second(unit, array):
            work.note(f"second-{unit.key}")
            return array + 1

        stages = [first, Stage(second, needs={"GPU": 1})][:legs]
        return run(
            PLAN, stages, Reduction(add, split_every=3), run_dir=tmp_path / "run", client=client
        )

    return run_it


def files(root, folder, suffix):
    return sorted((root / folder).glob(f"*/*/*{suffix}"))


@pytest.mark.parametrize("suffix", [".json", ".npz"])
@pytest.mark.parametrize("harm", HARM)
@pytest.mark.parametrize("nodes", ["kept", "gone"])
def test_a_damaged_part_is_computed_again(go, tmp_path, work, suffix, harm, nodes):
    root = tmp_path / "run"
    first = go()
    work.taken()
    HARM[harm](files(root, "parts", suffix)[2])
    if nodes == "gone":
        shutil.rmtree(root / "nodes")
    again = go()
    assert again.result.tobytes() == first.result.tobytes()
    assert again.planned == again.computed + again.resumed
    assert len(work.taken()) == again.computed <= 16, "just its block"
    if nodes == "gone" or harm not in ("flip", "zero"):
        assert again.computed > 0
        assert verify(root, deep=True)[1] == []


@pytest.mark.parametrize("suffix", [".json", ".npz"])
@pytest.mark.parametrize("harm", HARM)
def test_a_damaged_fold_is_folded_again(go, tmp_path, work, suffix, harm):
    first = go()
    work.taken()
    for path in files(tmp_path / "run", "nodes", suffix):
        HARM[harm](path)
        assert go().result.tobytes() == first.result.tobytes()
    assert not work.taken()


@pytest.mark.parametrize("harm", ["delete", "flip"])
def test_a_damaged_part_between_two_legs(go, tmp_path, work, harm):
    root = tmp_path / "run"
    first = go(2)
    assert len(work.taken()) == 80
    early, late = sorted((root / "parts").iterdir(), key=lambda p: p.stat().st_ctime_ns)
    if not any(p.name for p in early.glob("*/*.npz")):
        early, late = late, early
    HARM[harm](sorted(early.glob("*/*.npz"))[1])
    shutil.rmtree(late)
    again = go(2)
    assert again.result.tobytes() == first.result.tobytes()
    ran = work.taken()
    assert sum(word.startswith("second") for word in ran) == 40
    assert 0 < sum(word.startswith("first") for word in ran) <= 16


@pytest.mark.parametrize("harm", ["flip", "cut"])
def test_deep_verification_finds_it(go, tmp_path, harm):
    root = tmp_path / "run"
    go()
    every = files(root, "parts", ".json") + files(root, "nodes", ".json")
    assert verify(root, deep=True) == (len(every), [])
    path = files(root, "parts", ".npz")[0]
    HARM[harm](path)
    assert len(verify(root)[1]) == (harm == "cut")
    (problem,) = verify(root, deep=True)[1]
    assert path.stem in problem


@pytest.mark.parametrize("harm", HARM)
def test_deep_verification_looks_at_all_legs_and_folds(go, tmp_path, harm):
    root = tmp_path / "run"
    go(2)
    for path in [*files(root, "parts", ".npz"), *files(root, "nodes", ".npz")]:
        data = path.read_bytes()
        HARM[harm](path)
        assert any(path.stem in p for p in verify(root, deep=True)[1]), path
        path.write_bytes(data)


@pytest.mark.parametrize("harm", ["delete", "cut", "flip"])
def test_damaged_plan_lines_are_written_again(go, tmp_path, work, harm):
    root = tmp_path / "run"
    first = go()
    HARM[harm](next(root.glob("plan-*.jsonl")))
    shutil.rmtree(root / "parts")
    shutil.rmtree(root / "nodes")
    assert go().result.tobytes() == first.result.tobytes()


def test_what_a_killed_run_left_is_cleared(go, tmp_path):
    root = tmp_path / "run"
    (root / "scratch" / "tmpdead").mkdir(parents=True)
    (root / "scratch" / "tmpdead" / "big").write_bytes(bytes(100))
    go()
    assert list((root / "scratch").iterdir()) == []


def test_a_cluster_that_is_opened_once_heals_damage_that_shows_late(tmp_path):
    plan = Plan("late", [Unit(f"u{n}") for n in range(6)])

    def go():
        local = cluster("local", workers=1, memory_limit="1GB", dashboard_port=0)
        return run(plan, [key_of], Reduction(joined), run_dir=tmp_path / "run", client=local)

    want = go().result
    shutil.rmtree(tmp_path / "run" / "nodes")
    part = sorted((tmp_path / "run").glob("parts/*/*/*.json"))[2]
    part.write_bytes(part.read_bytes().replace(b"u", b"v"))
    again = go()
    assert (again.result, again.computed, again.resumed) == (want, 1, 5)


def key_of(unit):
    return [unit.key]


def joined(values):
    return [key for value in values for key in value]
