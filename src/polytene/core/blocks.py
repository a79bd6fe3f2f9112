"""What a worker does: run the units of whole blocks through a leg, and commit their parts."""

from __future__ import annotations

import pickle
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from polytene.core import parts
from polytene.core.canonical import Json
from polytene.core.failure import categorise, describe
from polytene.core.files import FULL, full_disk_named, sync_folder
from polytene.core.isolate import gate, in_sandbox, memory_cap
from polytene.core.parts import Ref
from polytene.core.saved import footprint_of, read_block
from polytene.core.scratch import host_home, scratch_in
from polytene.core.stage import Leg, Partial
from polytene.core.usage import Usage
from polytene.core.values import Form, check_form, encode, form_of
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

    @cached_property
    def scratch(self) -> Path:
        """Where this driver's units have their scratch."""
        return self.root / "scratch" / f"{self.epoch:05d}"


class Item(NamedTuple):
    """One block to do.

    ``source`` is what the leg before left; ``kept`` is an earlier part of this leg whose units
    that failed with one of the categories ``again`` are tried again, in attempt ``attempt``.
    ``roomy``: alone, and with all memory of the worker; ``host``: the name of its folder on the
    host that it is pinned to.
    """

    block: int
    offset: int
    tag: int
    source: Ref | None = None
    kept: Ref | None = None
    again: tuple[str, ...] = ()
    attempt: int = 0
    isolated: bool = False
    roomy: bool = False
    host: str | None = None


@dataclass(frozen=True)
class Entry:
    """What one unit came to: a value with its accounts, or a failure."""

    value: object = None
    items: int = 0
    nbytes: int = 0
    rejected: tuple[tuple[str, ...], ...] = ()
    failure: tuple[str, ...] | None = None
    retry_after: float | None = None
    holds: Mapping[str, float] | None = None

    def after(self, stage: str, returned: object) -> Entry:
        """Return the entry once ``stage`` has returned something."""
        if not isinstance(returned, Partial):
            return replace(self, value=returned)
        rejected = [(stage, *map(str, Rejected(*r))) for r in returned.rejected]
        return replace(
            self,
            value=returned.value,
            items=self.items + int(returned.items),
            nbytes=self.nbytes + int(returned.nbytes),
            rejected=(*self.rejected, *rejected),
            holds={**(self.holds or {}), **returned.holds} or None,
        )

    def to_do(self, again: Sequence[str]) -> bool:
        """Whether a unit that came to this is to be tried again."""
        return self.failure is not None and self.failure[2] in again


@lru_cache(maxsize=16)
def _unpacked(packed: bytes) -> Job:
    """Return a job; a worker unpacks it once, and not again for each task."""
    job: Job = pickle.loads(packed)
    return job


def task(packed: bytes, items: bytes) -> bytes:
    """Do :func:`work` with pickled items and receipts: Dask does not look into bytes."""
    return pickle.dumps(work(packed, [Item(*item) for item in pickle.loads(items)]))


def work(packed: bytes, items: Sequence[Item]) -> list[dict[str, Json]]:
    """Run whole blocks of a pickled job and commit their parts; return their receipts."""
    job = _unpacked(packed)
    receipts = [_block(job, item) for item in items]
    if job.sync:
        for folder in {(job.root / r["part"]).parent for r in receipts}:
            sync_folder(folder)
    return receipts


def part_name(leg: str, item: Item, epoch: int) -> str:
    """Return the name of the part of one attempt."""
    attempt = f"{epoch:05d}.{item.attempt:02d}"
    return f"parts/{leg}/{item.block // 1000:05d}/{item.tag:016x}.{attempt}"


def _block(job: Job, item: Item) -> dict[str, Json]:
    usage = Usage()
    name = part_name(job.leg.fingerprint, item, job.epoch)
    about: dict[str, Json] = {"block": item.block, "kept": 0, "retry_after": None, "room": None}
    if parts.is_committed(job.root, name):  # Dask may run a task twice
        receipt, _ = parts.read_receipt(job.root, name)
    else:
        units = read_block(job.units, item.offset, item.tag, job.unit_type)
        before = entries(job.root, item.source) or [Entry()] * len(units)
        old = entries(job.root, item.kept)
        host = host_home(job.root, job.epoch, item.host) if item.host else None
        with scratch_in(job.scratch, host), gate.entered(alone=item.roomy):
            usage = Usage()
            done = _entries(job, item, units, before, old)
            receipt = _commit(job, item, name, done, _holds(units, done))
        about["kept"] = sum(e.failure is None for e in old)
        about["retry_after"] = max((e.retry_after for e in done if e.retry_after), default=None)
        if any(e.failure and e.failure[2] == "memory" for e in done):
            about["room"] = memory_cap(item.roomy)
    return {**receipt, **about, "usage": usage.taken(gpu="GPU" in job.leg.needs)}


def _entries(
    job: Job, item: Item, units: Sequence[Any], before: Sequence[Entry], old: Sequence[Entry]
) -> list[Entry]:
    done: list[Entry] = []
    form: Form | None = None
    for i, unit in enumerate(units):
        if old and not old[i].to_do(item.again):
            entry = old[i]
        elif before[i].failure is not None:
            entry = before[i]
        else:
            entry = _unit(job, item, unit, before[i], form)
        form = form or (None if entry.failure else form_of(entry.value))
        done.append(entry)
    return done


def _unit(job: Job, item: Item, unit: Any, before: Entry, form: Form | None) -> Entry:
    leg = job.leg
    if not item.isolated and not leg.isolated:
        return run_unit(leg, unit, before, form)
    try:
        return in_sandbox(run_unit, leg, unit, before, form, roomy=item.roomy)
    except Exception as error:
        return _failed(unit.key, leg.name, error)


def run_unit(leg: Leg, unit: Any, entry: Entry, form: Form | None = None) -> Entry:
    """Run one unit through a leg; whatever it raises is its own failure.

    ``form`` is what the units before it in its block returned; all have to return the same.
    """
    stage = leg.stages[0]
    previous = () if leg.first else (entry.value,)
    try:
        for stage in leg.stages:
            entry = entry.after(stage.name, stage.func(unit, *previous))
            previous = (entry.value,)
        check_form(entry.value, form)
        _check_holds(unit, entry.holds)
    except (Exception, SystemExit) as error:
        if isinstance(error, OSError) and error.errno in FULL:
            with full_disk_named(Path(error.filename or "the run directory")):
                raise
        return _failed(unit.key, stage.name, error)
    return entry


def _check_holds(unit: Any, holds: Mapping[str, float] | None) -> None:
    for name, amount in (holds or {}).items():
        if amount > unit.footprint.get(name, -1.0):
            raise ValueError(f"it holds {amount:g} of {name!r}, more than its footprint says")


def _failed(key: str, stage: str, error: BaseException) -> Entry:
    if isinstance(error, OSError) and error.errno in FULL:
        raise error
    after = getattr(error, "retry_after", None)
    return Entry(failure=(key, stage, categorise(error), *describe(error)), retry_after=after)


def _holds(units: Sequence[Any], done: Sequence[Entry]) -> dict[str, float]:
    """Return what a block holds from now on, if a stage said so for one of its units."""
    if not any(e.holds for e in done):
        return {}
    return footprint_of(units, [e.holds or {} for e in done])


def _commit(
    job: Job, item: Item, name: str, done: Sequence[Entry], holds: dict[str, float]
) -> dict[str, Json]:
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
    if holds:
        accounts["holds"] = holds
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
