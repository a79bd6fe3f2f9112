"""A disk that is really full: the run says so, tears nothing, and goes on once there is room."""

from __future__ import annotations

import contextlib
import functools
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from polytene import Folder, Plan, Reduction, Unit, run, scratch, testing
from polytene.core import parts
from polytene.core.ledger import read
from polytene.core.tools import run_tool
from polytene.exceptions import NoSpace
from polytene.watch.status import status, verify

UNITS = 30
BIG = 20_000
NUMBERS = "numbers"


@dataclass(frozen=True)
class Number(Unit):
    n: int = 0


PLAN = Plan("full", [Number(f"u{n}", n) for n in range(UNITS)], block=2)


def numbers(unit, size):
    return np.random.default_rng(unit.n).random(size)


def in_scratch(unit, size):
    folder = scratch()
    (folder / NUMBERS).write_bytes(numbers(unit, size).tobytes())
    return Folder(folder, unit.n)


def by_tool(unit, size):
    """As a program of the field does it: it writes, and ends with an error of its own."""
    folder = scratch()
    words = ["dd", "if=/dev/zero", f"of={NUMBERS}", f"bs={8 * size}", "count=4", "status=none"]
    run_tool(words, log=folder / "said", cwd=folder)
    return Folder(folder, unit.n)


def mean(unit, size):
    return float(numbers(unit, size).mean())


def total(values):
    return np.sum(values, axis=0)


def digests(values, plan, failures):
    return [[u.key, parts.file_digest(f.path / NUMBERS)] for u, f in values]


WORK = {
    "the parts": (numbers, Reduction(total, lambda v, p, f: v.tobytes(), 4)),
    "the scratch": (in_scratch, Reduction(None, digests)),
}


def go(client, root, stage, reduction, plan=PLAN):
    stage = functools.partial(stage, size=BIG)
    return run(plan, [stage], reduction, run_dir=root, client=client)


def torn(root):
    """Return what is wrong with the parts that can be seen, listed or not."""
    names = [str(p.relative_to(root).with_suffix("")) for p in root.glob("parts/*/*/*.json")]
    wrong = [parts.damage(root, parts.read_receipt(root, name)[0]) for name in names]
    return [w for w in wrong if w]


def holds_together(root):
    """The ledger loads, and every file that can be seen is whole."""
    assert None not in list(read(root)), "no line of the ledger is torn"
    assert torn(root) == []
    assert verify(root, deep=True)[1] == []


@pytest.mark.parametrize("what", WORK)
def test_a_disk_that_fills_while_units_are_written(
    tmp_path, small_disk, filler, local_client, what
):
    expected = go(local_client, tmp_path / "roomy", *WORK[what]).result
    root = small_disk / "run"
    filler.leave(2 << 20)
    with pytest.raises(NoSpace, match="free some and give the same command again") as caught:
        go(local_client, root, *WORK[what])
    assert caught.value.exit_code == 5
    holds_together(root)
    found = status(root)
    assert (found.state, found.quarantined) == ("stopped", 0), "nobody is blamed for the disk"
    with pytest.raises(NoSpace):
        go(local_client, root, *WORK[what])
    holds_together(root)
    filler.free()
    out = go(local_client, root, *WORK[what])
    assert out.result == expected
    assert out.planned == out.computed + out.resumed == UNITS
    assert out.resumed > 0, "what was written before is used"
    holds_together(root)


def test_a_program_that_meets_the_full_disk_is_not_to_blame(
    tmp_path, small_disk, filler, local_client
):
    job = (by_tool, Reduction(None, digests))
    plan = PLAN.head(6)
    expected = go(local_client, tmp_path / "roomy", *job, plan=plan).result
    filler.leave(256 << 10)
    with pytest.raises(NoSpace):
        go(local_client, small_disk / "run", *job, plan=plan)
    holds_together(small_disk / "run")
    filler.free()
    out = go(local_client, small_disk / "run", *job, plan=plan)
    assert (out.result, out.quarantined) == (expected, [])


@pytest.mark.parametrize("free", [0, 4096, 16384, 65536])
def test_a_disk_that_is_full_from_the_start(tmp_path, small_disk, filler, local_client, free):
    job = (mean, Reduction(list))
    expected = go(local_client, tmp_path / "roomy", *job).result
    root = small_disk / "run"
    filler.leave(free)
    with contextlib.suppress(NoSpace):
        assert go(local_client, root, *job).result == expected, "what fits is finished"
    filler.free()
    assert go(local_client, root, *job).result == expected
    holds_together(root)


def test_a_full_disk_of_the_ledger_alone(tmp_path, small_disk, filler, local_client):
    job = (mean, Reduction(list))
    plan = Plan("full", [Number(f"u{n}", n) for n in range(60)])
    expected = go(local_client, tmp_path / "roomy", *job, plan=plan).result
    root = tmp_path / "run"
    root.mkdir()
    (small_disk / "ledger").mkdir()
    (root / "ledger").symlink_to(small_disk / "ledger")
    filler.leave(8192)
    with pytest.raises(NoSpace, match="ledger"):
        go(local_client, root, *job, plan=plan)
    assert torn(root) == []
    assert None not in list(read(root)), "no line of the ledger is torn"
    filler.free()
    out = go(local_client, root, *job, plan=plan)
    assert (out.result, out.planned) == (expected, 60)
    assert out.resumed > 0, "parts that the ledger could not list are found again"
    assert verify(root, deep=True)[1] == []


def command(*words: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "polytene", *map(str, words)],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip


def test_a_full_disk_of_the_output(tmp_path: Path, small_disk, filler):
    genomes = testing.write_genbank(tmp_path / "genomes.gb", 20)
    filler.leave(48 << 10)
    words = ["codons", "ingest", genomes, "--workers", 1, "--memory-limit", "1GB", "--no-progress"]
    full = command(*words, "-o", small_disk / "set")
    assert full.returncode == 5, full.stderr
    assert "no space left for" in full.stderr.splitlines()[-1]
    filler.free()
    for out in (small_disk / "set", tmp_path / "set"):
        done = command(*words, "-o", out)
        assert done.returncode == 0, done.stderr
    assert tables(small_disk / "set") == tables(tmp_path / "set") != {}


def tables(folder: Path) -> dict[str, bytes]:
    """Return the bytes of each visible table of a set."""
    return {p.name: p.read_bytes() for p in folder.glob("*.parquet")}
