"""The fold: one order and one shape, whatever the timing was."""

from __future__ import annotations

import functools
import random
import threading
from dataclasses import dataclass

import dask
import numpy as np
import pytest

from polytene import Plan, Reduction, Unit, run
from polytene.core import parts
from polytene.core.reduce import Tree, fold
from polytene.core.values import encode
from polytene.exceptions import UsageError


@dataclass(frozen=True)
class Number(Unit):
    n: int = 0


def bracket(values):
    return f"({''.join(values)})"


def join(values):
    return [x for v in values for x in v]


def top(values, k):
    return join(values)[:k]


def add32(values):
    total = np.zeros_like(values[0])
    for value in values:
        total = total + value
    return total


def reference(blocks, combine, every):
    """Fold in plain Python: each block, then groups of neighbours."""
    level = [combine(b) for b in blocks if b]
    while len(level) > 1:
        groups = [level[i : i + every] for i in range(0, len(level), every)]
        level = [g[0] if len(g) == 1 else combine(g) for g in groups]
    return level[0] if level else None


@pytest.fixture(scope="module")
def leaves(tmp_path_factory):
    """A hundred parts of a hundred blocks; block ``i`` holds ``i % 3 + 1`` values."""
    root = tmp_path_factory.mktemp("leaves")
    blocks = [[f"{i}{'abc'[j]}" for j in range(i % 3 + 1)] for i in range(100)]
    refs = []
    for i, block in enumerate(blocks):
        accounts = {"failures": [], "rejected": []}
        each = {"items": [0] * len(block), "nbytes": [0] * len(block)}
        values = encode(block, [False] * len(block))
        receipt = parts.write(root, f"parts/leg/0/{i}", accounts, values, each=each, sync=False)
        refs.append(parts.Ref(receipt["part"], receipt["digest"]))
    return root, blocks, refs


def fold_all(root, refs, every, seed):
    """Settle leaves and nodes in a random order."""
    rng = random.Random(seed)
    reduction = Reduction(bracket, split_every=every)
    tree = Tree(root, len(refs), reduction)
    for i in rng.sample(range(len(refs)), len(refs)):
        tree.settle(0, i, refs[i])
    folded = 0
    while tree.ready:
        node = tree.ready.pop(rng.randrange(len(tree.ready)))
        tree.settle(node.level + 1, node.index, fold(root, bracket, False, node))
        folded += 1
    return tree, folded


@pytest.mark.parametrize("every", range(2, 10))
def test_the_shape_is_that_of_a_fold_in_order(leaves, every):
    root, blocks, refs = leaves
    for n in range(101):
        tree, _ = fold_all(root, refs[:n], every, n)
        assert tree.value() == reference(blocks[:n], bracket, every), n
        assert fold_all(root, refs[:n], every, n + 1)[1] == 0, "what is folded is found again"


def test_blocks_without_values_are_stepped_over(leaves):
    root, blocks, refs = leaves
    rng = random.Random(3)
    for n in (1, 7, 30, 100):
        some = [None if rng.random() < 0.5 else r for r in refs[:n]]
        tree, _ = fold_all(root, some, 4, n)
        flat = "".join(x for b, r in zip(blocks, some, strict=False) if r for x in b) or None
        value = tree.value()
        assert (value and value.replace("(", "").replace(")", "")) == flat
    assert fold_all(root, [None] * 9, 3, 1)[0].value() is None


def number(unit):
    return [unit.n]


def share(unit):
    return np.random.default_rng(unit.n).random(5, dtype=np.float32) * np.float32(
        10.0 ** (unit.n % 7)
    )


PLAN = Plan("k", [Number(f"u{i}", n=i, cost=1 + i * 7 % 5) for i in range(90)], block=4)


def bytes_of(root):
    return {
        p.relative_to(root): p.read_bytes()
        for p in sorted((root / "nodes").rglob("*"))
        if p.is_file()
    }


@pytest.mark.parametrize(("stage", "combine"), [(number, join), (share, add32)])
def test_the_bytes_do_not_depend_on_how_it_was_run(tmp_path, client, stage, combine):
    seen = []
    for i, (in_flight, seconds) in enumerate([(1000, 10), (1, 10), (3, 0), (1000, 0), (7, 0.001)]):
        with dask.config.set({"polytene.task-seconds": seconds}):
            root = tmp_path / str(i)
            reduction = Reduction(combine, split_every=3)
            run(PLAN, [stage], reduction, run_dir=root, client=client, in_flight=in_flight)
            seen.append(bytes_of(root))
    assert len(seen[0]) > 10
    assert all(s == seen[0] for s in seen)


def test_the_result_is_that_of_plain_python(tmp_path, client):
    from polytene.core.saved import blocks

    chunks = [[share(u) for u in chunk] for chunk in blocks(PLAN)]
    got = run(
        PLAN, [share], Reduction(add32, split_every=3), run_dir=tmp_path, client=client
    ).result
    assert got.tobytes() == reference(chunks, add32, 3).tobytes()


def test_without_combine_values_come_in_plan_order(tmp_path, client):
    def finish(values, plan, failures):
        assert iter(values) is values, "read one after the other"
        return [(u.key, v) for u, v in values]

    def stage(unit):
        if unit.n % 10 == 3:
            raise ValueError("three")
        return unit.n

    out = run(
        PLAN, [stage], Reduction(None, finish), run_dir=tmp_path, client=client, max_quarantined=1
    )
    assert out.result == [(u.key, u.n) for u in PLAN if u.n % 10 != 3]


def test_finalize_gets_plan_and_failures(tmp_path, client):
    def stage(unit):
        raise ValueError("all")

    def finish(value, plan, failures):
        return value, plan.kind, [u.key for u in plan], [f.key for f in failures]

    keys = [u.key for u in PLAN]
    out = run(
        PLAN, [stage], Reduction(join, finish), run_dir=tmp_path, client=client, max_quarantined=1
    )
    assert out.result == (None, "k", keys, keys)


@pytest.mark.parametrize("every", [1, 0, -1])
def test_a_tree_of_ones_is_refused(every):
    with pytest.raises(UsageError, match="at least 2"):
        Reduction(join, split_every=every)


@pytest.mark.parametrize(
    "other",
    [
        Reduction(functools.partial(top, k=5)),
        Reduction(lambda values: [max(join(values))]),
        Reduction(join, version=2),
        Reduction(functools.partial(top, k=2), split_every=3),
    ],
    ids=["parameter", "function", "version", "split"],
)
def test_another_reduction_folds_anew(tmp_path, client, other):
    for first in (Reduction(functools.partial(top, k=2)), Reduction(lambda values: join(values))):
        root = tmp_path / str(first.split_every) / type(first.combine).__name__
        run(PLAN, [number], first, run_dir=root, client=client)
        out = run(PLAN, [number], other, run_dir=root, client=client)
        fresh = run(PLAN, [number], other, run_dir=root / "fresh", client=client)
        assert out.result == fresh.result
        assert out.computed == 0


def test_finalize_stays_in_the_driver(tmp_path, client):
    held = threading.Lock()

    def finish(value, plan, failures):
        with held:
            return value

    assert run(PLAN, [number], Reduction(join, finish), run_dir=tmp_path, client=client).result
