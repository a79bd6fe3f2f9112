"""What a worker does: run the units of whole blocks through a leg, and commit their parts."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from polytene.core import parts
from polytene.core.canonical import Json
from polytene.core.failure import RETRIED, categorise, describe
from polytene.core.files import FULL, full_disk_named, sync_folder
from polytene.core.parts import Ref
from polytene.core.saved import read_block
from polytene.core.scratch import scratch_in
from polytene.core.stage import Leg, Partial
from polytene.core.values import encode, kind_of
from polytene.exceptions import Rejected


@dataclass(frozen=True)
class Job:
    """What all tasks of one leg share."""

    root: Path
    units: Path
    unit_type: type[Any]
    leg: Leg
    epoch: int
    sync: bool = True


@dataclass(frozen=True)
class Item:
    """One block to do.

    ``source`` is what the leg before left; ``kept`` is an earlier part of this leg whose failed
    units are tried again, all of them or only those where trying again can help.
    """

    block: int
    offset: int
    tag: int
    source: Ref | None = None
    kept: Ref | None = None
    retry_all: bool = False


@dataclass(frozen=True)
class Entry:
    """What one unit came to: a value with its accounts, or a failure."""

    value: object = None
    items: int = 0
    nbytes: int = 0
    rejected: tuple[tuple[str, str, str, str], ...] = ()
    failure: tuple[str, str, str, str, str] | None = None

    def after(self, stage: str, returned: object) -> Entry:
        """Return the entry once ``stage`` has returned something."""
        if not isinstance(returned, Partial):
            return replace(self, value=returned)
        return replace(
            self,
            value=returned.value,
            items=self.items + returned.items,
            nbytes=self.nbytes + returned.nbytes,
            rejected=(*self.rejected, *((stage, *Rejected(*r)) for r in returned.rejected)),
        )

    def to_do(self, retry_all: bool) -> bool:
        """Whether a unit that came to this is to be tried again."""
        return self.failure is not None and (retry_all or self.failure[2] in RETRIED)


def work(job: Job, items: Sequence[Item]) -> list[dict[str, Json]]:
    """Run whole blocks and commit their parts; return their receipts."""
    receipts = [_block(job, item) for item in items]
    if job.sync:
        for folder in {(job.root / r["part"]).parent for r in receipts}:
            sync_folder(folder)
    return receipts


def part_name(leg: str, block: int, tag: int, epoch: int) -> str:
    """Return the name of the part of one attempt."""
    return f"parts/{leg}/{block // 1000:05d}/{tag:016x}.{epoch:05d}"


def _block(job: Job, item: Item) -> dict[str, Json]:
    start = time.perf_counter()
    name = part_name(job.leg.fingerprint, item.block, item.tag, job.epoch)
    kept = 0
    if (job.root / f"{name}.json").exists():  # Dask may run a task twice
        receipt, _ = parts.read_receipt(job.root, name)
    else:
        units = read_block(job.units, item.offset, item.tag, job.unit_type)
        before = entries(job.root, item.source) or [Entry()] * len(units)
        old = entries(job.root, item.kept)
        with scratch_in(job.root / "scratch"):
            done = []
            for i, unit in enumerate(units):
                keep = old and not old[i].to_do(item.retry_all)
                done.append(old[i] if keep else _unit(job.leg, unit, before[i]))
            receipt = _commit(job, item, name, done)
        kept = sum(e.failure is None and not e.to_do(item.retry_all) for e in old)
    return {**receipt, "block": item.block, "seconds": time.perf_counter() - start, "kept": kept}


def _unit(leg: Leg, unit: Any, entry: Entry) -> Entry:
    if entry.failure is not None:
        return entry
    stage = leg.stages[0]
    previous = () if leg.first else (entry.value,)
    try:
        for stage in leg.stages:
            entry = entry.after(stage.name, stage.func(unit, *previous))
            kind_of(entry.value)
            previous = (entry.value,)
    except Exception as error:
        if isinstance(error, OSError) and error.errno in FULL:
            with full_disk_named(Path(error.filename or "the run directory")):
                raise
        return Entry(failure=(unit.key, stage.name, categorise(error), *describe(error)))
    return entry


def _commit(job: Job, item: Item, name: str, done: Sequence[Entry]) -> dict[str, Json]:
    values = encode([e.value for e in done], [e.failure is not None for e in done])
    accounts = {
        "leg": job.leg.fingerprint,
        "tag": f"{item.tag:016x}",
        "units": len(done),
        "items": sum(e.items for e in done),
        "nbytes": sum(e.nbytes for e in done),
        "failures": [[i, *e.failure] for i, e in enumerate(done) if e.failure],
        "rejected": [[i, *r] for i, e in enumerate(done) for r in e.rejected],
    }
    each = {"items": [e.items for e in done], "nbytes": [e.nbytes for e in done]}
    return parts.write(job.root, name, accounts, values, each=each, sync=job.sync)


def entries(root: Path, ref: Ref | None) -> list[Entry]:
    """Return what the units of a committed block came to, in order."""
    if ref is None:
        return []
    receipt, layout, values = parts.read(root, ref)
    failures = {i: tuple(f) for i, *f in receipt["failures"]}
    rejected: dict[int, list[Any]] = {}
    for i, *r in receipt["rejected"]:
        rejected.setdefault(i, []).append(tuple(r))
    return [
        Entry(value, items, nbytes, tuple(rejected.get(i, ())), failures.get(i))
        for i, (value, items, nbytes) in enumerate(
            zip(values, layout["items"], layout["nbytes"], strict=True)
        )
    ]
